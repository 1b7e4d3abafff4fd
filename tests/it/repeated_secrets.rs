//! A secret that a server repeats is never printed: in every place of its answers, in every encoding, by every
//! command that talks to it, as text, with `--json` and with `-v`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use crate::common::echo::{self, API, Place, REALM, SOCKET, token};
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::{store, with_token};
use crate::common::{Keyring, Said, World, forged};

/// Has characters that each encoding writes differently.
const SECRET: &str = r#"Zq7/k+W&m"x<9>'Tü\p%4_Lr"#;

fn each(text: &str, write: impl Fn(&mut String, char)) -> String {
    text.chars().fold(String::new(), |mut written, c| {
        write(&mut written, c);
        written
    })
}

/// As `serde_json` writes it, without the quotes.
fn in_json(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap().to_owned()
}

/// The text in every encoding that a server may use.
fn encodings(text: &str) -> Vec<(&'static str, String)> {
    let form: String = byte_serialize(text.as_bytes()).collect();
    let percent = text.bytes().fold(String::new(), |written, byte| format!("{written}%{byte:02X}"));
    let json = |text: &str| {
        each(text, |out, c| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        })
    };
    let named = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let hex = text.bytes().fold(String::new(), |written, byte| format!("{written}{byte:02x}"));
    vec![
        ("plain", text.to_owned()),
        ("form", form.clone()),
        ("reserved", form.replace('+', "%20")),
        ("percent", percent.clone()),
        ("percent, lower", percent.to_ascii_lowercase()),
        ("JSON, all", json(text)),
        ("JSON, all, upper", json(text).to_ascii_uppercase().replace("\\U", "\\u")),
        ("JSON", in_json(text).replace('/', "\\/")),
        ("HTML", named.replace('"', "&quot;").replace('\'', "&apos;")),
        ("HTML of PHP", named.replace('"', "&quot;").replace('\'', "&#039;")),
        ("HTML, decimal", each(text, |out, c| write!(out, "&#{};", u32::from(c)).unwrap())),
        ("HTML, hex", each(text, |out, c| write!(out, "&#x{:x};", u32::from(c)).unwrap())),
        ("HTML, hex, upper", each(text, |out, c| write!(out, "&#X{:X};", u32::from(c)).unwrap())),
        ("base64", STANDARD.encode(text)),
        ("base64 behind one byte", STANDARD.encode(format!(":{text}."))),
        ("base64 behind two bytes", STANDARD_NO_PAD.encode(format!("a:{text}"))),
        ("base64 behind ten bytes", URL_SAFE_NO_PAD.encode(format!("client-id:{text} and more"))),
        ("base64 of a form", STANDARD.encode(format!("grant_type=client_credentials&client_secret={form}"))),
        ("base64, percent", byte_serialize(STANDARD.encode(format!("id:{text}")).as_bytes()).collect()),
        ("base64, JSON", STANDARD.encode(format!("id:{text}")).replace('/', "\\/")),
        ("percent, twice", byte_serialize(percent.as_bytes()).collect()),
        ("JSON, percent", byte_serialize(json(text).as_bytes()).collect()),
        ("hex", hex.clone()),
        ("hex, upper", hex.to_ascii_uppercase()),
        ("lower", text.to_ascii_lowercase()),
    ]
}

/// A piece of `encoded`, long enough for 9 characters of the secret, that is in `text`.
fn piece<'a>(text: &str, encoded: &'a str, secret: &str) -> Option<&'a str> {
    let starts: Vec<usize> = encoded.char_indices().map(|(at, _)| at).chain([encoded.len()]).collect();
    let window = (9 * starts.len() / secret.chars().count()).max(14);
    let pieces = starts.windows(window + 1).map(|it| encoded.get(it[0]..it[window]).unwrap());
    // Also as JSON writes it.
    pieces.into_iter().find(|piece| text.contains(*piece) || text.contains(&in_json(piece)))
}

/// What a command leaks as text and as JSON, each with its encoding.
fn leaks(world: &World, command: &str, secret: &str, encodings: &[(&str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for style in ["-v", "-v --json"] {
        let said = Said::by(&mut world.run(&format!("{command} {style}")));
        assert_ne!(said.code, -1, "{command} {style}: {}", said.stderr);
        let text = format!("{}{}", said.stdout, said.stderr);
        for (name, encoded) in encodings {
            if let Some(piece) = piece(&text, encoded, secret) {
                found.push(format!("{command} {style}: {name}: {piece}"));
            }
        }
    }
    found
}

/// Runs `commands` against a server that repeats `value` in each of `places`, a few encodings at a time in one text.
fn assert_never_printed(value: &str, places: &[Place], commands: &[&str], world: impl Fn(&str) -> World) {
    let encodings = encodings(value);
    let mut found = Vec::new();
    for place in places {
        for some in encodings.chunks(5) {
            let texts: Vec<_> = some.iter().map(|(_, text)| text.as_str()).collect();
            let environment = echo::start(*place, &texts.join(" "));
            let world = world(&environment);
            for command in commands {
                let leaks = leaks(&world, &command.replace("ENVIRONMENT", &environment), value, some);
                found.extend(leaks.into_iter().map(|leak| format!("{place:?}: {leak}")));
            }
        }
    }
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
}

/// A world whose client has [`SECRET`].
fn client_of(environment: &str) -> World {
    let mut world = World::client_of(environment);
    world.set("CORTI_CLIENT_SECRET", SECRET);
    world
}

const ID: &str = "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90";

#[test]
fn a_client_secret_that_the_realm_repeats_is_not_printed() {
    let commands = ["token --scope transcribe --format header", "doctor", "interaction list"];
    assert_never_printed(SECRET, &REALM, &commands, client_of);
    assert_never_printed(SECRET, &[Place::Scope], &["token --full --json", "session transcribe"], client_of);
}

#[test]
fn a_client_secret_that_the_api_repeats_is_not_printed() {
    let get = format!("interaction get {ID}");
    let delete = format!("interaction delete {ID} --yes");
    let commands = ["interaction create", &get, &delete, "session streams", "doctor"];
    assert_never_printed(SECRET, &API, &commands, client_of);
}

#[test]
fn a_client_secret_that_a_websocket_repeats_is_not_printed() {
    let commands = ["probe streams --timeout 5s", "check --scope streams --streams"];
    assert_never_printed(SECRET, &SOCKET, &commands, client_of);
}

#[test]
fn a_token_that_a_server_repeats_is_not_printed() {
    let (ready, get) = (token("openid"), format!("interaction get {ID}"));
    let with = |environment: &str| with_token(environment, &ready);
    assert_never_printed(&ready, &API, &["interaction list", &get, "check -e ENVIRONMENT"], with);
    assert_never_printed(&ready, &SOCKET, &[&format!("probe streams --timeout 5s --interaction {ID}")], with);
    assert_never_printed(&ready, &[Place::Scope], &["token --full --format gitlab", "doctor"], client_of);
    let limited = token("openid transcribe");
    assert_never_printed(&limited, &SOCKET, &["probe --timeout 5s"], client_of);
    assert_never_printed(&limited, &[Place::Scope], &["token --scope transcribe"], client_of);
}

/// Runs the commands that change what is stored, and the one that writes a report.
#[test]
fn a_stored_secret_that_the_realm_repeats_is_not_printed() {
    let keyring = Keyring::unlocked();
    // Before `doctor` has read the secret, it cannot know that a discovery document repeats it.
    for place in REALM.into_iter().filter(|place| *place != Place::Discovery) {
        for some in encodings(SECRET).chunks(6) {
            let texts: Vec<_> = some.iter().map(|(_, text)| text.as_str()).collect();
            let environment = echo::start(place, &texts.join(" "));
            let world = World::with_keyring(&keyring);
            store(&world, &environment, "default", "the-old-secret");
            let (new, report) = (world.file("new", SECRET), world.home().join("report"));
            let login = format!("login -p other -e {environment} --client-id x --secret-file {new}");
            let mut found = leaks(&world, &login, SECRET, some);
            found.extend(leaks(&world, &format!("rotate --secret-file {new}"), SECRET, some));
            store(&world, &environment, "default", SECRET);
            found.extend(leaks(&world, "status --online", SECRET, some));
            found.extend(leaks(&world, &format!("doctor --report {}", report.display()), SECRET, some));
            let report = std::fs::read_to_string(report).unwrap();
            let in_report = some.iter().filter_map(|(_, encoded)| piece(&report, encoded, SECRET));
            found.extend(in_report.map(|piece| format!("the report: {piece}")));
            assert!(found.is_empty(), "{place:?}: {}", found.join("\n"));
        }
    }
}

#[test]
fn a_secret_that_its_command_repeats_is_not_printed() {
    let world = World::new();
    let script = "echo s3cr3t-of-the-vault; echo cannot lock s3cr3t-of-the-vault >&2; exit 3";
    let words = ["login", "-e", "eu", "--client-id", "x", "--secret-command"];
    let command = format!("sh -c '{script}'");
    let said = Said::by(&mut world.run_words(&[&words[..], &[&command]].concat()));
    // The command's own lines are passed on while it runs, before its output is known to be a secret.
    let error = said.stderr.lines().find(|line| line.contains("exit status: 3")).unwrap();
    assert!(error.ends_with("cannot lock [redacted]"), "{}", said.stderr);
    let config = "version = 1\ndefault-profile = \"a\"\n[profiles.a]\nenvironment = \"ENVIRONMENT\"\ntenant = \"base\"\n\
                  client-id = \"x\"\nstore = \"command\"\nsecret-command = [\"sh\", \"-c\", \"SCRIPT\"]\n";
    let environment = echo::start(Place::Client, "nobody");
    world.write_config(&config.replace("ENVIRONMENT", &environment).replace("SCRIPT", script));
    let report = world.home().join("report");
    Said::by(&mut world.run(&format!("doctor --report {}", report.display())));
    let report = std::fs::read_to_string(report).unwrap();
    assert!(
        report.contains("[output of the secret command left out]") && !report.contains("cannot lock"),
        "{report}"
    );
}

/// `token` prints the token: a client secret in it would be printed with it.
#[test]
fn a_token_that_contains_the_client_secret_is_refused() {
    for name in [SECRET.to_owned(), byte_serialize(SECRET.as_bytes()).collect()] {
        let token = forged(&json!({ "alg": "RS256" }), &json!({ "scope": "openid", "name": name }));
        let body =
            json!({ "access_token": token, "expires_in": 300, "token_type": "Bearer", "scope": "openid" });
        let server = FakeServer::start(vec![Answer::json(&body.to_string())]);
        let said = Said::by(&mut client_of(&server.environment).run("token --full"));
        assert_eq!((said.code, said.stdout.as_str()), (8, ""), "{}", said.stderr);
        assert!(said.stderr.contains("an answer with the client secret in it"), "{}", said.stderr);
    }
}

#[test]
fn a_secret_of_several_words_is_not_printed_as_scopes() {
    let secret = "correct horse battery staple";
    let body = json!({ "access_token": "eyJ.e30.c", "expires_in": 300, "token_type": "Bearer", "scope": format!("openid {secret}") });
    let server = FakeServer::start(vec![Answer::json(&body.to_string())]);
    let mut world = client_of(&server.environment);
    world.set("CORTI_CLIENT_SECRET", secret);
    for command in ["token --full", "token --full --json"] {
        let said = Said::by(&mut world.run(command));
        assert_eq!((said.code, said.stdout.as_str()), (8, ""), "{}", said.stderr);
        assert!(!said.stderr.contains("battery"), "{}", said.stderr);
    }
}
