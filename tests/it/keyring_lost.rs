//! A keyring that stops answering during a change: the change may or may not be made, and the message says so.
//! Running the same command again completes it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::common::fake_server::listen;
use crate::common::keyring::{daemon, lookup, store};
use crate::common::{self, Keyring, Running, Said, World, signal};

/// A server that accepts every secret. It answers its first request only when it is told to.
struct Server {
    environment: String,
    asked: Receiver<()>,
    go_on: Sender<()>,
}

impl Server {
    fn start() -> Self {
        let (listener, environment) = listen();
        let ((tell, asked), (go_on, wait)) = (channel(), channel());
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                read_request(&mut stream);
                if number == 0 {
                    let _ = tell.send(());
                    let _ = wait.recv();
                }
                let body =
                    r#"{"access_token":"eyJ.e30.c","expires_in":300,"token_type":"Bearer","scope":"openid"}"#;
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
                let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
            }
        });
        Self { environment, asked, go_on }
    }
}

fn read_request(stream: &mut TcpStream) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !request.windows(14).any(|part| part == b"client_secret=") {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "{request:?}");
        request.extend_from_slice(&chunk[..count]);
    }
}

/// Runs a command, and calls `happens` while it waits for the configuration's lock, which is its last step before it
/// changes the keyring. A command that verifies a secret asks `server` before that.
fn run(world: &World, words: &[&str], server: Option<&Server>, happens: impl FnOnce()) -> Said {
    let (stdout, stderr) = (world.file("stdout", ""), world.file("stderr", ""));
    let place = world.config_folder().join("config.lock");
    let lock = |place| {
        let lock = File::create(place).unwrap();
        lock.lock().unwrap();
        lock
    };
    let held_before = server.is_none().then(|| lock(&place));
    let mut command = Command::new(common::binary());
    command.env_clear().envs(world.variables()).args(words).stdin(Stdio::null());
    command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
    let mut running = Running(command.spawn().unwrap());
    let held = held_before.unwrap_or_else(|| {
        let server = server.unwrap();
        server.asked.recv().unwrap();
        let held = lock(&place);
        server.go_on.send(()).unwrap();
        held
    });
    common::wait_until("it waits for the configuration", || running.has_open(&place));
    happens();
    drop(held);
    let code = running.wait().unwrap();
    let text = |path| std::fs::read_to_string(path).unwrap();
    Said { code, stdout: text(stdout), stderr: text(stderr) }
}

/// Runs a command whose keyring stops just before the change and continues after the command.
fn run_stopped(world: &World, words: &[&str], server: Option<&Server>) -> Said {
    let daemon = daemon(world);
    let said = run(world, words, server, || assert!(signal(daemon, "STOP")));
    assert!(signal(daemon, "CONT"));
    assert_eq!(said.code, 4, "{}", said.stderr);
    said
}

/// Checks that the message leaves the outcome open, and says what to do.
fn assert_uncertain(said: &Said, changed: &str) {
    assert!(said.stderr.contains(&format!("may or may not be {changed}")), "{}", said.stderr);
    assert!(said.stderr.contains("waiting for the keyring (up to 3 s)\n"), "{}", said.stderr);
    assert!(said.stderr.contains("the keyring did not answer within 3 s"), "{}", said.stderr);
    assert!(!said.stderr.contains(&format!("not {changed}")), "{}", said.stderr);
    let hint = "hint: once the keyring answers, run the same command again\n";
    assert!(said.stderr.contains(hint), "{}", said.stderr);
}

fn profile(environment: &str) -> String {
    format!(
        "[profiles.a]\nenvironment = \"{environment}\"\ntenant = \"base\"\nclient-id = \"x\"\nstore = \"keyring\"\n"
    )
}

#[test]
fn a_rotation_says_that_the_secret_may_be_stored() {
    let (server, keyring) = (Server::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let user = format!("{}/base/x", server.environment);
    world.write_config(&format!("{}credential = \"{}\"\n", profile(&server.environment), "07".repeat(16)));
    store(&world, &user, "old");
    let file = world.file("secret", "new");
    let words = ["rotate", "-p", "a", "--secret-file", &file];
    let said = run_stopped(&world, &words, Some(&server));
    assert_uncertain(&said, "stored");
    assert!(!world.config().contains("credential"), "no token can be found by an id: {}", world.config());
    world.run_words(&words).assert().success();
    assert_eq!(lookup(&world, &user), "new");
}

#[test]
fn a_login_keeps_the_new_profile() {
    let (server, keyring) = (Server::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let user = format!("{}/base/x", server.environment);
    let file = world.file("secret", "new");
    let words = ["login", "-p", "a", "-e", &server.environment, "--client-id", "x", "--secret-file", &file];
    let said = run_stopped(&world, &words, Some(&server));
    assert_uncertain(&said, "stored");
    assert!(world.config().contains("[profiles.a]"), "{}", world.config());
    world.run_words(&words).assert().success();
    assert_eq!(lookup(&world, &user), "new");
}

#[test]
fn an_import_says_that_the_secret_may_be_stored() {
    let (server, keyring) = (Server::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let user = format!("{}/base/x", server.environment);
    let text = format!("ENVIRONMENT={}\nCLIENT_ID=x\nCLIENT_SECRET=new\n", server.environment);
    let file = world.file("acme.env", text);
    let words = ["profile", "import", &file, "-p", "a", "--yes"];
    let said = run_stopped(&world, &words, Some(&server));
    assert_uncertain(&said, "stored");
    assert!(world.config().contains("[profiles.a]"), "{}", world.config());
    world.run_words(&words).assert().success();
    assert_eq!(lookup(&world, &user), "new");
}

#[test]
fn a_logout_says_that_the_secret_may_be_removed() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    for words in [&["logout", "-p", "a"][..], &["logout", "--all", "--json"]] {
        world.write_config(&profile("eu"));
        store(&world, "eu/base/x", "old");
        let said = run_stopped(&world, words, None);
        if words.contains(&"--json") {
            let row = &said.json()["profiles"][0];
            assert!(row["removed"].is_null(), "{row}");
            assert!(row["failure"].as_str().unwrap().contains("may or may not be removed"), "{row}");
        } else {
            assert_uncertain(&said, "removed");
            world.run_words(words).assert().success();
            assert_eq!(lookup(&world, "eu/base/x"), "");
        }
    }
}

#[test]
fn a_profile_whose_secret_may_be_stored_is_not_removed() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    world.write_config(&profile("eu"));
    store(&world, "eu/base/x", "old");
    let words = ["profile", "remove", "a"];
    let said = run_stopped(&world, &words, None);
    assert_uncertain(&said, "removed");
    assert_eq!(world.config(), profile("eu"));
    world.run_words(&words).assert().success();
    assert_eq!((lookup(&world, "eu/base/x").as_str(), world.config().contains("[profiles.a]")), ("", false));
}

/// Locked before the change, so the outcome is certain.
#[test]
fn a_locked_keyring_says_that_the_secret_is_not_stored() {
    let (server, keyring) = (Server::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let file = world.file("secret", "new");
    let words = ["login", "-p", "a", "-e", &server.environment, "--client-id", "x", "--secret-file", &file];
    let said = run(&world, &words, Some(&server), || {
        let mut send = world.program("dbus-send");
        send.args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
        ]);
        send.args([
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ]);
        send.assert().success();
    });
    assert_eq!((said.code, world.config().as_str()), (4, ""), "{}", said.stderr);
    assert!(said.stderr.contains("the secret is not stored"), "{}", said.stderr);
}
