//! How a client authenticates.

use super::super::request::{basic, form, good, of};
use super::{Case, bad_scope, case, oauth, out_of_scope, token, unauthorized};

const ONE_CLIENT: &str =
    "the sandbox has one client, which is enabled and has a secret and a service account";
const BASE64: &str = "clients send standard base64 with its padding, and one space before it";

pub fn cases() -> Vec<Case> {
    let mut cases = in_form();
    cases.extend(other_clients());
    cases.extend(in_header());
    cases.extend(out_of_scope(BASE64, in_base64()));
    cases.extend(in_both());
    cases
}

fn client(id: &str, secret: &str) -> super::super::request::Request {
    form(format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=openid"))
}

fn in_form() -> Vec<Case> {
    let (no_client, wrong) = (|| unauthorized("invalid_client"), || unauthorized("unauthorized_client"));
    let long = "s".repeat(5000);
    vec![
        case("unknown client", client("nobody", "SECRET"), no_client()),
        case("client id in other case", client("Service", "SECRET"), no_client()),
        case("a space before the client id", client("+service", "SECRET"), no_client()),
        case("wrong secret", client("service", "wrong"), wrong()),
        case("secret with a line break", client("service", "SECRET%0A"), wrong()),
        case("secret after a line break", client("service", "%0ASECRET"), wrong()),
        case("client id with a line break", client("service%0A", "SECRET"), no_client()),
        case("secret of 5,000 characters", client("service", &long), wrong()),
        case("empty secret", client("service", ""), wrong()),
        case("no secret", form("grant_type=client_credentials&client_id=service&scope=openid"), wrong()),
        case("no client id", form("grant_type=client_credentials&client_secret=SECRET"), no_client()),
        case("empty client id", client("", "SECRET"), no_client()),
        case("neither id nor secret", form("grant_type=client_credentials&scope=openid"), no_client()),
        case("awkward secret", client("awkward", "AWKWARD"), token("openid").about("awkward")),
        case("awkward secret, %20", client("awkward", "AWKWARD20"), token("openid").about("awkward")),
        case("awkward secret, not encoded", client("awkward", "AWKWARD_RAW"), super::keycloak_failed()),
        case("wrong secret and unknown scope", client("service", "wrong&scope=x"), wrong()),
        case("unknown scope and right secret", good("scope=x"), bad_scope("x")),
    ]
}

fn other_clients() -> Vec<Case> {
    let not_allowed = |description| oauth(401, "unauthorized_client", description);
    let public = "Public client not allowed to retrieve service account";
    let no_account = "Client not enabled to retrieve service account";
    let other = |name, ask, is| case(name, ask, is).out_of_scope(ONE_CLIENT);
    vec![
        other("disabled client", of("disabled", "scope=openid"), unauthorized("invalid_client")),
        other("disabled client, wrong secret", client("disabled", "wrong"), unauthorized("invalid_client")),
        other("disabled client in the header", basic("disabled:SECRET"), unauthorized("invalid_client")),
        other(
            "public client, no secret",
            form("grant_type=client_credentials&client_id=public&scope=openid"),
            not_allowed(public),
        ),
        other("public client, some secret", client("public", "x"), not_allowed(public)),
        other("no service account", of("no-service-account", "scope=openid"), not_allowed(no_account)),
        other(
            "no service account, wrong secret",
            client("no-service-account", "wrong"),
            unauthorized("unauthorized_client"),
        ),
        other(
            "no service account, unknown scope",
            of("no-service-account", "scope=x"),
            not_allowed(no_account),
        ),
        other(
            "no service account, scope twice",
            of("no-service-account", "scope=openid&scope=openid"),
            oauth(400, "invalid_request", "duplicated parameter"),
        ),
    ]
}

fn in_header() -> Vec<Case> {
    let (no_client, wrong) = (|| unauthorized("invalid_client"), || unauthorized("unauthorized_client"));
    let header = |value| form("grant_type=client_credentials&scope=openid").header("authorization", value);
    let undecodable = || oauth(400, "unauthorized_client", "Unexpected error when authenticating client");
    vec![
        case("Basic: right", basic("service:SECRET"), token("openid")),
        case("Basic: the encoded pair", header("Basic BASE64"), token("openid")),
        case("Basic: wrong secret", basic("service:wrong"), wrong()),
        case("Basic: unknown client", basic("nobody:SECRET"), no_client()),
        case("Basic: empty secret", basic("service:"), wrong()),
        case("Basic: a colon in the secret", basic("service:SECRET:x"), wrong()),
        case("Basic: not base64", header("Basic !!!"), no_client()),
        case("Basic: no colon", basic("service"), no_client()),
        case("Basic: the scheme alone", header("Basic"), no_client()),
        case("Basic: awkward secret", basic("awkward:AWKWARD"), token("openid").about("awkward")),
        case("Basic: awkward secret, not encoded", basic("awkward:AWKWARD_RAW"), undecodable()),
        case("Basic: a raw percent sign, unknown client", basic("nobody:100%"), undecodable()),
        case("Basic: a raw percent sign in the id", basic("ser%vice:SECRET"), undecodable()),
        case("Basic: a raw plus", basic("service:a+b"), wrong()),
        case("Basic: an escape that is not UTF-8", basic("service:%ff"), wrong()),
        case("Bearer", header("Bearer abc"), no_client()),
    ]
}

/// Unusual base64, which Keycloak reads as leniently as MIME does (RFC 2045).
fn in_base64() -> Vec<Case> {
    let (no_client, wrong) = (|| unauthorized("invalid_client"), || unauthorized("unauthorized_client"));
    let header = |value| form("grant_type=client_credentials&scope=openid").header("authorization", value);
    let right = |name, value| case(name, header(value), token("openid"));
    vec![
        // `service:` and a byte of Latin-1, or two bytes that are not UTF-8.
        case("Basic: the secret in Latin-1", header("Basic c2VydmljZTr8"), wrong()),
        case("Basic: the secret is no text", header("Basic c2VydmljZTr//g=="), wrong()),
        case("Basic: the id is no text", header("Basic c2Vy/3ZpY2U6eA=="), no_client()),
        right("Basic: too much padding", "Basic BASE64=="),
        right("Basic: a sign after it", "Basic BASE64!"),
        right("Basic: a sign before it", "Basic !BASE64"),
        right("Basic: a space inside", "Basic BASE64_APART"),
        right("Basic: two spaces", "Basic  BASE64"),
        right("Basic: a tab", "Basic\tBASE64"),
        case("Basic: a letter after the padding", header("Basic BASE64x"), no_client()),
        case("Basic: a word after it", header("Basic BASE64 x"), no_client()),
        // `service:x`, `service:xx` with one of its two padding signs, `service:x` and one letter of the next four.
        case("Basic: padding that is none", header("Basic c2VydmljZTp4="), no_client()),
        case("Basic: half of the padding", header("Basic c2VydmljZTp4eA="), no_client()),
        case("Basic: no padding", header("Basic c2VydmljZTp4eA"), wrong()),
        case("Basic: one letter too many", header("Basic c2VydmljZTp4A"), no_client()),
        case("Basic: bits over", header("Basic c2VydmljZTp4eB=="), wrong()),
        case("Basic: the alphabet for URLs", header("Basic c2VydmljZTr_-78"), no_client()),
    ]
}

fn in_both() -> Vec<Case> {
    let (no_client, wrong) = (|| unauthorized("invalid_client"), || unauthorized("unauthorized_client"));
    let partly = |more: &str| form(format!("grant_type=client_credentials&scope=openid&{more}"));
    vec![
        case(
            "Bearer and a right form",
            good("scope=openid").header("authorization", "Bearer a"),
            token("openid"),
        ),
        case("both right", good("scope=openid").basic("service:SECRET"), token("openid")),
        case("the form's secret is wrong", client("service", "wrong").basic("service:SECRET"), wrong()),
        case("the header's secret is wrong", good("scope=openid").basic("service:wrong"), token("openid")),
        case("the form's id is unknown", partly("client_id=nobody").basic("service:SECRET"), no_client()),
        case("the form's id is empty", partly("client_id=").basic("service:SECRET"), no_client()),
        case(
            "the form's id is the same",
            partly("client_id=service").basic("service:SECRET"),
            token("openid"),
        ),
        case("the form's secret is empty", partly("client_secret=").basic("service:SECRET"), wrong()),
        case(
            "the form has the secret alone",
            partly("client_secret=SECRET").basic("service:x"),
            token("openid"),
        ),
        case(
            "the form's id is another client's",
            partly("client_id=no-streams&client_secret=wrong").basic("service:SECRET"),
            wrong(),
        )
        .out_of_scope(ONE_CLIENT),
        case(
            "a raw percent sign beside a right form",
            good("scope=openid").basic("service:100%"),
            oauth(400, "unauthorized_client", "Unexpected error when authenticating client"),
        ),
    ]
}
