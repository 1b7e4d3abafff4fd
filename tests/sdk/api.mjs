// The parts of Corti's API that the sandbox lacks, with answers that have what the SDK's types require. It grants tokens of its
// own, and answers only requests that carry one of them once, with the tenant `base`. Prints its address.
//
// An upload and a stream of events must not be held back on their way. GET /_seen/upload is answered when the first bytes of an
// upload have arrived; the second event is sent after GET /_seen/event.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const grants = new Set();
const recordings = new Map();
/** What the other side waits for: the first bytes of an upload, and the permission for the second event. */
const [first, second] = [event(), event()];

function event() {
  const it = {};
  it.happened = new Promise((resolve) => (it.happen = resolve));
  return it;
}

const now = "2026-01-02T03:04:05Z";
const usageInfo = { creditsConsumed: 0.1 };
const fact = (text) => ({
  id: randomUUID(),
  text,
  group: "plan",
  groupId: randomUUID(),
  source: "user",
  isDiscarded: false,
  createdAt: now,
  updatedAt: now,
});
const transcript = (recordingId) => ({
  id: randomUUID(),
  metadata: {},
  transcripts: [{ channel: 0, participant: 0, speakerId: 0, text: "Hello.", start: 0, end: 900 }],
  usageInfo,
  recordingId,
  status: "completed",
});
const section = { key: "plan", name: "Plan", text: "Rest.", sort: 0, createdAt: now, updatedAt: now };
const document = (name) => ({
  id: randomUUID(),
  name,
  templateRef: "corti-soap",
  isStream: false,
  sections: [section],
  createdAt: now,
  updatedAt: now,
  outputLanguage: "en",
  usageInfo,
});
const agent = (id, name) => ({ id, name, description: "d", systemPrompt: "", experts: [] });
const card = {
  protocolVersion: "0.3.0",
  name: "a",
  description: "d",
  url: "https://api.eu.corti.app/agents/a",
  version: "1",
  capabilities: {},
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain"],
  skills: [],
};
const message = (text) => ({ role: "agent", parts: [{ kind: "text", text }], messageId: randomUUID(), kind: "message" });

/** The answer to `METHOD /path`, with `*` for each id in it; `sent` is the body of the request. */
const answers = {
  "GET /v2/interactions/*/facts/": () => ({ facts: [fact("knee")] }),
  "POST /v2/interactions/*/facts/": ({ sent }) => ({ facts: sent.facts.map(({ text }) => fact(text)) }),
  "PATCH /v2/interactions/*/facts/": ({ sent }) => ({ facts: sent.facts.map(({ text }) => fact(text)) }),
  "PATCH /v2/interactions/*/facts/*": ({ sent }) => fact(sent.text),
  "POST /v2/tools/extract-facts": () => ({ facts: [{ group: "plan", value: "rest" }], outputLanguage: "en", usageInfo }),
  "GET /v2/interactions/*/recordings/": () => ({ recordings: [...recordings.keys()] }),
  "DELETE /v2/interactions/*/recordings/*": ({ ids }) => void recordings.delete(ids[1]),
  "GET /v2/interactions/*/transcripts/": () => ({ transcripts: [{ id: randomUUID(), transcriptSample: "Hello." }] }),
  "POST /v2/interactions/*/transcripts/": ({ sent }) => transcript(sent.recordingId),
  "GET /v2/interactions/*/transcripts/*": () => transcript(randomUUID()),
  "GET /v2/interactions/*/transcripts/*/status": () => ({ status: "completed" }),
  "DELETE /v2/interactions/*/transcripts/*": () => undefined,
  "GET /v2/interactions/*/documents/": () => ({ data: [document("letter")] }),
  "POST /v2/interactions/*/documents/": ({ sent }) => document(sent.name),
  "GET /v2/interactions/*/documents/*": () => document("letter"),
  "PATCH /v2/interactions/*/documents/*": ({ sent }) => document(sent.name),
  "DELETE /v2/interactions/*/documents/*": () => undefined,
  "GET /agents": () => [agent("a", "one")],
  "POST /agents": ({ sent }) => agent("a", sent.name),
  "GET /agents/*": ({ ids }) => agent(ids[0], "one"),
  "PATCH /agents/*": ({ ids, sent }) => agent(ids[0], sent.name),
  "DELETE /agents/*": () => undefined,
  "GET /agents/*/agent-card.json": () => card,
  "GET /agents/registry/experts": () => ({ experts: [] }),
  "POST /agents/*/v1/message:send": ({ sent }) => ({ message: message(sent.message.parts[0].text) }),
  "GET /agents/*/v1/tasks/*": ({ ids }) => ({ id: ids[1], contextId: "c", status: { state: "completed" }, kind: "task" }),
  "GET /agents/*/v1/contexts/*": ({ ids }) => ({ id: ids[1], items: [] }),
};

const matches = (template, path) => {
  const pattern = template.replaceAll("*", "([^/]+)");
  return new RegExp(`^${pattern}$`).exec(path)?.slice(1);
};

async function body(request) {
  const chunks = [];
  for await (const chunk of request) {
    first.happen();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" }).end(value && JSON.stringify(value));
}

function grant(response, form) {
  const scope = new URLSearchParams(form).get("scope");
  const token = `${encode({ alg: "RS256" })}.${encode({ jti: randomUUID(), exp: 9_999_999_999, scope })}.${encode("signature")}`;
  grants.add(token);
  json(response, 200, { access_token: token, expires_in: 300, token_type: "Bearer", scope });
}

async function events(response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write('data: {"kind":"status-update","final":false}\n\n');
  await second.happened;
  response.end('data: {"kind":"status-update","final":true}\n\n');
}

async function upload(request, response) {
  const isChunked = request.headers["transfer-encoding"] === "chunked" && !request.headers["content-length"];
  const bytes = await body(request);
  if (!isChunked || request.headers["content-type"] !== "application/octet-stream") return json(response, 400, {});
  const recordingId = randomUUID();
  recordings.set(recordingId, bytes);
  json(response, 201, { recordingId });
}

async function answer(request, response) {
  const path = new URL(request.url, "http://x").pathname;
  if (path.endsWith("/protocol/openid-connect/token")) return grant(response, String(await body(request)));
  if (path === "/_seen/upload") return first.happened.then(() => response.end());
  if (path === "/_seen/event") return second.happen(), response.end();
  const given = request.headersDistinct;
  const isOurs = given.authorization?.length === 1 && grants.has(given.authorization[0].replace("Bearer ", ""));
  if (!isOurs) return json(response, 401, {});
  if (String(given["tenant-name"]) !== "base") return json(response, 403, {});
  const call = `${request.method} ${path}`;
  if (matches("POST /v2/interactions/*/recordings/", call)) return upload(request, response);
  if (matches("POST /v2/agentic/agents/*/a2a/message:stream", call)) return events(response);
  const recording = recordings.get(matches("GET /v2/interactions/*/recordings/*", call)?.[1]);
  if (recording) return response.writeHead(200, { "content-type": "audio/wav" }).end(recording);
  const template = Object.keys(answers).find((one) => matches(one, call));
  if (!template) return json(response, 404, {});
  const text = String(await body(request));
  const value = answers[template]({ ids: matches(template, call), sent: text && JSON.parse(text) });
  json(response, value === undefined ? 204 : 200, value);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => json(response, 500, { detail: String(error) }));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
