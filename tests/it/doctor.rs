//! `doctor` finds what is wrong with the configuration and the store, leaves nothing behind, and writes a report
//! without secrets.

use serde_json::{Value, json};

use crate::common::diagnosis::{CANARY, assert_verdict, diagnose};
use crate::common::ready::log_in;
use crate::common::{Keyring, Said, Sandbox, World, chmod, keyring};

const NAMES: [&str; 10] =
    ["configuration", "variables", "store", "dns", "tcp", "tls", "discovery", "clock", "token", "tenant"];

/// The keyring's entries of this tool.
fn entries(world: &World) -> String {
    let said = keyring::search(world);
    // The daemon changes the order and the `schema` line by itself.
    let kept = |line: &&str| ["label", "secret", "attribute"].iter().any(|start| line.starts_with(start));
    let text = said.stdout + &said.stderr;
    let mut lines: Vec<&str> = text.lines().filter(kept).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn with_a_keyring_every_check_is_ok_and_nothing_is_left_behind() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    log_in(&world, &sandbox, "default");
    let before = (entries(&world), world.config());
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 0, "{outcome:#}");
    for name in ["configuration", "variables", "store", "tcp", "discovery", "clock", "token", "tenant"] {
        assert_verdict(&outcome, name, "ok", "");
    }
    assert_verdict(&outcome, "dns", "skipped", "needs no lookup");
    assert_verdict(&outcome, "tls", "skipped", "http:// on this machine");
    assert_verdict(&outcome, "tcp", "ok", "(auth, api, sockets)");
    assert_verdict(&outcome, "configuration", "ok", "profile `default`");
    assert!(before.0.contains("/base/sandbox"), "{}", before.0);
    assert_eq!((entries(&world), world.config()), before);

    let said = Said::by(&mut world.run("doctor"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stdout.lines().count(), NAMES.len(), "{}", said.stdout);
    for (line, name) in said.stdout.lines().zip(NAMES) {
        assert_eq!(line.split_whitespace().nth(1), Some(name), "{line}");
    }
    assert!(said.stderr.contains("8 ok, 2 skipped"), "{}", said.stderr);
}

#[test]
fn a_client_from_variables_needs_no_store() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 0, "{outcome:#}");
    assert_verdict(&outcome, "store", "skipped", "is in CORTI_CLIENT_SECRET");
    assert_verdict(&outcome, "token", "ok", "and discarded it");
    let fields: Vec<&str> = outcome.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["checks", "client_id", "environment", "ok", "report", "schema", "tenant"]);
    assert_eq!(
        (&outcome["schema"], &outcome["client_id"]),
        (&json!("corti-auth/doctor/v1"), &json!("sandbox"))
    );
    for (check, name) in outcome["checks"].as_array().unwrap().iter().zip(NAMES) {
        let fields: Vec<&str> = check.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["detail", "hint", "name", "verdict"]);
        assert_eq!(check["name"], name);
    }
}

#[test]
fn a_keyring_that_cannot_be_used_fails_the_store() {
    let sandbox = Sandbox::start();
    let profile = format!(
        "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"{}\"\nclient-id = \"acme\"\n",
        sandbox.environment
    );
    for (state, words) in [
        ("locked", "the keyring is locked"),
        ("new", "no default collection"),
        ("no-service", "no keyring is running"),
    ] {
        let keyring = Keyring::in_state(state);
        let world = World::with_keyring(&keyring);
        world.write_config(&profile);
        let (code, outcome) = diagnose(&world, "");
        assert_eq!(code, 4, "{state}: {outcome:#}");
        assert_verdict(&outcome, "store", "failed", words);
        assert_verdict(&outcome, "discovery", "ok", "");
        assert_verdict(&outcome, "token", "skipped", "the store cannot be used");
    }
    let world = World::new();
    world.write_config(&profile);
    assert_verdict(&diagnose(&world, "").1, "store", "failed", "no D-Bus session bus");
}

#[test]
fn stores_other_than_the_keyring_are_checked() {
    let (sandbox, mut world) = (Sandbox::start(), World::new());
    let secret = world.private_file("secret", &sandbox.client_secret);
    let command = format!("login -e {} --client-id sandbox --secret-command", sandbox.environment);
    let words: Vec<&str> = command.split(' ').collect();
    world.run_words(&[&words[..], &[&format!("cat '{secret}'")]].concat()).assert().success();
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 0, "{outcome:#}");
    assert_verdict(&outcome, "store", "skipped", "the secret command is run by the token check");
    assert_verdict(&outcome, "token", "ok", "");

    world.use_passphrase();
    world.run("profile remove default").assert().success();
    let login =
        format!("login -e {} --client-id sandbox --store file --secret-file {secret}", sandbox.environment);
    world.run(&login).assert().success();
    let folder = world.config_folder().join("secrets");
    let before = std::fs::read_dir(&folder).unwrap().count();
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 0, "{outcome:#}");
    assert_verdict(&outcome, "store", "ok", "wrote, read and deleted a test entry in an encrypted file");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), before);
    world.set("CORTI_AUTH_PASSPHRASE_FILE", "");
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 4);
    assert_verdict(&outcome, "store", "failed", "(no terminal to ask on)");
}

#[test]
fn a_mounted_secret_is_checked() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("CORTI_CLIENT_SECRET", "");
    world.set("CORTI_CLIENT_SECRET_FILE", &world.private_file("secret", &sandbox.client_secret));
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 0, "{outcome:#}");
    assert_verdict(&outcome, "store", "skipped", "is in the file of CORTI_CLIENT_SECRET_FILE");
    let report = world.home().join("report.txt").display().to_string();
    world.set("CORTI_CLIENT_SECRET_FILE", &world.file("open", &sandbox.client_secret));
    let (code, outcome) = diagnose(&world, &format!("--report {report}"));
    assert_eq!(code, 3);
    assert_verdict(&outcome, "token", "failed", "CORTI_CLIENT_SECRET_FILE");
    let text = std::fs::read_to_string(report).unwrap();
    assert!(text.contains("secret in     the file of CORTI_CLIENT_SECRET_FILE"), "{text}");
    assert!(text.contains("…/open") && !text.contains(&world.home().display().to_string()), "{text}");
}

#[test]
fn a_profile_without_its_secret_fails_the_token() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    log_in(&world, &sandbox, "default");
    world.run("logout").assert().success();
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 4);
    assert_verdict(&outcome, "store", "ok", "");
    assert_verdict(&outcome, "token", "failed", "not logged in");
    assert_verdict(&outcome, "token", "failed", "corti-auth login");
}

#[test]
fn without_a_login_only_the_network_is_checked() {
    let sandbox = Sandbox::start();
    let (code, outcome) = diagnose(&World::new(), &format!("-e {}", sandbox.environment));
    // Without a client only the network is checked.
    assert_eq!(code, 0);
    assert_verdict(&outcome, "configuration", "skipped", "nobody is logged in yet: corti-auth login");
    assert_verdict(&outcome, "store", "skipped", "no client is known");
    assert_verdict(&outcome, "discovery", "ok", "");
    assert_verdict(&outcome, "token", "skipped", "no client is known");
    let (code, outcome) = diagnose(&World::new(), "");
    assert_eq!((code, &outcome["environment"]), (4, &Value::Null));
    assert_verdict(&outcome, "configuration", "failed", "not logged in");
    for name in ["dns", "tcp", "tls", "discovery", "clock"] {
        assert_verdict(&outcome, name, "skipped", "no environment (add --environment eu)");
    }
}

#[test]
fn a_broken_or_unsafe_configuration_is_reported() {
    let world = World::new();
    world.write_config("default-profile = \n");
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 3);
    assert_verdict(&outcome, "configuration", "failed", "line 1, column");
    assert_verdict(&outcome, "store", "skipped", "");

    world.write_config(
        "colour = 1\n[profiles.dev]\nenvironment = \"http://127.0.0.1:1\"\nclient-id = \"x\"\n",
    );
    let (_, outcome) = diagnose(&world, "-p dev");
    assert_verdict(&outcome, "configuration", "warning", "unknown key `colour` in config.toml");
    chmod(world.config_folder().join("config.toml"), 0o660);
    let (_, outcome) = diagnose(&world, "-p dev");
    assert_verdict(&outcome, "configuration", "failed", "its group can write to it");
    assert_verdict(&outcome, "configuration", "failed", "chmod go-w ");
    chmod(world.config_folder().join("config.toml"), 0o666);
    assert_verdict(&diagnose(&world, "-p dev").1, "configuration", "failed", "everybody can write to it");
}

#[test]
fn variables_are_named_and_their_values_are_not() {
    let mut world = World::new();
    for name in ["CORTI_TENANT", "CORTI_CLIENT_SECERT", "CORTI__CLIENTSECRET"] {
        world.set(name, CANARY);
    }
    world.set("HTTPS_PROXY", &format!("socks5://user:{CANARY}@proxy.example"));
    let said = Said::by(&mut world.run("doctor -e http://127.0.0.1:1 -vv"));
    assert!(!said.stdout.contains(CANARY) && !said.stderr.contains(CANARY), "{}{}", said.stdout, said.stderr);
    assert!(!said.stderr.contains("warning:"), "each is told once: {}", said.stderr);
    let (_, outcome) = diagnose(&world, "");
    for words in [
        "CORTI_TENANT is ignored; did you mean CORTI_TENANT_NAME?",
        "CORTI_CLIENT_SECERT is ignored; did you mean CORTI_CLIENT_SECRET?",
        "export CORTI_CLIENT_SECRET=\"$CORTI__CLIENTSECRET\"; unset CORTI__CLIENTSECRET",
        "HTTPS_PROXY is not an http or https proxy",
    ] {
        assert_verdict(&outcome, "variables", "warning", words);
    }
    world.set("CORTI_CLIENT_ID", &format!("{CANARY} {CANARY}"));
    let (code, outcome) = diagnose(&world, "");
    assert_eq!(code, 3);
    assert_verdict(&outcome, "variables", "failed", "CORTI_CLIENT_ID cannot be used as it is set");
    assert!(!outcome.to_string().contains(CANARY));
}

#[test]
fn the_report_has_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::with_secret(CANARY);
    let mut world = World::of(&sandbox);
    world.set("CORTI_TENANT", "canary-of-a-near-miss");
    world.set("CORTI_ACCESS_TOKEN", "canary.of.a.token");
    world.write_config("colour = 1\n");
    let report = world.file("report.txt", "an older one, which anybody may read");
    chmod(&report, 0o644);
    let said = Said::by(&mut world.run(&format!("doctor --report {report}")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains(&report) && said.stderr.contains("check it before you send it"),
        "{}",
        said.stderr
    );
    assert_eq!(std::fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&report).unwrap();
    for words in [
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        sandbox.environment.as_str(),
        "tenant        base",
        "client id     sandbox",
        "secret in     CORTI_CLIENT_SECRET",
        "CORTI_CLIENT_SECRET, CORTI_ENVIRONMENT",
        "ok       token",
        "warning  configuration",
        "config.toml",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let home = world.home().display().to_string();
    for secret in [CANARY, "canary-of", "canary.of", &home, "eyJ"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let json = Said::by(&mut world.run(&format!("doctor --json --report {report}"))).json();
    assert_eq!(json["report"], report.as_str());
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let world = World::new();
    let said = Said::by(&mut world.run("doctor --report /proc/no/such"));
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("cannot write the report to `/proc/no/such`"), "{}", said.stderr);
    assert_eq!(said.stdout, "", "it is refused before the checks");
}
