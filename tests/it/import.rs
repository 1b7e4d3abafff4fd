//! `profile import`: takes a client from a `.env` file, shows it first, and never imports without a yes.

use predicates::prelude::*;
use serde_json::json;

use crate::common::keyring::lookup;
use crate::common::{Keyring, Said, Sandbox, World};

#[test]
fn a_file_with_cortis_variables_becomes_a_profile() {
    let (sandbox, keyring) = (Sandbox::with_secret("a$b #\"c"), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let text = format!(
        "\u{feff}# of the examples\r\nPORT=3000\r\nexport CORTI__ENVIRONMENT='{}'\r\nCORTI__CLIENTID=sandbox\r\n\
         CORTI__CLIENTSECRET=\"a\\$b #\\\"c\"\r\n",
        sandbox.environment
    );
    let file = world.file("of acme.env", &text);
    let said = Said::by(&mut world.run_words(&["profile", "import", &file, "--yes", "-p", "acme"]));
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    for words in [
        "sandbox  (from CORTI__CLIENTID)",
        "7 characters  (from CORTI__CLIENTSECRET)",
        "base  (default; not in the file)",
        "imported: client `sandbox`",
        &format!("rm '{file}'"),
    ] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("a$b"), "{}", said.stderr);
    world.run("token --full -p acme").assert().success();
    assert!(world.config().contains("last-verified"), "{}", world.config());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "the file is left to its owner");
    // Again is fine: it is the same client.
    let said = Said::by(&mut world.run_words(&["profile", "import", &file, "--yes", "-p", "acme", "--json"]));
    assert_eq!(said.stderr, "");
    let from = json!({
        "environment": "CORTI__ENVIRONMENT", "tenant": null, "client_id": "CORTI__CLIENTID",
        "client_secret": "CORTI__CLIENTSECRET",
    });
    let expected = json!({
        "schema": "corti-auth/profile-import/v1", "profile": "acme", "default": true, "file": file,
        "environment": sandbox.environment, "tenant": "base", "client_id": "sandbox", "store": "keyring",
        "verified": true, "taken_from": from,
    });
    assert_eq!(said.json(), expected);
}

#[test]
fn nothing_is_imported_without_a_yes() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let file = world.file(".env", "ENVIRONMENT=eu\nTENANT=base\nCLIENT_ID=acme\nCLIENT_SECRET=hunter2\n");
    let said = Said::by(&mut world.run_words(&["profile", "import", &file, "--no-verify"]));
    assert_eq!(said.code, 2);
    for words in ["acme  (from CLIENT_ID)", "7 characters", ".env --no-verify --yes\n"] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("hunter2"));
    let options = ["-p", "x", "-e", "us", "-t", "other", "--store", "file"];
    let said = Said::by(&mut world.run_words(&[&["profile", "import", &file], &options[..]].concat()));
    let hint = format!(
        "hint: corti-auth profile import {file} --profile x --environment us --tenant other --store file --yes\n"
    );
    assert!(said.code == 2 && said.stderr.ends_with(&hint), "{}", said.stderr);
    assert_eq!((world.config().as_str(), lookup(&world, "eu/base/acme").as_str()), ("", ""));
    let yes = ["profile", "import", &file, "--no-verify", "-y", "-q"];
    world.run_words(&yes).assert().success().stderr("");
    assert_eq!(lookup(&world, "eu/base/acme"), "hunter2");
    assert!(!world.config().contains("hunter2") && world.config().contains("[profiles.default]"));
}

#[test]
fn options_win_over_the_file_and_variables_are_ignored() {
    let keyring = Keyring::unlocked();
    let mut world = World::with_keyring(&keyring);
    world.set("CORTI_ENVIRONMENT", "us");
    world.set("CORTI_TENANT_NAME", "other");
    let file = world.file(".env", "CLIENT_ID=acme\nCLIENT_SECRET=s\nTENANT=theirs\n");
    let import = ["profile", "import", &file, "--no-verify", "--yes"];
    world.run_words(&import).assert().code(3).stderr(predicate::str::contains("--environment eu"));
    let said = Said::by(&mut world.run_words(&[&import[..], &["-e", "eu"]].concat()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("eu  (from --environment)"), "{}", said.stderr);
    assert_eq!(lookup(&world, "eu/theirs/acme"), "s");
}

#[test]
fn an_unusable_file_is_an_error_that_shows_no_secret() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    for (text, message) in [
        ("A=1\nhunter2\n", "line 2 is not NAME=VALUE"),
        ("CLIENT_SECRET='hunter2\n", "line 1 opens a quote"),
        (
            "CORTI_CLIENT_ID=a\nCORTI_CLIENTID=b\n",
            "`CORTI_CLIENT_ID` on line 1 and `CORTI_CLIENTID` on line 2",
        ),
        ("CORTI_CLIENT_SECRET=hunter2\nCORTI_SECRET=hunter3\n", "give different client secrets"),
        ("CORTI_CLIENT_SECRET=\"hunter\\n2\"\n", "contains a line break"),
        ("CORTI_ENVIRONMENT=http://example.com\n", "is not a Corti environment"),
        ("ENVIRONMENT=eu\nCLIENT_SECRET=hunter2\n", "has no client id (CORTI_CLIENT_ID)"),
        ("ENVIRONMENT=eu\nCLIENT_ID=x\nCLIENT_SECRET=\n", "has no client secret"),
        ("", "has no environment"),
    ] {
        let file = world.file(".env", text);
        for style in [None, Some("--json")] {
            let words: Vec<&str> = ["profile", "import", &file, "--yes"].into_iter().chain(style).collect();
            let said = Said::by(&mut world.run_words(&words));
            assert_eq!(said.code, 3, "{text}: {}", said.stderr);
            assert!(said.stderr.contains(message), "{text}: {}", said.stderr);
            assert!(said.stderr.contains("hint") && !said.stderr.contains("hunter"), "{}", said.stderr);
        }
    }
    let file = world.file(".env", b"CLIENT_ID=\xff");
    world.run_words(&["profile", "import", &file]).assert().code(3);
    let folder = world.home().display().to_string();
    for path in ["/no/such", &folder] {
        let said = Said::by(&mut world.run_words(&["profile", "import", path]));
        assert_eq!(said.code, 2);
        assert!(said.stderr.contains("cannot read"), "{}", said.stderr);
    }
    assert_eq!(world.config(), "");
}

#[test]
fn another_clients_profile_and_secret_are_not_replaced() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "first");
    let login = ["login", "-e", "eu", "--client-id", "first", "--no-verify", "--secret-file", &secret];
    world.run_words(&login).assert().success();
    let config = world.config();
    let file = world.file(".env", "ENVIRONMENT=eu\nCLIENT_ID=second\nCLIENT_SECRET=second\n");
    let import = ["profile", "import", &file, "--no-verify", "--yes"];
    let said = Said::by(&mut world.run_words(&import));
    assert_eq!(said.code, 3);
    let differs = format!("profile `default` has client id `first`, but CLIENT_ID in {file} says `second`\n");
    assert!(said.stderr.contains(&differs), "{}", said.stderr);
    let other = "hint: for a second profile, use another name: --profile NAME\n";
    let removal = "hint: or remove this one first: corti-auth profile remove default\n";
    assert!(said.stderr.contains(other) && said.stderr.contains(removal), "{}", said.stderr);
    assert_eq!((world.config(), lookup(&world, "eu/base/first")), (config.clone(), "first".to_owned()));
    let file = world.file(".env", "ENVIRONMENT=eu\nCLIENT_ID=first\nCLIENT_SECRET=second\n");
    for (flags, differs) in [
        (&["-e", "us"][..], "environment `eu`, but --environment says `us`"),
        (&["-t", "other"], "tenant `base`, but --tenant says `other`"),
        (&["--store", "file"], "store `keyring`, but --store says `file`"),
    ] {
        let words = [&["profile", "import", &file, "--no-verify", "--yes"][..], flags].concat();
        let said = Said::by(&mut world.run_words(&words));
        assert!(said.code == 3 && said.stderr.contains(differs), "{}", said.stderr);
        assert_eq!((world.config(), lookup(&world, "eu/base/first")), (config.clone(), "first".to_owned()));
    }
    let file = world.file(".env", "ENVIRONMENT=eu\nCLIENT_ID=second\nCLIENT_SECRET=second\n");
    let import = ["profile", "import", &file, "--no-verify", "--yes"];
    world.run_words(&[&import[..], &["-p", "second"]].concat()).assert().success();
    assert_eq!(
        (lookup(&world, "eu/base/first"), lookup(&world, "eu/base/second")),
        ("first".into(), "second".into())
    );
}

#[test]
fn a_secret_that_the_server_rejects_is_not_stored() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let text = format!("ENVIRONMENT={}\nCLIENT_ID=sandbox\nCLIENT_SECRET=wrong\n", sandbox.environment);
    let file = world.file(".env", text);
    world.run_words(&["profile", "import", &file, "--yes"]).assert().code(5);
    assert_eq!(
        (world.config().as_str(), lookup(&world, &format!("{}/base/sandbox", sandbox.environment)).as_str()),
        ("", "")
    );
}

#[test]
fn import_chooses_the_store_like_login() {
    let mut world = World::new();
    world.use_passphrase();
    let file = world.file(".env", "ENVIRONMENT=eu\nCLIENT_ID=acme\nCLIENT_SECRET=hunter2\n");
    let import = |world: &World, profile: &str, more: &[&str]| {
        let words = ["profile", "import", &file, "--no-verify", "--yes", "-p", profile];
        Said::by(&mut world.run_words(&[&words[..], more].concat()))
    };
    // Without a keyring, no other store is tried.
    assert_eq!(import(&world, "a", &[]).code, 4);
    let said = import(&world, "a", &["--store", "file"]);
    assert!(said.code == 0 && said.stderr.contains("in the encrypted file"), "{}", said.stderr);
    assert!(world.config().contains("store = \"file\""), "{}", world.config());
    // From the profile, then from the variable, then from the option.
    assert_eq!(import(&world, "a", &[]).code, 0);
    world.set("CORTI_AUTH_STORE", "file");
    assert_eq!(import(&world, "b", &[]).code, 0);
    assert_eq!(import(&world, "c", &["--store", "keyring"]).code, 4);
    for word in ["plain", "command"] {
        let said = import(&world, "c", &["--store", word]);
        let expected = format!(
            "import cannot use --store {word}; use keyring or file\nhint: corti-auth profile import FILE --store keyring"
        );
        assert!(said.code == 2 && said.stderr.contains(&expected), "{}", said.stderr);
    }
    world.set("CORTI_AUTH_STORE", "plain");
    let said = import(&world, "c", &[]);
    assert!(
        said.code == 3 && said.stderr.contains("CORTI_AUTH_STORE: `plain` is not a store"),
        "{}",
        said.stderr
    );
    world.set("CORTI_AUTH_STORE", "");
    world.write_config(
        "[profiles.d]\nenvironment = \"eu\"\nclient-id = \"acme\"\nstore = \"command\"\nsecret-command = \"cat x\"\n",
    );
    let said = import(&world, "d", &[]);
    assert!(
        said.code == 4
            && said.stderr.contains("the secret comes from the command `cat x`; change it in that program"),
        "{}",
        said.stderr
    );
    let said = import(&world, "d", &["--store", "file"]);
    assert!(
        said.code == 3 && said.stderr.contains("store `command`, but --store says `file`"),
        "{}",
        said.stderr
    );
    assert!(world.config().contains("secret-command"), "{}", world.config());
}
