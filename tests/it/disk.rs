//! A full disk, a home that cannot be written and a file that cannot be read: a clear error, and nothing is lost.

use crate::common::{self, Said, World};

const FILE: &str = "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"eu\"\ntenant = \"base\"\nclient-id = \"acme\"\nstore = \"file\"\n";

/// Runs `commands` with a file system of 64 KB as the configuration folder, and prints the configuration at the end.
fn in_small_disk(world: &World, prepare: &str, commands: &[&str]) -> Said {
    let secret = world.file("secret", "anything");
    let passphrase = world.file("passphrase", "correct horse");
    std::fs::create_dir_all(world.config_folder()).unwrap();
    let commands: String = commands
        .iter()
        .map(|words| format!("\"$CORTI_AUTH\" {words}; echo \"code $?\" >&2\n"))
        .collect::<Vec<_>>()
        .concat();
    let script = format!(
        "set -e; cd \"$CONFIG\"; mount -t tmpfs -o size=64k,mode=0700 small .; cd \"$CONFIG\"
         chmod 600 '{passphrase}'; printf %s '{FILE}' > config.toml; chmod 600 config.toml; : > config.lock; mkdir secrets
         set +e; {prepare}
         {commands}
         cat config.toml; ls secrets"
    );
    let script = script.replace("SECRET", &secret);
    let mut shell = world.program("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", &script]).env("CORTI_AUTH", common::binary());
    shell.env("CONFIG", world.config_folder()).env("CORTI_AUTH_PASSPHRASE_FILE", passphrase);
    Said::by(&mut shell)
}

const WRITERS: [&str; 2] = [
    "login -p dev --no-verify --secret-file SECRET",
    "login -p other -e eu --client-id other --store file --no-verify --secret-file SECRET",
];

#[test]
fn a_full_disk_changes_nothing() {
    let world = World::new();
    let said = in_small_disk(&world, "dd if=/dev/zero of=fill bs=1k 2> /dev/null", &WRITERS);
    // The login of a new profile writes the configuration first, that of an existing one the secret.
    for code in ["code 4", "code 3"] {
        assert_eq!(said.stderr.matches(code).count(), 1, "{}", said.stderr);
    }
    assert!(
        said.stderr.contains("no storage space") || said.stderr.contains("No space left"),
        "{}",
        said.stderr
    );
    assert_eq!(said.stdout, FILE, "untouched, and no secret is half stored");
}

#[test]
fn a_read_only_home_is_an_error() {
    let world = World::new();
    let mut commands = WRITERS.to_vec();
    commands.push("profile use dev");
    let said = in_small_disk(&world, "mount -o remount,ro .", &commands);
    // Choosing the default profile again writes nothing, but needs the lock.
    assert_eq!(said.stderr.matches("code 3").count(), 3, "{}", said.stderr);
    assert!(said.stderr.contains("config.lock") || said.stderr.contains("cannot lock"), "{}", said.stderr);
    assert_eq!(said.stdout, FILE);
}

#[test]
fn a_configuration_that_cannot_be_read_is_an_error() {
    let world = World::new();
    world.write_config(FILE);
    let file = world.config_folder().join("config.toml");
    if rustix::process::geteuid().is_root() {
        // Root can read every file, so it gets a folder in place of the file.
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
    } else {
        common::chmod(&file, 0o000);
    }
    for arguments in ["profile list", "token --full", "profile use dev", "status"] {
        let said = Said::by(&mut world.run(arguments));
        assert_eq!(said.code, 3, "{arguments}: {}", said.stderr);
        assert!(
            said.stderr.contains("cannot read") || said.stderr.contains("it is not a file"),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains("hint: ls -ld"), "{}", said.stderr);
    }
}
