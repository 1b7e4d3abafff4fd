//! Content types, charsets and other headers of a request.

use super::super::request::{Request, form, good};
use super::grant::missing;
use super::{
    Case, bad_scope, case, keycloak_failed, oauth, out_of_scope, server_failed, token, unauthorized,
};

const NO_DPOP: &str =
    "the sandbox binds no tokens to keys, and ignores the header that asks for it (RFC 9449)";
const FORMS_ONLY: &str = "RFC 6749 has no multipart requests, and the fact sheet's clients send none";

const EXACT_TYPE: &str = "no client sends a content type that is nearly a form's";
const UTF_8: &str = "clients send forms in UTF-8";

pub fn cases() -> Vec<Case> {
    let mut cases = kinds();
    cases.extend(multipart());
    cases.extend(headers());
    cases.extend(queries());
    cases.extend(out_of_scope(EXACT_TYPE, nearly_forms()));
    cases.extend(out_of_scope(UTF_8, charsets()));
    cases
}

fn kinds() -> Vec<Case> {
    let json = r#"{"grant_type":"client_credentials","client_id":"service","client_secret":"SECRET"}"#;
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
            "UTF-8",
            good("scope=openid+%C3%BC").kind("application/x-www-form-urlencoded; charset=UTF-8"),
            bad_scope("openid ü"),
        ),
        case(
            "another charset",
            right().kind("application/x-www-form-urlencoded; charset=ISO-8859-1"),
            token("openid"),
        ),
    ]
}

fn multipart() -> Vec<Case> {
    let part = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let multipart = |parts: &[String]| Request {
        kind: Some("multipart/form-data; boundary=X"),
        ..form(format!("{}--X--\r\n", parts.concat()))
    };
    let grant = || part("grant_type", "client_credentials");
    vec![
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
    ]
}

fn headers() -> Vec<Case> {
    let right = || good("scope=openid");
    vec![
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
    ]
}

/// Parameters in the query, which are ignored.
fn queries() -> Vec<Case> {
    vec![
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

/// Types that begin like a form's. Keycloak looks for the grant in such a body, but not for the client.
fn nearly_forms() -> Vec<Case> {
    let right = |kind| good("scope=openid").kind(kind);
    let with_basic =
        |kind| form("grant_type=client_credentials&scope=openid").basic("service:SECRET").kind(kind);
    let no_client = || unauthorized("invalid_client");
    let unreadable = || oauth(400, "unauthorized_client", "Unexpected error when authenticating client");
    let longer = "application/x-www-form-urlencodedx";
    let two = "application/x-www-form-urlencoded, text/plain";
    let unsupported = || oauth(400, "unsupported_grant_type", "Unsupported grant_type");
    vec![
        case("a longer type", right(longer), no_client()),
        case("a longer type with Basic", with_basic(longer), token("openid")),
        case("a longer type, unknown grant", form("grant_type=x").kind(longer), unsupported()),
        case(
            "a space before the charset",
            right("application/x-www-form-urlencoded ; charset=utf-8"),
            no_client(),
        ),
        case("two types", right(two), unreadable()),
        case("two types with Basic", with_basic(two), unreadable()),
        case("two types, unknown grant", form("grant_type=x").kind(two), server_failed()),
        case("a type that is a word", right("x"), server_failed()),
        case("a type that is a slash", right("/"), server_failed()),
        case("multipart without a boundary", right("multipart/form-data"), missing()),
        case("multipart with an empty boundary", right("multipart/form-data; boundary="), keycloak_failed()),
    ]
}

/// How Keycloak decodes escapes.
fn charsets() -> Vec<Case> {
    let beyond = |charset: &'static str| good("scope=openid+%C3%BC").kind(charset);
    let latin = || bad_scope("openid \u{c3}\u{bc}");
    let nonsense = "application/x-www-form-urlencoded; charset=nonsense";
    let wide = "application/x-www-form-urlencoded; charset=utf-16";
    vec![
        case("ISO-8859-1", beyond("application/x-www-form-urlencoded; charset=ISO-8859-1"), latin()),
        case(
            "ISO-8859-1 in quotes",
            beyond("application/x-www-form-urlencoded; charset=\"ISO-8859-1\""),
            latin(),
        ),
        case(
            "US-ASCII",
            beyond("application/x-www-form-urlencoded; charset=us-ascii"),
            bad_scope("openid \u{fffd}\u{fffd}"),
        ),
        case(
            "the charset's name in capitals",
            beyond("application/x-www-form-urlencoded; Charset=ISO-8859-1"),
            bad_scope("openid ü"),
        ),
        case("no known charset", beyond(nonsense), keycloak_failed()),
        case("an empty charset", beyond("application/x-www-form-urlencoded; charset="), keycloak_failed()),
        case("no known charset, unknown grant", form("grant_type=x&y=%41").kind(nonsense), keycloak_failed()),
        case("no known charset, a space", good("scope=openid+transcribe").kind(nonsense), keycloak_failed()),
        case(
            "a longer type in ISO-8859-1",
            form("grant_type=client_credentials&scope=openid+%C3%BC")
                .basic("service:SECRET")
                .kind("application/x-www-form-urlencodedx; charset=ISO-8859-1"),
            latin(),
        ),
        case("no known charset, nothing to decode", good("").kind(nonsense), token("")),
        case("UTF-16", beyond(wide), bad_scope("openid\u{20c3}\u{fffd}")),
        case("UTF-16, nothing to decode", good("").kind(wide), token("")),
    ]
}
