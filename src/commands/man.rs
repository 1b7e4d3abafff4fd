//! `man`: writes the manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use serde_json::{Value, json};

use crate::domain::page::Page;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

use super::Cli;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  corti-auth man ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// The folder; it is made if it is not there
    dir: PathBuf,
}

/// Written pages.
pub(super) struct ManOutcome {
    dir: PathBuf,
    pages: usize,
}

/// # Errors
/// Where the folder cannot be written.
pub(super) fn run(args: &ManArgs) -> Result<ManOutcome, Failure> {
    let dir = &args.dir;
    let written = std::fs::create_dir_all(dir).and_then(|()| {
        clap_mangen::generate_to(Cli::command(), dir)?;
        std::fs::read_dir(dir)
    });
    let entries = written.map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot write manual pages into `{}`: {error}", dir.display()))
            .hint("name a folder that you may write: corti-auth man ./man")
    })?;
    let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("corti-auth");
    let pages = entries.flatten().filter(|entry| ours(&entry.file_name())).count();
    Ok(ManOutcome { dir: dir.clone(), pages })
}

impl Outcome for ManOutcome {
    fn command(&self) -> &'static str {
        "man"
    }

    fn json(&self) -> Value {
        json!({ "dir": self.dir.display().to_string(), "pages": self.pages })
    }

    fn text(&self) -> Text {
        Text::Message(Page::new().line(format!(
            "{} manual pages are in `{}`",
            self.pages,
            self.dir.display()
        )))
    }
}
