// What to tell the user when something fails.

const SENTENCES = {
  // The gateway's codes.
  credential_missing: "Enter the key that the gateway printed when it was started.",
  credential_invalid: "The gateway does not accept this key. Copy it again: every start makes a new one.",
  host_unknown: "The gateway does not accept this host name. Use the address that it printed when it was started.",
  operation_denied: "This key does not allow that.",
  rate_limited: "Too many requests. Wait a moment and try again.",
  too_many_sockets: "Too many conversations are open. Close one and try again.",
  no_room: "The gateway is busy. Try again in a moment.",
  upstream_unreachable: "Corti does not answer. Try again later.",
  token_unavailable: "The gateway cannot get a token from Corti at the moment. Try again later.",
  // The page's own.
  unreachable:
    `The gateway does not answer this page. Is it running? Start it with --origin ${location.origin}, ` +
    "unless it serves this page itself.",
  connection_lost: "The connection was lost and could not be opened again. Start again.",
  no_gateway: "The server at this address is not the gateway. Use the address that the gateway printed.",
  // The browser's. It does not say why a WebSocket was refused.
  error: "The connection was refused. Try again later.",
  NotAllowedError: "The browser does not let this page use the microphone.",
  NotFoundError: "This device has no microphone.",
};

export function explain(error) {
  // The SDK's error for a request without an answer has no status.
  const isUnanswered = error.name === "CortiError" && !error.statusCode;
  const code = error.body?.code ?? (isUnanswered ? "unreachable" : (error.name ?? error.type));
  if (!SENTENCES[code]) console.error(error);
  return SENTENCES[code] ?? "That did not work. Try again.";
}
