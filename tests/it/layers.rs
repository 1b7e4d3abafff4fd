//! The architecture's invariants, each stated as an absence and read off the sources.

use std::path::{Path, PathBuf};

/// Every source file under `src/`, by its path there, without its tests and comments.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = code.split("#[cfg(all(test").next().unwrap();
            let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (name, lines.join("\n"))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.file_name().unwrap() != "tests.rs" {
            files.push(path);
        }
    }
}

/// The files, outside the `allowed` ones, that contain any of `words`.
fn offenders(words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let names = |code: &str| {
        words.iter().filter(|word| code.contains(**word)).map(ToString::to_string).collect::<Vec<_>>()
    };
    sources()
        .iter()
        .filter(|(name, code)| !allowed(name) && !names(code).is_empty())
        .map(|(name, code)| format!("{name}: {:?}", names(code)))
        .collect()
}

fn assert_none(offenders: &[String]) {
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn the_sources_are_found() {
    assert!(sources().len() > 40);
    assert!(
        sources()
            .iter()
            .any(|(name, code)| name == "domain/token/scope.rs" && code.contains("pub struct ScopeSet"))
    );
}

#[test]
fn nothing_points_back() {
    let layers: [(&str, &[&str]); 5] = [
        (
            "domain/",
            &[
                "crate::edge",
                "crate::sandbox",
                "crate::failure",
                "crate::output",
                "crate::app",
                "crate::cli",
                "crate::commands",
            ],
        ),
        (
            "edge/",
            &[
                "crate::sandbox",
                "crate::failure",
                "crate::output",
                "crate::app",
                "crate::cli",
                "crate::commands",
            ],
        ),
        ("failure", &["crate::sandbox", "crate::output", "crate::app", "crate::cli", "crate::commands"]),
        ("sandbox/", &["crate::failure", "crate::output", "crate::app", "crate::cli", "crate::commands"]),
        ("output.rs", &["crate::commands", "crate::sandbox"]),
    ];
    for (layer, forbidden) in layers {
        assert_none(&offenders(forbidden, |name| !name.starts_with(layer)));
    }
}

#[test]
fn domain_is_pure() {
    let effects = [
        "std::fs",
        "std::env",
        "std::net",
        "std::io",
        "std::process",
        "std::thread",
        "tokio",
        "async ",
        "SystemTime",
        "Timestamp::now",
        "Instant",
        "getrandom",
    ];
    assert_none(&offenders(&effects, |name| !name.starts_with("domain/")));
}

#[test]
fn the_outside_is_named_at_the_edge_only() {
    let edge = |name: &str| name.starts_with("edge/") || name.starts_with("sandbox/");
    let words = [
        "reqwest",
        "hyper::",
        "axum",
        "keyring::Entry",
        "secret_service",
        "zbus",
        "dialoguer",
        "tungstenite",
        "std::env",
    ];
    assert_none(&offenders(&words, edge));
    // `axum` is the sandbox's, and at the edge the servers'; the clients are the edge's alone.
    let servers = ["edge/listener.rs", "edge/loopback.rs", "edge/refresh_endpoint.rs"];
    let server = |name: &str| servers.contains(&name) || name.starts_with("sandbox/");
    assert_none(&offenders(&["axum"], server));
    assert_none(&offenders(&["reqwest", "keyring::Entry", "dialoguer"], |name| name.starts_with("edge/")));
}

#[test]
fn files_are_read_at_the_edge() {
    // The manual pages are written by clap's own generator; the ready file is the sandbox's.
    let apart = |name: &str| matches!(name, "commands/man.rs" | "commands/sandbox.rs");
    assert_none(&offenders(&["std::fs", "File::open"], |name| !name.starts_with("commands/") || apart(name)));
}

#[test]
fn only_output_prints() {
    let words = ["println!", "eprintln!", "print!(", "io::stdout", "io::stderr"];
    assert_none(&offenders(&words, |name| matches!(name, "output.rs" | "edge/host.rs")));
    // The prompts' own terminal.
    assert_none(&offenders(&["Term::stderr"], |name| name == "edge/prompt.rs"));
}

#[test]
fn only_commands_name_clap_and_only_failure_knows_exit_codes() {
    assert_none(&offenders(&["clap"], |name| {
        name.starts_with("commands/")
            || name.starts_with("cli/")
            || name == "lib.rs"
            || name == "app/delivery.rs"
    }));
    assert_none(&offenders(&["ExitCode::from("], |name| name == "failure.rs"));
    assert_none(&offenders(&["ExitCode::SUCCESS"], |name| name == "lib.rs"));
    assert_none(&offenders(&["process::exit"], |_| false));
}

#[test]
fn secrets_leave_their_wrapper_in_few_places() {
    let pinned = [
        "domain/client/secret.rs",      // the wrapper itself
        "domain/text/redactor.rs",      // looked for in what is shown
        "domain/client/import.rs",      // parsed: environment, tenant, client id, secret
        "domain/token/grant.rs",        // into the form of the token request
        "domain/corti/websocket.rs",    // into a URL that was asked for
        "domain/token/limited_only.rs", // decoded: what it may do
        "edge/http.rs",                 // onto the wire
        "edge/socket.rs",               // onto the wire
        "edge/age_file.rs",             // into the encrypted file
        "edge/keyring.rs",              // into the keyring
        "output.rs",                    // onto stdout, where a token is the datum
        "app/caller.rs",                // decoded: where it belongs
        "commands/session.rs",          // into what a frontend gets
        "commands/demo.rs",             // decoded
        "commands/inspect.rs",          // decoded
        "commands/explain.rs",          // decoded
        "commands/sandbox.rs",          // the throw-away secret, for its user
        "domain/token/cache_key.rs",    // into a keyed hash
        "domain/token/reuse.rs",        // into the cache, whose files are encrypted
        "sandbox/credentials.rs",       // made, and compared with what was sent
        "domain/token/format.rs",       // into the format that was asked for
        "edge/program.rs",              // into the environment of the program that it is for
        "edge/refresh_endpoint.rs",     // onto the wire, to that program
        "app/delivery.rs",              // into the file that a CI system names
        "commands/diff.rs",             // decoded
    ];
    let exposing: Vec<String> = sources()
        .into_iter()
        .filter(|(_, code)| code.contains(".expose()") || code.contains("expose_secret"))
        .map(|(name, _)| name)
        .collect();
    for name in &exposing {
        assert!(pinned.contains(&name.as_str()), "{name} exposes a secret");
    }
    for name in pinned {
        assert!(exposing.iter().any(|exposing| exposing == name), "{name} exposes none any more: unpin it");
    }
}
