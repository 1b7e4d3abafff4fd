//! Tenants, paths and the heads of the realm's documents.

use super::super::request::{PAGE, Request, bare, good, head_of};
use super::request::preflight;
use super::{Case, Expected, case, empty, out_of_scope, plain, token};

const DISCOVERY: &str = "/realms/base/.well-known/openid-configuration";
const CERTS: &str = "/realms/base/protocol/openid-connect/certs";

const TWO_HOSTS: &str = "one port is the authorization server and the API, and other paths get the API's 404";
const SPELLING: &str = "no client sends such a path";
const NO_PAGES: &str = "programs use the sandbox, so it always answers JSON";
const NO_REALM_PAGE: &str =
    "the realm's own document, for Keycloak's old adapters, is not part of OpenID Connect";
const METHODS: &str = "clients read the documents by GET";

pub fn cases() -> Vec<Case> {
    let mut cases = tenants();
    cases.extend(out_of_scope(SPELLING, spellings()));
    cases.extend(other_paths());
    cases.extend(documents());
    cases
}

/// The request of a browser, which gets a page. Only its head is compared.
fn person(ask: Request) -> Request {
    ask.header("accept", "text/html").head_only()
}

/// Keycloak's refusal of an unusual path.
fn unusual(error: &str, description: &str) -> Expected {
    plain(400, error)
        .with("body error_description", description)
        .with("header content-type", "application/json; charset=UTF-8")
}

fn tenants() -> Vec<Case> {
    let no_realm = || plain(404, "Realm does not exist");
    let right = |path| good("scope=openid").at(path);
    vec![
        case("unknown tenant", right("/realms/nowhere/protocol/openid-connect/token"), no_realm()),
        case("tenant in other case", right("/realms/Base/protocol/openid-connect/token"), no_realm()),
        case("no tenant", right("/realms/protocol/openid-connect/token"), no_realm()),
        case("unknown tenant, GET", bare("GET", "/realms/nowhere/protocol/openid-connect/token"), no_realm()),
        case(
            "unknown tenant, OPTIONS",
            bare("OPTIONS", "/realms/nowhere/protocol/openid-connect/token"),
            no_realm(),
        ),
        case(
            "unknown tenant, JSON",
            right("/realms/nowhere/protocol/openid-connect/token").kind("application/json"),
            no_realm(),
        ),
        case("unknown tenant, a slash after it", bare("GET", "/realms/nowhere/"), no_realm())
            .out_of_scope(SPELLING),
        case(
            "unknown tenant for a person",
            person(right("/realms/nowhere/protocol/openid-connect/token")),
            empty(404).with("header content-type", "text/html;charset=utf-8"),
        )
        .differs(NO_PAGES, empty(404).with("header content-type", "application/json")),
        case("unknown path of an unknown tenant", bare("GET", "/realms/nowhere/nonsense"), no_realm()),
    ]
}

/// The token path in other spellings.
fn spellings() -> Vec<Case> {
    let right = |path| good("scope=openid").at(path);
    vec![
        case(
            "a slash after the token path",
            right("/realms/base/protocol/openid-connect/token/"),
            token("openid"),
        ),
        case(
            "two slashes in the token path",
            right("/realms/base//protocol/openid-connect/token"),
            unusual("missingNormalization", "Request path not normalized"),
        ),
        case(
            "an escape in the tenant",
            right("/realms/b%61se/protocol/openid-connect/token"),
            unusual("missingNormalization", "Request path not normalized"),
        ),
        case(
            "a parameter in the token path",
            right("/realms/base/protocol/openid-connect/token;x=1"),
            unusual("invalidCharacter", "Request path contains invalid character ';'"),
        ),
    ]
}

fn other_paths() -> Vec<Case> {
    vec![
        case(
            "the tenant itself",
            head_of("GET", "/realms/base"),
            empty(200)
                .with("header content-type", "application/json;charset=UTF-8")
                .with("header cache-control", "no-cache"),
        )
        .out_of_scope(NO_REALM_PAGE),
        case(
            "/oauth2/token",
            good("scope=openid").at("/oauth2/token"),
            plain(404, "Unable to find matching target resource method"),
        )
        .differs(
            TWO_HOSTS,
            empty(404)
                .with("header content-type", "application/json")
                .with("body requestid", "uuid")
                .with("body status", "404")
                .with("body type", "\"not_found\"")
                .with("body detail", "\"the sandbox does not serve this path\""),
        ),
        case(
            "unknown path of a tenant",
            bare("GET", "/realms/base/protocol/openid-connect/nonsense"),
            plain(404, "HTTP 404 Not Found"),
        ),
    ]
}

fn documents() -> Vec<Case> {
    let rules = "no-cache, must-revalidate, no-transform, no-store";
    let document = |rules: &str| {
        empty(200).with("header content-type", "application/json").with("header cache-control", rules)
    };
    let page = |ask: Request| ask.header("origin", PAGE);
    let none = |status: u16, text: &str| -> Expected { plain(status, text) };
    vec![
        case("discovery", head_of("GET", DISCOVERY), document(rules)),
        case("discovery, HEAD", head_of("HEAD", DISCOVERY), document(rules)),
        case(
            "discovery, a slash after it",
            head_of("GET", "/realms/base/.well-known/openid-configuration/"),
            document(rules),
        )
        .out_of_scope(SPELLING),
        case("discovery, POST", bare("POST", DISCOVERY), none(404, "HTTP 404 Not Found"))
            .out_of_scope(METHODS),
        case("discovery, PUT", bare("PUT", DISCOVERY), none(404, "HTTP 404 Not Found")).out_of_scope(METHODS),
        case("discovery for a page", page(head_of("GET", DISCOVERY)), document(rules).readable_by_page()),
        case("discovery, OPTIONS from a page", page(bare("OPTIONS", DISCOVERY)), preflight("GET")),
        case(
            "discovery, unknown tenant",
            bare("GET", "/realms/nowhere/.well-known/openid-configuration"),
            none(404, "Realm does not exist"),
        ),
        case(
            "discovery, unknown tenant, OPTIONS from a page",
            page(bare("OPTIONS", "/realms/nowhere/.well-known/openid-configuration")),
            preflight("GET"),
        )
        .out_of_scope(METHODS),
        case("keys", head_of("GET", CERTS), document("no-cache")),
        case("keys, HEAD", head_of("HEAD", CERTS), document("no-cache")),
        case(
            "keys, a slash after them",
            head_of("GET", "/realms/base/protocol/openid-connect/certs/"),
            document("no-cache"),
        )
        .out_of_scope(SPELLING),
        case("keys, POST", bare("POST", CERTS), none(405, "HTTP 405 Method Not Allowed")),
        case("keys for a page", page(head_of("GET", CERTS)), document("no-cache").readable_by_page()),
        case("keys, OPTIONS from a page", page(bare("OPTIONS", CERTS)), preflight("GET")),
        case(
            "keys, unknown tenant",
            bare("GET", "/realms/nowhere/protocol/openid-connect/certs"),
            none(404, "Realm does not exist"),
        ),
    ]
}
