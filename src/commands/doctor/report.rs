//! Writes the report for a support ticket: the checks, without secrets and without the names of folders.

use std::io;
use std::path::{Path, PathBuf};

use crate::app::checks::{Check, Checks};
use crate::domain::client::resolve::{Plan, SecretSource};
use crate::domain::client::variable;
use crate::domain::text::page::printable;
use crate::edge::{private_file, system};
use crate::failure::{Failure, Kind};

use super::Context;
use super::configuration::{self, Configuration, relevant_variables};

/// Variables with folders: their names show the user's name or the machine's layout.
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

/// Variables that name files in such folders.
const FILES: [&str; 3] = ["SSL_CERT_FILE", variable::CLIENT_SECRET_FILE, variable::PASSPHRASE_FILE];

/// Writes the report, readable by its owner only.
pub(super) fn write(
    path: &Path,
    context: &Context<'_>,
    configuration: &Configuration,
    checks: &Checks<'_>,
) -> Result<(), Failure> {
    let mut text = compose(context, configuration, &checks.list);
    for folder in folders(context) {
        text = text.replace(&folder, "…");
    }
    // Another program's output may contain anything.
    for words in checks.foreign_words.iter().filter(|words| !words.is_empty()) {
        text = text.replace(&*printable(words), "[output of the secret command left out]");
    }
    let text = context.sink.redactor().apply(&text);
    private_file::replace(path, text.as_bytes()).map_err(|error| unwritable(path, &error))
}

/// Refuses to replace a folder, a device or a pipe, or to write where no file can be made, before any check runs.
pub(super) fn ensure_writable(path: &Path) -> Result<(), Failure> {
    if private_file::is_something_else(path) {
        return Err(Failure::new(Kind::Usage, format!("`{}` is not a file", path.display()))
            .hint("corti-auth doctor --report ./report.txt"));
    }
    private_file::ensure_replaceable(path).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Usage, format!("cannot write the report to `{}`: {error}", path.display()))
        .hint("corti-auth doctor --report ./report.txt")
}

fn compose(context: &Context<'_>, configuration: &Configuration, checks: &[Check]) -> String {
    let Configuration { plan, place, .. } = configuration;
    let or = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    let environment = place.as_ref().map(|(environment, _)| environment.to_string());
    let tenant = place.as_ref().map(|(_, tenant)| tenant.to_string());
    let id = plan.as_ref().map(|plan| plan.client.id.to_string());
    let variables = Some(relevant_variables(context).join(", ")).filter(|names| !names.is_empty());
    let head = [
        ("version", format!("corti-auth {}", env!("CARGO_PKG_VERSION"))),
        ("system", system::describe()),
        ("written", format!("{:.0}", context.host.clock.now())),
        ("environment", or(environment, "unknown")),
        ("tenant", or(tenant, "unknown")),
        ("client id", or(id, "unknown")),
        ("secret in", or(plan.as_ref().map(|plan| secret_place(context, plan)), "unknown")),
        ("configuration", configuration::file(context)),
        ("variables", or(variables, "none")),
    ];
    let mut lines =
        vec!["corti-auth doctor report. It contains no secrets and no tokens.".to_owned(), String::new()];
    lines.extend(head.map(|(label, value)| format!("{label:13} {value}")));
    lines.push(String::new());
    for Check { name, verdict, detail, hint, .. } in checks {
        lines.push(format!("{:8} {name:13} {detail}", verdict.as_str()));
        lines.extend(hint.iter().flat_map(|hint| hint.lines()).map(|hint| format!("{:22} hint: {hint}", "")));
    }
    lines.iter().map(|line| printable(line) + "\n").collect()
}

/// Where the secret of `plan` is, in words.
fn secret_place(context: &Context<'_>, plan: &Plan) -> String {
    match &plan.source {
        SecretSource::Given(secret) => secret.place(),
        SecretSource::Store(_, profile) | SecretSource::Withheld(_, profile, _) => {
            let name = context.store(&profile.store).map(|store| store.name().to_owned());
            name.unwrap_or_else(|_| profile.store.as_str().to_owned())
        }
    }
}

/// The folders to leave out, the longest first, so that no part of one is left.
fn folders(context: &Context<'_>) -> Vec<String> {
    let env = &context.host.env;
    let config = context.config_file().ok().map(|file| file.path());
    let files = config.into_iter().chain(context.options.ca_cert.clone());
    let files = files.chain(FILES.iter().filter_map(|name| env.path(name)));
    let parents = files.filter_map(|file| file.parent().map(Path::to_owned));
    let named = FOLDERS.iter().filter_map(|name| env.path(name));
    let absolute = parents.chain(named).filter(|folder: &PathBuf| folder.is_absolute());
    let text = |folder: PathBuf| folder.display().to_string().trim_end_matches(['/', '\\']).to_owned();
    let mut folders: Vec<String> = absolute.map(text).filter(|folder| folder.len() > 1).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
    folders
}
