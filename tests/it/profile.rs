//! `profile`, `status` and which client is used: what overrides what, incomplete variables, misspelt names, and that
//! the file keeps its comments.

use corti_auth::domain::text::shell::Shell;
use predicates::prelude::*;
use serde_json::json;

use crate::common::{self, Keyring, Said, World};

const FILE: &str = "# my clients\ndefault-profile = \"dev\" # daily\n\n[profiles.dev]\nenvironment = \"eu\"\nclient-id = \"acme-dev\" # Acme\n\n                    [profiles.prod]\nenvironment = \"us\"\ntenant = \"acme\"\nclient-id = \"acme-prod\"\n";

fn world() -> World {
    let world = World::new();
    world.write_config(FILE);
    world
}

#[test]
fn profiles_are_listed_and_shown() {
    let world = world();
    world
        .run("profile list")
        .assert()
        .success()
        .stdout("* dev   eu  base  acme-dev\n  prod  us  acme  acme-prod\n");
    let json = Said::by(&mut world.run("profile list --json")).json();
    assert_eq!(json["profiles"][1]["tenant"], "acme");
    assert_eq!(Said::by(&mut world.run("profile show -p prod --json")).json()["client_id"], "acme-prod");
    World::new()
        .run("profile list")
        .assert()
        .success()
        .stdout("")
        .stderr(predicate::str::contains("corti-auth login"));
}

#[test]
fn use_changes_only_the_default_in_the_file() {
    let world = world();
    world.run("profile use prod").assert().success();
    assert_eq!(world.config(), FILE.replace("default-profile = \"dev\"", "default-profile = \"prod\""));
    for arguments in ["profile use prdo", "profile use PROD", "profile use pr", "-p prdo token --full"] {
        world.run(arguments).assert().code(3).stderr(predicate::str::contains("did you mean `prod`?"));
    }
    world.run("profile use a/b").assert().code(3);
}

#[test]
fn use_says_which_variables_hide_the_profile() {
    let use_prod = |variables: &[(&str, &str)]| {
        let mut world = world();
        for (name, value) in variables {
            world.set(name, value);
        }
        Said::by(&mut world.run("profile use prod")).stderr
    };
    let done = "`prod` is the default profile now\n";
    assert_eq!(use_prod(&[]), done);
    assert_eq!(use_prod(&[("CORTI_AUTH_PROFILE", "prod")]), done);
    let warning = |name: &str, unset: &str| {
        format!(
            "warning: {name} is set and overrides the default profile `prod` in this shell\nhint: {unset}\n{done}"
        )
    };
    let unset = |names: &[&str]| Shell::HERE.unset(names);
    let said = use_prod(&[("CORTI_AUTH_PROFILE", "dev")]);
    assert_eq!(said, warning("CORTI_AUTH_PROFILE", &unset(&["CORTI_AUTH_PROFILE"])));
    let said = use_prod(&[("CORTI_CLIENT_ID", "a"), ("CORTI_CLIENT_SECRET", "b")]);
    assert_eq!(said, warning("CORTI_CLIENT_ID", &unset(&["CORTI_CLIENT_ID", "CORTI_CLIENT_SECRET"])));
}

#[test]
fn a_secret_with_a_line_break_has_a_hint_that_takes_it_out() {
    let mut world = World::new();
    world.set("CORTI_CLIENT_ID", "a");
    world.set("CORTI_CLIENT_SECRET", "one\r\ntwo");
    let said = Said::by(&mut world.run("status"));
    assert_eq!(said.code, 3);
    let hint = Shell::HERE.join_lines("CORTI_CLIENT_SECRET");
    assert!(said.stderr.contains(&format!("hint: take the line break out: {hint}\n")), "{}", said.stderr);
    #[cfg(unix)]
    {
        let mut shell = world.program("sh");
        shell.args(["-c", &format!("{hint}; printenv CORTI_CLIENT_SECRET")]);
        assert_eq!(Said::by(&mut shell).stdout, "onetwo\n");
    }
}

#[test]
fn remove_removes_the_secret_too() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(FILE);
    let secret = world.file("secret", "anything");
    world.run_words(&["login", "-p", "dev", "--no-verify", "--secret-file", &secret]).assert().success();
    let json = Said::by(&mut world.run("profile remove dev --json")).json();
    assert_eq!((&json["secret_removed"], &json["was_default"]), (&json!(true), &json!(true)));
    assert!(world.config().contains("# my clients") && !world.config().contains("acme-dev"));
    let mut lookup = world.program("secret-tool");
    lookup.args(["lookup", "service", "corti-auth", "username", "eu/base/acme-dev"]).assert().failure();
    world.run("token --full").assert().code(4).stderr(predicate::str::contains("profile use NAME"));
}

#[test]
fn status_names_what_is_hidden() {
    let mut world = world();
    for (name, value) in
        [("CORTI_ENVIRONMENT", "us"), ("CORTI_CLIENT_ID", "env"), ("CORTI_CLIENT_SECRET", "s")]
    {
        world.set(name, value);
    }
    let json = Said::by(&mut world.run("status --json")).json();
    assert_eq!(
        (&json["client_id"], &json["environment"], &json["secret"]),
        (&json!("env"), &json!("us"), &json!("present"))
    );
    assert_eq!(json["hidden"], json!(["the default profile `dev` (overridden by CORTI_CLIENT_ID)"]));
    let json = Said::by(&mut world.run("status --json -p prod")).json();
    assert_eq!((&json["client_id"], &json["chosen_by"]), (&json!("acme-prod"), &json!("--profile")));
    assert!(json["hidden"].to_string().contains("CORTI_CLIENT_SECRET (overridden by --profile)"));
}

#[test]
fn incomplete_or_conflicting_variables_exit_3() {
    for (variables, message) in [
        (&[("CORTI_CLIENT_ID", "x")][..], "CORTI_CLIENT_ID is set, but CORTI_CLIENT_SECRET is not"),
        (&[("CORTI_CLIENT_SECRET", "x")], "CORTI_CLIENT_SECRET is set, but CORTI_CLIENT_ID is not"),
        (&[("CORTI_CLIENT_ID", "x"), ("CORTI_CLIENT_SECRET", "x")], "no environment is set"),
        (&[("CORTI_CLIENT_ID", "x"), ("CORTI_AUTH_PROFILE", "dev")], "are both set"),
        (&[("CORTI_ENVIRONMENT", "http://example.com")], "is not a Corti environment"),
        (&[("CORTI_TENANT_NAME", "a/b")], "CORTI_TENANT_NAME: `a/b` is not a tenant"),
        (&[("CORTI_AUTH_PROFILE", "nope")], "there is no profile `nope`"),
    ] {
        let mut world = world();
        for (name, value) in variables {
            world.set(name, value);
        }
        let said = Said::by(&mut world.run("token --full"));
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains(message) && said.stderr.contains("hint: "), "{}", said.stderr);
    }
}

#[test]
fn hints_about_variables_are_commands() {
    let both = "hint: to use the variables: unset CORTI_AUTH_PROFILE\n\
                hint: to use the profile: unset CORTI_CLIENT_ID CORTI_CLIENT_SECRET\n";
    let secret = "hint: export CORTI_CLIENT_SECRET_FILE=FILE\n";
    for (names, hints) in [
        (&["CORTI_CLIENT_ID", "CORTI_CLIENT_SECRET"][..], "hint: export CORTI_ENVIRONMENT=eu\n"),
        (&["CORTI_CLIENT_ID", "CORTI_CLIENT_SECRET", "CORTI_AUTH_PROFILE"], both),
        (&["CORTI_CLIENT_ID"], secret),
        (&["CORTI_CLIENT_SECRET"], "hint: export CORTI_CLIENT_ID=ID\n"),
    ] {
        let mut world = world();
        for name in names {
            world.set(name, "dev");
        }
        let said = Said::by(&mut world.run("token --full"));
        assert!(said.stderr.ends_with(&format!("\n{hints}")), "{}", said.stderr);
    }
}

#[test]
fn invalid_options_exit_3() {
    for (arguments, message) in [
        ("-t a/b token --full", "`a/b` is not a tenant: use only letters"),
        ("-e http://example.com token --full", "is not a Corti environment"),
        ("-e https://u:hunter2@h token --full", "may have only letters, digits and"),
        ("-e eu.corti.app token --full", "is not a Corti environment"),
        ("-p nope token --full", "there is no profile"),
    ] {
        let said = Said::by(&mut world().run(arguments));
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains(message) && !said.stderr.contains("hunter2"), "{}", said.stderr);
    }
}

#[test]
fn an_empty_variable_is_ignored_and_a_misspelt_one_is_named() {
    let mut world = world();
    world.set("CORTI_CLIENT_ID", "");
    world.set("CORTI_TENANT", "acme");
    let said = Said::by(&mut world.run("status --json"));
    assert_eq!(said.json()["client_id"], "acme-dev");
    assert!(
        said.stderr.contains("CORTI_TENANT is ignored; did you mean CORTI_TENANT_NAME?"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_variable_that_is_not_utf8_exits_3() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = world().run("token --full");
    command.env("CORTI_CLIENT_SECRET", std::ffi::OsStr::from_bytes(b"a\xffb"));
    command.assert().code(3).stderr(predicate::str::contains("CORTI_CLIENT_SECRET is not UTF-8"));
}

#[test]
fn a_broken_file_exits_3_and_is_not_overwritten() {
    for (text, message) in [
        ("default-profile = ", "line 1, column"),
        ("[profiles.a]\n", "has no `environment`"),
        ("profiles = 3\n", "not a table"),
    ] {
        let world = World::new();
        world.write_config(text);
        for arguments in
            ["token --full", "profile list", "profile use a", "login -e eu --client-id x --no-verify"]
        {
            let said = Said::by(&mut world.run(arguments));
            assert_eq!(said.code, 3, "{arguments}: {}", said.stderr);
            assert!(said.stderr.contains(message) && said.stderr.contains("config.toml"), "{}", said.stderr);
        }
        assert_eq!(world.config(), text);
    }
    let world = World::new();
    world.write_config(&format!("{FILE}typo = 1\n"));
    world
        .run("profile list")
        .assert()
        .success()
        .stderr(predicate::str::contains("unknown key `profiles.prod.typo` in config.toml"));
}

#[test]
fn status_exits_4_without_a_client_and_0_with_all() {
    World::new().run("status").assert().code(4).stderr(predicate::str::contains("corti-auth login"));
    World::new().run("status --all").assert().success();
    let json = Said::by(&mut world().run("status --all --json")).json();
    assert_eq!(
        (json["profiles"].as_array().unwrap().len(), &json["profiles"][0]["secret"]),
        (2, &json!("no_bus"))
    );
}

#[test]
fn many_logins_at_once_lose_no_profile() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (world, secret) = (&world, &secret);
            scope.spawn(move || {
                let (profile, id) = (format!("p{number}"), format!("c{number}"));
                let words = [
                    "login",
                    "-e",
                    "eu",
                    "-p",
                    &profile,
                    "--client-id",
                    &id,
                    "--no-verify",
                    "--secret-file",
                    secret,
                ];
                world.run_words(&words).assert().success();
            });
        }
    });
    let json = Said::by(&mut world.run("status --all --json")).json();
    let profiles = json["profiles"].as_array().unwrap();
    assert!(profiles.len() == 16 && profiles.iter().all(|profile| profile["secret"] == "present"), "{json}");
}

#[test]
fn the_configuration_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    world
        .run_words(&["login", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret])
        .assert()
        .success();
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.config_folder()), 0o700);
    assert_eq!(mode(world.config_folder().join("config.toml")), 0o600);
}

#[test]
fn without_a_home_variables_are_enough() {
    let sandbox = common::Sandbox::start();
    let world = World::of(&sandbox);
    let without_home = |arguments: &str| {
        let mut command = world.run(arguments);
        command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
        Said::by(&mut command)
    };
    assert_eq!(without_home("token --scope transcribe").code, 0);
    assert!(without_home("status").stdout.contains("none: HOME is not set"));
    let said = without_home("login --no-verify");
    assert_eq!(said.code, 3, "{}", said.stderr);
}

#[test]
fn a_configuration_folder_of_another_user_is_refused() {
    use std::os::unix::fs::chown;
    let world = world();
    let folder = world.config_folder();
    common::chmod(&folder, 0o777);
    world.run("profile list").assert().code(3).stderr(predicate::str::contains("everybody can write to it"));
    common::chmod(&folder, 0o700);
    world.run("profile list").assert().success();
    // Only root can change the owner.
    if chown(&folder, Some(12345), None).is_ok() {
        world
            .run("profile list")
            .assert()
            .code(3)
            .stderr(predicate::str::contains("belongs to another user"));
    }
}

#[test]
fn a_configuration_that_is_a_pipe_is_refused_at_once() {
    let world = world();
    let file = world.config_folder().join("config.toml");
    std::fs::remove_file(&file).unwrap();
    world.program("mkfifo").arg(&file).assert().success();
    world.run("profile list").assert().code(3).stderr(predicate::str::contains("it is not a file"));
}

#[test]
fn a_linked_configuration_stays_linked() {
    let world = world();
    let (file, real) = (world.config_folder().join("config.toml"), world.home().join("dotfiles.toml"));
    std::fs::rename(&file, &real).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    world.run("profile use prod").assert().success();
    assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().contains("default-profile = \"prod\""));
}

#[test]
fn all_and_profile_exclude_each_other() {
    for command in ["status", "logout"] {
        let hint = format!("corti-auth {command} --profile dev, or corti-auth {command} --all");
        let said = Said::by(&mut World::new().run(&format!("{command} --all --profile dev")));
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(&hint), "{}", said.stderr);
    }
}

#[test]
fn a_default_scope_is_set_and_removed() {
    let world = world();
    world.run("profile set dev default-scope transcribe streams").assert().success().stdout("");
    let key = "client-id = \"acme-dev\" # Acme\ndefault-scope = [\"streams\", \"transcribe\"]\n";
    assert_eq!(world.config(), FILE.replace("client-id = \"acme-dev\" # Acme\n", key));
    let json = Said::by(&mut world.run("profile show dev --json")).json();
    assert_eq!(json["default_scope"], json!(["streams", "transcribe"]));
    world.run("profile set dev default-scope none").assert().success();
    assert_eq!(world.config(), FILE);
    for (values, said) in [
        ("full", "default-scope is never full"),
        ("openid", "transcribe, streams or both"),
        ("stream", "transcribe, streams or both"),
        ("transcribe none", "transcribe, streams or both"),
    ] {
        let said =
            predicate::str::contains(said).and(predicate::str::contains("hint: corti-auth profile set"));
        world.run(&format!("profile set dev default-scope {values}")).assert().code(2).stderr(said);
    }
    world.run("profile set dve default-scope transcribe").assert().code(3);
    world.run("profile set dev store file").assert().code(2);
    world.run("profile set dev default-scope").assert().code(2);
    assert_eq!(world.config(), FILE);
}

/// A profile is named after the command, too, and by the words that hands try.
#[test]
fn aliases_do_the_same() {
    let world = world();
    let said = |words: &str| Said::by(&mut world.run(words));
    assert_eq!(said("profile ls").stdout, said("profile list").stdout);
    for words in ["profile show prod", "profile get prod", "profile get -p prod"] {
        assert_eq!(said(words).stdout, said("profile show -p prod").stdout, "{words}");
    }
    assert_eq!(said("whoami").stdout, said("status").stdout);
    for (alias, name) in [
        ("profile rm", "profile remove"),
        ("profile delete", "profile remove"),
        ("interaction ls", "interaction list"),
        ("interaction show", "interaction get"),
        ("interaction rm", "interaction delete"),
        ("interaction remove", "interaction delete"),
    ] {
        assert_eq!(
            said(&format!("{alias} --help")).stdout,
            said(&format!("{name} --help")).stdout,
            "{alias}"
        );
    }
}
