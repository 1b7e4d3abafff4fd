//! The store `file`: a secret in a file encrypted with a passphrase, for machines without a keyring. The file has
//! age's format.

use std::path::PathBuf;

use predicates::prelude::*;

use crate::common::{self, PASSPHRASE, Said, Sandbox, World};

/// A world without a keyring, with a passphrase file.
fn world() -> World {
    let mut world = World::new();
    let passphrase = world.private_file("passphrase", format!("{PASSPHRASE}\n"));
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &passphrase);
    world
}

fn log_in(world: &World, sandbox: &Sandbox) -> assert_cmd::assert::Assert {
    let secret = world.private_file("secret", &sandbox.client_secret);
    let words = [
        "login",
        "-e",
        &sandbox.environment,
        "--client-id",
        "sandbox",
        "--store",
        "file",
        "--secret-file",
        &secret,
    ];
    world.run_words(&words).assert()
}

fn secret_files(world: &World) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(world.config_folder().join("secrets"));
    folder.map(|folder| folder.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

#[test]
fn login_token_and_logout_work_without_a_keyring() {
    use std::os::unix::fs::PermissionsExt as _;
    let (sandbox, world) = (Sandbox::start(), world());
    log_in(&world, &sandbox).success().stderr(predicate::str::contains("in the encrypted file"));
    assert!(world.config().contains("store = \"file\""), "{}", world.config());
    let files = secret_files(&world);
    let bytes = std::fs::read(&files[0]).unwrap();
    assert!(files.len() == 1 && bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    world.run("status").assert().success().stdout(predicate::str::contains("present, in the encrypted file"));
    world.run("token --scope transcribe").assert().success();
    world
        .run("logout")
        .assert()
        .success()
        .stderr(predicate::str::contains("removed its secret from the encrypted file"));
    assert_eq!(secret_files(&world), Vec::<PathBuf>::new());
    world.run("token --full").assert().code(4).stderr(predicate::str::contains("not logged in"));
}

#[test]
fn the_secret_needs_the_passphrase() {
    let (sandbox, mut world) = (Sandbox::start(), world());
    log_in(&world, &sandbox).success();
    let said = |world: &World| Said::by(&mut world.run("token --full"));

    let wrong = world.private_file("wrong", "incorrect");
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &wrong);
    let refused = said(&world);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("the passphrase does not open"), "{}", refused.stderr);

    let file = world.file("open", PASSPHRASE);
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &file);
    let open = said(&world);
    let repair = format!("others may read it\nhint: chmod 600 {file}\n");
    assert!(open.code == 4 && open.stderr.contains(&repair), "{}", open.stderr);

    world.set("CORTI_AUTH_PASSPHRASE_FILE", "");
    let nobody = said(&world);
    assert_eq!(nobody.code, 4);
    assert!(
        nobody.stderr.contains("no terminal to ask on")
            && nobody.stderr.contains("CORTI_AUTH_PASSPHRASE_FILE=FILE")
    );
    // `status` and `logout` need no passphrase.
    world.run("status").assert().success();
    world.run("logout").assert().success();
}

#[test]
fn a_damaged_or_swapped_file_is_an_error() {
    let (sandbox, world) = (Sandbox::start(), world());
    log_in(&world, &sandbox).success();
    let file = secret_files(&world).remove(0);
    let good = std::fs::read(&file).unwrap();
    let (half, mut flipped) = (&good[..good.len() / 2], good.clone());
    *flipped.last_mut().unwrap() ^= 1;
    for bytes in [&b""[..], b"plain text", half, &flipped] {
        std::fs::write(&file, bytes).unwrap();
        let said = Said::by(&mut world.run("token --full"));
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
        assert!(
            said.stderr.contains("hint: ") && !said.stderr.contains(&sandbox.client_secret),
            "{}",
            said.stderr
        );
    }
    std::fs::write(&file, &good).unwrap();
    world.run("token --full").assert().success();

    // Another client's file under this client's name is refused.
    let other = world.private_file("other", "another secret");
    let words = [
        "login",
        "-p",
        "b",
        "-e",
        "eu",
        "--client-id",
        "b",
        "--store",
        "file",
        "--no-verify",
        "--secret-file",
        &other,
    ];
    world.run_words(&words).assert().success();
    let foreign = secret_files(&world).into_iter().find(|path| *path != file).unwrap();
    std::fs::copy(&foreign, &file).unwrap();
    let said = Said::by(&mut world.run("token --full"));
    assert!(said.code == 4 && said.stderr.contains("the secret of another client"), "{}", said.stderr);
}

#[test]
fn a_profile_keeps_its_store() {
    let (sandbox, keyring) = (Sandbox::start(), common::Keyring::unlocked());
    let mut world = world();
    world.set("DBUS_SESSION_BUS_ADDRESS", &keyring.address);
    log_in(&world, &sandbox).success();
    let secret = world.private_file("secret", &sandbox.client_secret);
    let files = secret_files(&world);
    world
        .run(&format!("login --store keyring --secret-file {secret}"))
        .assert()
        .code(3)
        .stderr(predicate::str::contains("store `file`, but --store says `keyring`"));
    assert_eq!((secret_files(&world), common::keyring::users(&world)), (files, Vec::new()));
    world.run("token --full").assert().success();
}
