//! Runs the commands of README.md and docs/ as they are written there, and checks the links between the pages.
//!
//! The word after ```` ```sh ```` says how a block is run; GitHub does not show it.
//!
//! - none: by bash, which stops at the first failure. All such blocks of a page share one shell.
//! - `exits N`: the same, for a block that ends with the exit code N.
//! - `terminal`: line by line at a terminal; [`ANSWERS`] has the answers.
//! - `no-run REASON`: not at all. [`only_listed_blocks_are_not_run`] lists these.
//!
//! A `console` block has a command after `$ ` and its output. A sandbox replaces `eu`, and nothing else is changed.

use std::path::{Path, PathBuf};

use crate::common::shell::Shell;
use crate::common::{self, Keyring, Said, Sandbox, World, pass};
use crate::{docs_ci, probe};

/// What is on the reader's machine before the page's first command.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    /// No profile.
    New,
    /// A profile with a good secret.
    LoggedIn,
    /// A profile with a secret that Corti has replaced.
    StaleSecret,
}

/// Makes a test of each page, and the list of all pages.
macro_rules! pages {
    ($($test:ident: $path:literal, $start:ident;)*) => {
        const PAGES: &[&str] = &[$($path),*];
        $(#[test] fn $test() { run($path, Start::$start); })*
    };
}

pages! {
    contributing: "CONTRIBUTING.md", New;
    readme: "README.md", New;
    security: "SECURITY.md", New;
    capacity: "docs/capacity.md", New;
    ci: "docs/ci.md", New;
    configuration: "docs/configuration.md", LoggedIn;
    engines: "docs/engines.md", New;
    exit_codes: "docs/exit-codes.md", New;
    getting_started: "docs/getting-started.md", New;
    install: "docs/install.md", New;
    platforms: "docs/platforms.md", LoggedIn;
    real_peers: "docs/real-peers.md", New;
    rotating: "docs/rotating.md", StaleSecret;
    sandbox: "docs/sandbox.md", New;
    security_model: "docs/security-model.md", LoggedIn;
    serve: "docs/serve.md", New;
    stores: "docs/stores.md", LoggedIn;
    support: "docs/support.md", LoggedIn;
    tokens: "docs/tokens.md", LoggedIn;
}

/// What is typed at a terminal: for each command, its questions and their answers. `ENVIRONMENT` and `SECRET` are the
/// sandbox's.
const ANSWERS: [(&str, &[(&str, &str)]); 3] = [
    (
        "corti-auth login",
        &[
            // Down twice, to "other".
            ("Environment", "\u{1b}[B\u{1b}[B"),
            ("Environment (a label or a URL)", "ENVIRONMENT"),
            ("Tenant", ""),
            ("Client id", "acme-dev"),
            ("Client secret", "SECRET"),
        ],
    ),
    ("corti-auth rotate", &[("New client secret", "SECRET")]),
    ("corti-auth profile import", &[("Import it as profile", "y")]),
];

/// Makes bash stop at a failure and name the command; `DO_NOT_STOP` undoes it.
const STOP: &str = "trap 'echo \"failed with $?: $BASH_COMMAND\" >&2' ERR; set -e\n";
const DO_NOT_STOP: &str = "trap - ERR; set +e\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The text of a page, by its path from the repository's root.
pub fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The one block of a page with this info string.
pub fn block(path: &str, info: &str) -> String {
    let found = blocks(path).into_iter().find(|block| block.info == info);
    found.unwrap_or_else(|| panic!("{path} has no block `{info}`")).text
}

/// A fenced block of a page.
struct Block {
    info: String,
    text: String,
}

fn blocks(path: &str) -> Vec<Block> {
    let page = page(path);
    let parts: Vec<&str> = page.split("```").collect();
    assert!(parts.len() % 2 == 1, "{path}: a block is not closed");
    let fenced = parts.iter().skip(1).step_by(2);
    fenced
        .map(|part| {
            let (info, text) = part.split_once('\n').unwrap();
            Block { info: info.to_owned(), text: text.to_owned() }
        })
        .collect()
}

/// The reader's machine, with the files that the pages mention.
struct Machine {
    sandbox: Sandbox,
    world: World,
    _keyring: Keyring,
}

impl Machine {
    fn new(start: Start) -> Self {
        let sandbox = Sandbox::start_with(&["--client-id", "acme-dev"]);
        let keyring = Keyring::unlocked();
        let mut world = World::with_keyring(&keyring);
        let tools = world.home().join("bin");
        std::fs::create_dir(&tools).unwrap();
        std::os::unix::fs::symlink(common::binary(), tools.join("corti-auth")).unwrap();
        world.set("PATH", &format!("{}:{}", tools.display(), common::path()));
        for program in ["job", "smoke-test"] {
            let file = world.file(program, docs_ci::PROGRAM);
            common::chmod(file, 0o755);
        }
        let Sandbox { environment, client_secret, .. } = &sandbox;
        for file in ["secret.txt", "new-secret.txt"] {
            world.private_file(file, client_secret);
        }
        world.private_file(".corti-passphrase", "a passphrase for tests");
        world.file(
            ".env",
            format!(
                "CORTI_ENVIRONMENT={environment}\nCORTI_CLIENT_ID=acme-dev\nCORTI_CLIENT_SECRET={client_secret}\n"
            ),
        );
        world.file("speech.wav", probe::wav(1000));
        match start {
            Start::New => (),
            Start::LoggedIn => log_in(&world, environment, client_secret),
            Start::StaleSecret => log_in(&world, environment, "stale"),
        }
        Self { sandbox, world, _keyring: keyring }
    }

    /// Files as support gets them: tokens, an answer, a websocketUrl.
    fn add_files_for_support(&self) {
        self.script(
            "corti-auth token --full > works.txt
            corti-auth token --scope transcribe | tee token.txt > fails.txt
            corti-auth token --scope transcribe --format header |
                curl -si -H @- https://api.eu.corti.app/v2/languages/ > answer.txt
            corti-auth interaction create --connect-url > url.txt",
        );
    }

    /// The text with the sandbox's address in place of `eu`.
    fn with_sandbox(&self, text: &str) -> String {
        let environment = &self.sandbox.environment;
        text.replace("https://api.eu.corti.app", environment)
            .replace("CORTI_ENVIRONMENT=eu", &format!("CORTI_ENVIRONMENT={environment}"))
            .replace("-e eu", &format!("-e {environment}"))
    }

    fn bash(&self, script: &str) -> Said {
        let script = self.with_sandbox(script);
        Said::by(self.world.program("bash").current_dir(self.world.home()).args(["-c", &script]))
    }

    /// Runs a script that stops at the first failure, and names the command that failed.
    fn script(&self, script: &str) {
        let said = self.bash(&format!(
            "set -eEuo pipefail
            trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
            {STOP}{script}"
        ));
        assert_eq!(said.code, 0, "{script}\n{}{}", said.stdout, said.stderr);
        for stream in [&said.stdout, &said.stderr] {
            assert!(!stream.contains(&self.sandbox.client_secret), "the secret is shown: {script}");
        }
    }

    /// Types the lines at a terminal.
    fn terminal(&self, lines: &str) {
        let mut shell = Shell::start(&self.world);
        shell.send_line("cd");
        shell.assert_ended("0");
        for line in lines.lines() {
            shell.send_line(line);
            let answers = ANSWERS.iter().find(|(command, _)| line.starts_with(command));
            for (question, answer) in answers.map_or(&[][..], |(_, answers)| answers) {
                shell.expect(question);
                let Sandbox { environment, client_secret, .. } = &self.sandbox;
                let answer = answer.replace("ENVIRONMENT", environment).replace("SECRET", client_secret);
                shell.session.send(&format!("{answer}\r")).unwrap();
                shell.session.flush().unwrap();
            }
            shell.assert_ended("0");
        }
    }

    /// Runs the command in the first line, and compares what it prints.
    fn console(&self, block: &str) {
        let (command, shown) = block.strip_prefix("$ ").and_then(|block| block.split_once('\n')).unwrap();
        let printed = self.bash(&format!("exec 2>&1; {command}")).stdout;
        assert_eq!(
            without_changing_words(shown),
            without_changing_words(&printed),
            "`{command}` prints now:\n{printed}"
        );
    }
}

/// Logs in as the profile `default` without verification.
fn log_in(world: &World, environment: &str, secret: &str) {
    let file = world.file("stored", secret);
    let words =
        ["login", "-e", environment, "--client-id", "acme-dev", "--no-verify", "--secret-file", &file];
    world.run_words(&words).assert().success();
    std::fs::remove_file(file).unwrap();
}

/// Replaces what differs from run to run: words with a digit, and spaces at the end of lines.
fn without_changing_words(text: &str) -> String {
    let word = |word: &str| {
        if word.contains(|c: char| c.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| line.trim_end().split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether the block with this info string is run.
fn is_run(path: &str, info: &str) -> bool {
    match info.split(' ').collect::<Vec<_>>()[..] {
        ["sh" | "console"] | ["sh", "terminal"] | ["sh", "exits", _] => true,
        ["sh", "no-run", _, ..] | ["yaml" | "groovy" | "toml" | "ini" | "js" | "powershell", ..] => false,
        _ => panic!("{path}: nobody knows how to run a block `{info}`"),
    }
}

/// Runs every block of a page, from top to bottom.
fn run(path: &str, start: Start) {
    let mut blocks = blocks(path);
    blocks.retain(|block| is_run(path, &block.info));
    if blocks.is_empty() {
        return;
    }
    let mut machine = Machine::new(start);
    match path {
        "docs/stores.md" => {
            let secret = machine.sandbox.client_secret.clone();
            pass::keep(&mut machine.world, &secret);
        }
        "docs/support.md" => machine.add_files_for_support(),
        _ => (),
    }
    let mut script = Vec::new();
    for Block { info, text } in blocks {
        match info.split(' ').collect::<Vec<_>>()[..] {
            ["sh"] => script.push(text),
            ["sh", "exits", code] => {
                let other = "{ echo \"exits with $code\" >&2; exit 99; }";
                script.push(format!("{DO_NOT_STOP}{text}code=$?; test $code = {code} || {other}\n{STOP}"));
            }
            ["sh", "terminal"] => {
                machine.script(&std::mem::take(&mut script).concat());
                machine.terminal(&text);
            }
            ["console"] => machine.console(&text),
            _ => unreachable!("{path}: {info}"),
        }
    }
    machine.script(&script.concat());
    if path == "docs/stores.md" {
        pass::stop(&machine.world);
    }
}

#[test]
fn every_page_is_listed() {
    let mut found: Vec<String> = ["CONTRIBUTING.md", "README.md", "SECURITY.md"].map(str::to_owned).into();
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    found.extend(docs.filter(|file| file != "docs/serve-page.png" && file != "docs/screens"));
    found.sort();
    assert_eq!(found, PAGES);
}

#[test]
fn only_listed_blocks_are_not_run() {
    let mut found = Vec::new();
    for path in PAGES {
        for block in blocks(path) {
            if let Some(reason) = block.info.strip_prefix("sh no-run ") {
                found.push(format!("{path}: {reason}"));
            }
        }
    }
    let known = [
        "CONTRIBUTING.md: runs these tests",
        "README.md: compiles the program",
        "README.md: needs a release",
        "README.md: compiles the program",
        "README.md: runs these tests",
        "docs/capacity.md: takes a minute, in a checkout",
        "docs/engines.md: needs an engine",
        "docs/engines.md: needs root and an engine",
        "docs/install.md: needs a release",
        "docs/install.md: needs a release",
        "docs/install.md: needs a registry with the packages",
        "docs/install.md: compiles the program",
        "docs/install.md: needs a release",
        "docs/platforms.md: asks for a password; surroundings.rs runs it",
        "docs/platforms.md: asks for a password without systemd; surroundings.rs runs it",
        "docs/platforms.md: needs root",
        "docs/platforms.md: needs WSL",
        "docs/platforms.md: needs WSL",
        "docs/platforms.md: needs macOS",
        "docs/platforms.md: needs macOS",
        "docs/real-peers.md: needs Keycloak and the SDK",
        "docs/real-peers.md: needs Keycloak and the SDK",
        "docs/serve.md: it serves until it is stopped",
        "docs/serve.md: it serves until it is stopped",
        "docs/serve.md: needs root and systemd",
        "docs/serve.md: needs a cluster",
        "docs/stores.md: needs an account with each secret manager",
    ];
    assert_eq!(found, known);
}

#[test]
fn every_link_has_a_target() {
    for path in PAGES.iter().chain(&["ARCHITECTURE.md", "CHANGELOG.md"]) {
        for link in links(&page(path)) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { (*path).to_owned() } else { resolve(path, file) };
            assert!(root().join(&target).exists(), "{path}: {link}");
            if !heading.is_empty() {
                assert!(anchors(&page(&target)).contains(&heading.to_owned()), "{path}: {link}");
            }
        }
    }
}

/// The targets of a page's links: what is in `](…)`.
fn links(page: &str) -> Vec<String> {
    let prose: String = page.split("```").step_by(2).collect();
    prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// The target of a link as a path from the repository's root.
fn resolve(from: &str, file: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        if part == ".." {
            let _ = parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let kept = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
    let headings = page.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| heading.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.chars().filter(|c| kept(*c)).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn the_readme_is_short() {
    let lines = page("README.md").lines().count();
    assert!(lines <= 150, "{lines} lines");
}

#[test]
fn the_example_configuration_is_accepted() {
    let world = World::new();
    world.write_config(&block("docs/configuration.md", "toml"));
    let shown = Said::by(&mut world.run("profile show --profile eu-dev"));
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{}", shown.stdout);
}
