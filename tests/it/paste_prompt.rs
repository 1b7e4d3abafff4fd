//! A token that is pasted at a prompt: it is read whole and not shown, and none of the text reaches the shell.

use serde_json::json;

use crate::common::shell::Shell;
use crate::common::{Said, World, forged};

const QUESTION: &str = "Paste the token, then Enter: ";
/// What a terminal puts around a text that is pasted, once it is asked to.
const MARKS: (&str, &str) = ("\u{1b}[200~", "\u{1b}[201~");
const MARKS_ON: &str = "\u{1b}[?2004h";
const MARKS_OFF: &str = "\u{1b}[?2004l";

/// A token of more than 8 KB.
fn long_token() -> String {
    let claims = json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "pad": "x".repeat(6200) });
    let token = forged(&json!({ "alg": "RS256" }), &claims);
    assert!(token.len() > 8192);
    token
}

/// The token as a mail wraps it: more than 40 lines.
fn wrapped(token: &str) -> String {
    let lines: Vec<&str> = token.as_bytes().chunks(180).map(|it| std::str::from_utf8(it).unwrap()).collect();
    assert!(lines.len() > 40);
    lines.join("\n")
}

fn fingerprint(token: &str) -> String {
    let mut inspect = World::new().run("inspect --field fingerprint");
    Said::by(inspect.write_stdin(token)).stdout.trim().to_owned()
}

fn send(shell: &mut Shell, text: &str) {
    shell.session.send(text).unwrap();
    shell.session.flush().unwrap();
}

/// Pastes `keys`, and returns all that the terminal shows until the fingerprint is there.
fn shown(shell: &mut Shell, command: &str, keys: &[&str], fingerprint: &str) -> String {
    shell.send_line(command);
    let mut shown = shell.expect(QUESTION);
    for keys in keys {
        send(shell, keys);
    }
    shown += &shell.expect(fingerprint);
    shell.assert_ended("0");
    shown
}

#[test]
fn a_token_of_8_kb_is_read_and_not_shown() {
    let (world, token) = (World::new(), long_token());
    let (begin, end) = MARKS;
    let mut shell = Shell::start(&world);
    for keys in [format!("{token}\r"), format!("{begin}{token}{end}\r"), format!("{token}\u{4}")] {
        let shown =
            shown(&mut shell, "\"$CORTI_AUTH\" inspect --field fingerprint", &[&keys], &fingerprint(&token));
        assert!(!shown.contains("eyJ") && shown.contains(MARKS_ON), "{shown}");
    }
}

#[test]
fn a_text_of_40_lines_is_read_to_its_end() {
    let (world, token) = (World::new(), long_token());
    let (text, (begin, end)) = (wrapped(&token), MARKS);
    let mut shell = Shell::start(&world);
    let command = "\"$CORTI_AUTH\" inspect --field fingerprint";
    // The line breaks between the marks do not end it, and neither does Ctrl-D there.
    let marked = format!("\r{begin}{text}\n{end}\recho after it\r");
    let seen = shown(&mut shell, command, &[&marked], &fingerprint(&token));
    assert!(!seen.contains("not found") && !seen.contains("Ctrl-D"), "{seen}");
    // Without marks only Ctrl-D can end several lines, and it is said.
    shell.send_line(command);
    shell.expect(QUESTION);
    send(&mut shell, &format!("{text}\r\n"));
    shell.expect("Paste the rest, or press Ctrl-D: ");
    send(&mut shell, "\u{4}");
    let seen = shell.expect(&fingerprint(&token));
    assert!(!seen.contains("not found") && !seen.contains("eyJ"), "{seen}");
    shell.assert_ended("0");
}

/// More follows the end than the terminal keeps for a program that does not read.
#[test]
fn nothing_of_a_text_reaches_the_shell() {
    let world = World::new();
    let mut shell = Shell::start(&world);
    shell.send_line("cd");
    let (begin, end) = MARKS;
    let (lines, rest) = ("touch pasted\n".repeat(40), "touch pasted\n".repeat(1000));
    for (keys, code) in [
        (format!("{begin}eyJ.first\n{lines}{end}\r"), "7"),
        (format!("eyJ.first\n{lines}\u{4}"), "7"),
        (format!("{begin}eyJ.first\n{lines}\u{3}{lines}{end}\r"), "130"),
        (format!("eyJ.first\n{lines}\u{3}"), "130"),
    ] {
        shell.send_line("\"$CORTI_AUTH\" inspect");
        shell.expect(QUESTION);
        send(&mut shell, &(keys + &rest));
        shell.assert_ended(code);
        assert!(!world.home().join("pasted").exists(), "a line was run, {code}");
    }
}

#[test]
fn a_signal_restores_the_terminal() {
    let world = World::new();
    let mut shell = Shell::start(&world);
    for (signal, code) in [("TERM", "143"), ("HUP", "129")] {
        shell.send_line("\"$CORTI_AUTH\" inspect");
        shell.expect(QUESTION);
        shell.signal(signal);
        shell.expect(MARKS_OFF);
        shell.assert_ended(code);
    }
}

#[test]
fn a_plain_terminal_gets_no_control_sequences() {
    let (world, token) = (World::new(), long_token());
    let mut shell = Shell::start(&world);
    let command = "TERM=dumb \"$CORTI_AUTH\" inspect --field fingerprint";
    let shown = shown(&mut shell, command, &[&token, "\r"], &fingerprint(&token));
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn every_command_that_reads_a_token_asks_for_it() {
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", "us");
    let token = crate::common::forged_token("https://auth.eu.corti.app", "openid transcribe");
    let file = world.file("token", &token);
    let mut shell = Shell::start(&world);
    for (command, said, code) in [
        (format!("diff - {file}"), "NOT VERIFIED", "0"),
        ("explain 401 --token-file -".to_owned(), "token", "0"),
        ("check -".to_owned(), "is not sent to `us`", "7"),
    ] {
        shell.send_line(&format!("\"$CORTI_AUTH\" {command}"));
        shell.expect(QUESTION);
        send(&mut shell, &format!("{token}\r"));
        shell.expect(said);
        shell.assert_ended(code);
    }
}

#[test]
fn explain_asks_for_the_response() {
    let world = World::new();
    let mut shell = Shell::start(&world);
    let (begin, end) = MARKS;
    let error = r#"{"error":"invalid_client"}"#;
    for command in ["explain", "explain -"] {
        for keys in [
            format!("{error}\r"),
            format!("{begin}HTTP/1.1 401\n\n{error}{end}\r"),
            format!("HTTP/1.1 401\n\n{error}\u{4}"),
        ] {
            shell.send_line(&format!("\"$CORTI_AUTH\" {command}"));
            shell.expect("Paste the response, then Enter: ");
            send(&mut shell, &keys);
            let shown = shell.expect("[unknown-client]");
            assert!(!shown.contains("\"error\""), "{shown}");
            shell.assert_ended("0");
        }
    }
}

#[test]
fn nobody_is_asked_with_no_input_or_in_ci() {
    let world = World::new();
    let mut shell = Shell::start(&world);
    for command in ["\"$CORTI_AUTH\" inspect --no-input", "CI=true \"$CORTI_AUTH\" inspect -"] {
        shell.send_line(command);
        let shown = shell.expect("no token: pipe one in, or name a file");
        assert!(!shown.contains(QUESTION), "{shown}");
        shell.assert_ended("2");
    }
}
