//! The rules of the architecture, checked by reading the sources.

use std::collections::{BTreeMap, BTreeSet};
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

/// The files outside the `allowed` ones that contain any of `words`.
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

/// A module's path, such as `["domain", "token", "jwt"]`.
type Module = Vec<String>;

/// The other modules that each module refers to.
fn references() -> BTreeMap<Module, BTreeSet<Module>> {
    let sources: Vec<(Module, String)> =
        sources().into_iter().map(|(name, code)| (module(&name), code)).collect();
    let modules: BTreeSet<Module> = sources.iter().map(|(module, _)| module.clone()).collect();
    let referred = |module: &Module, code: &str| {
        paths(code).into_iter().filter_map(|path| resolve(module, &path, &modules)).collect::<BTreeSet<_>>()
    };
    sources
        .iter()
        .map(|(module, code)| {
            let mut referred = referred(module, code);
            referred.remove(module);
            (module.clone(), referred)
        })
        .collect()
}

/// `domain/token/jwt.rs` and `edge/mod.rs` as modules.
fn module(file: &str) -> Module {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("lib");
    path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Every path with `::` in the code; the braces of `use` are expanded.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("use ") {
        let (before, statement) = rest.split_at(start);
        let statement = statement.strip_prefix("use ").unwrap();
        let (tree, after) = statement.split_once(';').unwrap_or_default();
        words(before, &mut paths);
        expand(&[], &tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut paths);
        rest = after;
    }
    words(rest, &mut paths);
    paths
}

/// The paths in code without `use`.
fn words(code: &str, paths: &mut Vec<Vec<String>>) {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let found = code.split(|c| !is_path(c)).filter(|word| word.contains("::"));
    paths.extend(found.map(|word| word.split("::").map(str::to_owned).collect()));
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(prefix: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let Some((path, list)) = tree.split_once("::{") else {
        let name = tree.split(" as ").next().unwrap();
        paths.push(prefix.iter().cloned().chain(name.split("::").map(|it| it.trim().to_owned())).collect());
        return;
    };
    let prefix: Vec<String> =
        prefix.iter().cloned().chain(path.split("::").map(|it| it.trim().to_owned())).collect();
    let (mut depth, mut start, list) = (0, 0, list.trim_end().trim_end_matches('}'));
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let item = list.get(start..at).unwrap().trim();
                if !item.is_empty() {
                    expand(&prefix, item, paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The module that a path in `module` leads to or into.
fn resolve(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let mut path = path.iter().map(String::as_str).peekable();
    let mut target = match *path.peek()? {
        "crate" => Vec::new(),
        "self" | "super" => module.clone(),
        child => {
            let child = [module.as_slice(), &[child.to_owned()]].concat();
            modules.contains(&child).then(|| module.clone())?
        }
    };
    while let Some(step) = path.next_if(|step| ["crate", "self", "super"].contains(step)) {
        if step == "super" {
            target.pop();
        }
    }
    target.extend(path.map(str::to_owned));
    while !modules.contains(&target) {
        target.pop()?;
    }
    Some(target)
}

/// The file that a module is part of: a file and the folder with its name count as one. A room only declares modules,
/// so it does not count.
fn unit<'a>(module: &'a [String], modules: &BTreeMap<Module, BTreeSet<Module>>) -> &'a [String] {
    let is_room =
        |length: &usize| module[0] != "sandbox" && ROOMS.contains(&module[..*length].join("/").as_str());
    let depth =
        (1..=module.len()).find(|length| !is_room(length) && modules.contains_key(&module[..*length]));
    &module[..depth.unwrap_or(module.len())]
}

/// The folders with a `mod.rs` that only declares modules.
const ROOMS: [&str; 9] = [
    "app",
    "cli",
    "commands",
    "domain",
    "domain/client",
    "domain/token",
    "domain/corti",
    "domain/explain",
    "domain/text",
];

fn starts(module: &[String], room: &str) -> bool {
    module.first().is_some_and(|first| first == room)
}

#[test]
fn references_are_found_in_the_sources() {
    let mut found = Vec::new();
    expand(&[], "crate::a::{self, b::{C, d as e}, F}", &mut found);
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["crate::a::self", "crate::a::b::C", "crate::a::b::d", "crate::a::F"]);
    let references = references();
    let of = |name: &str| &references[&module(name)];
    assert!(references.len() > 150);
    assert!(of("domain/token/grant.rs").contains(&module("domain/token/scope.rs")));
    assert!(of("commands/token.rs").contains(&module("app/context.rs")));
}

#[test]
fn a_room_uses_only_the_rooms_below_it() {
    // Each may use the rooms in its list and no other.
    let may_use: [(&str, &[&str]); 9] = [
        ("domain", &[]),
        ("edge", &["domain"]),
        ("failure", &["domain", "edge"]),
        ("output", &["domain", "edge", "failure"]),
        ("sandbox", &["domain", "edge", "failure", "output"]),
        ("app", &["domain", "edge", "failure", "output", "sandbox"]),
        ("cli", &["domain", "edge", "failure", "output", "app"]),
        ("gateway", &["domain", "edge", "failure", "output", "app"]),
        ("commands", &["domain", "edge", "failure", "output", "app", "sandbox", "cli", "gateway"]),
    ];
    for (module, referred) in references() {
        let Some(room) = module.first().filter(|room| *room != "main") else { continue };
        let (_, allowed) = may_use.iter().find(|(name, _)| name == room).unwrap();
        for target in referred.iter().filter(|target| !target.is_empty() && !starts(target, room)) {
            assert!(
                allowed.iter().any(|room| starts(target, room)),
                "{} uses {}",
                module.join("/"),
                target.join("/")
            );
        }
    }
}

#[test]
fn a_command_uses_no_other_command() {
    for (module, referred) in references() {
        let Some([_, command]) = module.get(..2).filter(|_| starts(&module, "commands")) else { continue };
        let others =
            referred.iter().filter(|it| starts(it, "commands") && it.len() > 1 && it.get(1) != Some(command));
        let others: Vec<String> = others.map(|it| it.join("/")).collect();
        assert!(others.is_empty(), "{} uses {others:?}", module.join("/"));
    }
}

/// A file and its parts may use each other; other files must not form a circle.
#[test]
fn no_files_form_a_circle() {
    let references = references();
    let mut units: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
    for (module, referred) in &references {
        if module.is_empty() || ROOMS.contains(&module.join("/").as_str()) {
            continue;
        }
        let from = unit(module, &references);
        for target in referred.iter().filter(|it| !it.is_empty() && !ROOMS.contains(&it.join("/").as_str())) {
            let to = unit(target, &references);
            if from == to {
                // Two parts of the same file.
                if !target.starts_with(module) && !module.starts_with(target) {
                    units.entry(module).or_default().insert(target);
                }
            } else {
                units.entry(from).or_default().insert(to);
            }
        }
    }
    // Removes again and again what uses no other file, and what no other file uses: only circles remain.
    loop {
        let left: BTreeSet<&[String]> = units.keys().copied().collect();
        for referred in units.values_mut() {
            referred.retain(|it| left.contains(it));
        }
        let used: BTreeSet<&[String]> = units.values().flatten().copied().collect();
        units.retain(|unit, referred| !referred.is_empty() && used.contains(unit));
        if units.len() == left.len() {
            break;
        }
    }
    let circles: Vec<String> = units
        .iter()
        .map(|(unit, referred)| {
            let referred: Vec<String> = referred.iter().map(|it| it.join("/")).collect();
            format!("{} -> {}", unit.join("/"), referred.join(", "))
        })
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
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
fn only_edge_and_sandbox_name_the_outside() {
    let edge = |name: &str| ["edge/", "sandbox/", "gateway/"].iter().any(|room| name.starts_with(room));
    let words = [
        "reqwest",
        "hyper::",
        "axum",
        "keyring::Entry",
        "secret_service",
        "security_framework",
        "zbus",
        "dialoguer",
        "tungstenite",
        "std::env",
    ];
    assert_none(&offenders(&words, edge));
    // The sandbox and the servers in `edge` use `axum`; only `edge` uses the clients.
    let servers = ["edge/listener.rs", "edge/loopback.rs", "edge/refresh_endpoint.rs"];
    let server =
        |name: &str| servers.contains(&name) || name.starts_with("sandbox/") || name.starts_with("gateway/");
    assert_none(&offenders(&["axum"], server));
    assert_none(&offenders(&["keyring::Entry", "dialoguer"], |name| name.starts_with("edge/")));
    // The gateway streams bodies through the client.
    assert_none(&offenders(&["reqwest"], |name| name.starts_with("edge/") || name.starts_with("gateway/")));
}

#[test]
fn commands_read_no_files() {
    // clap's generator writes the manual pages, and the sandbox its ready file.
    let apart = |name: &str| matches!(name, "commands/man.rs" | "commands/sandbox.rs");
    assert_none(&offenders(&["std::fs", "File::open"], |name| !name.starts_with("commands/") || apart(name)));
}

#[test]
fn only_output_prints() {
    let words = ["println!", "eprintln!", "print!(", "io::stdout", "io::stderr"];
    assert_none(&offenders(&words, |name| matches!(name, "output/streams.rs" | "edge/host.rs")));
    // Prompts have a terminal of their own, and the host asks for its size.
    assert_none(&offenders(&["Term::stderr"], |name| matches!(name, "edge/prompt.rs" | "edge/host.rs")));
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
    // The code of a program on Windows has 32 bits, and an `ExitCode` 8.
    assert_none(&offenders(&["process::exit"], |name| name == "edge/program.rs"));
}

#[test]
fn only_listed_files_unwrap_secrets() {
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
        "app/token_source.rs",          // searched for the token that is meant
        "commands/serve/dev.rs",        // a new API key, for its user
        "commands/serve/keys.rs",       // a new API key, and its hash
        "domain/gateway/caller.rs",     // decoded and verified: a caller's JWT
        "domain/gateway/ticket.rs",     // decoded and verified: a ticket
        "gateway/identify.rs",          // compared by its hash: an API key
        "gateway/broker.rs",            // into what a frontend gets
        "gateway/forward.rs",           // onto the wire, to Corti
        "gateway/tunnel.rs",            // into the URL of a WebSocket at Corti
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
