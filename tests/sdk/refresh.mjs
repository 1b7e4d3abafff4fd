// Runs @corti/sdk inside `corti-auth exec --refresh-url`, as in docs/tokens.md: the client lists the interactions three
// times. CORTI_ENVIRONMENT is a URL. Prints a JSON object with the number of fresh tokens that the SDK asked for.
import { CortiClient } from "@corti/sdk";

const url = process.env.CORTI_ENVIRONMENT;
const tenantName = process.env.CORTI_TENANT_NAME;
const environment = {
  base: `${url}/v2`,
  wss: `${url.replace(/^http/, "ws")}/audio-bridge/v2`,
  login: `${url}/realms`,
  agents: url,
};

let asked = 0;
const client = new CortiClient({ environment, tenantName, auth: {
  refreshAccessToken: async () => {
    asked++;
    return (await fetch(process.env.CORTI_AUTH_REFRESH_URL,
      { headers: { Authorization: `Bearer ${process.env.CORTI_AUTH_REFRESH_TOKEN}` } })).json();
  },
} });
for (let time = 0; time < 3; time++) await client.interactions.list();
process.stdout.write(`${JSON.stringify({ asked, secret: process.env.CORTI_CLIENT_SECRET ?? null })}\n`, () => process.exit());
