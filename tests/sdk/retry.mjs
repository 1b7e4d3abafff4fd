// Runs @corti/sdk with a failing server. Variables name the server and the client: CORTI_ENVIRONMENT (a URL),
// CORTI_TENANT_NAME, CORTI_CLIENT_ID, CORTI_CLIENT_SECRET. `token` asks for a token once; `list` lists the interactions three
// times with one client. Prints the outcome as a JSON object.
import { CortiAuth, CortiClient, CortiError } from "@corti/sdk";

const url = process.env.CORTI_ENVIRONMENT;
const tenantName = process.env.CORTI_TENANT_NAME;
const auth = { clientId: process.env.CORTI_CLIENT_ID, clientSecret: process.env.CORTI_CLIENT_SECRET };
const environment = {
  base: `${url}/v2`,
  wss: `${url.replace(/^http/, "ws")}/audio-bridge/v2`,
  login: `${url}/realms`,
  agents: url,
};

const actions = {
  token: async () => {
    const { expiresIn } = await new CortiAuth({ environment, tenantName }).getToken(auth);
    return { expiresIn };
  },
  list: async () => {
    const client = new CortiClient({ environment, tenantName, auth });
    for (let time = 0; time < 3; time++) await client.interactions.list();
    return {};
  },
};

let result;
try {
  result = { ok: true, ...(await actions[process.argv[2]]()) };
} catch (thrown) {
  const known = thrown instanceof CortiError;
  result = { ok: false, name: thrown.name, status: (known && thrown.statusCode) || null, body: (known && thrown.body) || null };
}
// After a broken connection, the SDK's timer of 60 s would keep this process alive.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
