// Uses the page of examples/browser in Chromium, as a person does. `node checks.mjs NAME '{"page": URL, "gateway": URL, "key": …}'`
// runs one check; it ends with 1 and a reason if the check fails. tests/it/serve_browser.rs starts what the checks need.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const [name, input] = process.argv.slice(2);
const given = JSON.parse(input);
const folder = fileURLToPath(new URL(".", import.meta.url));

/** Opens a page. Returns it with what Chromium does for it. */
async function visit(url) {
  const page = await browser.newPage();
  const seen = { page, complaints: [], urls: [], preflights: [], sockets: [] };
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) seen.complaints.push(message.text());
  });
  page.on("pageerror", (error) => seen.complaints.push(`uncaught: ${error}`));
  const network = await page.createCDPSession();
  const socket = (id) => seen.sockets.find((it) => it.id === id);
  network.on("Network.requestWillBeSent", ({ request }) => seen.urls.push(request.url));
  network.on("Network.responseReceived", ({ response, type }) => {
    if (type === "Preflight") seen.preflights.push(`${response.status} ${new URL(response.url).pathname}`);
  });
  network.on("Network.webSocketCreated", ({ requestId, url }) => {
    seen.urls.push(url);
    seen.sockets.push({ id: requestId, url: new URL(url) });
  });
  network.on("Network.webSocketHandshakeResponseReceived", ({ requestId, response }) => {
    const headers = Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]);
    socket(requestId).headers = Object.fromEntries(headers);
  });
  network.on("Network.webSocketFrameError", ({ requestId, errorMessage }) => {
    socket(requestId).error = errorMessage;
  });
  await network.send("Network.enable");
  // What the page sends. The protocol above does not show what is in a Blob.
  await page.evaluateOnNewDocument(() => {
    window.sent = new Map();
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (data) {
      window.sent.set(this, [...(window.sent.get(this) ?? []), data]);
      return send.call(this, data);
    };
  });
  seen.answer = await page.goto(url);
  // A status may be shown for a moment only.
  await page.evaluate(() => {
    window.shown = [];
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        if (target.role === "status") window.shown.push(`${target.parentElement.id}: ${target.textContent}`);
      }
    }).observe(document.body, { childList: true, subtree: true });
  });
  return seen;
}

const text = (page, selector) => page.$eval(selector, (element) => element.innerText);

/** Waits until the card has shown this after `from` other messages. Returns how many there were then. */
async function shows({ page }, card, words, from = 0) {
  const position = `window.shown.findIndex((it, at) => at >= ${from} && it.startsWith("${card}: ") && it.includes("${words}"))`;
  const found = page.waitForFunction(`${position} >= 0`, { timeout: 20_000 });
  await found.catch(async () => assert.fail(`no "${words}": ${await page.evaluate("JSON.stringify(window.shown)")}`));
  return (await page.evaluate(position)) + 1;
}

async function connect({ page }, key, gateway) {
  if (gateway) await page.$eval("aria/Address", (field, url) => (field.value = url), gateway);
  await page.$eval("aria/Key", (field) => (field.value = ""));
  if (key) await page.type("aria/Key", key);
  await page.click("aria/Connect");
}

/** Waits until the page has sent its configuration and two pieces of sound to this WebSocket. */
const sends = ({ page }, socket) =>
  page.waitForFunction(`[...window.sent.values()][${socket}]?.length > 2`, { timeout: 20_000 });

/** Speaks, or plays the sample, until Corti has sent the transcript. */
async function transcribe(seen, card, button) {
  const { page, sockets } = seen;
  const count = sockets.length;
  const from = await page.evaluate("window.shown.length");
  await page.click(`#${card} ::-p-aria(${button})`);
  await shows(seen, card, "Listening", from);
  if (button === "Speak") {
    await sends(seen, count);
    await page.click(`#${card} ::-p-aria(Stop)`);
  }
  await shows(seen, card, "Finished", from);
  assert.match(await text(page, `#${card} [role=log]`), /^\[sandbox: \d{4,} bytes of audio\]$/);
  assert.equal(sockets.length, count + 1);
}

/** The page creates an interaction and shows the newest. */
async function useRest(seen, count) {
  const { page } = seen;
  await page.click("aria/New interaction");
  await shows(seen, "rest", "newest");
  const list = await fetch(`${given.gateway}/corti/v2/interactions/?pageSize=5`, {
    headers: { Authorization: `Bearer ${given.key}` },
  });
  const expected = (await list.json()).interactions.map(({ id }) => id);
  assert.equal(expected.length, count);
  assert.deepEqual(await page.$$eval("#rest code", (all) => all.map((it) => it.textContent)), expected);
}

/** Neither JSON, nor a stack, nor the name of an error. */
function isForPeople(message) {
  assert.doesNotMatch(message, /[{}]|Error|undefined|\bat .+:\d+:\d+/);
}

/** Connects in vain. */
async function refused(seen, words, key, gateway) {
  const from = await seen.page.evaluate("window.shown.length");
  await connect(seen, key, gateway);
  await shows(seen, "connect", words, from);
  const message = await text(seen.page, "#connect [role=status].failed");
  isForPeople(message);
  assert(await seen.page.$eval("#ways", (ways) => ways.disabled), "the ways are open");
  return message;
}

const onlyComplains = ({ complaints }, ...patterns) => {
  const others = complaints.filter((it) => !patterns.some((pattern) => pattern.test(it)));
  assert.deepEqual(others, []);
};

const checks = {
  /** On the gateway's own page. */
  ways: async () => {
    const seen = await visit(given.page);
    const { page, sockets } = seen;
    assert.match(seen.answer.headers()["content-security-policy"], /^default-src 'self';/);
    assert.equal(seen.answer.headers()["x-content-type-options"], "nosniff");
    await connect(seen, given.key);
    await shows(seen, "connect", "Connected as key:dev");
    for (const button of ["Speak", "Play the sample"]) {
      await transcribe(seen, "dictation", button);
      const direct = sockets.at(-1);
      assert.notEqual(direct.url.host, new URL(given.gateway).host);
      assert.match(direct.url.searchParams.get("token"), /^Bearer ey/);

      await transcribe(seen, "session", button);
      const through = sockets.at(-1);
      assert.equal(through.url.host, new URL(given.gateway).host);
      assert.equal(through.url.search, "");
      assert.equal(through.headers["sec-websocket-protocol"], "corti-ticket");
    }
    // Two are of the conversations.
    await useRest(seen, 3);

    const kept = await page.evaluate(async () => [
      localStorage.length,
      sessionStorage.length,
      document.cookie,
      (await indexedDB.databases()).length,
      (await caches.keys()).length,
      location.href,
    ]);
    assert.deepEqual(kept, [0, 0, "", 0, 0, `${given.page}/`]);
    assert.deepEqual(await browser.cookies(), []);
    assert.deepEqual(seen.urls.filter((url) => url.includes(given.key)), []);
    onlyComplains(seen);

    // docs/serve-page.png is a copy of page-1280-light.png.
    for (const scheme of ["dark", "light"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      for (const width of [360, 1280]) {
        await page.setViewport({ width, height: 800 });
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width);
        await page.screenshot({ path: `${folder}page-${width}-${scheme}.png`, fullPage: true });
      }
    }
  },

  /** What people read when they are refused. */
  refusals: async () => {
    const seen = await visit(given.gateway);
    await refused(seen, "Enter the key", "");
    await refused(seen, "does not accept this key", `${given.key}x`);
    onlyComplains(seen, /status of 401/);

    const foreign = await visit(given.page);
    const message = await refused(foreign, "does not answer this page", given.key, given.gateway);
    assert(message.includes(`--origin ${given.page}`), message);
    onlyComplains(foreign, /blocked by CORS policy/, /net::ERR_FAILED/);
  },

  /** The user does not allow the microphone. */
  denied: async () => {
    const seen = await visit(given.page);
    await connect(seen, given.key);
    await shows(seen, "connect", "Connected");
    for (const card of ["dictation", "session"]) {
      await seen.page.click(`#${card} ::-p-aria(Speak)`);
      await shows(seen, card, "does not let this page use the microphone");
    }
    onlyComplains(seen);
  },

  /** A stranger's name leads to the gateway, first for the page itself and then for what the page asks. */
  rebinding: async () => {
    const { hostname, port } = new URL(given.gateway);
    const direct = await visit(`http://attacker.test:${port}`);
    assert.equal(direct.answer.status(), 421);
    const message = await text(direct.page, "body");
    isForPeople(message);
    assert(message.includes(`${given.gateway}/`), message);

    // The stranger has its own copy of the page.
    const stranger = createServer((asked, answer) => {
      const headers = asked.url.startsWith("/broker/") ? asked.headers : {};
      const passedOn = request({ hostname, port, path: asked.url, method: asked.method, headers }, (answered) => {
        answer.writeHead(answered.statusCode, answered.headers);
        answered.pipe(answer);
      });
      asked.pipe(passedOn);
    });
    await new Promise((resolve) => stranger.listen(0, "127.0.0.1", resolve));
    const seen = await visit(`http://attacker.test:${stranger.address().port}`);
    await refused(seen, "does not accept this host name", given.key);
    onlyComplains(seen, /status of 421/);
    stranger.close();
    stranger.closeAllConnections();
  },

  /** A page of another server that `--origin` lists. */
  listed: async () => {
    const seen = await visit(given.page);
    await connect(seen, given.key, given.gateway);
    await shows(seen, "connect", "Connected");
    await transcribe(seen, "dictation", "Play the sample");
    await transcribe(seen, "session", "Play the sample");
    await useRest(seen, 2);
    for (const path of ["/broker/v1/me", "/broker/v1/sessions", "/broker/v1/token", "/corti/v2/interactions/"]) {
      assert(seen.preflights.includes(`200 ${path}`), `${path} is not in ${seen.preflights}`);
    }
    onlyComplains(seen);
  },

  /** Prints a line when the gateway may be stopped: another one takes its place. */
  replaced: async () => {
    const seen = await visit(given.page);
    const { page, sockets } = seen;
    await connect(seen, given.key, given.gateway);
    await shows(seen, "connect", "Connected");
    await page.click("#session ::-p-aria(Speak)");
    await shows(seen, "session", "Listening");
    await sends(seen, 0);
    console.log("listening");
    const lost = await shows(seen, "session", "Connecting again");
    await shows(seen, "session", "Listening", lost);
    await sends(seen, 1);
    await page.click("#session ::-p-aria(Stop)");
    await shows(seen, "session", "Finished");
    assert.match(await text(page, "#session [role=log]"), /bytes of audio/);
    assert.equal(sockets.length, 2);
    for (const { headers } of sockets) assert.equal(headers["sec-websocket-protocol"], "corti-ticket");
    const beginnings = await page.evaluate(async () => {
      const all = [...window.sent.values()].map(async ([first, second]) => {
        return [JSON.parse(first).configuration.audioFormat, ...new Uint8Array(await second.slice(0, 4).arrayBuffer())];
      });
      return Promise.all(all);
    });
    // After the configuration, the first bytes of a WebM file.
    const beginning = ["audio/webm", 0x1a, 0x45, 0xdf, 0xa3];
    assert.deepEqual(beginnings, [beginning, beginning]);
    onlyComplains(seen);
  },

  /** The gateway ends the session: connecting again is refused, and that is final. */
  over: async () => {
    const seen = await visit(given.page);
    await connect(seen, given.key, given.gateway);
    await shows(seen, "connect", "Connected");
    await seen.page.click("#session ::-p-aria(Speak)");
    await shows(seen, "session", "Connecting again");
    await shows(seen, "session", "could not be opened again");
    assert.equal(seen.sockets.length, 2);
    // Chromium's words for 401.
    assert.match(seen.sockets[1].error, /HTTP Authentication failed/);
    await seen.page.waitForSelector("#session ::-p-aria(Speak)");
    onlyComplains(seen, /^WebSocket connection to .* failed: HTTP Authentication failed/);
  },

  /** The gateway opens no WebSocket for this caller. */
  full: async () => {
    const seen = await visit(given.page);
    await connect(seen, given.key, given.gateway);
    await shows(seen, "connect", "Connected");
    await seen.page.click("#session ::-p-aria(Speak)");
    await shows(seen, "session", "The connection was refused");
    assert.equal(seen.sockets.length, 1);
    assert.match(seen.sockets[0].error, /code: 429/);
    await seen.page.waitForSelector("#session ::-p-aria(Speak)");
    // The SDK rejects a second promise that nobody can wait for.
    onlyComplains(seen, /^WebSocket connection to .*: 429/, /^uncaught: Error: Error\nonError \(.*\/sdk\.mjs/);
  },
};

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    `--use-fake-ui-for-media-stream${name === "denied" ? "=deny" : ""}`,
    "--host-resolver-rules=MAP attacker.test 127.0.0.1",
  ],
});
try {
  await checks[name]();
} finally {
  await browser.close();
}
