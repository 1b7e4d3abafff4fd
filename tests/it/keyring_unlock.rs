//! A locked gnome-keyring with its unlock prompt on a display: the password is typed, or the prompt is dismissed.

use std::process::{Child, Command, Stdio};

use crate::common::shell::Shell;
use crate::common::{self, Keyring, World};

/// Runs the desktop's prompter on a display of its own, and types `$KEYS` into its window until the window closes.
const DESKTOP: &str = r#"
    trap 'kill $prompter $display' EXIT
    exec {number}<> <(:)
    # Two that start at once may choose the same number, and one of them ends.
    for ((i = 0; i < 5; i++)); do
      Xvfb -displayfd "$number" -screen 0 640x480x24 -nolisten tcp & display=$!
      for ((j = 0; j < 50; j++)); do read -r -t 0.2 -u "$number" name && break 2; kill -0 $display || break; done
    done
    export DISPLAY=":$name"
    /usr/libexec/gcr-prompter & prompter=$!
    shown() { xdotool search --onlyvisible --class prompter; }
    for ((i = 0; i < 300; i++)); do ! shown || break; sleep 0.1; done
    for ((i = 0; i < 30; i++)); do shown || break; sleep 0.5; eval "$KEYS"; sleep 0.5; done
    sleep 1"#;

struct Desktop(Child);

impl Desktop {
    fn start(world: &World, keys: &str) -> Self {
        let mut bash = Command::new("bash");
        bash.env_clear().envs(world.variables()).env("KEYS", keys).args(["-c", DESKTOP]);
        let desktop = bash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        common::wait_until("the prompter is on the bus", || {
            let owned = ["org.freedesktop.DBus.NameHasOwner", "string:org.gnome.keyring.SystemPrompter"];
            let mut send = world.program("dbus-send");
            send.args(["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/"]).args(owned);
            String::from_utf8(send.output().unwrap().stdout).unwrap().contains("true")
        });
        Self(desktop)
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}

#[test]
fn the_keyring_is_unlocked_once_before_the_secret_is_asked_for() {
    let keyring = Keyring::in_state("locked");
    let world = World::with_keyring(&keyring);
    let desktop = Desktop::start(&world, "xdotool key ctrl+a; xdotool type private; xdotool key Return");
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" login -e eu -t base --client-id acme --no-verify");
    shell.expect("waiting for the keyring to be unlocked (up to 120 s)");
    shell.expect("secret");
    shell.send_line("typed after it");
    shell.expect("stored without verifying");
    shell.assert_ended("0");
    drop(desktop);
    let mut lookup = world.program("secret-tool");
    lookup.args(["lookup", "service", "corti-auth", "username", "eu/base/acme"]);
    assert_eq!(lookup.output().unwrap().stdout, b"typed after it");
}

#[test]
fn a_dismissed_prompt_leaves_the_keyring_locked() {
    let keyring = Keyring::in_state("locked");
    let world = World::with_keyring(&keyring);
    let text = "default-profile = \"a\"\n[profiles.a]\nenvironment = \"eu\"\nclient-id = \"acme\"\n";
    world.write_config(text);
    let desktop = Desktop::start(&world, "xdotool key Escape");
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" profile remove a");
    shell.expect("waiting for the keyring to be unlocked (up to 120 s)");
    // While the prompt waits, another process can change the configuration.
    world.run("profile rename a b").assert().success();
    shell.expect("the keyring is locked");
    shell.assert_ended("4");
    drop(desktop);
    assert_eq!(world.config(), text.replace("\"a\"", "\"b\"").replace("profiles.a", "profiles.b"));
}

#[test]
fn a_keyring_that_dies_during_its_prompt_is_an_error() {
    let keyring = Keyring::in_state("locked");
    let world = World::with_keyring(&keyring);
    let bus = "dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus /";
    let id = "org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets";
    let desktop = Desktop::start(&world, &format!("kill $({bus} {id} | awk '{{print $NF}}')"));
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" login -e eu -t base --client-id acme --no-verify");
    shell.expect("waiting for the keyring to be unlocked (up to 120 s)");
    // The shell waits 20 s for text, and the prompt's own limit is two minutes.
    shell.expect("no keyring is running");
    shell.assert_ended("4");
    drop(desktop);
}
