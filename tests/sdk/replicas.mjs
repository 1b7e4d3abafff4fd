// Opens SOCKETS dictations with @corti/sdk through the gateway GATEWAY, each by a session that the broker gives for the API key KEY,
// and keeps them open until this program is ended. Prints a line for each event: `NUMBER accepted` when a configuration is
// accepted, `NUMBER lost` when a connection ends.
import { CortiWebSocketProxyClient } from "@corti/sdk";
import { setting } from "./checks.mjs";

const gateway = setting("GATEWAY");
const headers = { authorization: `Bearer ${setting("KEY")}`, "content-type": "application/json" };

for (let number = 0; number < Number(setting("SOCKETS")); number++) {
  const answer = await fetch(`${gateway}/broker/v1/sessions`, { method: "POST", headers, body: '{"kind":"transcribe"}' });
  const { websocketUrl: url, protocols } = await answer.json();
  const configuration = { primaryLanguage: "en" };
  const socket = await CortiWebSocketProxyClient.transcribe.connect({ proxy: { url, protocols }, configuration });
  console.log(`${number} accepted`);
  socket.on("message", ({ type }) => type === "CONFIG_ACCEPTED" && console.log(`${number} accepted`));
  socket.on("close", () => console.log(`${number} lost`));
  // The SDK connects again.
  socket.on("error", () => {});
}
