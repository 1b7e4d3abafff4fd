//! `man`: writes the manual pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use serde_json::json;

use crate::app::context::Context;
use crate::domain::text::page::Page;
use crate::failure::{Failure, Kind};
use crate::output::{Outcome, Text};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  corti-auth man ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// The folder; it is created if it does not exist
    dir: PathBuf,
}

#[expect(clippy::unused_async, reason = "every command is run the same way")]
pub(super) async fn run(args: &ManArgs, _: &Context<'_>) -> Result<Outcome, Failure> {
    let dir = args.dir.display();
    let mut command = super::command().disable_help_subcommand(true);
    command.build();
    let written = std::fs::create_dir_all(&args.dir).and_then(|()| write_all(&command, &args.dir));
    let pages = written.map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot write manual pages into `{dir}`: {error}"))
            .hint("name a folder that you can write to: corti-auth man ./man")
    })?;
    let message = format!("{pages} manual pages are in `{dir}`");
    let json = json!({ "dir": dir.to_string(), "pages": pages });
    Ok(Outcome::new("man", json, Text::Message(Page::new().line(message))))
}

/// Writes the pages of a command and its subcommands, and returns how many there are.
fn write_all(command: &Command, dir: &Path) -> io::Result<usize> {
    let page = Man::new(command.clone()).source(concat!("corti-auth ", env!("CARGO_PKG_VERSION")));
    std::fs::write(dir.join(page.get_filename()), text(command, &page)?)?;
    let subcommands = command.get_subcommands().map(|it| write_all(it, dir)).sum::<io::Result<usize>>()?;
    Ok(subcommands + 1)
}

fn text(command: &Command, page: &Man) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
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

/// A block of the help with its heading. Its lines stay as they are, so that an example can be pasted.
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
