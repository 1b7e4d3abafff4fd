// What the programs that check a server with @corti/sdk share: assertions, the messages of a WebSocket, and the run.
import { CortiError } from "@corti/sdk";

const CHECK_SECONDS = 60;

export const show = (value) => JSON.stringify(value) ?? String(value);

export function that(condition, why) {
  if (!condition) throw new Error(why);
}

export function same(found, expected, what) {
  that(show(found) === show(expected), `${what} is ${show(found)}, not ${show(expected)}`);
}

export function describe(thrown) {
  if (thrown instanceof CortiError) {
    return `${thrown.name} ${thrown.statusCode} ${show(thrown.body)} ${thrown.statusCode ? "" : thrown.message}`.trim();
  }
  return thrown?.message ? `${thrown.name ?? "event"} ${thrown.message}` : show(thrown);
}

/** What `promise` rejects with. */
export async function refusal(promise) {
  let value;
  try {
    value = await promise;
  } catch (thrown) {
    return thrown;
  }
  value?.close?.();
  throw new Error(`nothing was refused: ${show(value)?.slice(0, 200)}`);
}

/** A variable of the environment. */
export function setting(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}

/** Collects the messages of one of the SDK's WebSockets, and the codes that it closes with: it may connect again. */
export function listen(socket) {
  const heard = { messages: [], raw: [], errors: [], codes: [], code: undefined };
  const waiting = [];
  const look = () => waiting.forEach((one) => one());
  socket.on("message", (message) => (heard.messages.push(message), look()));
  socket.on("error", (error) => (heard.errors.push(error), look()));
  socket.on("close", ({ code }) => (heard.codes.push(code), (heard.code ??= code), look()));
  socket.socket.addEventListener("message", ({ data }) => heard.raw.push(JSON.parse(data)));
  heard.until = (done) =>
    new Promise((resolve) => {
      const test = () => done() && resolve(heard);
      waiting.push(test);
      test();
    });
  heard.types = () => heard.messages.map(({ type }) => type);
  heard.says = (type) => heard.until(() => heard.types().includes(type));
  heard.closes = () => heard.until(() => heard.code !== undefined);
  return heard;
}

function bounded(check) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${CHECK_SECONDS} s`)), CHECK_SECONDS * 1000);
  });
  return Promise.race([check(), late]).finally(() => clearTimeout(timer));
}

/**
 * Runs the checks of the groups that the arguments name, or of all groups. Prints a line per check, `ok NAME` or
 * `not ok NAME: why`, then `N passed, N failed`. `before` runs before each check, `after` after it.
 */
export async function run(checks, before = () => {}, after = () => {}) {
  const groups = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks);
  const unknown = groups.filter((group) => !Object.hasOwn(checks, group));
  if (unknown.length > 0) {
    console.error(`no such group: ${unknown}; there are ${Object.keys(checks)}`);
    process.exit(2);
  }
  let passed = 0;
  let failed = 0;
  for (const group of groups) {
    for (const [name, check] of Object.entries(checks[group])) {
      before();
      try {
        await bounded(check);
        after();
        passed++;
        console.log(`ok ${name}`);
      } catch (thrown) {
        failed++;
        console.log(`not ok ${name}: ${describe(thrown).replace(/\s+/g, " ")}`);
      }
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
  // A failed check may have left a WebSocket open. No process.exit() at once, or output to a pipe could be lost.
  if (failed > 0) setTimeout(() => process.exit(), 1_000).unref();
}
