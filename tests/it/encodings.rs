//! Files as Windows' editors and PowerShell's `>` write them: UTF-16, and UTF-8 with a byte order mark.

use predicates::prelude::*;
use serde_json::json;

use crate::common::control::keys;
use crate::common::ready::mint;
use crate::common::{PASSPHRASE, Said, Sandbox, World};

type Encoding = fn(&str) -> Vec<u8>;

const ENCODINGS: [Encoding; 3] = [little_endian, big_endian, marked_utf8];

fn little_endian(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn big_endian(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn marked_utf8(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").into_bytes()
}

fn assert_ok(world: &World, arguments: &str) -> Said {
    let said = Said::by(&mut world.run(arguments));
    assert_eq!(said.code, 0, "{arguments}: {}", said.stderr);
    said
}

#[test]
fn secrets_and_passphrases() {
    let sandbox = Sandbox::with_secret("Schlüssel 木");
    for encoded in ENCODINGS {
        let mut world = World::new();
        let passphrase = world.private_file("encoded", encoded(&format!("{PASSPHRASE}\r\n")));
        world.set("CORTI_AUTH_PASSPHRASE_FILE", &passphrase);
        let secret = world.private_file("secret", encoded("Schlüssel 木\r\n"));
        let client = format!("-e {} --client-id sandbox", sandbox.environment);
        assert_ok(&world, &format!("login {client} --store file --secret-file {secret}"));
        // The passphrase is the same in UTF-8.
        world.use_passphrase();
        assert_ok(&world, "token --full");
        world.run("rotate --secret-stdin").write_stdin(encoded("Schlüssel 木")).assert().success();

        let mut world = World::of(&sandbox);
        world.set("CORTI_CLIENT_SECRET", "");
        world.set("CORTI_CLIENT_SECRET_FILE", &world.private_file("mounted", encoded("Schlüssel 木\r\n")));
        assert_ok(&world, "token --full");
    }
}

#[test]
fn config_toml_and_env_files() {
    for encoded in ENCODINGS {
        let mut world = World::new();
        world.use_passphrase();
        let text = "CORTI_ENVIRONMENT=eu\r\nCORTI_CLIENT_ID=acme\r\nCORTI_CLIENT_SECRET=s\r\n";
        let file = world.file(".env", encoded(text));
        assert_ok(&world, &format!("profile import {file} -p acme --store file --no-verify --yes"));

        let config = world.config();
        let encoded = encoded(&config.replace('\n', "\r\n"));
        std::fs::write(world.config_folder().join("config.toml"), encoded).unwrap();
        let listed = assert_ok(&world, "profile show -p acme --json");
        assert_eq!(listed.json()["client_id"], "acme", "{config}");
        // A change leaves UTF-8 behind.
        assert_ok(&world, "profile rename acme other");
        assert!(world.config().contains("[profiles.other]"), "{}", world.config());
    }
}

#[tokio::test]
async fn tokens_and_keys() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = mint(&world, "--scope transcribe");
    let keys = keys(&sandbox).await.to_string();
    for encoded in ENCODINGS {
        let file = world.file("token", encoded(&format!("{token}\r\n")));
        let jwks = world.file("keys.json", encoded(&keys));
        let verified = assert_ok(&world, &format!("inspect {file} --verify --jwks {jwks} --json")).json();
        assert_eq!(verified["verification"]["valid"], json!(true), "{verified:#}");
        assert_ok(&world, &format!("diff {file} {}", world.file("plain", &token)));
        assert_ok(&world, &format!("check {file}"));
        let explained = assert_ok(&world, &format!("explain --status 401 --token-file {file} --json")).json();
        assert_eq!(explained["token"]["reach"], "limited", "{explained:#}");

        // Longer than what is decoded at once, and with a line that is not ASCII.
        let many = format!("{token}\r\n{token}\r\n木\r\n{}", format!("{token}\r\n").repeat(20));
        let said = Said::by(world.run("inspect --verify").write_stdin(encoded(&many)));
        let lines: Vec<_> = said.stdout.lines().collect();
        let valid = lines.iter().filter(|line| line.contains("\"valid\":true")).count();
        assert_eq!((lines.len(), valid, said.code), (23, 22, 7), "{}", said.stderr);
    }
}

#[test]
fn answers_bodies_and_urls() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for (number, encoded) in ENCODINGS.into_iter().enumerate() {
        let answer =
            world.file("answer", encoded("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\nSlow"));
        let explained = assert_ok(&world, &format!("explain --response {answer} --json")).json();
        assert_eq!(explained["status"], 429, "{explained:#}");

        let visit = format!("visit-ü-{number}");
        let body = json!({ "encounter": { "identifier": visit } }).to_string();
        let body = world.file("visit.json", encoded(&body));
        let created = assert_ok(&world, &format!("interaction create --from {body} --json")).json();
        let found = assert_ok(
            &world,
            &format!("interaction get {} --json", created["interaction_id"].as_str().unwrap()),
        );
        assert!(found.stdout.contains(&visit), "{}", found.stdout);

        let url = world.file("url", encoded(&format!("{}\r\n", created["websocket_url"].as_str().unwrap())));
        assert_ok(&world, &format!("probe --websocket-url {url}"));
        let configuration = world.file("probe.json", encoded(r#"{"primaryLanguage": "da"}"#));
        assert_ok(&world, &format!("probe transcribe --configuration {configuration}"));
    }
}

#[test]
fn audio_is_not_text() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    // Samples that would be a byte order mark, and half a character.
    let audio = world.file("audio", b"\xff\xfe\0\xdc".repeat(100));
    assert_ok(&world, &format!("probe transcribe --audio {audio}"));
}

#[test]
fn broken_utf_16_is_refused() {
    let mut world = World::client_of("eu");
    world.use_passphrase();
    let reason = predicate::str::contains("it is not valid UTF-16");
    for (name, broken) in
        [("odd", &b"\xff\xfes\0e"[..]), ("half", b"\xff\xfe\x3d\xd8"), ("late", b"\xfe\xff\xdc\0\0a")]
    {
        let file = world.private_file(name, broken);
        for (arguments, code) in [
            (format!("login -e eu --client-id x --store file --no-verify --secret-file {file}"), 2),
            (format!("inspect {file}"), 7),
            (format!("inspect --lines {file}"), 7),
            (format!("explain --response {file}"), 2),
        ] {
            world.run(&arguments).assert().code(code).stderr(reason.clone());
        }
        world.set("CORTI_CLIENT_SECRET", "");
        world.set("CORTI_CLIENT_SECRET_FILE", &file);
        world.run("token --full").assert().code(3).stderr(reason.clone());
        world.set("CORTI_CLIENT_SECRET_FILE", "");
    }
}
