//! Runs the examples for CI systems in docs/ci.md as they are written there, in a shell with the runner's variables.

use std::collections::BTreeMap;

use crate::common::{self, Said, Sandbox, World};
use crate::documents;

/// A runner with a job's checkout, `corti-auth` on the path, the program that the examples run, and the CI system's
/// secrets.
struct Runner {
    sandbox: Sandbox,
    world: World,
    secrets: BTreeMap<String, String>,
}

/// The program that the examples run. It fails without a token or with a secret, and records what it was given.
pub const PROGRAM: &str = r#"#!/bin/sh
test -n "$CORTI_ACCESS_TOKEN" && test -z "$CORTI_CLIENT_SECRET$CORTI_CLIENT_SECRET_FILE" || exit 90
printf %s "$CORTI_ACCESS_TOKEN" | corti-auth inspect --json > inspected.json || exit 91
printf '%s %s' "$CORTI_ENVIRONMENT" "$CORTI_TENANT_NAME" > given
if test -n "$CORTI_AUTH_REFRESH_URL"; then
  curl -s --noproxy '*' -H "Authorization: Bearer $CORTI_AUTH_REFRESH_TOKEN" "$CORTI_AUTH_REFRESH_URL" > fresh.json
fi
echo tested
"#;

impl Runner {
    fn start() -> Self {
        let (sandbox, mut world) = (Sandbox::with_secret("canary-5d41402abc4b2a76"), World::new());
        let tools = world.home().join("bin");
        std::fs::create_dir(&tools).unwrap();
        std::os::unix::fs::symlink(common::binary(), tools.join("corti-auth")).unwrap();
        world.set("PATH", &format!("{}:{}", tools.display(), common::path()));
        world.set("CI", "true");
        for name in ["smoke-test", "job"] {
            let file = world.file(name, PROGRAM);
            common::chmod(file, 0o755);
        }
        let secrets =
            [("CORTI_CLIENT_ID", &sandbox.client_id), ("CORTI_CLIENT_SECRET", &sandbox.client_secret)];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.clone())).into();
        Self { sandbox, world, secrets }
    }

    /// A value of an example as this runner sees it: `eu` is the sandbox, and expressions of the CI system are filled
    /// in.
    fn value(&self, written: &str, outputs: &BTreeMap<String, String>) -> String {
        let inserted = |open: &str, close: &str| written.strip_prefix(open)?.strip_suffix(close);
        let secret = |name: &str| self.secrets.get(name).or(outputs.get(name)).unwrap().clone();
        if written == "eu" {
            return self.sandbox.environment.clone();
        }
        if let Some(name) = inserted("${{ secrets.", " }}").or(inserted("$(", ")")) {
            return secret(name);
        }
        inserted("${{ steps.corti.outputs.", " }}")
            .map_or_else(|| written.to_owned(), |name| outputs[name].clone())
    }

    /// Runs a line of an example with these variables.
    fn run(&self, shell: &[&str], line: &str, variables: &BTreeMap<String, String>) -> Said {
        let mut command = self.world.program(shell[0]);
        command.current_dir(self.world.home()).envs(variables).args(&shell[1..]).arg(line);
        let said = Said::by(&mut command);
        assert_eq!(said.code, 0, "{line}: {}", said.stderr);
        for stream in [&said.stdout, &said.stderr] {
            assert!(!stream.contains(&self.sandbox.client_secret), "{line}: {stream}");
        }
        said
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.world.home().join(name)).unwrap()
    }

    /// Checks that the program ran with a token of this reach, and that its log has no token.
    fn assert_tested(&self, said: &Said, reach: &str) {
        assert!(said.stdout.ends_with("tested\n"), "{}", said.stdout);
        assert!(
            !said.stdout.contains("eyJ") && !said.stderr.contains("eyJ"),
            "{}{}",
            said.stdout,
            said.stderr
        );
        let inspected: serde_json::Value = serde_json::from_str(&self.text("inspected.json")).unwrap();
        assert_eq!(inspected["reach"], reach, "{inspected}");
        std::fs::remove_file(self.world.home().join("inspected.json")).unwrap();
    }

    fn assert_given_all(&self) {
        assert_eq!(self.text("given"), format!("{} base", self.sandbox.environment));
    }
}

/// The example with this info string.
fn example(info: &str) -> String {
    documents::block("docs/ci.md", info)
}

/// The variables in a part of an example, written as `NAME: value`, `NAME = 'value'` or `{ name: NAME, value: V }`.
fn variables(part: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| {
        let line = line.trim().trim_start_matches("- env:").trim_start_matches("- ");
        let flow =
            line.strip_prefix("{ name: ").and_then(|rest| rest.strip_suffix(" }")?.split_once(", value: "));
        let (name, value) = flow.or(line.split_once(": ")).or(line.split_once(" = "))?;
        name.starts_with("CORTI_").then(|| (name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    part.lines().filter_map(entry).collect()
}

/// What follows `key` on its line.
fn after<'a>(part: &'a str, key: &str) -> &'a str {
    part.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{key}: {part}"))
}

fn pairs(lines: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    lines.lines().map(|line| pair(line).unwrap()).collect()
}

#[test]
fn the_example_for_github_works() {
    let runner = Runner::start();
    let example = example("yaml github");
    let steps: Vec<&str> = example.split("\n  - ").skip(1).collect();
    let none = BTreeMap::new();
    let resolved = |step: &str, outputs: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        variables(step).into_iter().map(|(name, value)| (name, runner.value(&value, outputs))).collect()
    };
    let mut given = resolved(steps[0], &none);
    assert_eq!(given.len(), 4);
    let shell = ["bash", "-e", "-c"];
    // Log and outputs share a pipe, so their order shows what was written first.
    let file = runner.world.home().join("pipe");
    given.insert("GITHUB_OUTPUT".to_owned(), file.display().to_string());
    let line = format!("mkfifo pipe; cat pipe > log & {} > pipe; wait", after(steps[0], "run: "));
    runner.run(&shell, &line, &given);
    let log = runner.text("log");
    let mask = log.lines().next().unwrap().strip_prefix("::add-mask::").unwrap();
    let outputs = pairs(log.split_once('\n').unwrap().1);
    assert_eq!(outputs["access_token"], mask);
    // Once more as in the documentation, with a file.
    let file = runner.world.file("outputs", "");
    given.insert("GITHUB_OUTPUT".to_owned(), file);
    let said = runner.run(&shell, after(steps[0], "run: "), &given);
    let outputs = pairs(&runner.text("outputs"));
    let token = &outputs["access_token"];
    let masked = said.stdout.replacen(&format!("::add-mask::{token}\n"), "", 1);
    assert!(masked.is_empty() && !said.stderr.contains(token), "{}{}", said.stdout, said.stderr);
    runner.assert_tested(
        &runner.run(&shell, after(steps[1], "run: "), &resolved(steps[1], &outputs)),
        "limited",
    );
    runner.assert_given_all();
}

#[test]
fn the_example_for_gitlab_works() {
    let runner = Runner::start();
    let example = example("yaml gitlab");
    let jobs: Vec<&str> = example.split("\n\n").collect();
    let mut given = runner.secrets.clone();
    given.insert("CORTI_ENVIRONMENT".to_owned(), runner.sandbox.environment.clone());
    given.insert("CORTI_TENANT_NAME".to_owned(), "base".to_owned());
    given.insert("CI_PROJECT_DIR".to_owned(), runner.world.home().display().to_string());
    let shell = ["bash", "-eo", "pipefail", "-c"];
    let script = |job: &str| {
        job.lines()
            .skip_while(|line| *line != "  script:")
            .nth(1)
            .unwrap()
            .trim()
            .trim_start_matches("- ")
            .to_owned()
    };
    runner.assert_tested(&runner.run(&shell, &script(jobs[0]), &given), "limited");
    runner.assert_given_all();
    let said = runner.run(&shell, &script(jobs[1]), &given);
    assert!(
        said.stdout.is_empty() && said.stderr.contains("does not mask"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    let report = runner.text(after(jobs[1], "dotenv: "));
    assert!(!said.stderr.contains(&pairs(&report)["CORTI_ACCESS_TOKEN"]));
    runner.assert_tested(&runner.run(&shell, &script(jobs[2]), &pairs(&report)), "limited");
    runner.assert_given_all();
}

#[test]
fn the_example_for_azure_works() {
    let runner = Runner::start();
    let example = example("yaml azure");
    let (settings, steps) = example.split_once("steps:").unwrap();
    let steps: Vec<&str> = steps.split("\n  - ").skip(1).collect();
    let shell = ["bash", "--noprofile", "--norc", "-c"];
    let given = |step: &str, set: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let written = variables(settings).into_iter().chain(variables(step));
        written.map(|(name, value)| (name, runner.value(&value, set))).collect()
    };
    let said = runner.run(&shell, after(steps[0], "bash: "), &given(steps[0], &BTreeMap::new()));
    let mut set = BTreeMap::new();
    for line in said.stdout.lines() {
        // The agent removes its commands from the log; what remains is compared.
        let (properties, value) =
            line.strip_prefix("##vso[task.setvariable ").unwrap().split_once(']').unwrap();
        let name = properties.trim_start_matches("variable=").trim_end_matches(";issecret=true");
        assert_eq!(properties.ends_with(";issecret=true"), name == "CORTI_ACCESS_TOKEN", "{line}");
        set.insert(name.to_owned(), value.to_owned());
    }
    assert!(!said.stderr.contains("eyJ"), "{}", said.stderr);
    runner.assert_tested(&runner.run(&shell, after(steps[1], "bash: "), &given(steps[1], &set)), "limited");
    runner.assert_given_all();
}

#[test]
fn the_example_for_jenkins_works() {
    let runner = Runner::start();
    let example = example("groovy jenkins");
    let mut given: BTreeMap<String, String> = variables(&example)
        .into_iter()
        .map(|(name, value)| (name, runner.value(&value, &BTreeMap::new())))
        .collect();
    let names = after(&example, "usernameVariable: ").trim_end_matches(")]) {").replace('\'', "");
    let (id, secret) = names.split_once(", passwordVariable: ").unwrap();
    given.insert(id.to_owned(), runner.sandbox.client_id.clone());
    given.insert(secret.to_owned(), runner.sandbox.client_secret.clone());
    let line = after(&example, "sh '").trim_end_matches('\'');
    // Jenkins traces its commands.
    runner.assert_tested(&runner.run(&["sh", "-xe", "-c"], line, &given), "limited");
    runner.assert_given_all();
}

#[test]
fn the_example_for_kubernetes_works() {
    let runner = Runner::start();
    let example = example("yaml kubernetes");
    let file = runner.world.file("client-secret", &runner.sandbox.client_secret);
    common::chmod(&file, 0o400);
    let mut given = variables(&example);
    assert_eq!(given["CORTI_CLIENT_SECRET_FILE"], "/run/secrets/corti/client-secret");
    assert!(after(&example, "secret: ").contains("defaultMode: 0400"));
    for (name, value) in [
        ("CORTI_ENVIRONMENT", &runner.sandbox.environment),
        ("CORTI_CLIENT_ID", &runner.sandbox.client_id),
        ("CORTI_CLIENT_SECRET_FILE", &file),
    ] {
        given.insert(name.to_owned(), value.clone()).unwrap();
    }
    let words: Vec<String> = serde_json::from_str(after(&example, "command: ")).unwrap();
    let line: Vec<String> = words.iter().map(|word| corti_auth::domain::text::shell::quote(word)).collect();
    runner.assert_tested(&runner.run(&["sh", "-c"], &line.join(" "), &given), "full");
    runner.assert_given_all();
    let fresh: serde_json::Value = serde_json::from_str(&runner.text("fresh.json")).unwrap();
    assert_eq!(fresh["expiresIn"], 300);
}
