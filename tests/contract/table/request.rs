//! Content types, methods, bounds, origins: what a request is before it is a grant.

use super::super::ask::{Ask, FORM, PAGE, TOKEN, bare, form, good};
use super::grant::missing;
use super::{Case, Is, bad_scope, case, empty, never_stored, oauth, plain, token, unauthorized};

const NO_DPOP: &str =
    "it binds no tokens to keys, and does not read the header of those that want that (RFC 9449)";
const FORMS_ONLY: &str = "RFC 6749 has no multipart requests, and the fact sheet's clients send none";

pub fn cases() -> Vec<Case> {
    let mut cases = kinds();
    cases.extend(methods());
    cases.extend(bounds());
    cases.extend(origins());
    cases
}

fn kinds() -> Vec<Case> {
    let json = r#"{"grant_type":"client_credentials","client_id":"service","client_secret":"SECRET"}"#;
    let part = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let multipart = |parts: &[String]| Ask {
        kind: Some("multipart/form-data; boundary=X"),
        ..form(format!("{}--X--\r\n", parts.concat()))
    };
    let grant = || part("grant_type", "client_credentials");
    let right = || good("scope=openid");
    vec![
        case("JSON", form(json).kind("application/json"), missing()),
        case("JSON called a form", form(json), missing()),
        case("JSON with Basic", form(json).kind("application/json").basic("service:SECRET"), missing()),
        case("no content type", right().without_kind(), missing()),
        case("text/plain", right().kind("text/plain"), missing()),
        case("the content type in capitals", right().kind("APPLICATION/X-WWW-FORM-URLENCODED"), missing()),
        case("a charset", right().kind("application/x-www-form-urlencoded; charset=UTF-8"), token("openid")),
        case(
            "a charset and an awkward secret",
            form("grant_type=client_credentials&client_id=awkward&client_secret=AWKWARD&scope=openid")
                .kind("application/x-www-form-urlencoded;charset=utf-8"),
            token("openid").about("awkward"),
        ),
        case(
            "another charset",
            right().kind("application/x-www-form-urlencoded; charset=ISO-8859-1"),
            token("openid"),
        ),
        case(
            "multipart with Basic",
            multipart(&[grant(), part("scope", "openid transcribe")]).basic("service:SECRET"),
            token("openid transcribe"),
        )
        .differs(FORMS_ONLY, missing()),
        case(
            "multipart",
            multipart(&[grant(), part("client_id", "service"), part("client_secret", "SECRET")]),
            unauthorized("invalid_client"),
        )
        .differs(FORMS_ONLY, missing()),
        case(
            "a DPoP header that is no proof",
            right().header("dpop", "abc"),
            oauth(400, "invalid_request", "DPoP header verification failure"),
        )
        .differs(NO_DPOP, token("openid")),
        case(
            "a DPoP header, wrong secret",
            form("grant_type=client_credentials&client_id=service&client_secret=x").header("dpop", "abc"),
            unauthorized("unauthorized_client"),
        ),
        case("Accept: text/html", right().header("accept", "text/html"), token("openid")),
        case(
            "everything in the query",
            form("").at(
                "/realms/base/protocol/openid-connect/token?grant_type=client_credentials&client_id=service&\
                 client_secret=SECRET",
            ),
            missing(),
        ),
        case(
            "the scope in the query",
            good("").at("/realms/base/protocol/openid-connect/token?scope=openid+transcribe"),
            token(""),
        ),
    ]
}

fn methods() -> Vec<Case> {
    let none = || plain(405, "HTTP 405 Method Not Allowed");
    let head = empty(405).with("header content-type", "application/json");
    let asks = |ask: Ask| ask.header("origin", PAGE).header("access-control-request-method", "POST");
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

/// What a page is told before it asks.
pub fn preflight(methods: &str) -> Is {
    let sendable = "Accept, Access-Control-Request-Headers, Access-Control-Request-Method, Authorization, \
                    Content-Type, DPoP, Origin, X-Requested-With";
    empty(200)
        .readable_by_page()
        .with("header access-control-allow-methods", methods)
        .with("header access-control-allow-headers", sendable)
        .with("header access-control-max-age", "3600")
}

fn bounds() -> Vec<Case> {
    let right = |more: String| good(&format!("scope=openid&{more}"));
    let many = |count: usize| (0..count).map(|number| format!("p{number}=v")).collect::<Vec<_>>().join("&");
    let breakdown = || {
        plain(500, "unknown_error")
            .with("body error_description", "For more on this error consult the server log.")
    };
    let large = || plain(413, "HTTP 413 Request Entity Too Large");
    vec![
        case("a parameter of 5,000 characters", right(format!("x={}", "x".repeat(5000))), token("openid")),
        case("a value of 131,072 bytes", right(format!("x={}", "x".repeat(131_072))), token("openid")),
        case("a value of 131,073 bytes", right(format!("x={}", "x".repeat(131_073))), large()),
        case("1,000 parameters", right(many(996)), token("openid")),
        case("1,001 parameters", right(many(997)), breakdown()),
        case("a broken escape", good("scope=openid%2"), breakdown()),
        case("an escape that is none", good("scope=openid%zz"), breakdown()),
        case("a broken escape, unknown grant", form("grant_type=nonsense&x=%"), breakdown()),
    ]
}

fn origins() -> Vec<Case> {
    let page = |ask: Ask| ask.header("origin", PAGE);
    let refused = || never_stored(plain(403, "Invalid origin"));
    let of = |form_: &str| page(form(form_));
    let told = |is: Is| {
        is.readable_by_page().with("header access-control-expose-headers", "Access-Control-Allow-Methods")
    };
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
        ),
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
        ),
        case("the same scope, not from a page", good("scope=x").kind(FORM), bad_scope("x")),
    ]
}
