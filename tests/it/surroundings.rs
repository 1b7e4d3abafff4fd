//! Where there is no desktop: ssh sessions, cron, services. What the hints say helps there.

use std::path::Path;

use crate::common::shell::Shell;
use crate::common::{Keyring, Said, Sandbox, World};
use crate::documents;

/// A session on the bus of `keyring` with its daemon's folders, as `pam_systemd` makes one for ssh. It has no prompter.
fn ssh_session(keyring: &Keyring) -> World {
    let mut world = World::with_keyring(keyring);
    let path = keyring.address.strip_prefix("unix:path=").unwrap().split(',').next().unwrap();
    let run = Path::new(path).parent().unwrap();
    world.set("XDG_RUNTIME_DIR", run.to_str().unwrap());
    world.set("XDG_DATA_HOME", run.with_file_name("data").to_str().unwrap());
    world
}

#[test]
fn over_ssh_the_hint_unlocks_the_keyring_or_makes_one() {
    for (state, error, interpreter) in [
        ("locked", "the keyring is locked", "sh"),
        ("new", "the keyring has no default collection", "zsh"),
        ("no-service", "no keyring is running", "bash"),
        ("locked", "the keyring is locked", "fish"),
    ] {
        let keyring = Keyring::in_state(state);
        let world = ssh_session(&keyring);
        let login = "login -e eu -t base --client-id acme --no-verify --secret-file";
        let login = format!("{login} {}", world.file("secret", "anything"));
        let said = Said::by(&mut world.run(&login));
        assert_eq!(said.code, 4, "{state}: {}", said.stderr);
        assert!(said.stderr.contains(error), "{state}: {}", said.stderr);
        let asks =
            "hint: unlock the keyring in its own program, such as KeePassXC or KWalletManager\nhint: with";
        assert_eq!(said.stderr.contains(asks), state == "locked", "{state}: {}", said.stderr);
        let hints = said.stderr.lines();
        let hint =
            hints.into_iter().find_map(|line| line.strip_prefix("hint: with gnome-keyring: ")).unwrap();

        let info = "sh no-run asks for a password without systemd; surroundings.rs runs it";
        let portable = documents::block("docs/platforms.md", info);
        let line = if interpreter == "fish" { &portable } else { hint };

        let mut shell = Shell::start(&world);
        shell.send_line("cd");
        // At a terminal without a prompter, nobody waits for a prompt that does not come.
        shell.send_line(&format!("\"$CORTI_AUTH\" {login}"));
        shell.expect(error);
        shell.assert_ended("4");
        shell.send_line(&format!("{interpreter} {}", world.file("hint", line)));
        shell.expect("Password");
        // An empty password would make a keyring that anybody can open, or unlock none.
        shell.send_line("");
        shell.expect("GNOME_KEYRING_CONTROL");
        shell.assert_ended("0");
        shell.send_line(&format!("\"$CORTI_AUTH\" {login}"));
        shell.expect("without a keyring: corti-auth login --store file -e eu --client-id acme\r\n");
        shell.assert_ended("4");
        shell.send_line(&format!("{interpreter} hint"));
        shell.expect("Password");
        shell.send_line("private");
        let shown = shell.expect("GNOME_KEYRING_CONTROL");
        assert!(!shown.replace("private-bus", "").contains("private"), "{interpreter}: {shown}");
        shell.assert_ended("0");
        shell.send_line(&format!("\"$CORTI_AUTH\" {login}"));
        shell.expect("stored without verifying");
        shell.assert_ended("0");
    }
}

#[test]
fn where_nobody_logs_in_the_hint_names_the_variables() {
    let sandbox = Sandbox::start();
    let world = World::new();
    let secret = world.private_file("secret", &sandbox.client_secret);
    // As cron and systemd start a job.
    let job = |variables: &[(&str, &str)]| {
        let mut command = world.run("token --scope transcribe");
        Said::by(command.env_clear().env("PATH", "/usr/bin:/bin").envs(variables.iter().copied()))
    };
    let said = job(&[]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    let hint = "export CORTI_ENVIRONMENT=eu CORTI_CLIENT_ID=ID CORTI_CLIENT_SECRET_FILE=FILE";
    assert!(said.stderr.contains(hint), "{}", said.stderr);
    let environment = &sandbox.environment;
    let names = ["CORTI_ENVIRONMENT", "CORTI_CLIENT_ID", "CORTI_CLIENT_SECRET_FILE"];
    let variables: Vec<_> = names.into_iter().zip([environment.as_str(), "sandbox", &secret]).collect();
    assert_eq!(job(&variables).code, 0);
}

#[test]
fn systemd_accepts_the_unit_of_the_documents() {
    let world = World::new();
    let unit = documents::block("docs/platforms.md", "ini");
    let verify = |unit: &str| {
        let file = world.file("job.service", unit.replace("/usr/bin/corti-auth", "/bin/true"));
        Said::by(world.program("systemd-analyze").args(["verify", "--man=no", &file]))
    };
    let said = verify(&unit);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let wrong = verify(&unit.replace("LoadCredential", "LoadCredentials"));
    assert!(wrong.stderr.contains("LoadCredentials"), "{}", wrong.stderr);
}
