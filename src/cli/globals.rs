//! The options that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::ColorChoice;

use crate::app::context::Options;
use crate::cli::argument;
use crate::domain::client::environment::KNOWN_LABELS;
use crate::domain::client::variable::{CI, CONFIG_FOLDER, ENVIRONMENT, NO_INPUT, PROFILE, TENANT};
use crate::edge::host::Host;
use crate::output::{Look, Style};

/// The options that every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    #[arg(help = format!("Use this profile [env: {PROFILE}]"))]
    #[arg(short, long, global = true, value_name = "NAME")]
    profile: Option<String>,
    #[arg(help = format!("A label such as eu, or a URL [env: {ENVIRONMENT}]"))]
    #[arg(short, long, global = true, value_name = "ENV", add = argument::offering(&KNOWN_LABELS))]
    environment: Option<String>,
    #[arg(help = format!("The tenant [env: {TENANT}] [default: base]"))]
    #[arg(short, long, global = true)]
    tenant: Option<String>,
    /// Print one JSON object, and errors as one JSON line
    #[arg(long, global = true)]
    json: bool,
    /// Print only this field of the JSON, such as a.b.0
    #[arg(long, global = true, value_name = "NAME")]
    field: Option<String>,
    #[arg(help = format!("Never prompt [env: {NO_INPUT}, {CI}]"))]
    #[arg(long, global = true, hide_short_help = true)]
    no_input: bool,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true, hide_short_help = true)]
    quiet: bool,
    /// Show each request, without its secrets
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to use colours
    #[arg(long, global = true, hide_short_help = true, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
    /// Limit the time of each request, such as 15s or 1m
    #[arg(
        long, global = true, hide_short_help = true, value_name = "DURATION", default_value = "15s",
        value_parser = argument::duration
    )]
    timeout: Duration,
    /// Also trust the PEM certificates in this file
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    #[arg(help = format!("Folder of config.toml [env: {CONFIG_FOLDER}]"))]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    config_dir: Option<PathBuf>,
}

impl Globals {
    /// The options that commands read themselves.
    pub(crate) fn options(&self) -> Options {
        Options {
            profile: self.profile.clone(),
            environment: self.environment.clone(),
            tenant: self.tenant.clone(),
            json: self.json,
            field: self.field.clone(),
            no_input: self.no_input,
            quiet: self.quiet,
            timeout: self.timeout,
            ca_cert: self.ca_cert.clone(),
            config_dir: self.config_dir.clone(),
        }
    }

    /// How the output is printed.
    pub(crate) fn style(&self, host: &Host) -> Style {
        let forced = match self.color {
            ColorChoice::Auto => None,
            ColorChoice::Always => Some(true),
            ColorChoice::Never => Some(false),
        };
        let (json, field) = (self.json, self.field.clone());
        Style { json, field, quiet: self.quiet, verbose: self.verbose, ..style(forced, host) }
    }
}

/// The style of the two streams. Colours are as `forced`, else on terminals that can show them.
pub(crate) fn style(forced: Option<bool>, host: &Host) -> Style {
    let plain = host.env.get("NO_COLOR").is_some() || host.env.is_dumb();
    let columns = host.terminal.columns.unwrap_or(usize::MAX);
    let look = |is_terminal: bool| Look {
        colour: forced.unwrap_or(is_terminal && !plain),
        columns: is_terminal.then_some(columns),
    };
    Style { stdout: look(host.terminal.stdout), stderr: look(host.terminal.stderr), ..Style::default() }
}
