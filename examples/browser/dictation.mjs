// Dictation. The page speaks with Corti itself; the gateway gives it a token that can do nothing else.
import { CortiClient } from "./sdk.mjs";
import { audioFormat, send } from "./sound.mjs";

/** A client for any number of dictations: the SDK asks the gateway for a new token when it needs one. */
export async function dictationClient(ask) {
  // Only to learn where Corti is: the SDK asks for its tokens itself.
  const session = await ask("/broker/v1/sessions", { kind: "transcribe", via: "direct" });
  const wss = session.websocketUrl.replace(/\/transcribe.*/, "");
  return new CortiClient({
    environment: { wss, base: "", login: "", agents: "" },
    tenantName: session.tenantName,
    auth: { refreshAccessToken: () => ask("/broker/v1/token", { scopes: ["transcribe"] }) },
  });
}

export async function dictate(client, { open, status, text }) {
  const socket = await client.transcribe.connect({
    configuration: { primaryLanguage: "en", automaticPunctuation: true, audioFormat },
  });
  try {
    await send(await open(), socket, status, (message) => {
      if (message.type === "transcript") text(message.data.text);
    });
  } finally {
    socket.close();
  }
}
