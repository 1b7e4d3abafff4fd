//! Help, versions, manual pages, and usage errors as text and as JSON.

use predicates::prelude::*;

use crate::common::{Said, World};
use crate::documents;

const COMMANDS: [&str; 31] = [
    "demo",
    "sandbox",
    "login",
    "logout",
    "rotate",
    "status",
    "profile",
    "profile list",
    "profile show",
    "profile use",
    "profile set",
    "profile rename",
    "profile remove",
    "profile import",
    "token",
    "exec",
    "inspect",
    "diff",
    "explain",
    "check",
    "interaction",
    "interaction create",
    "interaction list",
    "interaction get",
    "interaction delete",
    "session",
    "serve",
    "probe",
    "doctor",
    "completions",
    "man",
];

#[test]
fn every_command_has_a_help_that_fits_the_width() {
    for command in COMMANDS {
        let said = Said::by(&mut World::new().run(&format!("{command} --help")));
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{command}");
        assert!(said.stdout.contains("Usage: corti-auth"), "{command}");
        // Examples are commands to copy, so they are not wrapped.
        let text = said.stdout.split("Examples:").next().unwrap();
        let long = text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{command}");
        let first = said.stdout.lines().next().unwrap();
        assert!(!first.ends_with('.') && first.starts_with(char::is_uppercase), "{command}: {first}");
    }
}

/// The examples and exit codes below the options: the manual pages have them as they are, and `--help` wraps them.
#[test]
fn what_follows_the_options_fits_the_width() {
    let world = World::new();
    let folder = world.home().join("man");
    world.run_words(&["man", folder.to_str().unwrap()]).assert().success();
    let mut lines = 0;
    for page in std::fs::read_dir(&folder).unwrap() {
        let page = std::fs::read_to_string(page.unwrap().path()).unwrap();
        let blocks = page.split("\n.nf\n").skip(1).map(|rest| rest.split("\n.fi\n").next().unwrap());
        for line in blocks.flat_map(str::lines) {
            let shown = line.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\");
            assert!(shown.chars().count() <= 96, "{shown}");
            lines += 1;
        }
    }
    assert!(lines > COMMANDS.len(), "{lines}");
}

/// The help of `-h` at 80 columns.
fn short_help(command: &str) -> String {
    let mut world = World::new();
    world.set("COLUMNS", "80");
    Said::by(&mut world.run(&format!("{command} -h"))).stdout
}

#[test]
fn the_short_help_fits_a_screen() {
    let help = short_help("");
    assert!(help.lines().count() <= 45, "{help}");
    assert_eq!(help.lines().find(|line| line.chars().count() > 80), None, "a command is one line");
    let groups = ["Start:", "Tokens:", "Clients:", "Debug:", "Tools:", "Options:"];
    let headings: Vec<&str> = help.lines().filter(|line| groups.contains(line)).collect();
    assert_eq!(headings, groups, "{help}");
    for command in COMMANDS.iter().filter(|command| !command.contains(' ')) {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
    }
    for command in COMMANDS {
        let help = short_help(command);
        assert!(help.lines().count() <= 45, "{command}: {help}");
        assert!(!help.contains("Exit codes:") && !help.contains("--version"), "{command}: {help}");
    }
}

#[test]
fn an_option_with_a_variable_names_it() {
    let table = [
        ("token", "--profile", "[env: CORTI_AUTH_PROFILE]"),
        ("token", "--environment", "[env: CORTI_ENVIRONMENT]"),
        ("token", "--tenant", "[env: CORTI_TENANT_NAME]"),
        ("token", "--no-cache", "[env: CORTI_AUTH_NO_CACHE]"),
        ("token", "--no-input", "[env: CORTI_AUTH_NO_INPUT, CI]"),
        ("token", "--config-dir", "[env: CORTI_AUTH_CONFIG_DIR]"),
        ("login", "--client-id", "[env: CORTI_CLIENT_ID]"),
        ("login", "--store", "[env: CORTI_AUTH_STORE]"),
    ];
    for (command, option, variable) in table {
        let help = Said::by(&mut World::new().run(&format!("{command} --help"))).stdout;
        let about = help.split(option).nth(1).unwrap().lines().nth(1).unwrap();
        assert!(about.contains(variable), "{command} {option}: {about}");
    }
}

/// As gh and git do: `-V` of a subcommand is its own.
#[test]
fn the_version_is_the_roots() {
    for words in ["token -V", "token --version", "profile list -V"] {
        World::new().run(words).assert().code(2).stdout("");
    }
}

#[test]
fn the_top_level_help_names_what_there_is() {
    let said = Said::by(&mut World::new().run("--help"));
    for words in ["corti-auth demo", "Exit codes:", "--no-input", "--timeout", "interaction"] {
        assert!(said.stdout.contains(words), "{words}");
    }
    World::new()
        .run("--version")
        .assert()
        .success()
        .stdout(format!("corti-auth {}\n", env!("CARGO_PKG_VERSION")));
    World::new().run("").assert().code(2).stdout("").stderr(predicate::str::contains("Usage: corti-auth"));
}

#[test]
fn usage_errors_are_text_or_one_json_line() {
    World::new().run("tokn").assert().code(2).stdout("").stderr(predicate::str::contains("token"));
    let said = Said::by(&mut World::new().run("tokn --json"));
    assert_eq!((said.code, said.stderr.lines().count()), (2, 1));
    let error = said.error();
    let whole = Said::by(&mut World::new().run("man --json")).error();
    assert_eq!(whole["message"], "the following required arguments were not provided: <DIR>");
    assert_eq!(whole["hint"], "corti-auth man --help");
    for words in ["--json", "profile --json", "interaction --json"] {
        let missing = Said::by(&mut World::new().run(words)).error();
        assert_eq!(missing["message"], "a command is missing", "{words}");
    }
    let wrong = |words: &str| Said::by(&mut World::new().run(words)).error();
    let format = wrong("token --json --format toml");
    assert_eq!(format["message"], "invalid value 'toml' for '--format <FORMAT>'");
    let hint = format["hint"].as_str().unwrap();
    assert!(
        hint.starts_with("one of token, json, ") && hint.ends_with("\ncorti-auth token --help"),
        "{hint}"
    );
    for (words, message) in [
        ("sandbox --json --port x", "invalid value 'x' for '--port <PORT>': not a whole number"),
        (
            "sandbox --json --port 99999",
            "invalid value '99999' for '--port <PORT>': 99999 is not allowed; use 0 to 65535",
        ),
        (
            "interaction list --json --limit 0",
            "invalid value '0' for '--limit <N>': 0 is not allowed; use 1 or more",
        ),
        (
            "token --json --full --ca-cert /no/such",
            "cannot use the certificates in `/no/such`: No such file or directory",
        ),
    ] {
        let mut world = World::client_of("http://127.0.0.1:1");
        world.set("CORTI_CLIENT_SECRET", "x");
        assert_eq!(Said::by(&mut world.run(words)).error()["message"], message);
    }
    assert_eq!(wrong("explain --json --status abc")["hint"], "corti-auth explain --help");
    for (words, help) in [
        ("interaction --json create --gender x", "interaction create"),
        ("interaction get --json abc", "interaction get"),
        ("interaction --json list --limit 0", "interaction list"),
        ("profile rename --json a", "profile rename"),
    ] {
        let hint = wrong(words)["hint"].as_str().unwrap().to_owned();
        assert_eq!(hint.lines().last(), Some(&*format!("corti-auth {help} --help")), "{words}: {hint}");
    }
    let keys: Vec<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["code", "exit", "hint", "http_status", "message", "oauth_error", "retryable", "schema"]
    );
    assert_eq!((&error["schema"], &error["exit"]), (&"corti-auth/error/v1".into(), &2.into()));
}

#[test]
fn manual_pages_are_written() {
    let world = World::new();
    let folder = world.home().join("man");
    let json = Said::by(&mut world.run_words(&["man", folder.to_str().unwrap(), "--json"])).json();
    let pages = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(json["pages"].as_u64().unwrap(), pages as u64);
    assert!(pages >= COMMANDS.len(), "{pages}");
    let page = std::fs::read_to_string(folder.join("corti-auth-token.1")).unwrap();
    for part in [".TH", "scope", ".SH EXAMPLES\n.nf\n", "\"corti-auth 0.1.0\"", ".SH \"SEE ALSO\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let whole = std::fs::read_to_string(folder.join("corti-auth.1")).unwrap();
    for heading in ["EXAMPLES", "\"EXIT STATUS\"", "ENVIRONMENT"] {
        assert!(whole.contains(&format!(".SH {heading}\n.nf\n")), "{heading}");
    }
    world.run("man /proc/no/such").assert().code(2).stderr(predicate::str::contains("cannot write"));
}

#[test]
fn every_variable_is_in_the_help_and_in_the_documents() {
    let help = Said::by(&mut World::new().run("--help")).stdout;
    let page = documents::page("docs/configuration.md");
    for (name, meaning) in corti_auth::domain::client::variable::TABLE {
        assert!(help.contains(&format!("  {name} ")), "{name}");
        assert!(page.contains(&format!("| `{name}` | {meaning} |")), "{name}");
    }
}
