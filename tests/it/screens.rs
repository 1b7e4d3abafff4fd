//! Whole screens on a real terminal, compared with the files in `screens/`. `UPDATE_SCREENS=1` writes the files anew.
//!
//! What differs from run to run, such as a port or a time, is replaced by text of the same width.

use std::path::PathBuf;
use std::process::Command;

use jiff::SignedDuration;
use rexpect::session::spawn_command;
use serde_json::{Value, json};

use crate::common::cached::Cached;
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::{log_in, mint, store, with_token};
use crate::common::{self, Keyring, Sandbox, World, forged};

/// What differs, and what stands for it: `#` is a digit, `@` a hexadecimal digit, `+` some digits, `?` a digit or a space,
/// `*` anything.
const VOLATILE: [(&str, &str); 10] = [
    ("127.0.0.1:#####", "127.0.0.1:44444"),
    ("@@@@@@@@-@@@@-@@@@-@@@@-@@@@@@@@@@@@", "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90"),
    ("sha256:@@@@@@@@", "sha256:981eb63a"),
    ("####-##-##T##:##:##Z", "2026-01-02T03:04:05Z"),
    ("1#########", "1767323045"),
    ("+ min + s", "4 min 2 s"),
    ("+ d + h", "95000 d 7 h"),
    (" + s ago", " 5 s ago"),
    ("????? ms", "   12 ms"),
    ("date: ***, ## *** #### ##:##:## GMT", "date: Fri, 02 Jan 2026 03:04:05 GMT"),
];

/// Runs the command on a terminal of each width, without or with colours, and compares what is seen.
fn assert_screens(name: &str, world: &World, command: &str, looks: &[(u16, bool)]) {
    let screens = looks.iter().map(|(columns, is_coloured)| {
        let colours = if *is_coloured { ", in colour" } else { "" };
        let screen = screen(world, command, *columns, *is_coloured);
        format!("=== {columns} columns{colours} ===\n{screen}")
    });
    let screens: Vec<String> = screens.collect();
    let seen = screens.join("\n");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/screens/{name}.txt"));
    if common::variable("UPDATE_SCREENS").is_some() {
        std::fs::write(&path, &seen).unwrap();
    }
    for (screen, (columns, _)) in screens.iter().zip(looks).filter(|(_, (_, is_coloured))| !is_coloured) {
        assert_fits(screen, (*columns).into());
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == expected, "tests/it/screens/{name}.txt differs. Now it is:\n{seen}");
}

const WIDTHS: [(u16, bool); 3] = [(60, false), (80, false), (120, false)];

/// What the command shows, and its exit code. An escape is shown as `␛`.
fn screen(world: &World, command: &str, columns: u16, is_coloured: bool) -> String {
    let script = format!("stty rows 50 cols {columns} && \"$CORTI_AUTH\" {command}; echo \"[exit $?]\"");
    let mut shell = Command::new("sh");
    shell.env_clear().envs(world.variables()).env("TERM", "xterm").env("CORTI_AUTH", common::binary());
    if !is_coloured {
        shell.env("NO_COLOR", "1");
    }
    shell.current_dir(world.home()).args(["-c", &script]);
    let seen = spawn_command(shell, Some(60_000)).unwrap().exp_eof().unwrap();
    // rexpect takes each byte for a character.
    let seen = String::from_utf8(seen.chars().map(|c| u8::try_from(c).unwrap()).collect()).unwrap();
    let seen = without_spinner(&seen.replace("\r\n", "\n")).replace('\u{1b}', "␛");
    let seen = seen.replace(&world.home().display().to_string(), "/tmp/home");
    VOLATILE.iter().fold(seen, |seen, (pattern, constant)| replaced(&seen, pattern, constant))
}

/// A slow machine shows the spinner: from a `\r` to the end of its line.
fn without_spinner(text: &str) -> String {
    let mut parts = text.split('\r');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once("\u{1b}[K").map_or(part, |(_, rest)| rest))
}

/// Only a word, a command or a line of JSON may be longer than the terminal is wide.
fn assert_fits(screen: &str, columns: usize) {
    for line in screen.lines().filter(|line| line.chars().count() > columns) {
        let text = line.trim_start();
        let is_command = text.contains("corti-auth ") || text.contains(" | ");
        let is_whole = !text.contains(' ') || is_command || text.starts_with('"');
        assert!(is_whole, "more than {columns} columns: {line}");
    }
}

fn replaced(text: &str, pattern: &str, constant: &str) -> String {
    let (mut rest, mut all) = (text, String::new());
    while let Some(c) = rest.chars().next() {
        if let Some(after) = after_match(rest, pattern) {
            all.push_str(constant);
            rest = after;
        } else {
            all.push(c);
            rest = rest.strip_prefix(c).unwrap();
        }
    }
    all
}

/// What comes after the pattern that `text` starts with.
fn after_match<'a>(text: &'a str, pattern: &str) -> Option<&'a str> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut rest = text;
    for expected in pattern.chars() {
        rest = match expected {
            '#' => rest.strip_prefix(is_digit)?,
            '@' => rest.strip_prefix(|c: char| c.is_ascii_hexdigit())?,
            '?' => rest.strip_prefix(|c| is_digit(c) || c == ' ')?,
            '+' => rest.strip_prefix(is_digit)?.trim_start_matches(is_digit),
            '*' => rest.strip_prefix(|_| true)?,
            c => rest.strip_prefix(c)?,
        };
    }
    Some(rest)
}

/// A token that never changes.
fn token(scope: &str) -> String {
    token_until(9_999_999_999, scope)
}

fn token_until(exp: i64, scope: &str) -> String {
    let claims = json!({
        "typ": "Bearer", "iss": "https://auth.eu.corti.app/realms/base", "exp": exp, "iat": 1_767_323_045,
        "scope": scope, "azp": "acme", "aud": "account", "sub": "db2e0e2c-a8f8-4e8d-ac57-2fc3ef3fa4fe",
        "preferred_username": "service-account-acme",
        "realm_access": { "roles": ["default-roles-base", "offline_access", "uma_authorization"] },
        "resource_access": { "account": { "roles": ["manage-account", "manage-account-links", "view-profile"] } },
    });
    forged(&json!({ "alg": "RS256", "kid": "zsrv6s00Ff9_4h82ewaZF6dvjI2SGvuGLlu-Y0jeI0s" }), &claims)
}

const FULL: &str = "openid email profile";
const LIMITED: &str = "openid email profile transcribe";

#[test]
fn status() {
    // For 20 s, what is left has two digits everywhere: lines break by their real length.
    let (sandbox, keyring) = (Sandbox::start_with(&["--token-lifetime", "2130s"]), Keyring::unlocked());
    let mut world = Cached::new(World::with_keyring(&keyring));
    log_in(&world, &sandbox, "hospital-a");
    world.write_config(&format!("{}default-scope = [\"transcribe\"]\n", world.config()));
    mint(&world, "");
    mint(&world, "--full");
    let ready = mint(&world, "--full");
    world.set("CORTI_ACCESS_TOKEN", &ready);
    world.set("CORTI_ENVIRONMENT", &sandbox.environment);
    assert_screens("status", &world, "status", &WIDTHS);
}

#[test]
fn doctor() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    log_in(&world, &sandbox, "hospital-a");
    assert_screens("doctor", &world, "doctor", &[&WIDTHS[..], &[(80, true)]].concat());
    let keyring = Keyring::in_state("locked");
    let mut locked = World::with_keyring(&keyring);
    locked.write_config(&world.config());
    locked.set("CORTI_TENANT", "other");
    assert_screens("doctor-failed", &locked, "doctor", &[(80, false)]);
}

#[test]
fn check() {
    let sandbox = Sandbox::start();
    assert_screens("check", &World::of(&sandbox), "check --scope transcribe", &WIDTHS);
    let careless = Sandbox::start_with(&["--ignore-scopes"]);
    assert_screens("check-more", &World::of(&careless), "check --scope transcribe", &[(80, false)]);
}

#[test]
fn probe() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    assert_screens("probe", &world, "probe transcribe", &WIDTHS);
    let limited = with_token(&sandbox.environment, &mint(&world, "--scope streams"));
    assert_screens("probe-refused", &limited, "probe transcribe", &[(80, false)]);
}

#[test]
fn interaction_list() {
    let one = |number: u32, status: &str, kind: &str, encounter: &str| {
        json!({
            "id": format!("{number:08}-0000-4000-8000-000000000000"),
            "createdAt": "2026-01-02T03:04:05.678901Z",
            "encounter": { "status": status, "type": kind, "identifier": encounter },
            "patient": { "name": "Canary" },
        })
    };
    let page = json!({ "interactions": [
        one(1, "planned", "first_consultation", "c76613b5-923f-4b22-848d-c65ad6cfcf17"),
        one(2, "in-progress", "emergency", "visit 12"),
    ] });
    let answers = [Answer::json(&page.to_string()), Answer::json(r#"{"interactions":[]}"#)];
    let server = FakeServer::start([&answers[..]; 4].concat());
    let world = with_token(&server.environment, "opaque");
    assert_screens("interaction-list", &world, "interaction list", &[&WIDTHS[..], &[(100, false)]].concat());
}

#[test]
fn profile_list() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    store(&world, "eu", "hospital-a", "anything");
    let more = "\n[profiles.hospital-b]\nenvironment = \"https://auth.on-premises.example\"\ntenant = \"hospital-b\"\n\
        client-id = \"9d8ad2f4-5b1c-4c46-9c39-0f6f7a1f2b3c\"\nstore = \"file\"\n";
    world.write_config(&(world.config() + more));
    assert_screens("profile-list", &world, "profile list", &WIDTHS);
}

#[test]
fn inspect() {
    let world = World::new();
    world.file("token.txt", token(FULL));
    assert_screens("inspect", &world, "inspect token.txt", &[&WIDTHS[..], &[(60, true)]].concat());
    // For an hour, the column has the same width.
    let exp = common::now() + SignedDuration::from_hours(95_000 * 24 + 8);
    let [full, limited] = [FULL, LIMITED].map(|scope| token_until(exp.as_second(), scope));
    world.file("tokens.txt", format!("{full}\n{limited}\nnonsense\n"));
    assert_screens("inspect-many", &world, "inspect tokens.txt", &[&WIDTHS[..], &[(100, false)]].concat());
}

#[test]
fn diff() {
    let world = World::new();
    world.file("a.txt", token(FULL));
    world.file("b.txt", token(LIMITED));
    assert_screens("diff", &world, "diff a.txt b.txt", &WIDTHS);
}

#[test]
fn explain() {
    let world = World::client_of("eu");
    assert_screens("explain", &world, "explain --status 401", &[&WIDTHS[..], &[(100, false)]].concat());
}

/// JSON is indented and coloured on a terminal, and stays JSON.
#[test]
fn json() {
    let server = FakeServer::start(vec![Answer::granted(&token(LIMITED), LIMITED); 2]);
    let world = World::client_of(&server.environment);
    assert_screens("token-json", &world, "token --scope transcribe --json", &[(80, false), (80, true)]);
    let text = std::fs::read_to_string("tests/it/screens/token-json.txt").unwrap();
    let (_, text) = text.split_once(" ===\n").unwrap();
    let (text, _) = text.split_once("[exit").unwrap();
    let object: Value = serde_json::from_str(text).unwrap();
    assert_eq!(object["access_token"], token(LIMITED).as_str());
}

#[test]
fn errors() {
    let mut world = World::client_of("eu");
    assert_screens("error-scope", &world, "token", &[(60, false), (80, false), (60, true)]);
    world = World::new();
    assert_screens("error-login", &world, "token --full", &[(60, false), (80, false)]);
}

#[test]
fn demo() {
    assert_screens("demo", &World::new(), "demo", &[(60, false), (80, false)]);
}

#[test]
fn exec() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    assert_screens("exec", &world, "exec --scope transcribe -- echo done", &[(80, false)]);
    let refreshed = screen(&world, "exec --scope transcribe --refresh-url -- echo done", 80, false);
    assert_eq!(refreshed, "done\n[exit 0]\n");
}

#[test]
fn an_expired_ready_token_is_named() {
    let claims = json!({ "typ": "Bearer", "exp": 1, "scope": FULL });
    let mut world = World::client_of("eu");
    world.set("CORTI_ACCESS_TOKEN", &forged(&json!({ "alg": "RS256" }), &claims));
    let screen = screen(&world, "status", 80, false);
    assert!(
        screen.starts_with("access token  full, expired 95000 d 7 h ago: unset CORTI_ACCESS_TOKEN\n"),
        "{screen}"
    );
}
