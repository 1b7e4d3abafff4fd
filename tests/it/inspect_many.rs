//! Many tokens through `inspect`: one line of output for each, at once, whatever the others are, in constant memory.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::common::control::Control;
use crate::common::{Running, Said, Sandbox, World, binary, forged, wait_until};

fn token(client: &str, exp: i64) -> String {
    forged(
        &json!({ "alg": "RS256" }),
        &json!({ "typ": "Bearer", "azp": client, "exp": exp, "scope": "openid streams" }),
    )
}

const FAR: i64 = 9_999_999_999;

/// A running command that the test writes to and reads from.
struct Interactive {
    running: Running,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
}

impl Interactive {
    fn start(world: &World, arguments: &str) -> Self {
        let mut command = Command::new(binary());
        command.env_clear().envs(world.variables()).args(arguments.split_whitespace());
        let mut child: Child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let stderr = child.stderr.take().unwrap();
        Self { running: Running(child), stdin, stdout, stderr }
    }

    fn send(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The next line, which must come without more input.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Closes stdin and returns the exit code and stderr.
    fn end(mut self) -> (i32, String) {
        drop(self.stdin.take());
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        (self.running.wait().unwrap(), stderr)
    }

    /// Its peak memory in KiB.
    #[cfg(target_os = "linux")]
    fn peak(&self) -> u64 {
        crate::common::memory(self.running.0.id(), "VmHWM").unwrap()
    }
}

#[test]
fn each_line_has_a_line_of_output_and_the_worst_decides_the_exit_code() {
    let text = format!("{}\n\n  Bearer {}\r\nhello\n{}", token("a", FAR), token("b", FAR), token("c", 1));
    let said = Said::by(World::new().run("inspect").write_stdin(text.clone()));
    assert_eq!(said.code, 7);
    assert!(
        said.stderr.contains("2 of 4 lines have no valid token") && said.stderr.contains("sed -n 4p FILE"),
        "{}",
        said.stderr
    );
    let lines: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let clients: Vec<_> = lines.iter().map(|line| line["client_id"].as_str()).collect();
    assert_eq!(clients, [Some("a"), Some("b"), None, Some("c")]);
    assert_eq!(lines.iter().map(|line| line["line"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert_eq!((&lines[1]["cleaned"], &lines[3]["expired"]), (&json!(["bearer"]), &json!(true)));
    assert!(lines[2]["error"].as_str().unwrap().contains("no token in this text"), "{}", lines[2]);
    assert!(lines.iter().all(|line| line["schema"] == "corti-auth/inspect/v1"));
    let fields = Said::by(World::new().run("inspect --field client_id").write_stdin(text.clone()));
    assert_eq!((fields.code, fields.stdout.as_str()), (7, "a\nb\n\nc\n"));
    let json = Said::by(World::new().run("inspect --field client_id --json").write_stdin(text));
    let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schema = "corti-auth/inspect/v1";
    assert_eq!(lines[0], json!({ "schema": schema, "line": 1, "client_id": "a" }));
    assert_eq!((json.code, lines.len(), &lines[3]["client_id"]), (7, 4, &json!("c")));
    assert!(lines[2]["error"].as_str().unwrap().contains("no token in this text"), "{}", lines[2]);
    let good = format!("{}\n{}\n", token("a", FAR), token("b", FAR));
    for (flags, code) in [("", 0), ("--require-scope streams", 0), ("--require-scope transcribe", 10)] {
        let said = Said::by(World::new().run(&format!("inspect --json {flags}")).write_stdin(good.clone()));
        assert_eq!((said.code, said.stdout.lines().count()), (code, 2), "{flags}: {}", said.stderr);
    }
    let mut junk = b"\xff\xff\n".to_vec();
    junk.extend(token("a", FAR).bytes());
    let said = Said::by(World::new().run("inspect --lines").write_stdin(junk));
    assert!(
        said.code == 7 && said.stdout.starts_with('{') && said.stdout.contains("it is not text"),
        "{}",
        said.stdout
    );
    assert_eq!(
        Said::by(World::new().run("inspect --lines").write_stdin("\n\n")).code,
        7,
        "no token is no success"
    );
}

#[test]
fn after_a_heading_line_the_hint_is_lines() {
    let (token, other) = (token("a", FAR), token("b", FAR));
    let long = format!("tokens of today\n{}", format!("{token}\n{other}\n").repeat(3000));
    for text in [format!("tokens of today\n{token}\n{other}\n"), long] {
        let said = Said::by(World::new().run("inspect").write_stdin(text));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""));
        assert!(
            said.stderr.contains("each line by itself: corti-auth inspect --lines < FILE"),
            "{}",
            said.stderr
        );
        assert!(!said.stderr.contains("encrypted"), "two tokens are no JWE: {}", said.stderr);
    }
    let mut bytes = b"\xff\n".to_vec();
    bytes.extend(token.bytes());
    for text in [bytes, format!("#\n{token}\n{token}\n").into_bytes()] {
        let said = Said::by(World::new().run("inspect --field client_id").write_stdin(text));
        assert_eq!((said.code, said.stdout.as_str()), (0, "a\n"), "{}", said.stderr);
    }
    // With --lines, a line with two tokens fails.
    let two_on_a_line = [format!("{token} {other}"), format!("{token}\nor {other} {token}")];
    for text in ["hello\nworld", "eyJ.a.", "Bearer"].map(str::to_owned).into_iter().chain(two_on_a_line) {
        assert!(
            !Said::by(World::new().run("inspect").write_stdin(text.as_str())).stderr.contains("--lines"),
            "{text}"
        );
    }
}

#[test]
fn one_token_is_one_object_without_a_line_number() {
    for text in [token("a", FAR), format!("\n{}\n\n", token("a", FAR))] {
        let said = Said::by(World::new().run("inspect --json").write_stdin(text.clone()));
        assert!(said.code == 0 && said.json()["line"].is_null(), "{}", said.stdout);
        let said = Said::by(World::new().run("inspect --lines").write_stdin(text));
        assert!(said.json()["line"].is_u64(), "{}", said.stdout);
    }
    let wrapped = token("a", FAR).replace('.', ".\n");
    assert_eq!(Said::by(World::new().run("inspect --json").write_stdin(wrapped)).json()["client_id"], "a");
}

#[test]
fn each_line_is_answered_at_once() {
    let mut talk = Interactive::start(&World::new(), "inspect --lines");
    for client in ["a", "b"] {
        talk.send(&format!("{}\n", token(client, FAR)));
        assert_eq!(talk.next()["client_id"], client);
    }
    let third = token("c", FAR);
    let (head, tail) = third.split_at(20);
    talk.send(head);
    talk.send(&format!("{tail}\n"));
    assert_eq!(talk.next()["client_id"], "c");
    assert_eq!(talk.end().0, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_of_100_mb_is_refused_early_and_memory_stays_small() {
    let mut talk = Interactive::start(&World::new(), "inspect --lines");
    let megabyte = "x".repeat(1024 * 1024);
    talk.send(&megabyte);
    let refusal = talk.next();
    assert!(refusal["error"].as_str().unwrap().contains("longer than 262144 bytes"), "{refusal}");
    for _ in 1..100 {
        talk.send(&megabyte);
    }
    talk.send(&format!("\n{}\n", token("a", FAR)));
    let after = talk.next();
    assert_eq!((&after["line"], &after["client_id"]), (&json!(2), &json!("a")));
    // A pipe holds a hundred at once, so neither side waits for the other.
    let hundred = format!("{}\n", token("b", FAR)).repeat(100);
    for _ in 0..200 {
        talk.send(&hundred);
        (0..100).for_each(|_| assert_eq!(talk.next()["client_id"], "b"));
    }
    assert!(talk.peak() < 50 * 1024, "{} KiB", talk.peak());
    let (code, stderr) = talk.end();
    assert!(code == 7 && stderr.contains("1 of 20002 lines has no valid token"), "{stderr}");
    // Without --lines, no more is read than is searched for a token.
    let mut talk = Interactive::start(&World::new(), "inspect");
    for _ in 0..66 {
        let _ = talk.stdin.as_mut().unwrap().write_all(megabyte.as_bytes());
    }
    let mut stderr = String::new();
    talk.stderr.read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("longer than"), "{stderr}");
    assert_eq!(talk.running.wait(), Some(7), "while standard input is still open");
}

#[test]
fn it_ends_quietly_when_nobody_reads_its_output() {
    let mut talk = Interactive::start(&World::new(), "inspect --lines");
    let lines = format!("{}\n", token("a", FAR)).repeat(100);
    talk.send(&lines);
    talk.next();
    let Interactive { mut running, stdin, stdout, mut stderr } = talk;
    drop(stdout);
    let mut stdin = stdin.unwrap();
    let mut status = None;
    wait_until("it has noticed", || {
        // This fails once the command has ended.
        let _ = stdin.write_all(lines.as_bytes());
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!((status.unwrap().code(), said.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn keys_are_fetched_again_for_an_unknown_key_once_a_minute() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let mint = || Said::by(&mut world.run("token --full")).stdout;
    let mut talk = Interactive::start(&world, "inspect --lines --verify -v");
    for _ in 0..2 {
        talk.send(&mint());
        assert_eq!(talk.next()["verification"]["valid"], true);
    }
    Control::of(&sandbox).rotate(true).await;
    talk.send(&mint());
    assert_eq!(talk.next()["verification"]["valid"], true, "the new key was asked for");
    for index in 0..50 {
        let header = json!({ "alg": "RS256", "kid": format!("unknown-{index}") });
        talk.send(&format!("{}\n", forged(&header, &json!({ "exp": FAR }))));
        assert_eq!(talk.next()["verification"]["valid"], false);
    }
    Control::of(&sandbox).rotate(true).await;
    talk.send(&mint());
    assert_eq!(talk.next()["verification"]["valid"], false, "within a minute nobody is asked again");
    let (code, stderr) = talk.end();
    assert_eq!(code, 7);
    assert_eq!(stderr.lines().filter(|line| line.contains("/certs -> 200")).count(), 2, "{stderr}");
}

#[test]
fn control_c_ends_the_wait_for_more_tokens() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let mut talk = Interactive::start(&world, "inspect --lines --verify");
    talk.send(&Said::by(&mut world.run("token --full")).stdout);
    assert_eq!(talk.next()["verification"]["valid"], true);
    talk.running.interrupt();
    assert_eq!(talk.running.wait(), Some(130));
}
