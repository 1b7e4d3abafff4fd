//! `login` and `logout` with a real keyring: a secret is verified before it is stored, and nothing is lost.

use predicates::prelude::*;

use crate::common::keyring::lookup;
use crate::common::{self, Keyring, Said, Sandbox, World};

fn log_in(world: &World, sandbox: &Sandbox, more: &str) -> assert_cmd::assert::Assert {
    let secret = world.file("secret", &sandbox.client_secret);
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &secret];
    let more: Vec<&str> = more.split_whitespace().collect();
    world.run_words(&[&words[..], &more[..]].concat()).assert()
}

#[test]
fn login_token_and_logout_work() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let user = format!("{}/base/sandbox", sandbox.environment);
    log_in(&world, &sandbox, "")
        .success()
        .stdout("")
        .stderr(predicate::str::contains("logged in: client `sandbox`"));
    assert_eq!(lookup(&world, &user), sandbox.client_secret);
    assert!(!world.config().contains(&sandbox.client_secret));
    world.run("token transcribe").assert().success();
    world.run("status").assert().success().stdout(predicate::str::contains("present, in the OS keyring"));
    world
        .run("logout")
        .assert()
        .success()
        .stderr(predicate::str::contains("removed its secret from the OS keyring"));
    assert_eq!(lookup(&world, &user), "");
    world.run("logout").assert().success().stderr(predicate::str::contains("was not logged in"));
    world
        .run("token --full")
        .assert()
        .code(4)
        .stderr(predicate::str::contains("not logged in"))
        .stderr(predicate::str::contains("hint: corti-auth login"));
}

#[test]
fn a_pipeline_is_told_which_variables_to_set() {
    let mut world = World::new();
    world.set("CI", "true");
    let said = Said::by(&mut world.run("token --full"));
    assert_eq!(said.code, 4, "{}", said.stderr);
    let expected = "error: no client: set CORTI_CLIENT_ID and CORTI_CLIENT_SECRET\n\
         hint: export CORTI_ENVIRONMENT=eu CORTI_CLIENT_ID=ID CORTI_CLIENT_SECRET_FILE=FILE\n";
    assert!(said.stderr.starts_with(expected) && !said.stderr.contains("login"), "{}", said.stderr);
}

/// GitHub gives a pull request from a fork empty strings for secrets.
#[test]
fn an_empty_secret_is_named_for_what_it_is() {
    let fork = " (pull requests from forks get no secrets)";
    let secret = "CORTI_CLIENT_SECRET is set but empty";
    let both = "CORTI_CLIENT_ID and CORTI_CLIENT_SECRET are set but empty";
    for (ci, id, code, error) in [
        ("true", "x", 3, format!("{secret}{fork}")),
        ("", "x", 3, secret.to_owned()),
        ("true", "", 4, format!("{both}{fork}")),
        ("false", "", 4, both.to_owned()),
    ] {
        let mut world = World::new();
        for (name, value) in [("CI", ci), ("CORTI_CLIENT_ID", id), ("CORTI_CLIENT_SECRET", "")] {
            world.set(name, value);
        }
        let said = Said::by(&mut world.run("token --full --json"));
        assert_eq!((said.code, &said.error()["message"]), (code, &error.into()), "{}", said.stderr);
    }
}

#[test]
fn login_says_first_what_it_is_about_to_do() {
    let mut world = World::new();
    world.use_passphrase();
    let secret = world.file("secret", "anything");
    let mut assert_first = |words: &str, variables: &[(&str, &str)], line: &str| {
        for (name, value) in variables {
            world.set(name, value);
        }
        let command = format!("login --store file --no-verify --secret-file {secret} {words}");
        let said = Said::by(&mut world.run(&command));
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!(said.stderr.lines().next(), Some(line), "{words}");
    };
    assert_first("-e eu --client-id x -p a", &[], "Logging in to eu, tenant base, client x (from flags)");
    assert_first("-p a", &[], "Logging in to eu, tenant base, client x (from profile `a`)");
    let client = [("CORTI_ENVIRONMENT", "eu"), ("CORTI_TENANT_NAME", "base"), ("CORTI_CLIENT_ID", "acme")];
    assert_first("-p b", &client, "Logging in to eu, tenant base, client acme (from CORTI_* variables)");
    let line = "Logging in to us, tenant base, client acme (from flags and CORTI_* variables)";
    assert_first("-p c -e us", &[], line);
}

#[test]
fn json_has_what_was_stored_and_removed() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let output = log_in(&world, &sandbox, "--json --profile dev").success().get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let expected = serde_json::json!({
        "schema": "corti-auth/login/v1", "profile": "dev", "default": true, "environment": sandbox.environment,
        "tenant": "base", "client_id": "sandbox", "store": "keyring", "verified": true,
    });
    assert_eq!(json, expected);
    let json = Said::by(&mut world.run("logout --json")).json();
    let profiles = serde_json::json!([{ "profile": "dev", "removed": true, "also_logged_out": [], "kept_elsewhere": false, "failure": null }]);
    assert_eq!(
        json,
        serde_json::json!({ "schema": "corti-auth/logout/v1", "profiles": profiles, "tokens_removed": 0 })
    );
}

#[test]
fn secrets_of_special_characters_work() {
    let keyring = Keyring::unlocked();
    let long = "0123456789abcdef".repeat(256);
    for secret in
        ["a b&c=d%e+f", "  spaces  ", "Schlüssel-\u{1f511}", "100%25 + ; / ? # \" ' \\", long.as_str()]
    {
        let (sandbox, world) = (Sandbox::with_secret(secret), World::with_keyring(&keyring));
        log_in(&world, &sandbox, "").success();
        world.run("token --scope streams").assert().success();
        assert_eq!(lookup(&world, &format!("{}/base/sandbox", sandbox.environment)), secret);
    }
}

#[test]
fn one_trailing_line_break_is_not_part_of_the_secret() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let mut login =
        world.run_words(&["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-stdin"]);
    login.write_stdin(format!("{}\r\n", sandbox.client_secret)).assert().success();
    world.run("token --full").assert().success();
}

#[test]
fn text_that_is_no_secret_is_refused_and_not_printed() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-stdin"];
    let long = vec![b'x'; 70_000];
    for (bytes, message) in [
        (&b""[..], "the client secret is empty"),
        (b"\n", "the client secret is empty"),
        (b"hunter\ntwo\n", "contains a line break"),
        (b"hunter\xff", "is not UTF-8 text"),
        (&long, "longer than"),
    ] {
        let said = Said::by(world.run_words(&words).write_stdin(bytes));
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(message) && !said.stderr.contains("hunter"), "{}", said.stderr);
    }
    assert_eq!(world.config(), "");
}

#[test]
fn a_secret_the_server_rejects_is_not_stored() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    log_in(&world, &sandbox, "").success();
    let (before, wrong) = (world.config(), world.file("wrong", "wrong"));
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &wrong];
    world
        .run_words(&words)
        .assert()
        .code(5)
        .stderr(predicate::str::contains("Corti rejected the secret of client sandbox ("));
    assert_eq!(world.config(), before);
    world.run("token --full").assert().success();
}

#[test]
fn without_verification_the_server_is_not_asked() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    let words = ["login", "-e", "eu", "--client-id", "acme", "--no-verify", "--secret-file", &secret];
    world.run_words(&words).assert().success().stderr(predicate::str::contains("stored without verifying"));
    assert_eq!(lookup(&world, "eu/base/acme"), "anything");
}

#[test]
fn a_second_login_needs_only_the_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "first");
    let login = |words: &str| {
        let words = format!("login --no-verify --secret-file {secret} {words}");
        world.run(&words).assert().success();
        lookup(&world, "us/acme/x")
    };
    assert_eq!(login("-p a -e us -t acme --client-id x"), "first");
    world.file("secret", "second");
    assert_eq!(login("-p a"), "second");
    // Two profiles of one client share its secret.
    login("-p b -e us -t acme --client-id x");
    world.file("secret", "third");
    assert_eq!(login("-p b"), "third");
    world.run("profile remove a").assert().success();
    assert_eq!(lookup(&world, "us/acme/x"), "third");
}

#[test]
fn a_missing_value_is_an_error_with_its_option() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    for (arguments, message) in [
        ("login", "missing: the environment, the client id and the client secret (no terminal to ask on)"),
        ("login", "hint: corti-auth login --environment eu --client-id ID --secret-stdin < FILE\n"),
        ("login -e eu --secret-file s", "missing: the client id (no terminal to ask on)"),
        ("login -e eu --client-id x --store keyring", "hint: corti-auth login --secret-stdin < FILE\n"),
    ] {
        world.run(arguments).assert().code(2).stdout("").stderr(predicate::str::contains(message));
    }
    world.set("CORTI_CLIENT_SECRET", "hunter2");
    let said = Said::by(&mut world.run("login -e eu --client-id x"));
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("printenv CORTI_CLIENT_SECRET | corti-auth login -"), "{}", said.stderr);
    assert!(!said.stderr.contains("hunter2"));
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_printed() {
    let world = World::new();
    for word in ["--client-secret=hunter2", "--secret=hunter2", "--secret-stdin=hunter2", "--token=hunter2"] {
        let said = Said::by(&mut world.run_words(&["login", word]));
        assert_eq!(said.code, 2);
        assert!(said.stderr.contains("do not put a secret on the command line"), "{}", said.stderr);
        assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
    }
    let misplaced: [&[&str]; 4] = [
        &["login", "hunter2"],
        &["login", "CORTI_CLIENT_SECRET=hunter2"],
        &["login", "--no-verify=hunter2"],
        &["login", "--hunter2"],
    ];
    for words in misplaced {
        for more in [None, Some("--json")] {
            let words: Vec<&str> = words.iter().copied().chain(more).collect();
            let said = Said::by(&mut world.run_words(&words));
            assert_eq!(said.code, 2);
            assert!(
                !said.stderr.contains("hunter2") && said.stderr.contains("login --help"),
                "{}",
                said.stderr
            );
        }
    }
    world
        .run("login --store plain")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("`plain` is not a store"));
}

#[test]
fn the_profile_of_the_variable_is_used_and_named_in_hints() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    let words = ["login", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret];
    world.run_words(&words).assert().success();
    world.set("CORTI_AUTH_PROFILE", "dev");
    let next = predicate::str::contains("token transcribe --profile dev");
    world.run_words(&words).assert().success().stderr(next);
    assert!(world.config().contains("[profiles.dev]"), "{}", world.config());
    world.run("logout").assert().success();
    let hint = predicate::str::contains("hint: corti-auth login --profile dev");
    world.run("token --full").assert().code(4).stderr(hint);
}

#[test]
fn without_a_configuration_folder_no_secret_is_stored() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    // A file in place of the folder.
    world.file("config/corti-auth", "");
    let words = ["login", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret];
    world.run_words(&words).assert().code(3).stderr(predicate::str::contains("config/corti-auth"));
    assert_eq!(lookup(&world, "eu/base/x"), "");
}

#[test]
fn control_c_ends_the_wait_for_a_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let pipe = world.pipe("pipe");
    for flags in ["--secret-stdin", &format!("--secret-file {pipe}")] {
        let mut login = world.start(&format!("login -e eu --client-id x {flags}"));
        // The folder is created just before the secret is read.
        common::wait_until("the command reads", || world.config_folder().join("config.lock").exists());
        login.interrupt();
        assert_eq!(login.wait(), Some(130), "{flags}");
        std::fs::remove_dir_all(world.config_folder()).unwrap();
    }
}
