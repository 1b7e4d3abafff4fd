//! Which scopes are granted, and how the token names them.

use super::super::request::{good, of};
use super::{Case, bad_scope, case, out_of_scope, token};

const ONE_CLIENT: &str = "the sandbox has one client, which may use both scopes";
const CONTROLS: &str = "no client sends control characters in a scope";
const UNUSUAL: &str = "no client sends such a scope";
const MICROPROFILE: &str = "no client of Corti reads the claims that this scope adds";
const NOT_CORTIS: &str = "Corti's realm does not list this scope among those it supports";

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = granted();
    cases.extend(of_the_realm());
    cases.extend(of_other_clients());
    cases.extend(out_of_scope(CONTROLS, with_controls()));
    cases.extend(refused());
    cases
}

fn granted() -> Vec<Case> {
    let long = format!("scope=openid+{}", "s".repeat(3994));
    vec![
        case("full", good("scope=openid"), token("openid")),
        case("limited: transcribe", good("scope=openid+transcribe"), token("openid transcribe")),
        case("limited: streams", good("scope=openid+streams"), token("openid streams")),
        case("both", good("scope=openid+transcribe+streams"), token("openid transcribe streams")),
        case(
            "both, other order",
            good("scope=streams+transcribe+openid"),
            token("openid streams transcribe"),
        ),
        case("%20 for a space", good("scope=openid%20streams"), token("openid streams")),
        case("a scope twice", good("scope=openid+transcribe+transcribe+openid"), token("openid transcribe")),
        case("a space after", good("scope=openid+transcribe+"), token("openid transcribe")),
        case("two spaces after", good("scope=openid++"), token("openid")),
        case("a space alone", good("scope=+"), token("")).out_of_scope(UNUSUAL),
        case("no scope", good(""), token("")),
        case("transcribe without openid", good("scope=transcribe"), token("transcribe")),
        case("both without openid", good("scope=transcribe+streams"), token("transcribe streams")),
        case("a scope of 4,001 characters", good(&long), token("")).out_of_scope(UNUSUAL),
    ]
}

/// The realm's own scopes.
fn of_the_realm() -> Vec<Case> {
    vec![
        case("profile alone", good("scope=profile"), token("")),
        case("openid profile", good("scope=openid+profile"), token("openid")),
        case("openid email", good("scope=openid+email"), token("openid")),
        case(
            "openid profile transcribe",
            good("scope=openid+profile+transcribe"),
            token("openid transcribe"),
        ),
        case("openid roles", good("scope=openid+roles"), token("openid")),
        case("openid acr", good("scope=openid+acr"), token("openid")),
        case("openid basic", good("scope=openid+basic"), token("openid")),
        case("openid service_account", good("scope=openid+service_account"), token("openid")),
        case("openid web-origins", good("scope=openid+web-origins"), token("openid")),
        case("openid phone", good("scope=openid+phone"), token("openid phone")),
        case("openid address", good("scope=openid+address"), token("openid address")),
        case("openid offline_access", good("scope=openid+offline_access"), token("openid offline_access")),
        case(
            "openid microprofile-jwt",
            good("scope=openid+microprofile-jwt"),
            token("openid microprofile-jwt"),
        )
        .out_of_scope(MICROPROFILE),
        case("openid organization", good("scope=openid+organization"), token("openid"))
            .differs(NOT_CORTIS, bad_scope("openid organization")),
        case("an organization by name", good("scope=organization%3Ax"), token(""))
            .differs(NOT_CORTIS, bad_scope("organization:x")),
        case("openid and any organization", good("scope=openid+organization%3A*"), token("openid"))
            .differs(NOT_CORTIS, bad_scope("openid organization:*")),
    ]
}

/// Clients that may use fewer scopes, or get more.
fn of_other_clients() -> Vec<Case> {
    vec![
        case(
            "no-streams asks for transcribe",
            of("no-streams", "scope=openid+transcribe"),
            token("openid transcribe").about("no-streams"),
        )
        .out_of_scope(ONE_CLIENT),
        case(
            "broader asks for openid",
            of("broader", "scope=openid"),
            token("openid streams").about("broader"),
        )
        .out_of_scope(ONE_CLIENT),
        case(
            "broader asks for transcribe",
            of("broader", "scope=openid+transcribe"),
            token("openid streams transcribe").about("broader"),
        )
        .out_of_scope(ONE_CLIENT),
    ]
}

/// ASCII control characters, which Keycloak removes.
fn with_controls() -> Vec<Case> {
    let granted = |name, scope: &str, words: &str| case(name, good(&format!("scope={scope}")), token(words));
    let bad = |name, scope: &str, said: &str| case(name, good(&format!("scope={scope}")), bad_scope(said));
    let (just_fits, long) = ("s".repeat(3993), "s".repeat(3994));
    vec![
        granted("a line break after", "openid%0A", "openid"),
        granted("a CRLF after", "openid%0D%0A", "openid"),
        granted("a tab after", "openid%09", "openid"),
        granted("a NUL after", "openid%00", "openid"),
        granted("a DEL before", "%7Fopenid", "openid"),
        granted("a line break before", "%0Aopenid", "openid"),
        granted("a line break after two scopes", "openid+transcribe%0A", "openid transcribe"),
        granted("a line break after a space", "openid+%0A", "openid"),
        granted("a line break before a space", "openid%0A+", "openid"),
        granted("a line break among spaces", "openid+%0A++", "openid"),
        granted("a line break before a space alone", "%0A+", ""),
        granted("a line break in a word", "openid+trans%0Acribe", "openid transcribe"),
        granted("a line break before a word", "openid+%0Atranscribe", "openid transcribe"),
        granted("4,001 characters and a line break", &format!("openid+{long}%0A"), ""),
        bad(
            "4,000 characters and a line break",
            &format!("openid+{just_fits}%0A"),
            &format!("openid {just_fits}"),
        ),
        bad("a line break alone", "%0A", ""),
        bad("a tab between", "openid%09transcribe", "openidtranscribe"),
        bad("a line break between", "openid%0Atranscribe", "openidtranscribe"),
        bad("a line break and a space before", "%0A+openid", " openid"),
        bad("a line break between two spaces", "openid+%0A+transcribe", "openid  transcribe"),
        bad("a control character beyond ASCII", "openid%C2%85", "openid\u{85}"),
        bad("a space that does not break, after", "openid%C2%A0", "openid\u{a0}"),
    ]
}

fn refused() -> Vec<Case> {
    let long = "s".repeat(3993);
    let bad = |name, scope: &str, said: &str| case(name, good(&format!("scope={scope}")), bad_scope(said));
    vec![
        bad("empty scope", "", ""),
        bad("two spaces", "openid++transcribe", "openid  transcribe"),
        bad("a space before", "+openid", " openid"),
        bad("a space before and after", "+openid+transcribe+", " openid transcribe "),
        bad("a comma between", "openid%2Ctranscribe", "openid,transcribe"),
        bad("unknown", "openid+nonsense", "openid nonsense"),
        bad("stream, singular", "openid+stream", "openid stream"),
        bad("one known, one unknown", "openid+transcribe+nonsense", "openid transcribe nonsense"),
        bad("Transcribe", "openid+Transcribe", "openid Transcribe"),
        bad("OPENID", "OPENID", "OPENID"),
        bad("a Corti scope that the realm lacks", "openid+interactions%3Aread", "openid interactions:read"),
        bad("markup", "openid+%3Cb%3E%22x%22%3C%2Fb%3E", "openid <b>\"x\"</b>"),
        bad("not ASCII", "openid+%C3%BC", "openid ü"),
        bad("a scope of 4,000 characters", &format!("openid+{long}"), &format!("openid {long}")),
        case(
            "no-streams asks for streams",
            of("no-streams", "scope=openid+streams"),
            bad_scope("openid streams"),
        )
        .out_of_scope(ONE_CLIENT),
        case(
            "no-streams asks for both",
            of("no-streams", "scope=openid+transcribe+streams"),
            bad_scope("openid transcribe streams"),
        )
        .out_of_scope(ONE_CLIENT),
    ]
}
