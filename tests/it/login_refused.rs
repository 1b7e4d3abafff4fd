//! Logins that would store a secret without a profile, or replace a stored one: they are refused.

use crate::common::keyring::{lookup, users};
use crate::common::{self, Keyring, World};

/// The lock file exists already, so that only the write itself fails.
#[test]
fn without_a_new_file_in_the_folder_no_secret_is_stored() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    world.write_config("");
    std::fs::write(world.config_folder().join("config.lock"), "").unwrap();
    let script = "mount --bind \"$CONFIG\" \"$CONFIG\" && mount -o remount,bind,ro \"$CONFIG\" \
        && mount --bind \"$LOCK\" \"$CONFIG/config.lock\" && exec \"$@\"";
    let lock = world.file("lock", "");
    let mut shell = world.program("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(common::binary());
    shell.args(["login", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret]);
    shell.env("CONFIG", world.config_folder()).env("LOCK", lock);
    let said = common::Said::by(&mut shell);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("cannot write `") && said.stderr.contains("config.toml"), "{}", said.stderr);
    assert!(!said.stderr.contains(".corti-auth-"), "{}", said.stderr);
    assert_eq!(lookup(&world, "eu/base/x"), "");
}

/// A world with the profile `acme`: client `x` of `eu`, with the secret `stored`.
fn world_of_acme(keyring: &Keyring) -> World {
    let world = World::with_keyring(keyring);
    let secret = world.file("secret", "stored");
    let words =
        ["login", "-p", "acme", "-e", "eu", "--client-id", "x", "--no-verify", "--secret-file", &secret];
    world.run_words(&words).assert().success();
    world.file("secret", "another");
    world
}

/// Runs a login that must be refused, and returns its stderr.
fn assert_refused(world: &World, words: &str) -> String {
    let (config, secret) = (world.config(), world.home().join("secret").display().to_string());
    let command = format!("login --no-verify --secret-file {secret} {words}");
    let said = common::Said::by(&mut world.run(&command));
    assert_eq!(said.code, 3, "{words}: {}", said.stderr);
    assert_eq!((lookup(world, "eu/base/x").as_str(), world.config()), ("stored", config), "{words}");
    assert_eq!(users(world), ["eu/base/x"], "{words}");
    said.stderr
}

#[test]
fn options_cannot_change_a_profiles_client_or_store() {
    let keyring = Keyring::unlocked();
    let mut world = world_of_acme(&keyring);
    world.use_passphrase();
    for (words, differs) in [
        ("-p acme -e us", "environment `eu`, but --environment says `us`\n"),
        ("-p acme -t other", "tenant `base`, but --tenant says `other`\n"),
        ("-p acme --client-id y", "client id `x`, but --client-id says `y`\n"),
        ("-p acme --store file", "store `keyring`, but --store says `file`\n"),
        (
            "-p acme -e us --client-id y",
            "environment `eu`, but --environment says `us`; client id `x`, but --client-id says `y`\n",
        ),
    ] {
        let said = assert_refused(&world, words);
        assert!(said.contains(&format!("profile `acme` has {differs}")), "{said}");
        assert!(said.contains("hint: for a second profile, use another name: --profile NAME\n"), "{said}");
        assert!(said.contains("hint: or remove this one first: corti-auth profile remove acme\n"), "{said}");
        assert!(!said.contains("unset"), "{said}");
    }
    // A secret command counts as another store.
    let said = common::Said::by(&mut world.run("login -p acme --no-verify --secret-command cat"));
    assert!(
        said.code == 3 && said.stderr.contains(", but --secret-command says `command`"),
        "{}",
        said.stderr
    );
    // Both hints work.
    let secret = world.home().join("secret").display().to_string();
    world
        .run(&format!("login -p us -e us --client-id x --no-verify --secret-file {secret}"))
        .assert()
        .success();
    world.run("profile remove acme").assert().success();
    world
        .run(&format!("login -p acme -e us --client-id y --no-verify --secret-file {secret}"))
        .assert()
        .success();
    assert_eq!(users(&world).len(), 2);
}

#[test]
fn variables_cannot_change_a_profiles_client_or_store() {
    let keyring = Keyring::unlocked();
    let mut world = world_of_acme(&keyring);
    let secret = world.home().join("secret").display().to_string();
    for (variable, value, differs, same) in [
        ("CORTI_ENVIRONMENT", "us", "environment `eu`", "-e eu"),
        ("CORTI_TENANT_NAME", "other", "tenant `base`", "-t base"),
        ("CORTI_CLIENT_ID", "y;z", "client id `x`", "--client-id x"),
        ("CORTI_AUTH_STORE", "file", "store `keyring`", "--store keyring"),
    ] {
        world.set(variable, value);
        let said = assert_refused(&world, "-p acme");
        assert!(said.contains(&format!("has {differs}, but {variable} says `{value}`\n")), "{said}");
        // An option wins over the variable, and here it agrees with the profile.
        let again = format!("login -p acme --no-verify --secret-file {secret} {same}");
        world.file("secret", "stored");
        world.run(&again).assert().success();
        world.file("secret", "another");
        world.set(variable, "");
    }
    world.set("CORTI_ENVIRONMENT", "us");
    world.set("CORTI_CLIENT_ID", "y");
    let said = assert_refused(&world, "-p acme");
    assert!(
        said.contains("but CORTI_ENVIRONMENT says `us`; client id `x`, but CORTI_CLIENT_ID says `y`"),
        "{said}"
    );
}

#[test]
fn the_secret_command_of_a_profile_can_change_but_not_its_store() {
    let mut world = World::new();
    let login = |world: &World, words: &[&str]| {
        common::Said::by(&mut world.run_words(&[&["login", "-p", "a", "--no-verify"][..], words].concat()))
    };
    let said = login(&world, &["-e", "eu", "--client-id", "x", "--secret-command", "echo old"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(login(&world, &["--secret-command", "echo new"]).code, 0);
    assert!(world.config().contains("secret-command = [\"echo\", \"new\"]"), "{}", world.config());
    for words in [&[][..], &["--store", "command"]] {
        let said = login(&world, words);
        assert_eq!(said.code, 0, "{words:?}: {}", said.stderr);
    }
    world.set("CORTI_AUTH_STORE", "command");
    assert_eq!(login(&world, &[]).code, 0);
    let config = world.config();
    for words in [&["--store", "keyring"][..], &["--secret-command", "echo new", "-e", "us"]] {
        let said = login(&world, words);
        assert_eq!(said.code, 3, "{words:?}: {}", said.stderr);
        assert_eq!(world.config(), config);
    }
}

/// Logs in where the configuration's folder is on a full disk that still takes new, empty files. Returns the secret
/// that is in the keyring afterwards.
fn secret_after_a_login_on_a_full_disk(config: &str) -> String {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", "anything");
    let script = "mkdir -p \"$CONFIG\" && mount -t tmpfs -o size=16k,mode=0700 small \"$CONFIG\" \
        && cd \"$CONFIG\" && : > config.lock && printf %s \"$TEXT\" > config.toml && chmod 600 config.toml \
        && { dd if=/dev/zero of=fill bs=1k 2> /dev/null; exec \"$@\"; }";
    let mut shell = world.program("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(common::binary());
    shell.args(["login", "-e", "eu", "--client-id", "full", "--no-verify", "--secret-file", &secret]);
    let said = common::Said::by(shell.env("CONFIG", world.config_folder()).env("TEXT", config));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("No space left"), "{}", said.stderr);
    lookup(&world, "eu/base/full")
}

#[test]
fn on_a_full_disk_no_secret_is_stored() {
    assert_eq!(secret_after_a_login_on_a_full_disk(""), "");
    let other = "[profiles.other]\nenvironment = \"eu\"\nclient-id = \"full\"\n";
    assert_eq!(secret_after_a_login_on_a_full_disk(other), "");
}

/// The store refuses the secret, so the profile that was named before is removed again.
#[test]
fn a_secret_that_cannot_be_stored_leaves_no_profile() {
    let mut world = World::new();
    world.use_passphrase();
    let secret = world.file("secret", "anything");
    let before = "# mine\n[profiles.other]\nenvironment = \"us\"\nclient-id = \"o\"\n";
    world.write_config(before);
    // A file in place of the folder of encrypted files.
    std::fs::write(world.config_folder().join("secrets"), "").unwrap();
    let words = ["login", "-p", "a", "-e", "eu", "--client-id", "x", "--store", "file", "--no-verify"];
    let said = common::Said::by(&mut world.run_words(&[&words[..], &["--secret-file", &secret]].concat()));
    assert_eq!((said.code, world.config().as_str()), (4, before), "{}", said.stderr);
}
