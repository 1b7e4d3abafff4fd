//! `man`: writes the manual pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use serde_json::{Value, json};

use crate::domain::text::page::Page;
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
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let written = std::fs::create_dir_all(dir).and_then(|()| write_all(&whole, dir));
    let pages = written.map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot write manual pages into `{}`: {error}", dir.display()))
            .hint("name a folder that you may write: corti-auth man ./man")
    })?;
    Ok(ManOutcome { dir: dir.clone(), pages })
}

/// Writes the pages of a command and of those below it, and says how many.
fn write_all(command: &Command, dir: &Path) -> io::Result<usize> {
    let page = Man::new(command.clone()).source(concat!("corti-auth ", env!("CARGO_PKG_VERSION")));
    std::fs::write(dir.join(page.get_filename()), text(command, &page)?)?;
    let below = command.get_subcommands().map(|it| write_all(it, dir)).sum::<io::Result<usize>>()?;
    Ok(below + 1)
}

fn text(command: &Command, page: &Man) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    let is_group = command.has_subcommands();
    if is_group {
        page.render_subcommands_section(&mut text)?;
    }
    let after = command.get_after_long_help().or(command.get_after_help());
    for block in after.map(ToString::to_string).unwrap_or_default().split("\n\n") {
        render_block(block).to_writer(&mut text)?;
    }
    if command.get_display_name().is_some_and(|name| name != "corti-auth") {
        let mut more = Roff::new();
        more.control("SH", ["SEE ALSO"]);
        more.text([roman("corti-auth(1), for the environment variables and the exit codes")]);
        more.to_writer(&mut text)?;
    }
    Ok(text)
}

/// A headed block of the help, whose lines stay as they are: a filled example cannot be pasted.
fn render_block(block: &str) -> Roff {
    let (heading, body) = block.split_once('\n').unwrap_or_default();
    let heading = match heading.trim_end_matches(':') {
        "Example" | "Examples" => "EXAMPLES".to_owned(),
        "Exit codes" => "EXIT STATUS".to_owned(),
        "Environment variables" => "ENVIRONMENT".to_owned(),
        other => other.to_uppercase(),
    };
    let mut roff = Roff::new();
    if !body.is_empty() {
        roff.control("SH", [heading.as_str()]).control("nf", []);
        for line in body.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff
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
