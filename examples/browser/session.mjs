// A conversation. The WebSocket goes through the gateway, and the page has no token: its ticket opens one interaction.
import { CortiWebSocketProxyClient } from "./sdk.mjs";
import { audioFormat, send } from "./sound.mjs";

export async function converse(ask, { open, status, text }) {
  const { websocketUrl, protocols } = await ask("/broker/v1/sessions", { kind: "streams" });
  const socket = await CortiWebSocketProxyClient.stream.connect({
    proxy: { url: websocketUrl, protocols },
    configuration: {
      transcription: { primaryLanguage: "en", participants: [{ channel: 0, role: "multiple" }] },
      mode: { type: "facts", outputLocale: "en" },
      audioFormat,
    },
  });
  try {
    await send(await open(), socket, status, (message) => {
      if (message.type === "transcript") message.data.forEach(({ transcript }) => text(transcript));
      if (message.type === "facts") message.fact.forEach((fact) => text(`Fact: ${fact.text}`));
    });
  } finally {
    socket.close();
  }
}
