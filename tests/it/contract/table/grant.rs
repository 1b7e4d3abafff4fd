//! Which grants there are, and how the others are refused.

use super::super::request::{Request, form, good};
use super::{Case, Expected, case, oauth, out_of_scope, unauthorized};

const RIGHT: &str = "grant_type=client_credentials&client_id=service&client_secret=SECRET";
pub const ONE_GRANT: &str = "the sandbox grants client credentials only: its client can have no other grant";
const CONTROLS: &str = "no client sends control characters in a grant";
const EMPTY: &str = "no client sends empty parameters";

pub fn cases() -> Vec<Case> {
    let mut cases = spellings();
    let others = other_grants().into_iter().chain(extension_grants());
    cases.extend(others.map(|case| case.differs(ONE_GRANT, unsupported())));
    cases.extend(out_of_scope(ONE_GRANT, uma_tickets()));
    cases.extend(out_of_scope(ONE_GRANT, uma_claims()));
    cases.extend(repeated());
    cases
}

/// A request of the client; `grant` begins with the name of the grant.
fn of(grant: &str) -> Request {
    form(format!("client_id=service&client_secret=SECRET&grant_type={grant}"))
}

fn bad(error: &str, description: &str) -> Expected {
    oauth(400, error, description)
}

/// The grant's name.
fn spellings() -> Vec<Case> {
    vec![
        case("grant_type empty", of(""), unsupported()),
        case("grant_type missing", form("client_id=service&client_secret=SECRET"), missing()),
        case("empty form", form(""), missing()),
        case("grant_type missing, wrong secret", form("client_id=service&client_secret=x"), missing()),
        case("unknown grant", of("nonsense"), unsupported()),
        case("unknown grant, wrong secret", form("client_secret=x&grant_type=nonsense"), unsupported()),
        case("grant in other case", of("Client_Credentials"), unsupported()),
        case("a line break after the grant", of("client_credentials%0A"), super::token(""))
            .out_of_scope(CONTROLS),
        case("a line break before the grant", of("%0Aclient_credentials"), super::token(""))
            .out_of_scope(CONTROLS),
        case("a line break in the grant, and more", of("client_credentials%0Ax"), unsupported()),
        case("implicit", of("implicit"), unsupported()),
    ]
}

fn other_grants() -> Vec<Case> {
    vec![
        case(
            "password",
            of("password&username=u&password=p&scope=openid"),
            bad("unauthorized_client", "Client not allowed for direct access grants"),
        ),
        case(
            "password, wrong secret",
            form("client_id=service&client_secret=x&grant_type=password"),
            unauthorized("unauthorized_client"),
        ),
        case("refresh_token, none", of("refresh_token"), bad("invalid_request", "No refresh token")),
        case(
            "refresh_token, empty",
            of("refresh_token&refresh_token="),
            bad("invalid_grant", "Invalid refresh token"),
        ),
        case(
            "refresh_token, nonsense",
            of("refresh_token&refresh_token=x"),
            bad("invalid_grant", "Invalid refresh token"),
        ),
        case("code, none", of("authorization_code"), bad("invalid_request", "Missing parameter: code")),
        case("code, empty", of("authorization_code&code="), bad("invalid_grant", "Code not valid")),
        case(
            "code, nonsense",
            of("authorization_code&code=x&redirect_uri=http%3A%2F%2F127.0.0.1%2F"),
            bad("invalid_grant", "Code not valid"),
        ),
        case("code, a parameter twice", of("authorization_code&x=1&x=2"), twice()),
    ]
}

/// Grants with a URN as their name (RFC 6749, section 4.5).
fn extension_grants() -> Vec<Case> {
    let urn = "urn:ietf:params:oauth:grant-type";
    vec![
        case(
            "device code",
            of(&format!("{urn}:device_code")),
            bad("invalid_grant", "Client not allowed OAuth 2.0 Device Authorization Grant"),
        ),
        case(
            "token exchange",
            of(&format!("{urn}:token-exchange")),
            bad("invalid_request", "Standard token exchange is not enabled for the requested client"),
        ),
        case(
            "CIBA",
            of("urn:openid:params:grant-type:ciba"),
            bad("invalid_grant", "Client not allowed OIDC CIBA Grant"),
        ),
        case(
            "JWT bearer",
            of(&format!("{urn}:jwt-bearer")),
            bad("invalid_grant", "Missing parameter:assertion"),
        ),
    ]
}

/// A request of the client for a UMA ticket.
fn uma(more: &str) -> Request {
    of(&format!("urn:ietf:params:oauth:grant-type:uma-ticket{more}"))
}

fn uma_tickets() -> Vec<Case> {
    vec![
        case("UMA ticket", uma(""), bad("invalid_request", "You must provide the issuedFor")),
        case(
            "UMA ticket for an audience",
            uma("&audience=service"),
            bad("invalid_request", "Client does not support permissions"),
        ),
        case(
            "UMA ticket for another audience",
            uma("&audience=nobody"),
            bad("invalid_request", "Unknown resource server id: [nobody]"),
        ),
        case(
            "UMA ticket for another client that there is",
            uma("&audience=no-streams"),
            bad("invalid_request", "Client does not support permissions"),
        ),
        case(
            "UMA ticket for a ticket",
            uma("&ticket=x&audience=nobody&claim_token=x"),
            oauth(403, "invalid_ticket", "Ticket verification failed"),
        ),
    ]
}

/// UMA tickets in exchange for claims or tokens.
fn uma_claims() -> Vec<Case> {
    vec![
        case(
            "UMA ticket for a claim",
            uma("&claim_token=x&audience=nobody"),
            bad("unauthorized_client", "Invalid signature"),
        ),
        case(
            "UMA ticket for a claim in another format",
            uma("&claim_token=x&claim_token_format=x"),
            bad("invalid_request", "Claim token format [x] not supported"),
        ),
        case(
            "UMA ticket for an older one",
            uma("&rpt=x"),
            oauth(403, "invalid_rpt", "RPT signature is invalid"),
        ),
        case(
            "UMA ticket for a subject",
            uma("&subject_token=x"),
            bad("unauthorized_client", "Invalid identity"),
        ),
    ]
}

/// Repeated parameters, and the refusals that come before theirs.
fn repeated() -> Vec<Case> {
    let wrong = || unauthorized("unauthorized_client");
    vec![
        case("client_id twice, the same", good("client_id=service"), twice()),
        case("client_id twice, different", good("client_id=nobody"), twice()),
        case("client_secret twice, the second wrong", good("client_secret=wrong"), twice()),
        case("scope twice", good("scope=openid&scope=transcribe"), twice()),
        case("scope twice, the same", good("scope=openid&scope=openid"), twice()),
        case("scope twice, the first unknown", good("scope=x&scope=openid"), twice()),
        case("grant_type twice", good("grant_type=client_credentials"), twice()),
        case("an unknown parameter", good("colour=blue"), super::token("")),
        case("an unknown parameter twice", good("colour=blue&colour=red"), twice()),
        case("an ampersand after", good("scope=openid&"), super::token("openid")),
        case("an empty parameter", good("scope=openid&&"), super::token("openid")),
        case("two empty parameters", good("scope=openid&&&"), twice()).out_of_scope(EMPTY),
        case("two empty parameters in the middle", good("&&scope=openid"), twice()).out_of_scope(EMPTY),
        case("an empty parameter before", form(format!("&{RIGHT}")), super::token("")),
        case("two empty parameters before", form(format!("&&{RIGHT}")), twice()).out_of_scope(EMPTY),
        case("a parameter without a name", good("scope=openid&=x"), super::token("openid")),
        case("two parameters without a name", good("scope=openid&=a&=b"), twice()),
        case("one without a name, one empty", good("scope=openid&&="), twice()).out_of_scope(EMPTY),
        case("998 empty parameters", good(&"&".repeat(997)), twice()).out_of_scope(EMPTY),
        case(
            "two empty parameters, wrong secret",
            form("grant_type=client_credentials&client_id=service&client_secret=x&&&"),
            wrong(),
        ),
        case(
            "client_secret twice, the first wrong",
            form("grant_type=client_credentials&client_id=service&client_secret=x&client_secret=SECRET"),
            wrong(),
        ),
        case(
            "scope twice, wrong secret",
            form("grant_type=client_credentials&client_id=service&client_secret=x&scope=a&scope=a"),
            wrong(),
        ),
        case(
            "scope twice, unknown client",
            form("grant_type=client_credentials&client_id=nobody&client_secret=x&scope=a&scope=a"),
            unauthorized("invalid_client"),
        ),
        case("scope twice, unknown grant", form("grant_type=nonsense&scope=a&scope=a"), unsupported()),
        case(
            "grant_type twice, the first unknown",
            form("grant_type=nonsense&grant_type=client_credentials&client_id=service&client_secret=SECRET"),
            unsupported(),
        ),
    ]
}

fn unsupported() -> Expected {
    oauth(400, "unsupported_grant_type", "Unsupported grant_type")
}

pub fn missing() -> Expected {
    oauth(400, "invalid_request", "Missing form parameter: grant_type")
}

fn twice() -> Expected {
    oauth(400, "invalid_request", "duplicated parameter")
}
