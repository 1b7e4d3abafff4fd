//! The store `command`: another secret manager keeps the secret. Its command runs without a shell and within a time
//! limit; tested with a real `pass` and `gpg`.

use std::time::{Duration, Instant};

use predicates::prelude::*;

use crate::common::{Running, Said, Sandbox, World, pass, wait_until};

fn log_in(world: &World, sandbox: &Sandbox, command: &str) -> Said {
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-command", command];
    Said::by(&mut world.run_words(&words))
}

#[test]
fn the_command_is_run_each_time_and_nothing_is_stored() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let file = world.file("secret", format!("{}\n", sandbox.client_secret));
    let said = log_in(&world, &sandbox, &format!("cat '{file}'"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!said.stderr.contains('\u{1b}'), "no terminal, no sequences: {:?}", said.stderr);
    assert!(
        world.config().contains(&format!("secret-command = [\"cat\", \"{file}\"]")),
        "{}",
        world.config()
    );
    assert!(!world.config().contains(&sandbox.client_secret));
    world.run("token --full").assert().success();
    world
        .run("status")
        .assert()
        .success()
        .stdout(predicate::str::contains(format!("the command `cat {file}`")));
    world
        .run("logout")
        .assert()
        .success()
        .stderr(predicate::str::contains("its secret is kept by the command"));
    world.run("token --full").assert().success();
    std::fs::write(&file, "another").unwrap();
    world.run("token --full").assert().code(5);
}

#[test]
fn a_slow_command_is_named_while_it_runs() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let (secret, stderr) = (world.file("secret", &sandbox.client_secret), world.file("stderr", ""));
    let said = log_in(&world, &sandbox, &format!("cat {secret}"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let wait = format!("sh -c 'until [ -e go ]; do sleep 0.1; done; cat {secret}'");
    let mut command = std::process::Command::new(crate::common::binary());
    command.env_clear().envs(world.variables()).current_dir(world.home());
    command.args(["login", "--secret-command", &wait]).stderr(std::fs::File::create(&stderr).unwrap());
    let mut running = Running(command.spawn().unwrap());
    wait_until("it is named", || {
        let stderr = std::fs::read_to_string(&stderr).unwrap();
        stderr.contains("waiting for the secret command `sh` (up to 30 s)\n")
    });
    world.file("go", "");
    assert_eq!(running.wait(), Some(0));
}

#[test]
fn the_command_gets_no_variable_that_holds_a_secret() {
    let (sandbox, mut world) = (Sandbox::start(), World::new());
    let (secret, seen) = (world.file("secret", &sandbox.client_secret), world.home().join("seen"));
    let names = ["CORTI_CLIENTSECRET", "CLIENT_SECRET", "corti_client_secret", "CORTI_CLIENT_SECRET", "COPY"];
    for name in names {
        world.set(name, "canary-5d41402abc4b2a76");
    }
    let command = format!("sh -c 'env > \"{}\"; cat \"{secret}\"'", seen.display());
    let said = log_in(&world, &sandbox, &command);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("HOME=") && !seen.contains("canary"), "{seen}");
}

#[test]
fn the_command_runs_without_a_shell() {
    let (sandbox, world) = (Sandbox::with_secret("$HOME `id` ; x"), World::new());
    let said = log_in(&world, &sandbox, "printf %s '$HOME `id` ; x'");
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[test]
fn an_error_has_the_commands_own_words() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let table = [
        ("no-such-program-7", "the secret command `no-such-program-7` cannot be run"),
        ("sh -c 'echo the vault is sealed >&2; exit 3'", "failed (exit status: 3): the vault is sealed"),
        ("sh -c 'kill -9 $$'", "failed (signal: 9 (SIGKILL)): no message on stderr"),
        ("true", "printed no usable secret: the client secret is empty"),
        ("sh -c 'echo one; echo two'", "contains a line break"),
        ("head -c 70000 /dev/zero", "printed no usable secret"),
        ("sh -c 'printf \"\\033[2Jx\" >&2; exit 1'", "(exit status: 1): \\u{1b}[2Jx"),
    ];
    for (command, message) in table {
        let said = log_in(&world, &sandbox, command);
        assert_eq!(said.code, 4, "{command}: {}", said.stderr);
        assert!(
            said.stderr.contains(message) && said.stderr.contains("hint: "),
            "{command}: {}",
            said.stderr
        );
        assert_eq!(world.config(), "", "{command}");
    }
    for (command, message) in [("'", "a quote that is not closed"), ("", "the secret command is empty")] {
        let said = log_in(&world, &sandbox, command);
        assert!(said.code == 2 && said.stderr.contains(message), "{command}: {}", said.stderr);
        assert!(said.stderr.contains("hint: such as --secret-command '"), "{command}: {}", said.stderr);
    }
    world
        .run("login --store command")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("no secret command is given"));
}

#[test]
fn the_commands_stderr_is_passed_on() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let file = world.file("secret", &sandbox.client_secret);
    let said = log_in(&world, &sandbox, &format!("sh -c 'echo touch your key >&2; cat {file}'"));
    assert!(said.code == 0 && said.stderr.contains("sh: touch your key"), "{}", said.stderr);
}

#[test]
fn a_command_that_hangs_is_ended() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let started = Instant::now();
    let said = log_in(&world, &sandbox, "sleep 86399");
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("did not finish within 30 s"), "{}", said.stderr);
    assert!(started.elapsed() < Duration::from_secs(50));
    let left = Said::by(world.program("pgrep").args(["-f", "sleep 86399"]));
    assert_eq!(left.stdout, "", "it is not left behind");
}

#[test]
fn pass_and_gpg_work() {
    let (sandbox, mut world) = (Sandbox::start(), World::new());
    pass::keep(&mut world, &sandbox.client_secret);
    let said = log_in(&world, &sandbox, "pass show corti/acme");
    assert_eq!(said.code, 0, "{}", said.stderr);
    world.run("token --scope streams").assert().success();
    let file = world.home().join("secret.gpg").display().to_string();
    let said = log_in(&world, &sandbox, &format!("gpg --quiet --batch --decrypt {file}"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let said = log_in(&world, &sandbox, "pass show corti/nobody");
    assert!(
        said.code == 4 && said.stderr.contains("corti/nobody is not in the password store"),
        "{}",
        said.stderr
    );
    pass::stop(&world);
}

#[test]
fn a_secret_in_the_command_is_a_warning() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let said = log_in(&world, &sandbox, &format!("echo {}", sandbox.client_secret));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("warning: the secret command contains the secret"), "{}", said.stderr);
}
