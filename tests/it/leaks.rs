//! Puts a canary wherever a secret or a token can be, and runs every command at full verbosity, in success and in
//! failure. No stream and no file contains the canary, unless it was asked for.

use std::path::Path;

use crate::common::diagnosis::CANARY;
use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{self, Keyring, Said, Sandbox, World};

/// Adds every file below `folder` that contains `needle`.
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

fn assert_never_printed(world: &World, words: &[&str], needles: &[&str]) {
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
fn a_stored_secret_is_only_in_the_keyring() {
    let (sandbox, keyring) = (Sandbox::with_secret(CANARY), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    // Outside the home, which is searched for the secret.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, CANARY).unwrap();
    let path = file.to_str().unwrap();
    let login = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", path];
    let wrong = ["login", "-e", &sandbox.environment, "--client-id", "unknown", "--secret-file", path];
    let env_file = folder.path().join("acme.env");
    std::fs::write(
        &env_file,
        format!("ENVIRONMENT={}\nCLIENT_ID=sandbox\nCLIENT_SECRET={CANARY}", sandbox.environment),
    )
    .unwrap();
    let env_path = env_file.to_str().unwrap();
    let commands: [&[&str]; 21] = [
        &login,
        &wrong,
        &["status"],
        &["status", "--all", "--online"],
        &["rotate", "--secret-file", path],
        &["rotate", "--secret-file", env_path],
        &["profile", "import", env_path],
        &["profile", "import", env_path, "--yes"],
        &["profile", "import", path],
        &["profile", "rename", "default", "default"],
        &["profile", "list"],
        &["profile", "show"],
        &["token", "--full"],
        &["token", "--scope", "nonsense"],
        &["interaction", "create"],
        &["interaction", "list"],
        &["session", "streams"],
        &["probe", "streams"],
        &["-e", "http://127.0.0.1:1", "token", "--full"],
        &["logout"],
        &["profile", "remove", "default"],
    ];
    for words in commands {
        assert_never_printed(&world, words, &[CANARY]);
        let mut found = Vec::new();
        files_with(world.home(), CANARY, &mut found);
        assert_eq!(found, Vec::<String>::new(), "{words:?}");
    }
}

#[test]
fn a_secret_in_a_variable_is_printed_and_written_nowhere() {
    let sandbox = Sandbox::with_secret(CANARY);
    let world = World::of(&sandbox);
    let commands: [&[&str]; 18] = [
        &["status"],
        &["token", "--full"],
        &["token", "--full", "--format", "env"],
        &["token", "--full", "--require-scope", "streams"],
        &["exec", "--full", "--", "sh", "-c", "env"],
        &["exec", "--full", "--refresh-url", "--", "sh", "-c", "env"],
        &["token", "--scope", "stream"],
        &["interaction", "create"],
        &["check", "--full", "--streams"],
        &["explain", "--status", "401"],
        &["session", "transcribe"],
        &["probe", "transcribe"],
        &["probe", "streams", "--language", "tlh"],
        &["login"],
        &["logout"],
        &["-e", "http://127.0.0.1:1", "token", "--full"],
        &["-t", "nope", "token", "--full"],
        &["profile", "list"],
    ];
    for words in commands {
        assert_never_printed(&world, words, &[CANARY]);
    }
    for (name, value) in
        [("CORTI_CLIENT_SECRET", format!("{CANARY}\nx")), ("CORTI_ACCESS_TOKEN", format!("{CANARY} x"))]
    {
        let mut world = World::new();
        world.set(name, &value);
        assert_never_printed(&world, &["interaction", "create"], &[CANARY]);
    }
    let mut found = Vec::new();
    files_with(world.home(), CANARY, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_token_is_printed_only_by_commands_that_return_it() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let token = Said::by(&mut world.run("token --full")).stdout.trim().to_owned();
    let signature = token.rsplit('.').next().unwrap();
    world.set("CORTI_ACCESS_TOKEN", &token);
    let file = world.file("token", &token);
    let socket = format!("{}/audio-bridge/v2/transcribe", sandbox.environment.replace("http", "ws"));
    let pasted = world.file("pasted", format!("{socket}?tenant-name=base&token=Bearer%20{token}"));
    let refused = world.file("refused", format!("{socket}?token={token}"));
    for words in [
        &["interaction", "create"][..],
        &["interaction", "create", "-e", "eu"],
        &["interaction", "list"],
        &["probe", "transcribe"],
        &["probe", "streams"],
        &["probe", "--websocket-url", &pasted],
        &["probe", "--websocket-url", &refused],
        &["inspect", &file],
        &["inspect", "--verify", &file],
        &["inspect", "--lines", &file],
        &["diff", &file, &file],
        &["explain", "--status", "401"],
        &["explain", "--token-file", &file],
        &["check"],
        &["check", &file, "--streams"],
        &["check", &file, "-e", "http://127.0.0.1:1"],
        &["status"],
    ] {
        assert_never_printed(&world, words, &[&token, signature]);
    }
}

#[test]
fn a_secret_that_the_server_repeats_is_not_printed() {
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
        let server = FakeServer::start(vec![Answer::http(
            status,
            &[&format!("Location: https://x.example/{CANARY}")],
            &body,
        )]);
        let mut world = World::client_of(&server.environment);
        world.set("CORTI_CLIENT_SECRET", CANARY);
        assert_never_printed(&world, &["token", "--scope", "transcribe"], &[CANARY]);
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_printed() {
    let world = World::new();
    for text in
        [format!("client-secret = \"{CANARY}"), format!("[profiles.a]\nclient-secret = \"{CANARY}\"\n")]
    {
        world.write_config(&text);
        assert_never_printed(&world, &["profile", "list"], &[CANARY]);
        assert_never_printed(&world, &["login", "-e", "eu"], &[CANARY]);
    }
    std::fs::remove_dir_all(world.config_folder()).unwrap();
    let environment = format!("https://u:{CANARY}@h:99999");
    let commands: [&[&str]; 8] = [
        &["login", CANARY],
        &["rotate", CANARY],
        &["rotate", &format!("--secret-file={CANARY}"), CANARY],
        &["profile", "import", "file", CANARY],
        &["login", &format!("--secret={CANARY}")],
        &["login", &format!("--no-verify={CANARY}")],
        &["-e", &environment, "token", "--full"],
        &["login", "-e", &environment],
    ];
    for words in commands {
        assert_never_printed(&world, words, &[CANARY]);
    }
    let secret = "Zx81Canary01234567890123456789ab";
    for words in [
        &["session", secret][..],
        &["probe", secret],
        &[secret],
        &["token", &format!("--{secret}")],
        &["diff", "a", "b", secret],
    ] {
        assert_never_printed(&world, words, &[secret]);
    }
    let token = common::forged(&serde_json::json!({ "alg": "RS256" }), &serde_json::json!({ "jti": CANARY }));
    let url = format!("https://x/?token=Bearer%20{token}");
    for word in [&token, &format!("-s{token}"), &format!("-p{token}"), &format!("Bearer {token}"), &url] {
        assert_never_printed(&world, &["token", "--full", word], &[&token]);
        assert_never_printed(&world, &["inspect", word], &[&token]);
    }
}

/// A token or a secret in a variable or a file where a name belongs.
#[test]
fn a_token_in_place_of_a_name_is_not_printed() {
    let token = common::forged_token("https://auth.eu.corti.app", "openid");
    let commands: [&[&str]; 3] = [&["status"], &["token", "full"], &["doctor", "--timeout", "1"]];
    for name in [
        "CORTI_ENVIRONMENT",
        "CORTI_TENANT_NAME",
        "CORTI_CLIENT_ID",
        "CORTI_AUTH_PROFILE",
        "CORTI_AUTH_STORE",
    ] {
        let mut world = World::client_of("http://127.0.0.1:9");
        world.set(name, &token);
        for words in commands {
            assert_never_printed(&world, words, &[&token]);
        }
    }
    for value in [CANARY, &token] {
        let mut world = World::client_of("http://127.0.0.1:9");
        world.set("CORTI_CLIENT_SECRET_FILE", value);
        for words in commands {
            assert_never_printed(&world, words, &[value]);
        }
    }
    let world = World::new();
    for text in [
        format!("[profiles.a]\nenvironment = \"eu\"\ntenant = \"{token}\"\nclient-id = \"x\"\n"),
        format!("[profiles.a]\n\"{token}\" = 1\n"),
    ] {
        world.write_config(&text);
        for words in commands {
            assert_never_printed(&world, words, &[&token]);
        }
    }
    std::fs::remove_dir_all(world.config_folder()).unwrap();
    let text = format!(
        "CORTI_ENVIRONMENT=eu\nCORTI_TENANT_NAME={token}\nCORTI_CLIENT_ID={token}\nCORTI_CLIENT_SECRET=x\n"
    );
    let file = world.private_file("a.env", text);
    assert_never_printed(&world, &["profile", "import", &file], &[&token]);
}
