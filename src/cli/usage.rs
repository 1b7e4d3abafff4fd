//! Turns clap's usage errors into failures.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};

use crate::failure::{Failure, Kind};

/// The commands that take a secret. A wrong argument of theirs may be the secret, so it is not repeated.
const SECRET_COMMANDS: [&str; 3] = ["login", "rotate", "import"];

/// clap's error as a failure, and as the text to show a person; the text is empty if clap's must not be shown.
pub(crate) fn failure(error: &clap::Error, arguments: &[OsString]) -> (Failure, String) {
    use ErrorKind::{InvalidValue, TooManyValues, UnknownArgument, ValueValidation, WrongNumberOfValues};
    let repeats = matches!(
        error.kind(),
        UnknownArgument | TooManyValues | WrongNumberOfValues | InvalidValue | ValueValidation
    );
    let command = SECRET_COMMANDS.iter().find(|command| arguments.iter().any(|word| word == *command));
    if let Some(command) = command.filter(|_| repeats) {
        let group = if *command == "import" { "profile " } else { "" };
        let message = "an argument is not understood; it is not repeated here, since it may be a secret";
        let failure = Failure::new(Kind::Usage, message);
        return (failure.hint(format!("corti-auth {group}{command} --help")), String::new());
    }
    let text = error.render().to_string();
    let mut failure = Failure::new(Kind::Usage, message(&text));
    let kinds = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    if let Some(similar) = kinds.into_iter().find_map(|kind| error.get(kind)) {
        failure = failure.hint(format!("did you mean `{similar}`?"));
    }
    (failure.hint(help_command(error)), text)
}

/// The first paragraph of clap's text, on one line.
fn message(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().skip_while(|word| *word == "error:").collect();
    words.join(" ")
}

/// The help of the command whose usage clap shows.
fn help_command(error: &clap::Error) -> String {
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    let words = usage.split_whitespace().skip_while(|word| *word != "corti-auth").skip(1);
    let names: Vec<&str> = words.take_while(is_name).collect();
    [&["corti-auth"][..], &names, &["--help"]].concat().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_whole_and_the_hint_is_the_commands_own() {
        let group = clap::Command::new("man").arg(clap::arg!(<DIR>));
        let command = clap::Command::new("corti-auth").subcommand(group).arg(clap::arg!(--full));
        let wrong = |words: &[&str]| command.clone().try_get_matches_from(words).unwrap_err();
        let error = wrong(&["corti-auth", "man"]);
        let text = error.render().to_string();
        assert_eq!(message(&text), "the following required arguments were not provided: <DIR>");
        assert_eq!(help_command(&error), "corti-auth man --help");
        assert_eq!(help_command(&wrong(&["corti-auth", "--fulll"])), "corti-auth --help");
    }
}
