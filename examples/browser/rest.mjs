// The REST API. Every call goes through the gateway, which puts its own token in place of the key.
import { CortiClient } from "./sdk.mjs";

export function restClient(url, key) {
  return new CortiClient({
    environment: { base: `${url}/corti/v2`, wss: "", login: "", agents: "" },
    auth: { accessToken: key },
  });
}

/** The newest interactions. */
export async function interactions(client) {
  return (await client.interactions.list({ pageSize: 5 })).data;
}

export async function createInteraction(client) {
  await client.interactions.create({
    encounter: { identifier: crypto.randomUUID(), status: "planned", type: "first_consultation" },
  });
}
