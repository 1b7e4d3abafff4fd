//! The formats of `token`: real shells, a real curl and a real parser read each of them, hostile values included.

use std::os::unix::fs::PermissionsExt as _;

use corti_auth::domain::client::secret::Secret;
use corti_auth::domain::text::shell::Shell;
use corti_auth::domain::token::format::{self, Named};
use predicates::prelude::*;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::{self, Said, Sandbox, World};

/// Values with characters that mean something to a shell.
const HOSTILE: [&str; 14] = [
    "plain.value-1_~+/=",
    "",
    " two  words ",
    "it's 'quoted' \"twice\"",
    "$HOME ${HOME} $(touch pwned) `touch pwned` %HOME%",
    "a;touch pwned;&|<>(){}[]*?!#~^",
    "back\\slash\\ \\n \\' \\\" \\\\",
    "trailing\\",
    "'",
    "\\'",
    "line\nbreak\r\nand a tab\t.",
    "Schlüssel \u{2018}\u{2019}\u{201a}\u{201b} \u{1f511}",
    "-n",
    "~root:~",
];

fn named(values: &[&str]) -> Vec<Named> {
    const NAMES: [&str; 3] = ["CORTI_ACCESS_TOKEN", "CORTI_TENANT_NAME", "CORTI_ENVIRONMENT"];
    let secret = |text: &&str| Secret::new((*text).to_owned());
    NAMES.into_iter().zip(values).map(|(name, value)| Named::sensitive(name, secret(value))).collect()
}

/// The three variables as a child process of the shell gets them.
fn received(program: &str, take: &str, lines: &str) -> String {
    let world = World::new();
    let file = world.file("lines", lines);
    let show = "printenv CORTI_ACCESS_TOKEN; printenv CORTI_TENANT_NAME; printenv CORTI_ENVIRONMENT";
    let mut command = world.program(program);
    command.current_dir(world.home()).args(["-c", &format!("{}; {show}", take.replace("FILE", &file))]);
    let said = Said::by(&mut command);
    assert_eq!(said.stderr, "", "{program}: {lines}");
    assert!(!world.home().join("pwned").exists(), "{program} ran a value: {lines}");
    said.stdout
}

#[test]
fn shells_read_hostile_values_unchanged() {
    for (program, shell, take) in [
        ("sh", Shell::Posix, "eval \"$(cat FILE)\""),
        ("dash", Shell::Posix, ". FILE"),
        ("bash", Shell::Posix, "eval \"$(cat FILE)\""),
        ("fish", Shell::Fish, "source FILE"),
        ("fish", Shell::Fish, "cat FILE | source"),
    ] {
        for hostile in HOSTILE {
            let values = ["a", hostile, "z"];
            let lines = format::exports(&named(&values), shell).unwrap();
            assert_eq!(received(program, take, lines.expose()), format!("a\n{hostile}\nz\n"), "{program}");
        }
    }
}

#[test]
fn a_posix_shell_reads_a_file_of_variables() {
    // Values with escapes are only for parsers that know them; unit tests cover those.
    let unescaped = HOSTILE.iter().filter(|text| !text.contains(['\n', '\r', '\\', '\'']));
    for hostile in unescaped {
        let lines = format::dotenv_lines(&named(&["a", hostile, "z"])).unwrap();
        assert_eq!(received("dash", "set -a; . FILE", lines.expose()), format!("a\n{hostile}\nz\n"));
    }
}

#[test]
fn curl_sends_hostile_headers_unchanged() {
    for tenant in ["base", "it's \"quoted\" \\ and \\n \\\" \\\\", "gr\u{fc}n \u{1f511}", "# $x {y} --url z"]
    {
        let server = FakeServer::start(vec![Answer::json("{}")]);
        let values = [
            Named::sensitive("Authorization", Secret::new("Bearer a.b.c".into())),
            Named::open("Tenant-Name", tenant),
        ];
        for (lines, option) in [(format::curl_config(&values), "-K"), (format::header_lines(&values), "-H@-")]
        {
            let (world, option) = (World::new(), option.to_owned());
            let mut command = world.program("curl");
            command.args(["-s", "--noproxy", "*", &server.environment, &option]);
            if option == "-K" {
                command.arg("-");
            }
            let said = Said::by(command.write_stdin(format!("{}\n", lines.unwrap().expose())));
            assert_eq!((said.code, said.stdout.as_str()), (0, "{}"), "{}", said.stderr);
        }
        for request in server.requests() {
            let lines: Vec<&str> = request.split("\r\n").collect();
            assert!(lines.contains(&"Authorization: Bearer a.b.c"), "{request}");
            assert!(lines.contains(&format!("Tenant-Name: {tenant}").as_str()), "{request}");
        }
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn each_format_opens_the_api() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let auth = common::binary().display().to_string();
    let url = "\"$CORTI_ENVIRONMENT/v2/languages/\"";
    let curl = "curl -s --noproxy '*' -o /dev/null -w '%{http_code}'";
    let by_variables =
        "-H \"Authorization: Bearer $CORTI_ACCESS_TOKEN\" -H \"Tenant-Name: $CORTI_TENANT_NAME\"";
    for (shell, script) in [
        ("sh", format!("'{auth}' token --full --format header | {curl} -H @- {url}")),
        ("sh", format!("'{auth}' token --full --format curl | {curl} -K - {url}")),
        ("sh", format!("eval \"$('{auth}' token --full --format env)\"; {curl} {by_variables} {url}")),
        (
            "fish",
            format!("'{auth}' token --full --format env --shell fish | source; {curl} {by_variables} {url}"),
        ),
        (
            "sh",
            format!("'{auth}' token --full --format dotenv > .env; . ./.env; {curl} {by_variables} {url}"),
        ),
    ] {
        let said = Said::by(world.program(shell).current_dir(world.home()).args(["-c", &script]));
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("200", ""), "{script}");
    }
}

#[test]
fn the_sdk_format_has_the_sdks_names() {
    let sandbox = Sandbox::start();
    let json = Said::by(&mut World::of(&sandbox).run("token --scope streams --format sdk")).json();
    assert_eq!(json["accessToken"].as_str().unwrap().split('.').count(), 3);
    assert_eq!((&json["expiresIn"], &json["tokenType"]), (&300.into(), &"Bearer".into()));
    assert_eq!(
        (&json["tenantName"], &json["environment"]),
        (&"base".into(), &sandbox.environment.clone().into())
    );
}

#[test]
fn the_shell_is_sh_unless_another_is_given() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("SHELL", "/usr/bin/fish");
    for (flags, start) in [
        ("", "export CORTI_"),
        ("--shell sh", "export CORTI_"),
        ("--shell fish", "set -gx CORTI_"),
        ("--shell powershell", "$env:CORTI_"),
    ] {
        let said = Said::by(&mut world.run(&format!("token --full --format env {flags}")));
        assert!(said.stdout.lines().all(|line| line.starts_with(start)), "{flags}: {}", said.stdout);
        assert!(said.stdout.contains("CORTI_TOKEN_EXPIRES_AT") && said.stdout.lines().count() == 4);
    }
    world.run("token --full --shell fish").assert().code(2).stderr(predicate::str::contains("--format env"));
    world.run("token --full --shell sh --json").assert().code(2);
    for format in ["header", "curl", "env", "dotenv", "sdk", "github", "gitlab", "azure"] {
        let said = Said::by(&mut world.run(&format!("token --full --json --format {format}")));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{format}");
        assert_eq!(said.error()["message"], format!("--json and --format {format} cannot be used together"));
    }
}

#[test]
fn github_masks_before_it_writes() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world
        .run("token --full --format github")
        .assert()
        .code(3)
        .stdout("")
        .stderr(predicate::str::contains("GITHUB_OUTPUT is not set"));
    world.set("GITHUB_OUTPUT", &world.file("outputs", "earlier=1\n"));
    let said = Said::by(&mut world.run("token --scope streams --format github"));
    let outputs = std::fs::read_to_string(world.home().join("outputs")).unwrap();
    let token = outputs.lines().nth(1).unwrap().strip_prefix("access_token=").unwrap().to_owned();
    assert_eq!(said.stdout, format!("::add-mask::{token}\n"));
    assert_eq!(
        outputs,
        format!("earlier=1\naccess_token={token}\ntenant_name=base\nenvironment={}\n", sandbox.environment)
    );
    assert!(
        said.stderr.starts_with("set step outputs: access_token (masked), tenant_name, environment\n")
            && !said.stderr.contains(&token),
        "{}",
        said.stderr
    );
    let said = Said::by(&mut world.run("token --full --format github"));
    let warning = said.stderr.split_once("warning: ").unwrap().1;
    assert!(warning.contains("corti-auth exec full -- CMD") && !warning.contains("browser"), "{warning}");
    let outputs = std::fs::read_to_string(world.home().join("outputs")).unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(common::binary());
    command.env_clear().envs(world.variables()).args(["token", "--full", "--format", "github"]);
    let output = command.stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1)
            && stderr.contains("the token was not written: stdout is redirected or closed"),
        "{stderr}"
    );
    assert_eq!(std::fs::read_to_string(world.home().join("outputs")).unwrap(), outputs);
    world.set("GITHUB_OUTPUT", "/no/such/file");
    let said = Said::by(&mut world.run("token --full --format github"));
    assert!(
        said.code == 3 && said.stderr.contains("cannot write the token to `/no/such/file`"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("acts as the client itself"), "a full token in a job: {}", said.stderr);
}

/// Where nobody reads the mask, the log would show the token when a later step prints it.
#[test]
fn github_gets_no_token_where_nobody_reads_the_mask() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let outputs = world.file("outputs", "earlier=1\n");
    world.set("GITHUB_OUTPUT", &outputs);
    let token = |stdout: std::process::Stdio| {
        let mut command = std::process::Command::new(common::binary());
        command.env_clear().envs(world.variables()).args(["token", "--full", "--format", "github"]);
        command.stdout(stdout).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let log = world.home().join("log");
    let null = std::fs::File::options().write(true).open("/dev/null").unwrap();
    for (what, stdout) in [
        ("/dev/null", null.into()),
        ("a pipe that nobody reads", writer.into()),
        ("a file", std::fs::File::create(&log).unwrap().into()),
    ] {
        let output = token(stdout);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
        assert!(
            stderr.contains("the token was not written: stdout is redirected or closed"),
            "{what}: {stderr}"
        );
        assert_eq!(std::fs::read_to_string(&outputs).unwrap(), "earlier=1\n", "{what}");
    }
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "", "no token, and so no mask");
    let closed = format!("'{}' token --full --format github >&-", common::binary().display());
    assert_eq!(Said::by(world.program("sh").args(["-c", &closed])).code, 1);
    assert_eq!(std::fs::read_to_string(&outputs).unwrap(), "earlier=1\n");
    // Some runners give a step a terminal.
    let words = format!("'{}' token --scope streams --format github", common::binary().display());
    let said = Said::by(world.program("script").args(["-qec", &words, "/dev/null"]));
    assert!(said.code == 0 && said.stdout.contains("::add-mask::eyJ"), "{}", said.stdout);
    assert!(std::fs::read_to_string(&outputs).unwrap().contains("access_token=eyJ"));
}

#[test]
fn gitlab_gets_a_private_file_and_a_warning() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("CI_PROJECT_DIR", &world.home().display().to_string());
    world.file("corti.env", "an earlier one\n");
    let said = Said::by(&mut world.run("token --scope streams --format gitlab"));
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    assert!(said.stderr.contains("an artifact that others may download"), "{}", said.stderr);
    assert!(
        said.stderr.contains("\nhint: within one job: corti-auth exec streams -- CMD\n"),
        "{}",
        said.stderr
    );
    let full = Said::by(&mut world.run("token full --format gitlab")).stderr;
    assert!(full.contains("hint: within one job: corti-auth exec full -- CMD\n"), "{full}");
    assert_eq!(full.matches("hint: ").count(), 1, "{full}");
    world.run("token --scope streams --format gitlab").assert().success();
    let path = world.home().join("corti.env");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("CORTI_ACCESS_TOKEN=eyJ")
            && text
                .ends_with(&format!("\nCORTI_TENANT_NAME=base\nCORTI_ENVIRONMENT={}\n", sandbox.environment)),
        "{text}"
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn azure_gets_a_secret_variable() {
    let sandbox = Sandbox::start();
    let said = Said::by(&mut World::of(&sandbox).run("token --full --format azure"));
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("##vso[task.setvariable variable=CORTI_ACCESS_TOKEN;issecret=true]eyJ"));
    assert_eq!(lines[1], "##vso[task.setvariable variable=CORTI_TENANT_NAME]base");
    assert!(said.stderr.contains("acts as the client itself"), "{}", said.stderr);
}

#[test]
fn a_token_with_missing_or_forbidden_scopes_is_not_printed() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for (arguments, message) in [
        ("--scope streams --require-scope transcribe", "the token lacks the scope `transcribe`"),
        ("--full --require-scope streams,transcribe", "the token lacks the scope `streams transcribe`"),
        ("--scope streams,transcribe --forbid-scope transcribe", "the token has the scope `transcribe`"),
        ("--scope streams --require-scope streams --forbid-scope openid", "the token has the scope `openid`"),
    ] {
        let said = Said::by(&mut world.run(&format!("token {arguments}")));
        assert_eq!((said.code, said.stdout.as_str()), (10, ""), "{arguments}");
        let what = if arguments.contains("full") { "full" } else { "streams" };
        let hint = format!("hint: see its scopes: corti-auth token {what}");
        assert!(said.stderr.contains(message) && said.stderr.contains(&hint), "{}", said.stderr);
    }
    assert_eq!(
        Said::by(&mut world.run("token --full --forbid-scope openid --json")).error()["code"],
        "check_failed"
    );
    world.run("token --full --require-scope trän").assert().code(2);
    world
        .run("token -s streams --require-scope streams --require-scope openid --forbid-scope transcribe")
        .assert()
        .success();
}
