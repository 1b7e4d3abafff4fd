//! Adds a subcommand's arguments to clap only when it is chosen: that halves the start (measured).

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::domain::text::shell::Shell;

/// The arguments of a subcommand. Its help has the doc comment of the variant, which the list of subcommands shows, and then
/// the doc comment of `T`.
#[derive(Debug)]
pub(crate) struct LazyArgs<T>(pub(crate) T);

/// Adds the arguments and the help by `augment`, and keeps the help's first line.
fn complete(named: Command, augment: fn(Command) -> Command) -> Command {
    let about = named.get_about().cloned().unwrap_or_default();
    let complete = augment(named);
    let complete = match complete.get_after_help().map(ToString::to_string) {
        Some(after) => {
            let after = Shell::HERE.examples(&after);
            // `-h` ends with the examples.
            let examples = after.split("\n\n").next().unwrap_or_default().to_owned();
            complete.after_help(examples).after_long_help(after)
        }
        None => complete,
    };
    let more = match (complete.get_long_about(), complete.get_about()) {
        (Some(more), _) => more.to_string(),
        // clap takes the full stop from a doc comment of one paragraph.
        (None, Some(more)) if *more != about => format!("{more}."),
        _ => return complete,
    };
    let whole = format!("{about}\n\n{more}");
    complete.about(about).long_about(whole)
}

impl<T: Args> Args for LazyArgs<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| complete(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| complete(command, T::augment_args_for_update))
    }
}

impl<T: Args> FromArgMatches for LazyArgs<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
