//! A keyring returns what was stored: any length, any script, from many processes at once, in gnome-keyring and
//! `KeePassXC`.

use predicates::prelude::*;

use crate::common::keyring::{lookup, search};
use crate::common::{Keyring, Said, Sandbox, World};

fn store(world: &World, id: &str, secret: &str) -> Said {
    let path = world.file(&format!("secret-{id}"), secret);
    let words = ["login", "-e", "eu", "-p", id, "--client-id", id, "--no-verify", "--secret-file", &path];
    Said::by(&mut world.run_words(&words))
}

#[test]
fn secrets_of_every_length_and_script_are_stored() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let (k4, k64) = ("x".repeat(4096), "ü".repeat(32 * 1024));
    for (number, secret) in ["a", "ab", "Ключ", "秘密🔑", "\"'\\$`", &k4, &k64].into_iter().enumerate()
    {
        let id = format!("c{number}");
        let said = store(&world, &id, secret);
        assert_eq!(said.code, 0, "{number}: {}", said.stderr);
        assert!(lookup(&world, &format!("eu/base/{id}")) == secret, "{number}");
    }
    let said = store(&world, "long", &"x".repeat(64 * 1024 + 1));
    assert!(said.code == 2 && said.stderr.contains("longer than"), "{}", said.stderr);
}

#[test]
fn forty_logins_at_once_leave_one_entry() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    // No more at once than the machine can serve within the keyring's limit.
    let at_once = 10 * std::thread::available_parallelism().unwrap().get();
    for wave in (0..40).collect::<Vec<_>>().chunks(at_once) {
        std::thread::scope(|scope| {
            for number in wave {
                let world = &world;
                scope.spawn(move || {
                    let secret = format!("secret number {number}");
                    let path = world.file(&format!("secret-{number}"), &secret);
                    let words =
                        ["login", "-e", "eu", "--client-id", "one", "--no-verify", "--secret-file", &path];
                    let said = Said::by(&mut world.run_words(&words));
                    assert_eq!(said.code, 0, "{}", said.stderr);
                });
            }
        });
    }
    assert!(lookup(&world, "eu/base/one").starts_with("secret number "));
    let search = search(&world);
    assert_eq!(search.stdout.matches("secret number").count(), 1, "{}", search.stdout);
    assert_eq!(Said::by(&mut world.run("status --json")).json()["secret"], "present");
}

#[test]
fn login_token_and_logout_work_with_keepassxc() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::keepassxc());
    let world = World::with_keyring(&keyring);
    let path = world.file("secret", &sandbox.client_secret);
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &path];
    let said = Said::by(&mut world.run_words(&words));
    assert_eq!(said.code, 0, "{}", said.stderr);
    world.run("token --scope transcribe").assert().success();
    world.run("status").assert().success();
    // Again, over the existing entry.
    assert_eq!(Said::by(&mut world.run_words(&words)).code, 0);
    world.run("token --full").assert().success();
    world.run("logout").assert().success().stderr(predicate::str::contains("removed its secret from"));
    world.run("token --full").assert().code(4).stderr(predicate::str::contains("not logged in"));
}
