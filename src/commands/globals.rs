//! The options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::domain::environment::KNOWN_LABELS;
use crate::edge::host::Host;
use crate::output::{Colours, Style};

use super::argument;

/// The options that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// Use this profile
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Use this environment: eu, us, another label, or a URL
    #[arg(short, long, global = true, value_name = "ENV", add = argument::offering(&KNOWN_LABELS))]
    pub(super) environment: Option<String>,
    /// Use this tenant (realm); base if nothing else says so
    #[arg(short, long, global = true)]
    pub(super) tenant: Option<String>,
    /// Print one JSON object, and errors as one JSON line
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Never ask anything; CI implies it
    #[arg(long, global = true)]
    pub(super) no_input: bool,
    /// Print no notes
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Show each request (never its secrets)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// When to colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,
    /// Bound each request, such as 15s or 1m
    #[arg(long, global = true, value_name = "DURATION", default_value = "15s", value_parser = argument::duration)]
    pub(super) timeout: Duration,
    /// Trust the PEM certificates in this file too
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) ca_cert: Option<PathBuf>,
    /// Keep config.toml in this folder
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) config_dir: Option<PathBuf>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Globals {
    /// How the command wants to be printed.
    pub(super) fn style(&self, host: &Host) -> Style {
        let forced = match self.color {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        };
        Style { json: self.json, quiet: self.quiet, verbose: self.verbose, colours: colours(forced, host) }
    }
}

/// The colours to use: as `forced` says, else as the environment and the terminals do.
pub(super) fn colours(forced: Option<bool>, host: &Host) -> Colours {
    // A terminal that cannot show them is as good as a user who does not want them.
    let plain = host.env.get("NO_COLOR").is_some() || host.env.get("TERM").as_deref() == Some("dumb");
    Colours::choose(forced, plain, host.terminal)
}
