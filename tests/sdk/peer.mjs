// Checks a server with @corti/sdk, the client that Corti's customers use. Variables name the server and the client:
// CORTI_ENVIRONMENT (a URL), CORTI_TENANT_NAME, CORTI_CLIENT_ID, CORTI_CLIENT_SECRET. Prints a line per check, `ok NAME` or
// `not ok NAME: why`, then `N passed, N failed`. The arguments choose groups; without any, all run: auth, token, rest,
// errors, transcribe, stream, limited. The first two need only a Keycloak.
import { randomUUID } from "node:crypto";
import { Corti, CortiAuth, CortiClient, CortiError, JsonError, ParseError, serialization } from "@corti/sdk";
import { decodeToken } from "@corti/sdk/utils";
import { describe, listen, refusal, run, same, setting, show, that } from "./checks.mjs";

const url = setting("CORTI_ENVIRONMENT").replace(/\/+$/, "");
const tenantName = setting("CORTI_TENANT_NAME");
const clientId = setting("CORTI_CLIENT_ID");
const clientSecret = setting("CORTI_CLIENT_SECRET");
const environment = {
  base: `${url}/v2`,
  wss: `${url.replace(/^http/, "ws")}/audio-bridge/v2`,
  login: `${url}/realms`,
  agents: url,
};

// The SDK creates a promise for CONFIG_ACCEPTED before the WebSocket opens and awaits it afterwards. When a handshake is
// refused, connect() rejects as it should, but that promise also rejects, and nothing handles it.
process.on("unhandledRejection", () => {});

// If an answer lacks what the SDK's types require, the SDK only calls console.warn. Here that is a failure.
const warnings = [];
console.warn = (...words) => warnings.push(words.join(" ").trim().split("\n").at(-1).trim());

// --- the clients ---------------------------------------------------------------------------------

/** Every HTTP exchange of the SDK since the last `exchanges.length = 0`. */
const exchanges = [];

/** The fetch for the SDK: records each exchange, and sends `body`, if given, in place of the SDK's body. */
function watched(body) {
  return async (target, init) => {
    const rest = String(target).startsWith(environment.base);
    const response = await fetch(target, rest && body !== undefined ? { ...init, body } : init);
    const text = await response.clone().text();
    exchanges.push({ method: init.method, path: new URL(target).pathname, status: response.status, text });
    return response;
  };
}

const authOf = (tenant = tenantName) => new CortiAuth({ environment, tenantName: tenant, fetch: watched() });
const tokenFor = (...scopes) => authOf().getToken({ clientId, clientSecret, scopes });
const full = (body) =>
  new CortiClient({ environment, tenantName, auth: { clientId, clientSecret }, fetch: watched(body) });
const bearer = (accessToken) => new CortiClient({ environment, tenantName, auth: { accessToken }, fetch: watched() });

const encounter = (more = {}) => ({
  identifier: randomUUID(),
  status: "planned",
  type: "first_consultation",
  ...more,
});

// --- assertions ----------------------------------------------------------------------------------

/** An error of exactly this class of the SDK, with this status. */
function isError(thrown, kind, status) {
  that(thrown?.constructor === kind, `expected ${kind.name} ${status}, got ${describe(thrown)}`);
  same(thrown.statusCode, status, "the status");
  return thrown.body;
}

/** Corti's v2 error body, in an error of the SDK. */
function isProblem(thrown, kind, status) {
  const body = isError(thrown, kind, status);
  const fits = serialization.ErrorResponse.parse(body);
  that(fits.ok, `the body ${show(body)} is not the SDK's ErrorResponse: ${show(fits.errors)}`);
  same(body.status, status, "the body's status");
  that(body.requestid && body.type && body.detail, `something is empty in ${show(body)}`);
  return body;
}

/** The exchanges with the REST API were these: `METHOD status`, so nothing was sent twice. */
function isSent(...expected) {
  const rest = exchanges.filter(({ path }) => path.startsWith("/v2/"));
  same(
    rest.map(({ method, status }) => `${method} ${status}`),
    expected,
    "what was sent",
  );
}

/** The last body of the REST API, strictly read by the SDK's own schema (the SDK itself forgives). */
function fits(schema, raw = JSON.parse(exchanges.at(-1).text)) {
  const verdict = schema.parse(raw, { unrecognizedObjectKeys: "passthrough" });
  that(verdict.ok, `does not fit the SDK's schema: ${show(verdict.errors)} in ${show(raw)}`);
}

const claims = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url"));
const scopes = (text) => new Set(text.split(" "));
const LIMITED = ["transcribe", "streams"];

/** A token whose scope, in the answer and in the token, has openid and of the limited scopes exactly `limited`. */
function isToken(token, ...limited) {
  same(token.tokenType, "Bearer", "tokenType");
  that(token.expiresIn > 0, `expiresIn is ${show(token.expiresIn)}`);
  that(typeof token.idToken === "string", "there is no idToken, though openid was asked");
  same(token.refreshToken, undefined, "refreshToken");
  const inside = claims(token.accessToken);
  // Keycloak reads its clock for each of the three, so a second may pass in between.
  if (Math.abs(inside.exp - inside.iat - token.expiresIn) > 1) {
    same(inside.exp - inside.iat, token.expiresIn, "exp - iat");
  }
  same(inside.azp, clientId, "azp");
  for (const granted of [scopes(token.scope), scopes(inside.scope)]) {
    that(granted.has("openid"), `openid is not granted: ${[...granted]}`);
    same(
      LIMITED.filter((scope) => granted.has(scope)),
      limited,
      "the granted limited scopes",
    );
  }
}

// --- sockets -------------------------------------------------------------------------------------

/** Sends a second of audio in chunks as Corti documents, a flush and an end, and checks the answers. */
async function speak(socket, ended, schemas) {
  const heard = listen(socket);
  for (let chunk = 0; chunk < 4; chunk++) socket.sendAudio(new Uint8Array(8_000));
  socket.sendFlush({ type: "flush" });
  await heard.says("flushed");
  same(heard.code, undefined, "the socket's state after a flush (its close code)");
  socket.sendEnd({ type: "end" });
  await heard.closes();
  const types = heard.types();
  that(types.indexOf("usage") > types.indexOf("flushed"), `no usage after the end: ${types}`);
  same(types.at(-1), ended, "the last message");
  const { credits } = heard.messages.find(({ type }) => type === "usage");
  that(credits > 0, `a second of audio was heard, and credits is ${show(credits)}`);
  same(heard.code, 1000, "the close code (the SDK connects again after every other)");
  same(
    heard.errors.map(({ message }) => message),
    [],
    "the errors",
  );
  for (const raw of heard.raw) fits(schemas[raw.type] ?? that(false, `unknown message type ${raw.type}`), raw);
  return heard;
}

/** Sends an end without audio, which costs nothing. */
async function saysNothing(socket, ended) {
  const heard = listen(socket);
  socket.sendEnd({ type: "end" });
  await heard.closes();
  same(heard.types(), ["usage", ended], "the answer to end");
  same(heard.messages[0].credits, 0, "credits");
}

/** Checks that connect() fails because the configuration was denied. */
async function denied(connecting) {
  const thrown = await refusal(connecting);
  same(thrown.message, "CONFIG_DENIED", "the error");
}

/** Checks that the handshake of connect() is refused with this status. */
async function shut(connecting, status) {
  const thrown = await refusal(connecting);
  that(thrown.message?.includes(String(status)), `expected the status ${status}, got ${describe(thrown)}`);
}

const once = { reconnectAttempts: 0 };
const dictation = { primaryLanguage: "en", automaticPunctuation: true };
const consultation = (participant = {}, more = {}) => ({
  transcription: { primaryLanguage: "en", participants: [{ channel: 0, role: "multiple", ...participant }] },
  mode: { type: "transcription" },
  ...more,
});
const newInteraction = async () => (await full().interactions.create({ encounter: encounter() })).interactionId;
/** An interaction with everything that the SDK's types require of an answer. */
const whole = (patient, more = {}) => ({
  encounter: encounter({ period: { startedAt: new Date("2026-01-02T03:04:05Z") }, ...more }),
  patient: { identifier: patient },
});

// --- the checks ----------------------------------------------------------------------------------

const checks = {
  auth: {
    "getToken without scopes is full": async () => isToken(await authOf().getToken({ clientId, clientSecret })),
    "getToken with transcribe is limited to it": async () => isToken(await tokenFor("transcribe"), "transcribe"),
    "getToken with streams is limited to it": async () => isToken(await tokenFor("streams"), "streams"),
    "getToken with both has both": async () => isToken(await tokenFor("streams", "transcribe"), ...LIMITED),
    "getToken with profile is full": async () => isToken(await tokenFor("profile")),
    "getToken forgives a repeated scope": async () =>
      isToken(await tokenFor("openid", "transcribe", "transcribe"), "transcribe"),
    "getToken is not to be stored": async () => {
      const { rawResponse } = await authOf().getToken({ clientId, clientSecret }).withRawResponse();
      same(rawResponse.headers.get("cache-control"), "no-store", "Cache-Control");
    },
    "getToken with a wrong secret": async () => {
      const body = isError(
        await refusal(authOf().getToken({ clientId, clientSecret: "wrong" })),
        Corti.UnauthorizedError,
        401,
      );
      same(body.error, "unauthorized_client", "error");
      that(body.error_description, "there is no error_description");
      same(exchanges.length, 1, "the number of requests");
    },
    "getToken for an unknown client": async () => {
      const thrown = await refusal(authOf().getToken({ clientId: "nobody", clientSecret }));
      same(isError(thrown, Corti.UnauthorizedError, 401).error, "invalid_client", "error");
      same(exchanges.length, 1, "the number of requests");
    },
    "getToken for an unknown scope": async () => {
      const body = isError(await refusal(tokenFor("stream")), Corti.BadRequestError, 400);
      same(body, { error: "invalid_scope", error_description: "Invalid scopes: openid stream" }, "the body");
      same(exchanges.length, 1, "the number of requests");
    },
    "getToken for an unknown tenant": async () => {
      const thrown = await refusal(authOf("nowhere").getToken({ clientId, clientSecret }));
      same(isError(thrown, CortiError, 404).error, "Realm does not exist", "error");
      same(exchanges.length, 1, "the number of requests");
    },
  },

  token: {
    "the SDK reads environment and tenant from Corti's issuers only": async () => {
      const { accessToken } = await tokenFor();
      const { iss, exp } = claims(accessToken);
      const known = /^https:\/\/(?:keycloak|auth)\.([^.]+)\.corti\.app\/realms\/([^/]+)/.exec(iss);
      const expected = known && { environment: known[1], tenantName: known[2], accessToken, expiresAt: exp };
      same(decodeToken(accessToken), expected, `what is decoded of ${iss}`);
    },
    "the SDK reads our claims under one of Corti's issuers": async () => {
      const { accessToken } = await tokenFor("transcribe");
      const token = underCorti(accessToken);
      const { exp } = claims(accessToken);
      same(
        decodeToken(token),
        { environment: "eu", tenantName, accessToken: token, expiresAt: exp },
        "what is decoded",
      );
      const client = new CortiClient({ auth: { accessToken: token } });
      same((await client.getAuthHeaders()).get("tenant-name"), tenantName, "Tenant-Name");
    },
    "a token of another issuer needs environment and tenant beside it": async () => {
      const { accessToken } = await tokenFor();
      const client = () => new CortiClient({ auth: { accessToken } });
      if (decodeToken(accessToken)) return client();
      const thrown = await refusal((async () => client())());
      that(thrown instanceof ParseError, `expected a ParseError, got ${describe(thrown)}`);
      const headers = await bearer(accessToken).getAuthHeaders();
      same(headers.get("authorization"), `Bearer ${accessToken}`, "Authorization");
      same(headers.get("tenant-name"), tenantName, "Tenant-Name");
    },
  },

  rest: {
    "interactions.create": async () => {
      const made = await full().interactions.create({ encounter: encounter() });
      fits(serialization.InteractionsCreateResponse);
      const socket = new URL(made.websocketUrl);
      same(
        `${socket.origin}${socket.pathname}`,
        `${environment.wss}/interactions/${made.interactionId}/streams`,
        "its URL",
      );
      same(socket.searchParams.get("tenant-name"), tenantName, "tenant-name in the URL");
      same(socket.searchParams.get("token"), null, "token in the URL");
    },
    "interactions.get gives what create was given": async () => {
      const startedAt = new Date("2026-01-02T03:04:05Z");
      const patient = {
        identifier: randomUUID(),
        name: "Bo",
        gender: "other",
        birthDate: new Date("1946-09-05"),
        pronouns: "they",
      };
      const given = {
        assignedUserId: randomUUID(),
        encounter: encounter({ title: "Knæ", period: { startedAt } }),
        patient,
      };
      const { interactionId, websocketUrl } = await full().interactions.create(given);
      const got = await full().interactions.get(interactionId);
      fits(serialization.InteractionsGetResponse);
      same(got.id, interactionId, "id");
      same(got.websocketUrl, websocketUrl, "websocketUrl");
      same(got.assignedUserId, given.assignedUserId, "assignedUserId");
      for (const key of ["identifier", "status", "type", "title"]) same(got.encounter[key], given.encounter[key], key);
      same(got.encounter.period.startedAt, startedAt, "startedAt");
      for (const key of ["identifier", "name", "gender", "pronouns"]) same(got.patient[key], patient[key], key);
      same(got.patient.birthDate, patient.birthDate, "birthDate");
      for (const key of ["createdAt", "updatedAt", "lastUpdated"])
        that(got[key] instanceof Date && got[key] > 0, `${key} is ${got[key]}`);
    },
    "interactions.get after the smallest create has all that the SDK's types promise": async () => {
      await full().interactions.get(await newInteraction());
      fits(serialization.InteractionsGetResponse);
    },
    "interactions.list pages to the end": async () => {
      const patient = randomUUID();
      const made = [];
      for (let number = 0; number < 3; number++) {
        made.push((await full().interactions.create(whole(patient))).interactionId);
      }
      const listed = [];
      for await (const one of await full().interactions.list({
        patient,
        pageSize: 2,
        sort: "createdAt",
        direction: "asc",
      })) {
        listed.push(one.id);
      }
      same(listed, made, "the list");
    },
    "interactions.list filters and turns": async () => {
      const patient = randomUUID();
      const create = async (status) => (await full().interactions.create(whole(patient, { status }))).interactionId;
      const [, second, third] = [await create("planned"), await create("completed"), await create("cancelled")];
      const page = await full().interactions.list({ patient, encounterStatus: ["completed", "cancelled"] });
      fits(serialization.InteractionsListResponse);
      same(
        page.data.map(({ id }) => id),
        [third, second],
        "the list, newest first",
      );
    },
    "interactions.update": async () => {
      const { interactionId: id } = await full().interactions.create(whole(randomUUID()));
      const before = await full().interactions.get(id);
      const after = await full().interactions.update(id, { encounter: { status: "in-progress", title: "Knee" } });
      fits(serialization.InteractionsGetResponse);
      same([after.encounter.status, after.encounter.title], ["in-progress", "Knee"], "what was changed");
      same(after.encounter.identifier, before.encounter.identifier, "the identifier");
      that(after.updatedAt >= before.updatedAt, "updatedAt went back");
    },
    "interactions.delete": async () => {
      const id = await newInteraction();
      same(await full().interactions.delete(id), undefined, "the answer");
      isProblem(await refusal(full().interactions.get(id)), CortiError, 404);
    },
    "one client mints one token": async () => {
      const client = full();
      await Promise.all([client.interactions.list(), client.interactions.list(), client.interactions.list()]);
      await client.interactions.list();
      same(exchanges.filter(({ path }) => path.startsWith("/realms/")).length, 1, "the number of token requests");
    },
  },

  errors: {
    "a duplicate identifier": async () => {
      const given = { encounter: encounter() };
      await full().interactions.create(given);
      exchanges.length = 0;
      isProblem(await refusal(full().interactions.create(given)), CortiError, 409);
      isSent("POST 409");
    },
    "a missing encounter, found by the SDK": async () => {
      const thrown = await refusal(full().interactions.create({}));
      that(thrown instanceof JsonError, `expected a JsonError, got ${describe(thrown)}`);
      isSent();
    },
    "a missing encounter, found by the server": async () => {
      const body = isProblem(
        await refusal(full("{}").interactions.create({ encounter: encounter() })),
        Corti.BadRequestError,
        400,
      );
      that(
        body.validationErrors?.some((one) => "encounter" in one),
        `validationErrors does not name it: ${show(body)}`,
      );
      isSent("POST 400");
    },
    "a body that is no JSON": async () => {
      isProblem(await refusal(full("{").interactions.create({ encounter: encounter() })), Corti.BadRequestError, 400);
    },
    "an unknown id, get": async () => {
      isProblem(await refusal(full().interactions.get(randomUUID())), CortiError, 404);
      isSent("GET 404");
    },
    "an unknown id, update": async () =>
      isProblem(
        await refusal(full().interactions.update(randomUUID(), { encounter: { title: "x" } })),
        CortiError,
        404,
      ),
    "an unknown id, delete": async () =>
      isProblem(await refusal(full().interactions.delete(randomUUID())), CortiError, 404),
    "an id that is no UUID": async () => isProblem(await refusal(full().interactions.get("x")), CortiError, 400),
    "an encounter with a status that there is not": async () =>
      isProblem(
        await refusal(
          full(show({ encounter: encounter({ status: "odd" }) })).interactions.create({ encounter: encounter() }),
        ),
        Corti.BadRequestError,
        400,
      ),
    "a token that is none": async () => {
      const thrown = await refusal(bearer("a.b.c").interactions.list());
      same(isError(thrown, CortiError, 401), undefined, "the body");
      const challenge = thrown.rawResponse.headers.get("www-authenticate");
      that(challenge?.includes('error="invalid_token"'), `WWW-Authenticate is ${show(challenge)}`);
    },
    "another tenant's name": async () => {
      const { accessToken } = await tokenFor();
      const client = new CortiClient({ environment, tenantName: "other", auth: { accessToken }, fetch: watched() });
      isProblem(await refusal(client.interactions.list()), Corti.ForbiddenError, 403);
    },
    "wrong credentials stop a client at its token": async () => {
      const client = new CortiClient({
        environment,
        tenantName,
        auth: { clientId, clientSecret: "wrong" },
        fetch: watched(),
      });
      isError(await refusal(client.interactions.list()), Corti.UnauthorizedError, 401);
      isSent();
    },
  },

  transcribe: {
    "transcribe.connect resolves after CONFIG_ACCEPTED": async () =>
      (await full().transcribe.connect({ configuration: dictation, ...once })).close(),
    "transcribe: audio, flush and end reach usage and ended": async () => {
      const socket = await full().transcribe.connect({ configuration: dictation, ...once });
      const heard = await speak(socket, "ended", {
        transcript: serialization.TranscribeTranscriptMessage,
        flushed: serialization.TranscribeFlushedMessage,
        delta_usage: serialization.TranscribeDeltaUsageMessage,
        usage: serialization.TranscribeUsageMessage,
        ended: serialization.TranscribeEndedMessage,
      });
      for (const { data } of heard.messages.filter(({ type }) => type === "transcript")) {
        that(typeof data.text === "string" && data.end > data.start, `a transcript is ${show(data)}`);
      }
    },
    "transcribe: end alone": async () =>
      saysNothing(await full().transcribe.connect({ configuration: dictation, ...once }), "ended"),
    "transcribe: a second configuration is told so": async () => {
      const socket = await full().transcribe.connect({ configuration: dictation, ...once });
      const heard = listen(socket);
      socket.sendConfiguration({ type: "config", configuration: dictation });
      await heard.says("CONFIG_ALREADY_RECEIVED");
      socket.close();
    },
    "transcribe.connect without a configuration leaves it to the caller": async () => {
      const socket = await full().transcribe.connect(once);
      const heard = listen(socket);
      await socket.waitForOpen();
      socket.sendConfiguration({ type: "config", configuration: dictation });
      await heard.says("CONFIG_ACCEPTED");
      fits(serialization.TranscribeConfigStatusMessage, heard.raw[0]);
      socket.close();
    },
    "transcribe: audio before the configuration": async () => {
      const socket = await full().transcribe.connect(once);
      const heard = listen(socket);
      await socket.waitForOpen();
      socket.sendAudio(new Uint8Array(8_000));
      await heard.closes();
      same(heard.types(), ["CONFIG_MISSING"], "the answer");
      same(heard.code, 1000, "the close code");
    },
    "transcribe.connect rejects an unknown language": async () =>
      denied(full().transcribe.connect({ configuration: { primaryLanguage: "tlh" }, ...once })),
    "transcribe.connect rejects an unknown audio format": async () =>
      denied(full().transcribe.connect({ configuration: { ...dictation, audioFormat: "text/plain" }, ...once })),
    "transcribe.connect rejects a command without phrases": async () =>
      denied(
        full().transcribe.connect({
          configuration: { ...dictation, commands: [{ id: "next", phrases: [] }] },
          ...once,
        }),
      ),
    "transcribe.connect that does not wait gets the denial as an error": async () => {
      const socket = await full().transcribe.connect({
        configuration: { primaryLanguage: "tlh" },
        awaitConfiguration: false,
        ...once,
      });
      const heard = listen(socket);
      await heard.until(() => heard.errors.length > 0);
      same(heard.errors[0].message, "CONFIG_DENIED", "the error");
    },
    "transcribe.connect rejects a token that is none": async () =>
      shut(bearer("a.b.c").transcribe.connect({ configuration: dictation, ...once }), 401),
  },

  stream: {
    "stream.connect resolves after CONFIG_ACCEPTED": async () =>
      (await full().stream.connect({ id: await newInteraction(), configuration: consultation(), ...once })).close(),
    "stream: audio, flush and end reach usage and ENDED": async () => {
      const id = await newInteraction();
      const socket = await full().stream.connect({ id, configuration: consultation(), ...once });
      const heard = await speak(socket, "ENDED", {
        transcript: serialization.StreamTranscriptMessage,
        facts: serialization.StreamFactsMessage,
        flushed: serialization.StreamFlushedMessage,
        delta_usage: serialization.StreamDeltaUsageMessage,
        usage: serialization.StreamUsageMessage,
        ENDED: serialization.StreamEndedMessage,
      });
      for (const { data } of heard.messages.filter(({ type }) => type === "transcript")) {
        that(
          Array.isArray(data) && data.every((one) => one.time.end > one.time.start),
          `a transcript is ${show(data)}`,
        );
      }
    },
    "stream: end alone": async () =>
      saysNothing(
        await full().stream.connect({ id: await newInteraction(), configuration: consultation(), ...once }),
        "ENDED",
      ),
    "stream: an interaction can be joined again": async () => {
      const id = await newInteraction();
      for (let time = 0; time < 2; time++) {
        await saysNothing(await full().stream.connect({ id, configuration: consultation(), ...once }), "ENDED");
      }
    },
    "stream.connect with facts and a retention policy": async () => {
      const configuration = consultation(
        { role: "doctor" },
        { mode: { type: "facts", outputLocale: "en" }, xCortiRetentionPolicy: "none" },
      );
      (await full().stream.connect({ id: await newInteraction(), configuration, ...once })).close();
    },
    "stream.connect rejects an unknown role": async () =>
      denied(
        full().stream.connect({ id: await newInteraction(), configuration: consultation({ role: "nurse" }), ...once }),
      ),
    "stream.connect rejects an unknown mode": async () =>
      denied(
        full().stream.connect({
          id: await newInteraction(),
          configuration: consultation({}, { mode: { type: "odd" } }),
          ...once,
        }),
      ),
    "stream.connect rejects a configuration without participants": async () => {
      const configuration = { transcription: { primaryLanguage: "en" }, mode: { type: "transcription" } };
      await denied(full().stream.connect({ id: await newInteraction(), configuration, ...once }));
    },
    "stream.connect rejects an unknown interaction": async () =>
      shut(full().stream.connect({ id: randomUUID(), configuration: consultation(), ...once }), 404),
  },

  limited: {
    ...Object.fromEntries(
      LIMITED.map((scope) => [
        `a ${scope} token is refused by REST`,
        async () => {
          const { accessToken } = await tokenFor(scope);
          exchanges.length = 0;
          isProblem(await refusal(bearer(accessToken).interactions.list()), Corti.ForbiddenError, 403);
          const thrown = await refusal(bearer(accessToken).interactions.create({ encounter: encounter() }));
          isProblem(thrown, Corti.ForbiddenError, 403);
          isSent("GET 403", "POST 403");
        },
      ]),
    ),
    "a transcribe token opens transcribe only": async () => {
      const client = bearer((await tokenFor("transcribe")).accessToken);
      await saysNothing(await client.transcribe.connect({ configuration: dictation, ...once }), "ended");
      await shut(client.stream.connect({ id: await newInteraction(), configuration: consultation(), ...once }), 403);
    },
    "a streams token opens stream only": async () => {
      const client = bearer((await tokenFor("streams")).accessToken);
      await saysNothing(
        await client.stream.connect({ id: await newInteraction(), configuration: consultation(), ...once }),
        "ENDED",
      );
      await shut(client.transcribe.connect({ configuration: dictation, ...once }), 403);
    },
    "a token with both scopes opens both sockets and not REST": async () => {
      const client = bearer((await tokenFor(...LIMITED)).accessToken);
      await saysNothing(await client.transcribe.connect({ configuration: dictation, ...once }), "ended");
      await saysNothing(
        await client.stream.connect({ id: await newInteraction(), configuration: consultation(), ...once }),
        "ENDED",
      );
      isProblem(await refusal(client.interactions.list()), Corti.ForbiddenError, 403);
    },
  },
};

/** The token with its issuer replaced. That breaks the signature, which the SDK does not check. */
function underCorti(token) {
  const [header, , signature] = token.split(".");
  const body = { ...claims(token), iss: `https://auth.eu.corti.app/realms/${tenantName}` };
  return `${header}.${Buffer.from(JSON.stringify(body)).toString("base64url")}.${signature}`;
}

// --- the run -------------------------------------------------------------------------------------

await run(
  checks,
  () => (exchanges.length = warnings.length = 0),
  () => that(warnings.length === 0, `the SDK warned: ${[...new Set(warnings)].join("; ")}`),
);
