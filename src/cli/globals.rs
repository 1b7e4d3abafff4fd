//! The options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::app::options::Options;
use crate::cli::argument;
use crate::domain::client::environment::KNOWN_LABELS;
use crate::edge::host::Host;
use crate::output::{Colours, Style};

/// The options that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Use this profile
    #[arg(short, long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Use this environment: eu, us, another label, or a URL
    #[arg(short, long, global = true, value_name = "ENV", add = argument::offering(&KNOWN_LABELS))]
    environment: Option<String>,
    /// Use this tenant (realm); base if nothing else says so
    #[arg(short, long, global = true)]
    tenant: Option<String>,
    /// Print one JSON object, and errors as one JSON line
    #[arg(long, global = true)]
    json: bool,
    /// Never ask anything; CI implies it
    #[arg(long, global = true)]
    no_input: bool,
    /// Print no notes
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Show each request (never its secrets)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,
    /// Bound each request, such as 15s or 1m
    #[arg(long, global = true, value_name = "DURATION", default_value = "15s", value_parser = argument::duration)]
    timeout: Duration,
    /// Trust the PEM certificates in this file too
    #[arg(long, global = true, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Keep config.toml in this folder
    #[arg(long, global = true, value_name = "DIR")]
    config_dir: Option<PathBuf>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Globals {
    /// What commands see of them.
    pub(crate) fn options(&self) -> Options {
        Options {
            profile: self.profile.clone(),
            environment: self.environment.clone(),
            tenant: self.tenant.clone(),
            json: self.json,
            no_input: self.no_input,
            quiet: self.quiet,
            timeout: self.timeout,
            ca_cert: self.ca_cert.clone(),
            config_dir: self.config_dir.clone(),
        }
    }

    /// How the command wants to be printed.
    pub(crate) fn style(&self, host: &Host) -> Style {
        let forced = match self.color {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        };
        Style { json: self.json, quiet: self.quiet, verbose: self.verbose, colours: colours(forced, host) }
    }
}

/// The colours to use: as `forced` says, else as the environment and the terminals do.
pub(crate) fn colours(forced: Option<bool>, host: &Host) -> Colours {
    // A terminal that cannot show them is as good as a user who does not want them.
    let plain = host.env.get("NO_COLOR").is_some() || host.env.get("TERM").as_deref() == Some("dumb");
    Colours::choose(forced, plain, host.terminal)
}
