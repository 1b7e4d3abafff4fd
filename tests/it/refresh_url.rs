//! `exec --refresh-url`: the program gets fresh tokens for as long as it runs, and nothing else does.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::cached::Cached;
use crate::common::control::{Answer, Control, client};
use crate::common::lines::lines;
use crate::common::{self, Running, Said, Sandbox, World, wait_until};

/// Asks for a fresh token like docs/tokens.md.
const ASK: &str = "curl -s --noproxy '*' -H \"Authorization: Bearer $CORTI_AUTH_REFRESH_TOKEN\" \"$CORTI_AUTH_REFRESH_URL\"";

fn world(sandbox: &Sandbox) -> World {
    let mut world = World::of(sandbox);
    world.set("ASK", ASK);
    world
}

/// Runs `exec --refresh-url` with a shell script as the program.
fn exec(world: &World, flags: &str, script: &str) -> Said {
    let words: Vec<&str> =
        flags.split_whitespace().chain(["--refresh-url", "--", "sh", "-c", script]).collect();
    Said::by(&mut world.run_words(&[&["exec"], words.as_slice()].concat()))
}

/// `exec --refresh-url` with a running program.
struct Job {
    child: Running,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    url: String,
    bearer: String,
}

impl Job {
    /// Runs `script` after two lines that print the URL and the bearer.
    fn start(world: &World, script: &str) -> Self {
        let script = format!("echo $CORTI_AUTH_REFRESH_URL; echo $CORTI_AUTH_REFRESH_TOKEN; {script}");
        let mut command = Command::new(common::binary());
        command.env_clear().envs(world.variables()).args([
            "exec",
            "--scope",
            "streams",
            "--refresh-url",
            "--",
        ]);
        command.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let lines = lines(stdout);
        let mut job = Self { child: Running(child), stdin, lines, url: String::new(), bearer: String::new() };
        (job.url, job.bearer) = (job.line(), job.line());
        job
    }

    fn line(&mut self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// A request with the right bearer, not sent yet.
    fn request(&self) -> reqwest::RequestBuilder {
        client().get(&self.url).header("authorization", format!("Bearer {}", self.bearer))
    }

    fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        self.child.end()
    }
}

#[tokio::test]
async fn only_a_request_with_the_bearer_gets_a_fresh_token() {
    let sandbox = Sandbox::start();
    let job = Job::start(&world(&sandbox), "cat");
    for _ in 0..2 {
        let answer = Answer::to(job.request()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["content-type"], "application/json");
        let token = answer.json();
        assert_eq!((&token["expiresIn"], &token["tenantName"]), (&json!(300), &json!("base")));
        let mut inspect = World::new().run("inspect --json");
        let inspected = Said::by(inspect.write_stdin(token["accessToken"].as_str().unwrap())).json();
        assert_eq!(inspected["reach"], "limited", "{inspected}");
    }
    let base = job.url.strip_suffix("/token").unwrap();
    let bearer = format!("Bearer {}", job.bearer);
    for (request, status) in [
        (client().get(&job.url), 401),
        (client().get(&job.url).header("authorization", "Bearer wrong"), 401),
        (job.request().header("origin", "null"), 403),
        (job.request().header("origin", base), 403),
        (job.request().header("host", base.replace("http://127.0.0.1", "localhost")), 403),
        (job.request().header("host", "evil.example"), 403),
        (client().post(&job.url).header("authorization", &bearer), 405),
        (client().get(base).header("authorization", &bearer), 404),
    ] {
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(!answer.body.contains("eyJ") && !answer.body.contains(&job.bearer), "{}", answer.body);
    }
    assert_eq!(Control::of(&sandbox).token_requests().await, 3);
    let request = job.request();
    assert!(job.end().success());
    assert!(request.send().await.unwrap_err().is_connect(), "it ends with the program");
}

/// A fresh token has at least 150 s left; the SDK asks for another one 120 s before the end.
#[tokio::test]
async fn a_cached_token_that_lives_long_enough_is_returned() {
    for (lifetime, requests) in [("300s", 1), ("140s", 3)] {
        let sandbox = Sandbox::start_with(&["--token-lifetime", lifetime]);
        let mut world = Cached::of(&sandbox);
        world.set("ASK", ASK);
        let said = exec(&world, "--full", "eval \"$ASK\" > /dev/null; eval \"$ASK\"");
        assert!(
            said.code == 0 && said.json()["expiresIn"].as_i64() > Some(60),
            "{}{}",
            said.stdout,
            said.stderr
        );
        assert_eq!(Control::of(&sandbox).token_requests().await, requests, "{lifetime}");
    }
}

#[test]
fn after_the_program_ended_no_token_is_handed_out() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    let script = "(while kill -0 $PPID; do sleep 0.1; done; eval \"$ASK\"; echo curl: $? > late) < /dev/null > /dev/null 2>&1 & exit 4";
    let late = world.home().join("late");
    let mut command = world.run_words(&["exec", "--full", "--refresh-url", "--", "sh", "-c", script]);
    assert_eq!(Said::by(command.current_dir(world.home())).code, 4);
    wait_until("it has asked", || late.exists() && !std::fs::read(&late).unwrap().is_empty());
    assert_eq!(std::fs::read_to_string(&late).unwrap(), "curl: 7\n");
}

#[test]
fn the_environment_is_the_same_as_without_refresh_url() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    let script = "tr '\\0' '\\n' < /proc/self/environ; eval \"$ASK\"";
    let said = exec(&world, "--full", script);
    assert!(said.code == 0 && said.stdout.contains("\"accessToken\""), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("\nCORTI_ACCESS_TOKEN=eyJ"), "{}", said.stdout);
    assert!(!said.stdout.contains(&sandbox.client_secret), "{}", said.stdout);
    assert_eq!(said.stderr, "", "the terminal is the program's");
    let nested =
        format!("'{}' exec --full -- sh -c 'echo [$CORTI_AUTH_REFRESH_URL]'", common::binary().display());
    let [.., id, secret] = sandbox.variables().map(|(name, value)| format!("{name}={value}"));
    let said = exec(&world, "--full", &format!("{id} {secret} {nested}"));
    assert_eq!(said.stdout, "[]\n", "another token's endpoint: {}", said.stderr);
}

#[test]
fn exec_ends_like_its_program() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    for code in [0, 3, 255] {
        assert_eq!(exec(&world, "--full", &format!("exit {code}")).code, code);
    }
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("USR1", 10), ("PIPE", 13), ("ABRT", 6)] {
        let job = Job::start(&world, &format!("read x; kill -{signal} $$"));
        assert_eq!(job.end().signal(), Some(number), "{signal}");
    }
}

#[test]
fn signals_are_passed_on() {
    let sandbox = Sandbox::start();
    let world = world(&sandbox);
    // A signal interrupts `read`, and so does the end of the input, so the loop has an end.
    let traps = "for s in INT QUIT TERM HUP USR1 USR2 WINCH; do trap \"echo $s\" $s; done; echo ready; n=0; \
                 while ! read x && [ $n -lt 99 ]; do n=$((n + 1)); done; exit 9";
    let mut job = Job::start(&world, traps);
    assert_eq!(job.line(), "ready");
    for signal in ["INT", "QUIT", "TERM", "HUP", "USR1", "USR2", "WINCH"] {
        assert!(common::signal(job.child.0.id(), signal));
        assert_eq!(job.line(), signal);
    }
    std::io::Write::write_all(job.stdin.as_mut().unwrap(), b"x\n").unwrap();
    assert_eq!(job.end().code(), Some(9));
    let job = Job::start(&world, "exec sleep 600");
    assert!(common::signal(job.child.0.id(), "TERM"));
    assert_eq!(job.end().signal(), Some(15));
}

#[tokio::test]
async fn requests_at_the_same_time_share_a_mint() {
    let sandbox = Sandbox::start();
    let job = Job::start(&world(&sandbox), "cat");
    let control = Control::of(&sandbox);
    control.set(json!({ "latency_ms": 2000 })).await;
    let (client, bearer) = (client(), format!("Bearer {}", job.bearer));
    let request = || client.get(&job.url).header("authorization", &bearer);
    let questions: Vec<_> = (0..20).map(|_| tokio::spawn(Answer::to(request()))).collect();
    for request in questions {
        assert_eq!(request.await.unwrap().status, 200);
    }
    // One at the start, one for the first request, one for those that came during it. On a busy machine some come
    // later.
    let requests = control.token_requests().await;
    assert!(requests < 10, "{requests}");
}

#[tokio::test]
async fn a_failed_request_is_an_error_and_a_later_one_succeeds() {
    let sandbox = Sandbox::with_secret("canary-5d41402abc4b2a76");
    let mut world = world(&sandbox);
    let secret = world.private_file("mounted", &sandbox.client_secret);
    world.set("CORTI_CLIENT_SECRET", "");
    world.set("CORTI_CLIENT_SECRET_FILE", &secret);
    let job = Job::start(&world, "cat");
    let control = Control::of(&sandbox);
    let ask = async || {
        let answer = Answer::to(job.request()).await;
        assert!(!answer.body.contains("canary") && answer.headers["cache-control"] == "no-store");
        (answer.status, answer.json())
    };
    control.set(json!({ "fail_count": 9, "fail_status": 503 })).await;
    let (status, error) = ask().await;
    assert_eq!((status, &error["code"]), (503, &"unavailable".into()), "{error}");
    control.reset().await;
    std::fs::write(&secret, "canary-of-another").unwrap();
    let (status, error) = ask().await;
    assert_eq!((status, &error["code"]), (502, &"rejected".into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains("Corti rejected the secret of client"), "{error}");
    std::fs::write(&secret, &sandbox.client_secret).unwrap();
    let (status, token) = ask().await;
    assert!(status == 200 && token["accessToken"] != Value::Null, "{token}");
    drop(sandbox);
    assert_eq!(ask().await.0, 502);
    assert!(job.end().success());
}
