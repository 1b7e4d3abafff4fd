//! `sandbox -- CMD`: a program runs with the sandbox's variables and none of the user's, and both end together.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use crate::common::{self, Said, Sandbox, World};

/// Runs a shell script with a sandbox of its own. `$0` is this tool.
fn run(world: &World, script: &str) -> Said {
    let binary = common::binary().display().to_string();
    Said::by(&mut world.run_words(&["sandbox", "--", "sh", "-c", script, &binary]))
}

#[test]
fn a_program_reaches_the_sandbox_and_stdout_is_its_own() {
    let said = run(&World::new(), "\"$0\" token transcribe | \"$0\" inspect --field scopes");
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{}", said.stdout);
    assert!(said.stdout.contains("transcribe"), "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
}

#[test]
fn it_exits_as_the_program_does() {
    for (script, code) in [("exit 0", 0), ("exit 42", 42)] {
        let said = run(&World::new(), script);
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (code, "", ""), "{script}");
    }
    let missing = Said::by(&mut World::new().run("sandbox -- nosuch-program"));
    assert_eq!(missing.code, 127);
    assert!(missing.stderr.contains("nosuch-program: command not found"), "{}", missing.stderr);
}

/// The caller sees the same signal, and nothing is left behind.
#[test]
fn a_signal_that_ended_the_program_ends_it_too() {
    let world = World::new();
    let ready = world.home().join("ready.json");
    let script = "test -e \"$0\" && echo \"$CORTI_AUTH_CONFIG_DIR\" && kill -TERM $$";
    let ready_text = ready.display().to_string();
    let words = ["sandbox", "--ready-file", &ready_text, "--", "sh", "-c", script, &ready_text];
    let ended = world.run_words(&words).output().unwrap();
    assert_eq!(ended.status.signal(), Some(15));
    let folder = String::from_utf8(ended.stdout).unwrap();
    assert!(!Path::new(folder.trim()).parent().unwrap().exists(), "{folder}");
    assert!(!ready.exists());
}

/// The sandbox that the program used does not answer any more.
#[test]
fn the_sandbox_ends_with_the_program() {
    let world = World::new();
    let said = run(&world, "echo $CORTI_ENVIRONMENT");
    let port: u16 = said.stdout.trim().rsplit_once(':').unwrap().1.parse().unwrap();
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}

#[test]
fn the_users_clients_and_folders_are_not_the_programs() {
    let other = Sandbox::start();
    let mut world = World::new();
    let config = format!(
        "[profiles.of-the-user]\nenvironment = \"{}\"\nclient-id = \"of-the-user\"\n",
        other.environment
    );
    world.write_config(&config);
    for name in ["CORTI_ACCESS_TOKEN", "CORTI_AUTH_PROFILE", "CORTI_CLIENT_SECRET_FILE", "CORTI_ANY"] {
        world.set(name, "of-the-user");
    }
    world.set("CREDENTIALS_DIRECTORY", "/run/credentials/of-the-user");
    world.set("UNRELATED", "kept");
    let said = run(&world, "env; \"$0\" status; \"$0\" profile list; \"$0\" token full > /dev/null");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        !said.stdout.contains("of-the-user") && !said.stdout.contains(&other.environment),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("UNRELATED=kept"), "{}", said.stdout);
    assert_eq!(world.config(), config);
    let folder = said.stdout.lines().find_map(|line| line.strip_prefix("CORTI_AUTH_CONFIG_DIR=")).unwrap();
    assert!(!Path::new(folder).parent().unwrap().exists(), "{folder} is removed");
}
