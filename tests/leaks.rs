//! Canary secrets in every input, every command in success and in failure at full verbosity: none of them is in any
//! stream or file, but where it was asked for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod common;

use std::path::Path;

use common::rude::{Answer, Rude};
use common::{Keyring, Said, Sandbox, World};

const CANARY: &str = "canary-5d41402abc4b2a76";

/// Every file below `folder` that contains `needle`.
fn files_with(folder: &Path, needle: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_with(&path, needle, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

fn assert_silent(world: &World, words: &[&str], needles: &[&str]) {
    for style in [&["-vv"][..], &["-vv", "--json"], &["-vv", "--color", "always"]] {
        let all: Vec<&str> = words.iter().chain(style).copied().collect();
        let said = Said::by(&mut world.run_words(&all));
        for needle in needles {
            assert!(
                !said.stdout.contains(needle) && !said.stderr.contains(needle),
                "{all:?}: {} {}",
                said.stdout,
                said.stderr
            );
        }
    }
}

#[test]
fn a_stored_secret_is_in_the_keyring_and_nowhere_else() {
    let (sandbox, keyring) = (Sandbox::with_secret(CANARY), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    // Outside the home, which is searched for it.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, CANARY).unwrap();
    let path = file.to_str().unwrap();
    let login = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", path];
    let wrong = ["login", "-e", &sandbox.environment, "--client-id", "unknown", "--secret-file", path];
    let commands: [&[&str]; 12] = [
        &login,
        &wrong,
        &["status"],
        &["status", "--all"],
        &["profile", "list"],
        &["profile", "show"],
        &["token", "--full"],
        &["token", "--scope", "nonsense"],
        &["interaction", "create"],
        &["-e", "http://127.0.0.1:1", "token", "--full"],
        &["logout"],
        &["profile", "remove", "default"],
    ];
    for words in commands {
        assert_silent(&world, words, &[CANARY]);
        let mut found = Vec::new();
        files_with(world.home(), CANARY, &mut found);
        assert_eq!(found, Vec::<String>::new(), "{words:?}");
    }
}

#[test]
fn a_secret_in_the_environment_stays_there() {
    let sandbox = Sandbox::with_secret(CANARY);
    let mut world = World::new();
    world.use_client(&sandbox);
    let commands: [&[&str]; 9] = [
        &["status"],
        &["token", "--full"],
        &["token", "--scope", "stream"],
        &["interaction", "create"],
        &["login"],
        &["logout"],
        &["-e", "http://127.0.0.1:1", "token", "--full"],
        &["-t", "nope", "token", "--full"],
        &["profile", "list"],
    ];
    for words in commands {
        assert_silent(&world, words, &[CANARY]);
    }
    for (name, value) in
        [("CORTI_CLIENT_SECRET", format!("{CANARY}\nx")), ("CORTI_ACCESS_TOKEN", format!("{CANARY} x"))]
    {
        let mut world = World::new();
        world.set(name, &value);
        assert_silent(&world, &["interaction", "create"], &[CANARY]);
    }
    let mut found = Vec::new();
    files_with(world.home(), CANARY, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_token_is_printed_only_where_it_is_the_datum() {
    let sandbox = Sandbox::start();
    let mut world = World::new();
    world.use_client(&sandbox);
    let token = Said::by(&mut world.run("token --full")).stdout.trim().to_owned();
    let signature = token.rsplit('.').next().unwrap();
    world.set("CORTI_ACCESS_TOKEN", &token);
    let file = world.file("token", &token);
    for words in [
        &["interaction", "create"][..],
        &["interaction", "create", "-e", "eu"],
        &["inspect", &file],
        &["status"],
    ] {
        assert_silent(&world, words, &[&token, signature]);
    }
}

#[test]
fn a_server_that_repeats_the_secret_is_not_repeated() {
    for (status, body) in [
        ("200 OK", format!("<html>{CANARY}</html>")),
        ("200 OK", format!(r#"{{"access_token":"{CANARY} x","expires_in":1,"token_type":"Bearer"}}"#)),
        (
            "200 OK",
            format!(
                r#"{{"access_token":"{CANARY}","expires_in":300,"token_type":"Bearer","scope":"openid streams"}}"#
            ),
        ),
        ("500 Internal Server Error", format!("{CANARY} failed")),
        ("302 Found", CANARY.to_owned()),
    ] {
        let server = Rude::start(vec![Answer::http(
            status,
            &[&format!("Location: https://x.example/{CANARY}")],
            &body,
        )]);
        let mut world = World::new();
        for (name, value) in [
            ("CORTI_ENVIRONMENT", server.environment.as_str()),
            ("CORTI_CLIENT_ID", "x"),
            ("CORTI_CLIENT_SECRET", CANARY),
        ] {
            world.set(name, value);
        }
        assert_silent(&world, &["token", "--scope", "transcribe"], &[CANARY]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn another_process_cannot_look_into_this_one() {
    use std::os::unix::fs::MetadataExt as _;
    let sandbox = Sandbox::start();
    let process = format!("/proc/{}", sandbox.id());
    // The kernel gives the files of a process that is not dumpable to root; as root, the limit is what can be seen.
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    assert_eq!(std::fs::metadata(format!("{process}/mem")).unwrap().uid(), 0);
}
