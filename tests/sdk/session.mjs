// Opens a session with the output of `corti-auth session --format sdk`, which it reads from stdin and gives to the client
// unchanged. Prints the outcome as a JSON object.
import { CortiClient, CortiWebSocketProxyClient } from "@corti/sdk";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const options = JSON.parse(text);
const client = new CortiClient(options);

const transcription = { primaryLanguage: "en", participants: [{ channel: 0, role: "multiple" }] };
const opened = async (from, more) => {
  if (!options.interactionId) {
    return from.transcribe.connect({ ...more, configuration: { primaryLanguage: "en" }, reconnectAttempts: 0 });
  }
  const configuration = { transcription, mode: { type: "transcription" } };
  return from.stream.connect({ ...more, configuration, reconnectAttempts: 0 });
};

let result;
try {
  (await opened(client, { id: options.interactionId })).close();
  (await opened(CortiWebSocketProxyClient, { proxy: options })).close();
  let refusal;
  await client.interactions.list().catch((thrown) => (refusal = thrown.statusCode));
  result = { opened: true, rest: refusal ?? 200 };
} catch (thrown) {
  result = { opened: false, name: thrown.name, message: thrown.message };
}
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
