//! Other paths and endpoints of a realm, and other names of the server.

use super::super::request::{PAGE, Request, bare, form, good, head_of};
use super::request::preflight;
use super::{Case, Expected, case, empty, not_cached, out_of_scope, plain, token};

const TOKENS_ONLY: &str = "the sandbox serves no other endpoint than the token endpoint and the keys";
const ONE_DOCUMENT: &str = "OpenID Connect's discovery document is the only one that Corti's clients read";
const ITS_OWN_NAME: &str = "the sandbox accepts only names of this machine";
const PATHS: &str = "no client sends such a path";
const QUERIES: &str = "no client sends a query to these paths";

pub fn cases() -> Vec<Case> {
    let mut cases = out_of_scope(PATHS, paths());
    cases.extend(out_of_scope(QUERIES, queries()));
    cases.extend(endpoints());
    cases.extend(documents());
    cases.extend(names());
    cases
}

fn paths() -> Vec<Case> {
    let no_path = || plain(404, "HTTP 404 Not Found");
    let no_method = || plain(405, "HTTP 405 Method Not Allowed");
    let post = |path| good("scope=openid").at(path);
    vec![
        case("tokens", post("/realms/base/protocol/openid-connect/tokens"), no_method()),
        case("tokens, GET", bare("GET", "/realms/base/protocol/openid-connect/tokens"), no_path()),
        case("tokens, OPTIONS", bare("OPTIONS", "/realms/base/protocol/openid-connect/tokens"), no_path()),
        case(
            "tokens, HEAD",
            bare("HEAD", "/realms/base/protocol/openid-connect/tokens"),
            empty(405).with("header content-type", "application/json"),
        ),
        case("the protocol itself", post("/realms/base/protocol/openid-connect"), no_method()),
        case("below the token path", post("/realms/base/protocol/openid-connect/token/x"), no_path()),
        case(
            "below the token path, GET",
            bare("GET", "/realms/base/protocol/openid-connect/token/x"),
            no_method(),
        ),
        case("another protocol", post("/realms/base/protocol/x/token"), plain(404, "Protocol not found")),
        case(
            "another protocol, no path",
            bare("GET", "/realms/base/protocol/x"),
            plain(404, "Protocol not found"),
        ),
        case("SAML", post("/realms/base/protocol/saml/x"), no_path()),
        case("SAML, OPTIONS", bare("OPTIONS", "/realms/base/protocol/saml/x"), empty(200)),
        case("SAML, PUT", bare("PUT", "/realms/base/protocol/saml/x"), no_method()),
        case("the tenant itself, OPTIONS", bare("OPTIONS", "/realms/base"), empty(200)),
        case("no protocol", post("/realms/base/protocol"), no_path()),
        case("the tenant itself, POST", post("/realms/base"), no_method()),
        case("the tenant itself and a slash, POST", post("/realms/base/"), no_method()),
        case("another document", bare("GET", "/realms/base/.well-known/nonsense"), no_path()),
        case(
            "another document, OPTIONS from a page",
            bare("OPTIONS", "/realms/base/.well-known/nonsense").header("origin", PAGE),
            preflight("GET"),
        ),
    ]
}

fn queries() -> Vec<Case> {
    let post = |path| good("scope=openid").at(path);
    vec![
        case("a query", post("/realms/base/protocol/openid-connect/token?x=%ff"), token("openid")),
        case(
            "a broken escape in the query",
            post("/realms/base/protocol/openid-connect/token?x=%zz"),
            empty(400),
        ),
        case(
            "a broken escape in the query, unknown tenant",
            post("/realms/nowhere/protocol/openid-connect/token?x=%"),
            empty(400),
        ),
        case(
            "a broken escape in the keys' query",
            bare("GET", "/realms/base/protocol/openid-connect/certs?%2"),
            empty(400),
        ),
    ]
}

/// Endpoints that describe or revoke a token.
fn endpoints() -> Vec<Case> {
    let no_path = || plain(404, "HTTP 404 Not Found");
    let bearer = |is: &str| {
        not_cached(empty(401))
            .with("header content-type", "text/plain;charset=utf-8")
            .with("header www-authenticate", format!("Bearer realm=\"base\"{is}"))
    };
    let userinfo = || bare("GET", "/realms/base/protocol/openid-connect/userinfo");
    let introspect = |ask: Request| ask.at("/realms/base/protocol/openid-connect/token/introspect");
    let revoke = |ask: Request| ask.at("/realms/base/protocol/openid-connect/revoke");
    let nobody = || plain_unauthorized("invalid_client");
    let json = || empty(200).with("header content-type", "application/json");
    vec![
        case("userinfo", userinfo(), bearer("")).differs(TOKENS_ONLY, no_path()),
        case(
            "userinfo, a token that is none",
            userinfo().header("authorization", "Bearer x"),
            bearer(", error=\"invalid_token\", error_description=\"Token verification failed\""),
        )
        .differs(TOKENS_ONLY, no_path()),
        case("introspection, no client", introspect(form("token=x")), nobody())
            .differs(TOKENS_ONLY, no_path()),
        case(
            "introspection of no token",
            introspect(good("token=x")),
            json().with("header cache-control", "no-cache").with("body active", "false"),
        )
        .differs(TOKENS_ONLY, no_path()),
        case("revocation, no client", revoke(form("token=x")), nobody()).differs(TOKENS_ONLY, no_path()),
        case(
            "revocation of no token",
            revoke(good("token=x")),
            json().with("body error", "invalid_token").with("body error_description", "Invalid token"),
        )
        .differs(TOKENS_ONLY, no_path()),
    ]
}

/// Documents of other protocols.
fn documents() -> Vec<Case> {
    let document = empty(200)
        .with("header content-type", "application/json")
        .with("header cache-control", "no-cache, must-revalidate, no-transform, no-store");
    let no_document = empty(404).with("header content-type", "application/json");
    vec![
        case(
            "the document of RFC 8414",
            head_of("GET", "/realms/base/.well-known/oauth-authorization-server"),
            document.clone(),
        )
        .differs(ONE_DOCUMENT, no_document.clone()),
        case(
            "the document of RFC 8414 where it is without a tenant's path",
            head_of("GET", "/.well-known/oauth-authorization-server/realms/base"),
            document.clone(),
        )
        .differs(ONE_DOCUMENT, no_document.clone()),
        case("UMA's document", head_of("GET", "/realms/base/.well-known/uma2-configuration"), document)
            .differs(ONE_DOCUMENT, no_document),
    ]
}

/// 401 of an endpoint with answers that may be cached.
fn plain_unauthorized(error: &str) -> Expected {
    let description = "Invalid client or Invalid client credentials";
    plain(401, error).with("body error_description", description)
}

/// Other names of the server, which appear in the issuer of its tokens.
fn names() -> Vec<Case> {
    let by = |host| good("scope=openid").header("host", host);
    let of = |issuer: &str| token("openid").issued_by(issuer);
    let foreign = || not_cached(plain(403, "Invalid origin"));
    vec![
        case("localhost", by("localhost:PORT"), of("http://localhost:PORT/realms/base")),
        case("another loopback address", by("127.0.0.9:PORT"), of("http://127.0.0.9:PORT/realms/base")),
        case("IPv6", by("[::1]:PORT"), of("http://[::1]:PORT/realms/base")),
        case("another port", by("localhost:9"), of("http://localhost:9/realms/base")),
        case(
            "localhost from its own page",
            by("localhost:9").header("origin", "http://localhost:9"),
            of("http://localhost:9/realms/base"),
        ),
        case("localhost from the address' page", by("localhost:9").header("origin", "HOST"), foreign()),
        case("a name elsewhere", by("auth.example"), of("http://auth.example/realms/base"))
            .differs(ITS_OWN_NAME, token("openid")),
    ]
}
