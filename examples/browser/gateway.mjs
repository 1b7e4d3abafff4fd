// Asks the gateway. Like the SDK, it throws an error that has the answer as its `body`.

/** A function that asks for a path, with the key: `ask("/broker/v1/me")`. With a body, it is a POST. */
export function gateway(url, key) {
  return async (path, body) => {
    const request = {
      method: body ? "POST" : "GET",
      headers: { ...(key && { Authorization: `Bearer ${key}` }), "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    };
    const response = await fetch(url + path, request).catch(() => fail({ code: "unreachable" }));
    const answer = await response.json().catch(() => fail({ code: "no_gateway" }));
    return response.ok ? answer : fail(answer);
  };
}

function fail(body) {
  throw Object.assign(new Error(body.code), { body });
}
