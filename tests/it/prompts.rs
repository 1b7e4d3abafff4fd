//! Questions on a real terminal: answers, Ctrl-C, and that the terminal is restored.

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::shell::Shell;
use crate::common::{self, Keyring, Sandbox, World};

#[test]
fn a_login_can_be_answered_on_a_terminal() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" login");
    shell.expect("Environment");
    // Down twice, to "other".
    shell.session.send("\u{1b}[B\u{1b}[B\r").unwrap();
    shell.session.flush().unwrap();
    shell.expect("Environment (a label or a URL)");
    shell.send_line("http://example.com");
    shell.expect("is not a Corti environment");
    shell.send_line(&sandbox.environment);
    shell.expect("Tenant");
    shell.send_line("");
    shell.expect("Client id");
    shell.send_line("sandbox");
    shell.expect("Client secret");
    shell.send_line(&sandbox.client_secret);
    let seen = shell.expect("logged in");
    assert!(!seen.contains(&sandbox.client_secret), "the secret is not shown");
    shell.assert_ended("0");
    world.run("token --full").assert().success();
}

/// A terminal passes on lines of at most 4095 bytes, and drops the rest.
#[test]
fn a_secret_may_be_longer_than_a_terminals_line() {
    let secret = "a".repeat(4090) + "0123456789";
    let (sandbox, keyring) = (Sandbox::with_secret(&secret), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let mut shell = Shell::start(&world);
    let Sandbox { environment, .. } = &sandbox;
    shell.send_line(&format!("\"$CORTI_AUTH\" login -e {environment} -t base --client-id sandbox"));
    shell.expect("Client secret");
    // An empty line is no answer, erased characters do not count, and the second line is dropped.
    for typed in ["\r", "wrong\u{15}", &secret, "x\u{7f}\recho pasted\r"] {
        shell.session.send(typed).unwrap();
        shell.session.flush().unwrap();
    }
    let seen = shell.expect("logged in");
    assert!(!seen.contains("aaa") && !seen.contains("wrong"), "it is not shown: {seen}");
    shell.assert_ended("0");
    world.run("token --full").assert().success();
}

#[test]
fn an_import_needs_a_yes_and_no_is_the_default() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let Sandbox { environment, client_secret, .. } = &sandbox;
    world.file(
        ".env",
        format!("ENVIRONMENT={environment}\nCLIENT_ID=sandbox\nCLIENT_SECRET={client_secret}\n"),
    );
    let mut shell = Shell::start(&world);
    shell.send_line("cd");
    for (answer, code) in [("", "130"), ("n", "130"), ("No", "130"), ("yes", "0")] {
        shell.send_line("\"$CORTI_AUTH\" profile import .env --quiet");
        let seen = shell.expect("Import it as profile `default`? [y/N]: ");
        assert!(seen.contains("sandbox  (from CLIENT_ID)") && !seen.contains(client_secret), "{seen}");
        assert_eq!(world.config(), "");
        shell.send_line(answer);
        shell.assert_ended(code);
    }
    world.run("token --full").assert().success();
    shell.send_line("\"$CORTI_AUTH\" profile import .env");
    shell.expect("Import it as profile");
    shell.session.send_control('c').unwrap();
    shell.assert_ended("130");
}

#[test]
fn a_rotation_can_be_answered_on_a_terminal() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    let stale = world.file("stale", "stale");
    let login = [
        "login",
        "-e",
        &sandbox.environment,
        "--client-id",
        "sandbox",
        "--no-verify",
        "--secret-file",
        &stale,
    ];
    world.run_words(&login).assert().success();
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" rotate");
    shell.expect("Corti Console: API Clients");
    shell.expect("New client secret");
    shell.session.send_control('c').unwrap();
    shell.assert_ended("130");
    shell.send_line("\"$CORTI_AUTH\" rotate");
    shell.expect("New client secret");
    shell.send_line(&sandbox.client_secret);
    let seen = shell.expect("no longer works");
    assert!(!seen.contains(&sandbox.client_secret), "the secret is not shown");
    shell.assert_ended("0");
}

#[test]
fn control_c_restores_the_terminal() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut shell = Shell::start(&world);
    for (arguments, question) in [
        ("", "Environment"),
        ("-e eu", "Tenant"),
        ("-e eu -t base", "Client id"),
        ("-e eu -t base --client-id x", "Client secret"),
    ] {
        shell.send_line(&format!("\"$CORTI_AUTH\" login {arguments}"));
        shell.expect(question);
        shell.session.send_control('c').unwrap();
        shell.assert_ended("130");
    }
    assert_eq!(world.config(), "");
}

#[test]
fn a_signal_ends_a_question_and_restores_the_terminal() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let login =
        format!("\"$CORTI_AUTH\" login -e http://{} -t base --client-id x", silent.local_addr().unwrap());
    let mut shell = Shell::start(&world);
    silent.set_nonblocking(true).unwrap();
    for (signal, code) in [("TERM", "143"), ("HUP", "129"), ("QUIT", "131")] {
        for (command, question) in [("\"$CORTI_AUTH\" login", "Environment"), (&login, "Client secret")] {
            shell.send_line(command);
            shell.expect(question);
            shell.signal(signal);
            shell.assert_ended(code);
        }
        // A signal after the question ends the command as well.
        shell.send_line(&login);
        shell.expect("Client secret");
        shell.send_line("y");
        shell.expect("\n");
        let mut connection = None;
        common::wait_until("it asks the server", || {
            connection = silent.accept().ok();
            connection.is_some()
        });
        shell.signal(signal);
        shell.assert_ended(code);
    }
    assert_eq!(world.config(), "");
}

#[test]
fn after_a_question_signals_still_reach_the_program() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let secret = world.file("secret", &sandbox.client_secret);
    let mut shell = Shell::start(&world);
    shell.send_line(&format!(
        "\"$CORTI_AUTH\" login -e {} --client-id sandbox --store file --secret-file {secret} -t base",
        sandbox.environment
    ));
    for question in ["Passphrase for the encrypted file", "The same passphrase again"] {
        shell.expect(question);
        shell.send_line("battery");
    }
    shell.assert_ended("0");
    for (signal, code) in [("TERM", "7"), ("HUP", "7")] {
        let program = "trap 'echo caught; exit 7' TERM HUP; echo re\"\"ady; while :; do sleep 0.1; done";
        shell.send_line(&format!(
            "\"$CORTI_AUTH\" exec --full --no-cache --refresh-url -- sh -c \"{}\"",
            program.replace('"', "\\\"")
        ));
        shell.expect("Passphrase of the encrypted file");
        shell.send_line("battery");
        shell.expect("ready");
        shell.signal(signal);
        shell.expect("caught");
        shell.assert_ended(code);
    }
}

#[test]
fn with_no_input_or_in_ci_nothing_is_asked() {
    let keyring = Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let mut shell = Shell::start(&world);
    for command in [
        "\"$CORTI_AUTH\" login --no-input",
        "CI=true \"$CORTI_AUTH\" login",
        "CORTI_AUTH_NO_INPUT=1 \"$CORTI_AUTH\" login",
    ] {
        shell.send_line(command);
        shell.expect("missing: the environment, the client id and the client secret");
        shell.assert_ended("2");
    }
}

#[test]
fn secret_stdin_on_a_terminal_is_refused() {
    let world = World::new();
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" login --secret-stdin");
    let seen = shell.expect("--secret-stdin needs a pipe");
    assert!(!seen.contains("Environment"), "{seen}");
    shell.assert_ended("2");
}

#[test]
fn a_full_token_on_a_terminal_comes_with_a_warning() {
    let sandbox = Sandbox::start();
    let mut world = World::new();
    world.use_client(&sandbox);
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" token --full");
    shell.expect("acts as the client itself");
    shell.assert_ended("0");
}

#[test]
fn a_passphrase_is_typed_twice_and_asked_for_once() {
    let (sandbox, mut world) = (Sandbox::start(), World::new());
    world.set("CORTI_SECRET_FILE", &world.file("secret", &sandbox.client_secret));
    let mut shell = Shell::start(&world);
    let login = format!(
        "\"$CORTI_AUTH\" login -e {} -t base --client-id sandbox --store file --secret-file \"$CORTI_SECRET_FILE\"",
        sandbox.environment
    );
    for (third, outcome, code) in
        [("staple", "the two passphrases differ", "4"), ("battery", "logged in", "0")]
    {
        shell.send_line(&login);
        for (question, again) in
            [("Pass", "x"), ("The passphrases differ. Pass", "y"), ("The passphrases differ. Pass", third)]
        {
            shell.expect(&format!("{question}phrase for the encrypted file: "));
            shell.send_line("battery");
            shell.expect("The same passphrase again: ");
            shell.send_line(again);
        }
        shell.expect(outcome);
        shell.assert_ended(code);
    }
    shell.send_line("\"$CORTI_AUTH\" token --scope streams | wc -l");
    shell.expect("Passphrase of the encrypted file");
    shell.send_line("battery");
    shell.assert_ended("0");
    shell.send_line("\"$CORTI_AUTH\" token --full");
    shell.expect("Passphrase of the encrypted file");
    shell.session.send_control('c').unwrap();
    shell.assert_ended("130");
    shell.send_line("\"$CORTI_AUTH\" token --full");
    shell.expect("Passphrase of the encrypted file");
    shell.send_line("wrong");
    shell.expect("the passphrase does not open");
    shell.assert_ended("4");
}

#[test]
fn with_a_locked_keyring_a_message_says_that_a_prompt_may_wait() {
    let keyring = Keyring::in_state("locked");
    let world = World::with_keyring(&keyring);
    world.write_config(
        "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"eu\"\nclient-id = \"acme\"\n",
    );
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" token --full");
    shell.expect("waiting for the keyring to be unlocked (up to 120 s)");
    // Nobody can unlock it here. Its later answer "no such entry" is not believed.
    shell.expect("error");
    shell.expect("the keyring is locked");
    shell.assert_ended("4");
    // No secret is asked for that could not be stored.
    shell.send_line("\"$CORTI_AUTH\" login -e eu -t base --client-id acme --no-verify");
    shell.expect("waiting for the keyring to be unlocked (up to 120 s)");
    shell.expect("error");
    shell.expect("the keyring is locked");
    shell.assert_ended("4");
}

#[test]
fn a_rejected_secret_can_be_typed_again_without_the_other_answers() {
    let (sandbox, world) = (Sandbox::start(), World::new());
    let mut shell = Shell::start(&world);
    for (third, outcome, code) in [
        ("wrong", "error", "5"),
        (sandbox.client_secret.as_str(), "Passphrase for the encrypted file: ", "130"),
    ] {
        shell.send_line(&format!("\"$CORTI_AUTH\" login -e {} --store file", sandbox.environment));
        shell.expect(&format!("Logging in to {} (from flags)", sandbox.environment));
        shell.expect("Tenant");
        shell.send_line("");
        shell.expect("Client id");
        shell.send_line("sandbox");
        for (typed, left) in [("wrong", "2 tries"), ("hunter2", "1 try")] {
            let before = shell.expect("Client secret (not shown): ");
            assert!(!before.contains("Passphrase"), "it is asked for once there is a secret: {before}");
            shell.send_line(typed);
            shell.expect("Corti rejected the secret of client sandbox (");
            shell.expect(&format!("({left} left)"));
        }
        let before = shell.expect("Client secret (not shown): ");
        assert!(!before.contains("Client id") && !before.contains("Tenant"), "{before}");
        shell.send_line(third);
        shell.expect(outcome);
        if code == "130" {
            shell.session.send_control('c').unwrap();
        }
        shell.assert_ended(code);
    }
    assert!(!world.config().contains("profiles"), "{}", world.config());
}

#[test]
fn a_rejected_new_secret_can_be_typed_again() {
    let (sandbox, mut world) = (Sandbox::start(), World::new());
    world.use_passphrase();
    let stale = world.file("stale", "stale");
    let login = format!("login -e {} --client-id sandbox --store file", sandbox.environment);
    world.run(&format!("{login} --no-verify --secret-file {stale}")).assert().success();
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" rotate");
    shell.expect("New client secret (not shown): ");
    shell.send_line("wrong");
    shell.expect("(2 tries left)");
    shell.expect("New client secret (not shown): ");
    shell.send_line(&sandbox.client_secret);
    shell.expect("rotated");
    shell.assert_ended("0");
}

#[test]
fn a_secret_is_removed_with_its_profile_after_a_yes() {
    let mut world = World::new();
    world.use_passphrase();
    let secret = world.file("secret", "anything");
    let login = |profile: &str, id: &str| {
        let command = format!("login -p {profile} -e eu --client-id {id} --store file --no-verify");
        world.run(&format!("{command} --secret-file {secret}")).assert().success();
    };
    login("a", "x");
    let mut shell = Shell::start(&world);
    let question = "Remove `a` and the secret of client x (eu, tenant base)? [y/N]: ";
    let before = world.config();
    for answer in ["", "n"] {
        shell.send_line("\"$CORTI_AUTH\" profile remove a");
        shell.expect(question);
        shell.send_line(answer);
        shell.expect("cancelled; nothing was removed");
        shell.assert_ended("130");
        assert_eq!(world.config(), before);
    }
    shell.send_line("\"$CORTI_AUTH\" profile remove a");
    shell.expect(question);
    shell.send_line("what");
    shell.expect("type y or n");
    shell.send_line("y");
    shell.expect("profile `a` and its secret are removed");
    shell.assert_ended("0");
    // Nobody is asked if no secret goes, or if nothing may be asked.
    for (command, said) in [
        ("profile remove b --keep-secret", "`b` is removed"),
        ("profile remove b --no-input", "and its secret are removed"),
        ("profile remove b < /dev/null", "and its secret are removed"),
        ("logout -p b; \"$CORTI_AUTH\" profile remove b", "`b` is removed"),
    ] {
        login("b", "y");
        shell.send_line(&format!("\"$CORTI_AUTH\" {command}"));
        let before = shell.expect(said);
        assert!(!before.contains("[y/N]"), "{before}");
        shell.assert_ended("0");
    }
}

#[test]
fn plain_prompts_are_numbered_lines_without_control_sequences() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let world = World::with_keyring(&keyring);
    for (number, plain) in ["TERM=dumb", "ACCESSIBLE=1 NO_COLOR=1"].into_iter().enumerate() {
        let mut shell = Shell::start(&world);
        shell.send_line(&format!("{plain} \"$CORTI_AUTH\" login -p p{number}"));
        let mut seen = shell.expect("Environment:\r\n  1. eu\r\n  2. us\r\n  3. other\r\nNumber [1]: ");
        shell.send_line("4");
        seen += &shell.expect("type a number from 1 to 3");
        shell.send_line("3");
        seen += &shell.expect("Environment (a label or a URL): ");
        shell.send_line("http://example.com");
        seen += &shell.expect("is not a Corti environment");
        shell.send_line(&sandbox.environment);
        seen += &shell.expect("Tenant [base]: ");
        shell.send_line("");
        seen += &shell.expect("Client id: ");
        shell.send_line("sandbox");
        seen += &shell.expect("Client secret (not shown): ");
        shell.send_line(&sandbox.client_secret);
        seen += &shell.expect("logged in");
        shell.assert_ended("0");
        shell.send_line(&format!("{plain} \"$CORTI_AUTH\" profile remove p{number}"));
        seen += &shell.expect("[y/N]: ");
        shell.send_line("y");
        seen += &shell.expect("its secret are removed");
        shell.assert_ended("0");
        for (key, code) in [('c', "130"), ('d', "2")] {
            shell.send_line(&format!("{plain} \"$CORTI_AUTH\" login"));
            seen += &shell.expect("Number [1]: ");
            shell.session.send_control(key).unwrap();
            shell.assert_ended(code);
        }
        assert!(!seen.contains('\u{1b}') && !seen.contains(&sandbox.client_secret), "{seen:?}");
    }
}

#[test]
fn a_wait_is_named_with_its_limit() {
    let server = FakeServer::start(vec![Answer::Silence]);
    let world = World::client_of(&server.environment);
    let mut shell = Shell::start(&world);
    let text = "waiting for the authorization server (up to 500 s)";
    for (plain, shown) in [("", format!("| {text}")), ("TERM=dumb", format!("\n{text}\r\n"))] {
        shell.send_line(&format!("{plain} \"$CORTI_AUTH\" token --full --timeout 500s"));
        let before = shell.expect(&shown);
        assert!(plain.is_empty() || !before.contains('\u{1b}'), "{before:?}");
        shell.session.send_control('c').unwrap();
        shell.assert_ended("130");
    }
}
