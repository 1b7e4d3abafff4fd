//! Where a secret may be sent: a profile's only to its own environment, tenant and client, whatever the store; one
//! from variables wherever the user says. Tests every source of a secret with every command that uses one and every
//! override.

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{Keyring, Said, Sandbox, World};

const SECRET: &str = "canary-secret-7";

/// Every command that uses a secret.
const COMMANDS: [&str; 17] = [
    "token --scope transcribe",
    "token --full --no-cache",
    "token --full --refresh",
    "exec --full -- true",
    "exec --full --refresh-url -- true",
    "status",
    "status --online",
    "interaction create",
    "interaction list",
    "interaction get 00000000-0000-4000-8000-000000000000",
    "interaction delete 00000000-0000-4000-8000-000000000000 --yes",
    "session transcribe",
    "session streams",
    "probe transcribe",
    "probe streams",
    "check --full",
    "rotate --secret-file FILE",
];

/// The profile's own environment and another one, on servers that record every request, and a keyring.
struct Servers {
    own: FakeServer,
    other: FakeServer,
    keyring: Keyring,
}

impl Servers {
    fn new() -> Self {
        let server = || FakeServer::start(vec![Answer::http("404 Not Found", &[], "")]);
        Self { own: server(), other: server(), keyring: Keyring::unlocked() }
    }

    /// A world whose default profile keeps its secret in the store of `options`.
    fn profile(&self, options: &[&str]) -> World {
        let mut world = World::with_keyring(&self.keyring);
        world.use_passphrase();
        let login = ["login", "-e", &self.own.environment, "--client-id", "acme", "--no-verify"];
        world.run_words(&[&login[..], options].concat()).write_stdin(SECRET).assert().success();
        let _ = std::fs::remove_file(marker(&world));
        world
    }

    /// All requests so far that may contain a secret.
    fn all_requests(&self) -> String {
        self.own.requests().into_iter().chain(self.other.requests()).collect()
    }
}

/// The file that the secret command creates.
fn marker(world: &World) -> std::path::PathBuf {
    world.home().join("was-run")
}

fn run(world: &World, command: &str, overriding: &[(&str, &str)]) -> Said {
    let file = world.file("new-secret", "another-secret-7");
    let flags = overriding.iter().filter(|(name, _)| name.starts_with('-'));
    let flags = flags.fold(String::new(), |text, (name, value)| format!("{text} {name} {value}"));
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    let mut command = world.run(&format!("{name}{flags} {}", rest.replace("FILE", &file)));
    Said::by(command.envs(overriding.iter().filter(|(name, _)| !name.starts_with('-')).copied()))
}

#[test]
fn a_profiles_secret_is_used_only_for_its_own_client() {
    let servers = Servers::new();
    let other = servers.other.environment.as_str();
    let overrides: [&[(&str, &str)]; 6] = [
        &[("-e", other)],
        &[("-t", "other")],
        &[("CORTI_ENVIRONMENT", other)],
        &[("CORTI_TENANT_NAME", "other")],
        &[("CORTI_ENVIRONMENT", other), ("CORTI_AUTH_PROFILE", "default")],
        &[("-e", other), ("-p", "default"), ("-t", "other")],
    ];
    let script = format!("sh -c 'touch \"$HOME/was-run\"; printf %s {SECRET}'");
    for (store, options) in [
        ("command", &["--secret-command", script.as_str()][..]),
        ("keyring", &["--secret-stdin"]),
        ("file", &["--store", "file", "--secret-stdin"]),
    ] {
        let world = servers.profile(options);
        for command in COMMANDS {
            for overriding in overrides {
                let said = run(&world, command, overriding);
                let what = format!("{store}, {command}, {overriding:?}: {}", said.stderr);
                assert!(!marker(&world).exists(), "the secret command was run by {what}");
                assert_eq!(servers.all_requests(), "", "{what}");
                assert_eq!(said.code, 4, "{what}");
                assert!(said.stderr.contains("the secret of profile `default` is for"), "{what}");
            }
            // A client id without its secret is no client.
            let said = run(&world, command, &[("CORTI_CLIENT_ID", "another")]);
            assert_eq!(said.code, 3, "{store}, {command}: {}", said.stderr);
        }
    }
}

#[test]
fn doctor_does_not_use_a_profiles_secret_elsewhere() {
    let (sandbox, servers) = (Sandbox::start(), Servers::new());
    let script = format!("sh -c 'touch \"$HOME/was-run\"; printf %s {SECRET}'");
    for options in [
        &["--secret-command", script.as_str()][..],
        &["--secret-stdin"],
        &["--store", "file", "--secret-stdin"],
    ] {
        let world = servers.profile(options);
        // A realm that passes every check, so the secret would be sent.
        for overriding in [("-e", sandbox.environment.as_str()), ("CORTI_ENVIRONMENT", &sandbox.environment)]
        {
            let said = run(&world, "doctor", &[overriding]);
            let what = format!("{options:?}, {overriding:?}: {}", said.stdout);
            assert!(!marker(&world).exists(), "{what}");
            assert!(said.stdout.contains("the secret of profile `default` is for"), "{what}");
            assert_eq!(said.code, 4, "{what}");
        }
    }
}

#[test]
fn the_profiles_own_environment_is_no_override() {
    let servers = Servers::new();
    let world = servers.profile(&["--secret-stdin"]);
    let own = servers.own.environment.as_str();
    for same in [[("-e", own), ("-t", "base")], [("CORTI_ENVIRONMENT", own), ("CORTI_TENANT_NAME", "base")]] {
        let said = run(&world, "token --full --no-cache", &same);
        assert_eq!(said.code, 8, "it answers 404 to everything: {}", said.stderr);
    }
    assert_eq!(servers.all_requests().matches(SECRET).count(), 2, "{}", servers.all_requests());
}

#[test]
fn a_secret_from_variables_is_sent_where_variables_and_options_say() {
    let servers = Servers::new();
    let (own, other) = (servers.own.environment.as_str(), servers.other.environment.as_str());
    for mounted in [false, true] {
        let mut world = World::new();
        world.set("CORTI_ENVIRONMENT", own);
        world.set("CORTI_CLIENT_ID", "acme");
        let (name, value) = if mounted {
            ("CORTI_CLIENT_SECRET_FILE", world.private_file("mounted", SECRET))
        } else {
            ("CORTI_CLIENT_SECRET", SECRET.to_owned())
        };
        world.set(name, &value);
        let before = (servers.own.requests().len(), servers.other.requests().len());
        run(&world, "token --full --no-cache", &[]);
        run(&world, "token --full --no-cache", &[("-e", other)]);
        let after = (servers.own.requests().len(), servers.other.requests().len());
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1), "{name}");
        for command in COMMANDS {
            run(&world, command, &[("-e", other)]);
            run(&world, command, &[("CORTI_ENVIRONMENT", other), ("-t", "other")]);
        }
        assert_eq!(servers.own.requests().len(), after.0, "{name}: only where the last word says");
        // Without an environment nobody said where the secret may go, and the profile's environment is not used.
        world.write_config(&format!(
            "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"{other}\"\nclient-id = \"acme\"\n"
        ));
        world.set("CORTI_ENVIRONMENT", "");
        let sent = servers.other.requests().len();
        for command in COMMANDS.iter().filter(|command| !command.starts_with("rotate")) {
            let said = run(&world, command, &[]);
            assert_eq!(said.code, 3, "{name}, {command}: {}", said.stderr);
        }
        assert_eq!(servers.other.requests().len(), sent, "{name}");
    }
}
