//! The report for a support ticket: what was found, without a secret or a folder's name.

use std::path::Path;

use crate::domain::client::variable;
use crate::domain::explain::diagnosis::{self, Check};
use crate::domain::text::page::printable;
use crate::edge::{private_file, proxy, system};
use crate::failure::{Failure, Kind};

use super::setting::relevant;
use super::{Context, Subject};

/// Variables that name folders which say who the user is, or how the machine is laid out.
const FOLDERS: [&str; 8] = [
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "TMPDIR",
    variable::CONFIG_FOLDER,
    variable::CREDENTIALS_DIRECTORY,
];

/// Variables that name files, whose folders say so too.
const FILES: [&str; 3] = ["SSL_CERT_FILE", variable::CLIENT_SECRET_FILE, variable::PASSPHRASE_FILE];

/// Writes the report for its owner only.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn write(
    path: &Path,
    context: &Context<'_>,
    subject: &Subject,
    checks: &[Check],
    foreign_words: &[String],
) -> Result<(), Failure> {
    let text = without_folders(compose(context, subject, checks), context);
    // Another program may have said anything. Its words are on the terminal, and stay there.
    let left_out =
        |text: String, words: &String| text.replace(&*printable(words), "[its words are left out]");
    let text = foreign_words.iter().filter(|words| !words.is_empty()).fold(text, left_out);
    let text = context.sink.redactor().apply(&text);
    private_file::replace(path, text.as_bytes()).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot write the report to `{}`: {error}", path.display()))
            .hint("name a file that you may write: corti-auth doctor --report ./report.txt")
    })
}

/// Refuses a path that is there and no file, before anything is done: a report takes its place.
///
/// # Errors
/// A usage failure.
pub(super) fn refuse_odd(path: &Path) -> Result<(), Failure> {
    if private_file::is_something_else(path) {
        return Err(Failure::new(Kind::Usage, format!("`{}` is there, and is not a file", path.display()))
            .hint("name a new file: corti-auth doctor --report ./report.txt"));
    }
    Ok(())
}

fn compose(context: &Context<'_>, subject: &Subject, checks: &[Check]) -> String {
    let place = subject.place.as_ref();
    let unknown = || "unknown".to_owned();
    let variables = relevant(context);
    let head = [
        ("version", format!("corti-auth {}", env!("CARGO_PKG_VERSION"))),
        ("system", system::describe()),
        ("written", format!("{:.0}", context.host.clock.now())),
        ("environment", place.map_or_else(unknown, |(environment, _)| environment.to_string())),
        ("tenant", place.map_or_else(unknown, |(_, tenant)| tenant.to_string())),
        ("client id", subject.client_id.as_ref().map_or_else(unknown, ToString::to_string)),
        ("secret in", subject.secret_place.clone().unwrap_or_else(unknown)),
        ("variables", if variables.is_empty() { "none".to_owned() } else { variables.join(", ") }),
        ("proxy", proxies(context, subject)),
    ];
    let mut lines = vec!["corti-auth doctor: no secret and no token is in here".to_owned()];
    lines.push(String::new());
    lines.extend(head.map(|(label, value)| format!("{label:13} {value}")));
    lines.push(String::new());
    for Check { name, verdict, detail, hint } in checks {
        lines.push(format!("{:8} {name:13} {detail}", verdict.as_str()));
        lines.extend(hint.iter().flat_map(|hint| hint.lines()).map(|hint| format!("{:22} hint: {hint}", "")));
    }
    let lines: Vec<_> = lines.iter().map(|line| printable(line)).collect();
    lines.join("\n") + "\n"
}

fn proxies(context: &Context<'_>, subject: &Subject) -> String {
    let targets =
        subject.place.iter().flat_map(|(environment, tenant)| diagnosis::targets(environment, tenant));
    let mut used: Vec<String> = targets
        .filter_map(|target| proxy::used_for(&target.url, &context.host.env))
        .map(|proxy| format!("{}:{}, by {}", proxy.host, proxy.port, proxy.variable))
        .collect();
    used.dedup();
    if used.is_empty() { "none".to_owned() } else { used.join("; ") }
}

/// `text` with the folders that are known by their variables, and those of the files that were named, left out.
fn without_folders(text: String, context: &Context<'_>) -> String {
    let env = &context.host.env;
    let named = FOLDERS.iter().filter_map(|name| env.path(name));
    let config = context.config_file().ok().map(|file| file.path());
    let files = config.into_iter().chain(context.options.ca_cert.clone());
    let files = files.chain(FILES.iter().filter_map(|name| env.path(name)));
    let parents = files.filter_map(|file| file.parent().map(Path::to_owned));
    let mut folders: Vec<String> = named
        .chain(parents)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.display().to_string())
        .collect();
    // The longest first, so that no part of one is left.
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
    let folders =
        folders.iter().map(|folder| folder.trim_end_matches(['/', '\\'])).filter(|name| name.len() > 1);
    folders.fold(text, |text, folder| text.replace(folder, "…"))
}
