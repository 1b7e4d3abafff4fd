//! Methods, sizes and origins of requests.

use super::super::request::{FORM, PAGE, Request, TOKEN, bare, form, good};
use super::{
    Case, Expected, bad_scope, case, empty, keycloak_failed, not_cached, oauth, out_of_scope, plain, token,
    unauthorized,
};

const NUMBER_OF_HEADERS: &str = "hyper, the sandbox's HTTP library, bounds how many headers a request has";
const SIZES: &str = "no client sends parameters that are so long or so many";
const RAW_PERCENT_SIGN: &str = "no page sends a secret without encoding it";

/// A header of 70,000 bytes.
const LONG: &str = match std::str::from_utf8(&[b'x'; 70_000]) {
    Ok(text) => text,
    Err(_) => "",
};

pub fn cases() -> Vec<Case> {
    let mut cases = methods();
    cases.extend(sizes());
    cases.extend(out_of_scope(SIZES, great_sizes()));
    cases.extend(origins());
    cases
}

fn methods() -> Vec<Case> {
    let none = || plain(405, "HTTP 405 Method Not Allowed");
    let head = empty(405).with("header content-type", "application/json");
    let asks = |ask: Request| ask.header("origin", PAGE).header("access-control-request-method", "POST");
    vec![
        case("GET", bare("GET", TOKEN), none()),
        case("HEAD", bare("HEAD", TOKEN), head),
        case("PUT", good("scope=openid").method("PUT"), none()),
        case("PATCH", good("scope=openid").method("PATCH"), none()),
        case("DELETE", bare("DELETE", TOKEN), none()),
        case("OPTIONS", bare("OPTIONS", TOKEN), empty(200)),
        case("OPTIONS from a page", asks(bare("OPTIONS", TOKEN)), preflight("POST, OPTIONS")),
    ]
}

/// The answer to the request that a browser sends first.
pub fn preflight(methods: &str) -> Expected {
    let sendable = "Accept, Access-Control-Request-Headers, Access-Control-Request-Method, Authorization, \
                    Content-Type, DPoP, Origin, X-Requested-With";
    empty(200)
        .readable_by_page()
        .with("header access-control-allow-methods", methods)
        .with("header access-control-allow-headers", sendable)
        .with("header access-control-max-age", "3600")
}

fn sizes() -> Vec<Case> {
    let right = |more: String| good(&format!("scope=openid&{more}"));
    vec![
        case("a parameter of 5,000 characters", right(format!("x={}", "x".repeat(5000))), token("openid")),
        case("a header of 70,000 bytes", right(String::new()).header("x-long", LONG), empty(431)),
        case("200 headers", many_headers(right(String::new())), token("openid"))
            .differs(NUMBER_OF_HEADERS, empty(431)),
        case("a broken escape", good("scope=openid%2"), keycloak_failed()),
        case("an escape that is none", good("scope=openid%zz"), keycloak_failed()),
        case("a broken escape, unknown grant", form("grant_type=nonsense&x=%"), keycloak_failed()),
    ]
}

/// Sizes around and beyond Keycloak's bounds.
fn great_sizes() -> Vec<Case> {
    let right = |more: String| good(&format!("scope=openid&{more}"));
    let many = |count: usize| (0..count).map(|number| format!("p{number}=v")).collect::<Vec<_>>().join("&");
    let large = || plain(413, "HTTP 413 Request Entity Too Large");
    vec![
        case("a value of 131,072 bytes", right(format!("x={}", "x".repeat(131_072))), token("openid")),
        case("a value of 131,073 bytes", right(format!("x={}", "x".repeat(131_073))), large()),
        case("a name of 131,072 bytes", right(format!("{}=x", "x".repeat(131_072))), token("openid")),
        case("a name of 131,073 bytes", right(format!("{}=x", "x".repeat(131_073))), large()),
        case(
            "a value of 131,073 bytes with its escapes",
            right(format!("x={}", "%41".repeat(43_691))),
            large(),
        ),
        case("a name too long before a broken escape", right(format!("{}=%", "x".repeat(131_073))), large()),
        case(
            "a broken escape before a name too long",
            right(format!("x=%&{}=x", "x".repeat(131_073))),
            keycloak_failed(),
        ),
        case("a body of 3,000,000 bytes", right(filled(30)), token("openid")),
        case("1,000 parameters", right(many(996)), token("openid")),
        case("1,001 parameters", right(many(997)), keycloak_failed()),
    ]
}

/// Parameters of 100,000 bytes.
fn filled(count: usize) -> String {
    let value = "x".repeat(100_000);
    (0..count).map(|number| format!("p{number}={value}")).collect::<Vec<_>>().join("&")
}

fn many_headers(ask: Request) -> Request {
    (0..200).fold(ask, |ask, _| ask.header("x-many", "x"))
}

fn origins() -> Vec<Case> {
    let page = |ask: Request| ask.header("origin", PAGE);
    let refused = || not_cached(plain(403, "Invalid origin"));
    let of = |form_: &str| page(form(form_));
    let told = Expected::readable_by_page;
    vec![
        case("from a page", page(good("scope=openid")), refused()),
        case("from a page without an origin", good("scope=openid").header("origin", "null"), refused()),
        case("from the server's own page", good("scope=openid").header("origin", "HOST"), token("openid")),
        case("from a page, unknown scope", page(good("scope=x")), refused()),
        case("from a page, scope twice", page(good("scope=a&scope=a")), refused()),
        case(
            "from a page, password",
            of("client_id=service&client_secret=SECRET&grant_type=password"),
            refused(),
        )
        .out_of_scope(super::grant::ONE_GRANT),
        case(
            "from a page, unknown grant",
            of("grant_type=nonsense"),
            oauth(400, "unsupported_grant_type", "Unsupported grant_type"),
        ),
        case(
            "from a page, wrong secret",
            of("grant_type=client_credentials&client_id=service&client_secret=wrong"),
            told(unauthorized("unauthorized_client")),
        ),
        case(
            "from a page, unknown client",
            of("grant_type=client_credentials&client_id=nobody"),
            told(unauthorized("invalid_client")),
        ),
        case(
            "from a page, a raw percent sign",
            of("grant_type=client_credentials").basic("service:100%"),
            told(oauth(400, "unauthorized_client", "Unexpected error when authenticating client")),
        )
        .out_of_scope(RAW_PERCENT_SIGN),
        case("the same scope, not from a page", good("scope=x").kind(FORM), bad_scope("x")),
    ]
}
