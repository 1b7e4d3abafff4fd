// Checks `corti-auth serve` with @corti/sdk, as the frontends and jobs of a customer use it. Variables: GATEWAY (a URL),
// USER_TOKEN (a JWT of the clinic's identity provider), KEY (an API key), READER (one that may only list interactions), SLOW (the
// same with a low rate), and CORTI (the URL of what is behind the gateway). Prints a line per check, as peer.mjs does. The arguments choose groups.
import { randomUUID } from "node:crypto";
import { Corti, CortiClient, CortiError, CortiWebSocketProxyClient } from "@corti/sdk";
import { describe, listen, refusal, run, same, setting, that } from "./checks.mjs";

const gateway = setting("GATEWAY");
const key = setting("KEY");
const user = setting("USER_TOKEN");
const reader = setting("READER");
const slow = setting("SLOW");
const corti = setting("CORTI");
const sockets = (url) => url.replace(/^http/, "ws");
const through = {
  base: `${gateway}/corti/v2`,
  wss: `${sockets(gateway)}/corti/audio-bridge/v2`,
  agents: `${gateway}/corti`,
  // The SDK needs one, and never uses it: the gateway has no login.
  login: `${gateway}/corti/login`,
};

// connect() that waits for the configuration's answer makes a promise of which it loses sight when the upgrade is refused.
const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error.message));

/** Every HTTP answer since the check began. */
const answers = [];
const watched = async (url, init) => {
  const answer = await fetch(url, init);
  answers.push(answer);
  return answer;
};
const statuses = () => answers.map(({ status }) => status);

/** A frontend's client. The tenant is the gateway's business. */
const client = (accessToken) =>
  new CortiClient({ environment: through, tenantName: "ignored", auth: { accessToken }, fetch: watched });
const callers = { "a user's JWT": user, "an API key": key };
const encounter = () => ({ identifier: randomUUID(), status: "planned", type: "first_consultation" });
const newInteraction = async () => (await client(key).interactions.create({ encounter: encounter() })).interactionId;

async function broker(path, body) {
  const answer = await fetch(`${gateway}/broker/v1/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${user}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  that(answer.ok, `${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const dictation = { primaryLanguage: "en" };
const consultation = {
  transcription: { primaryLanguage: "en", participants: [{ channel: 0, role: "multiple" }] },
  mode: { type: "transcription" },
};

/** Audio goes through, and a transcript comes back. */
async function dictate(socket, heard, times = 1) {
  const count = (kind) => heard.types().filter((type) => type === kind).length;
  for (let chunk = 0; chunk < 4; chunk++) socket.sendAudio(new Uint8Array(8_000));
  socket.sendFlush({ type: "flush" });
  await heard.until(() => count("flushed") === times);
  that(count("transcript") >= times, `a transcript is missing: ${heard.types()}`);
}

/** A dictation until its `end`, after which the SDK does not connect again. */
async function speak(socket, ended, heard = listen(socket), times = 1) {
  await dictate(socket, heard, times);
  socket.sendEnd({ type: "end" });
  await heard.says(ended);
  await heard.until(() => heard.codes.at(-1) === 1000);
  same(heard.types().at(-1), ended, "the last message");
  same(heard.errors.map(describe), [], "the errors");
}

/** A WebSocket by a session of the broker. */
async function session(kind) {
  const { websocketUrl: url, protocols, interactionId } = await broker("sessions", { kind });
  const proxy = { url, protocols };
  if (kind === "transcribe") return CortiWebSocketProxyClient.transcribe.connect({ proxy, configuration: dictation });
  that(url.includes(interactionId), "the URL is another interaction's");
  return CortiWebSocketProxyClient.stream.connect({ proxy, configuration: consultation });
}

/** Both WebSockets, by the ordinary client. */
async function bothSpeak(client) {
  await speak(await client.transcribe.connect({ configuration: dictation }), "ended");
  const id = await newInteraction();
  await speak(await client.stream.connect({ id, configuration: consultation }), "ENDED");
}

/** An upgrade that is refused with this status: an event of the socket, and nothing that would end this program. */
async function refused(client, connection, status) {
  const configuration = client === CortiWebSocketProxyClient.stream ? consultation : dictation;
  const heard = listen(await client.connect({ ...connection, configuration, awaitConfiguration: false }));
  await heard.until(() => heard.errors.length > 0);
  const said = `Unexpected server response: ${status}`;
  same(heard.errors.map(({ message }) => message), [said], "the errors");
  same(unhandled, [], "what nothing handled");
  // Whoever waits for the configuration's answer gets the same as an error.
  const thrown = await refusal(client.connect({ ...connection, configuration }));
  same(thrown.message, said, "the error");
  await new Promise(setImmediate);
  same(unhandled.splice(0), [said], "what nothing handled");
}

/** A check for each kind of caller. */
const forEach = (name, check) =>
  Object.fromEntries(Object.entries(callers).map(([who, token]) => [`${name}, with ${who}`, () => check(client(token))]));

const checks = {
  rest: {
    ...forEach("an interaction is created, read, changed, listed and deleted", async ({ interactions }) => {
      const { interactionId: id, websocketUrl } = await interactions.create({ encounter: encounter() });
      that(!new URL(websocketUrl).searchParams.has("token"), "the URL of the WebSocket has a token");
      same((await interactions.get(id)).encounter.status, "planned", "the status");
      const changed = await interactions.update(id, { encounter: { status: "in-progress" } });
      same(changed.encounter.status, "in-progress", "the status");
      const listed = [];
      for await (const one of await interactions.list({ pageSize: 2 })) listed.push(one.id);
      that(listed.includes(id), "the list lacks it");
      await interactions.delete(id);
      same((await refusal(interactions.get(id))).statusCode, 404, "the status of a deleted one");
    }),
    ...forEach("the fact groups", async ({ facts }) => {
      that((await facts.factGroupsList()).data.length > 0, "there are none");
    }),
    "a wrong key is an error with a reason": async () => {
      const thrown = await refusal(client("ck_wrong").interactions.list());
      that(thrown instanceof CortiError, `it is ${describe(thrown)}`);
      same([thrown.statusCode, thrown.body.code], [401, "credential_invalid"], "the error");
      same(statuses(), [401], "what was answered");
    },
    "what no rule allows is a ForbiddenError": async () => {
      const thrown = await refusal(client(reader).interactions.create({ encounter: encounter() }));
      that(thrown instanceof Corti.ForbiddenError, `it is ${describe(thrown)}`);
      same(thrown.body.code, "operation_denied", "the code");
    },
  },

  api: {
    ...forEach("facts", async ({ facts }) => {
      const id = randomUUID();
      const made = await facts.create(id, { facts: [{ text: "æøå", group: "plan" }] });
      same(made.facts[0].text, "æøå", "the text");
      same((await facts.list(id)).facts[0].text, "knee", "the text in the list");
      same((await facts.update(id, randomUUID(), { text: "hip" })).text, "hip", "the text");
      same((await facts.batchUpdate(id, { facts: [{ factId: randomUUID(), text: "b" }] })).facts.length, 1, "the facts");
      const found = await facts.extract({ context: [{ type: "text", text: "rest" }], outputLanguage: "en" });
      same(found.facts[0].value, "rest", "the fact");
    }),
    ...forEach("a recording is sent as it comes, and read again", async ({ recordings }) => {
      const id = randomUUID();
      const parts = Array.from({ length: 20 }, (_, number) => new Uint8Array(50_000).fill(number));
      // The rest is sent when the first bytes have arrived at the API.
      const sent = (async function* () {
        yield parts[0];
        same((await fetch(`${corti}/_seen/upload`)).status, 200, "the upload's begin");
        yield* parts.slice(1);
      })();
      const { recordingId } = await recordings.upload(ReadableStream.from(sent), id);
      that((await recordings.list(id)).recordings.includes(recordingId), "the list lacks it");
      const got = Buffer.from(await (await recordings.get(id, recordingId)).arrayBuffer());
      that(got.equals(Buffer.concat(parts)), `${got.length} other bytes came back`);
      await recordings.delete(id, recordingId);
      that(!(await recordings.list(id)).recordings.includes(recordingId), "it is still listed");
    }),
    ...forEach("transcripts", async ({ transcripts }) => {
      const [id, recordingId] = [randomUUID(), randomUUID()];
      const made = await transcripts.create(id, { recordingId, primaryLanguage: "en" });
      same([made.recordingId, made.transcripts[0].text], [recordingId, "Hello."], "the transcript");
      same((await transcripts.list(id)).transcripts.length, 1, "the list");
      same((await transcripts.getStatus(id, made.id)).status, "completed", "the status");
      same((await transcripts.get(id, made.id)).status, "completed", "the status");
      await transcripts.delete(id, made.id);
    }),
    ...forEach("documents", async ({ documents }) => {
      const id = randomUUID();
      const context = [{ type: "string", data: "rest" }];
      const asked = { context, templateKey: "corti-soap", outputLanguage: "en", name: "letter" };
      const made = await documents.create(id, asked);
      same(made.name, "letter", "the name");
      same((await documents.list(id)).data.length, 1, "the list");
      same((await documents.get(id, made.id)).sections[0].text, "Rest.", "the text");
      same((await documents.update(id, made.id, { name: "note" })).name, "note", "the name");
      await documents.delete(id, made.id);
    }),
    ...forEach("agents", async ({ agents }) => {
      const { id } = await agents.create({ name: "one", description: "d" });
      same((await agents.list())[0].id, id, "the list");
      same((await agents.get(id)).name, "one", "the name");
      same((await agents.update(id, { id, name: "two", description: "d", systemPrompt: "" })).name, "two", "the name");
      same((await agents.getCard(id)).version, "1", "the card");
      same((await agents.getRegistryExperts()).experts, [], "the experts");
      const message = { role: "user", parts: [{ kind: "text", text: "hi" }], messageId: randomUUID(), kind: "message" };
      same((await agents.messageSend(id, { message })).message.parts[0].text, "hi", "the answer");
      same((await agents.getTask(id, "t")).status.state, "completed", "the task");
      same((await agents.getContext(id, "c")).id, "c", "the context");
      await agents.delete(id);
    }),
    // The SDK's next version reads such a stream; 1.0.0 has no call for it.
    "events arrive as they are sent": async () => {
      const answer = await fetch(`${gateway}/corti/v2/agentic/agents/a/a2a/message:stream`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json", accept: "text/event-stream" },
        body: "{}",
      });
      same(answer.headers.get("content-type"), "text/event-stream", "the type");
      const events = answer.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
      that((await events.next()).value.includes('"final":false'), "the first event is another one");
      await fetch(`${corti}/_seen/event`);
      that((await events.next()).value.includes('"final":true'), "the second event is another one");
    },
  },

  broker: {
    "refreshAccessToken asks the broker once for several WebSockets at Corti": async () => {
      const environment = {
        base: `${corti}/v2`,
        wss: `${sockets(corti)}/audio-bridge/v2`,
        agents: corti,
        login: `${corti}/realms`,
      };
      let asked = 0;
      const refreshAccessToken = async () => (asked++, broker("token", { scopes: ["transcribe", "streams"] }));
      const direct = new CortiClient({ environment, tenantName: "base", auth: { refreshAccessToken }, fetch: watched });
      await bothSpeak(direct);
      await speak(await direct.transcribe.connect({ configuration: dictation }), "ended");
      const thrown = await refusal(direct.interactions.list());
      that(thrown instanceof Corti.ForbiddenError, `REST with a limited token: ${describe(thrown)}`);
      same(asked, 1, "how often the broker was asked");
    },
  },

  sockets: {
    "a session of the broker opens transcribe": async () => speak(await session("transcribe"), "ended"),
    "a session of the broker opens stream": async () => speak(await session("streams"), "ENDED"),
  },

  // In Node the SDK sends the caller's token twice: as a header and in the query.
  ordinary: forEach("the ordinary client opens both WebSockets", bothSpeak),

  // The SDK offers the names of its headers in lower case.
  protocols: {
    "headers as protocols open both WebSockets": async () => {
      const headers = { Authorization: `Bearer ${user}` };
      await bothSpeak(new CortiClient({ environment: through, headers, encodeHeadersAsWsProtocols: true }));
    },
  },

  // `open` on a line of its own means that the gateway may be stopped.
  reconnect: {
    "WebSockets come back at another gateway": async () => {
      const both = { ended: await session("transcribe"), ENDED: await session("streams") };
      const heard = Object.fromEntries(Object.entries(both).map(([ended, socket]) => [ended, listen(socket)]));
      await Promise.all(Object.keys(both).map((ended) => dictate(both[ended], heard[ended])));
      console.log("open");
      const comesBack = async (ended) => {
        await heard[ended].says("CONFIG_ACCEPTED");
        await speak(both[ended], ended, heard[ended], 2);
        same(heard[ended].codes, [1006, 1000], "how it was closed");
      };
      await Promise.all(Object.keys(both).map(comesBack));
    },
  },

  // A refusal is final. If the SDK tried again, this program would not end before its last attempt.
  refused: {
    "401 with a ticket that is none": () => {
      const proxy = { url: `${through.wss}/transcribe`, protocols: { "corti-ticket": "a.b.c" } };
      return refused(CortiWebSocketProxyClient.transcribe, { proxy }, 401);
    },
    "403 without a rule": () => {
      const proxy = { url: `${through.wss}/transcribe`, protocols: { Authorization: `Bearer ${reader}` } };
      return refused(CortiWebSocketProxyClient.transcribe, { proxy }, 403);
    },
    "403 with the ticket of another WebSocket": async () => {
      const { protocols } = await broker("sessions", { kind: "transcribe" });
      const proxy = { url: `${through.wss}/interactions/${randomUUID()}/streams`, protocols };
      await refused(CortiWebSocketProxyClient.stream, { proxy }, 403);
    },
  },

  limits: {
    "the SDK waits as long as Retry-After says": async () => {
      const { interactions } = client(slow);
      await Promise.all([interactions.list(), interactions.list()]);
      same(statuses().sort(), [200, 200, 429], "what was answered");
      that(answers.find(({ status }) => status === 429).headers.get("retry-after") > 0, "there is no Retry-After");
    },
  },

  "one list": {
    "an interaction list": async () => void (await client(key).interactions.list()),
  },

  "no list": {
    "the gateway's own token is refused": async () => {
      const thrown = await refusal(client(key).interactions.list());
      same([thrown.statusCode, thrown.body.code], [502, "upstream_rejected_us"], "the error");
    },
  },
};

await run(checks, () => (answers.length = 0));
