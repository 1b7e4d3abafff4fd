//! What clap says of a command line it does not understand, in this tool's terms.

use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::failure::{Failure, Kind};

/// The commands that are handed a secret: what stands on their command line by mistake may be one, and is not repeated.
const SECRET_COMMANDS: [&str; 3] = ["login", "rotate", "import"];

/// clap's error as a failure, and as the text to show a person; the text is empty where clap's must not be shown.
pub(super) fn failure(error: &clap::Error, arguments: &[OsString]) -> (Failure, String) {
    let repeats = matches!(
        error.kind(),
        ErrorKind::UnknownArgument
            | ErrorKind::TooManyValues
            | ErrorKind::WrongNumberOfValues
            | ErrorKind::InvalidValue
            | ErrorKind::ValueValidation
    );
    let taker = SECRET_COMMANDS.iter().find(|command| arguments.iter().any(|word| word == *command));
    if let Some(command) = taker.filter(|_| repeats) {
        let group = if *command == "import" { "profile " } else { "" };
        let message = "an argument is not understood; it is not repeated here, since it may be a secret";
        return (
            Failure::new(Kind::Usage, message).hint(format!("corti-auth {group}{command} --help")),
            String::new(),
        );
    }
    let text = error.render().to_string();
    (Failure::new(Kind::Usage, message(&text)).hint(help_command(&text)), text)
}

/// The part of clap's text before the usage, on one line.
fn message(text: &str) -> String {
    let ends = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let lines = text.lines().take_while(ends).map(str::trim).filter(|line| !line.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    message.strip_prefix("error: ").map(str::to_owned).unwrap_or(message)
}

/// The help of the command that the usage names.
fn help_command(text: &str) -> String {
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: corti-auth")).unwrap_or_default();
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    let names: Vec<&str> = usage.split_whitespace().take_while(is_name).collect();
    [&["corti-auth"][..], &names, &["--help"]].concat().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "error: the following required arguments were not provided:\n  <DIR>\n\n\
                        Usage: corti-auth man <DIR>\n\nFor more information, try '--help'.\n";

    #[test]
    fn the_message_is_whole_and_the_hint_is_the_commands_own() {
        assert_eq!(message(TEXT), "the following required arguments were not provided: <DIR>");
        assert_eq!(help_command(TEXT), "corti-auth man --help");
        assert_eq!(help_command("error: x\n"), "corti-auth --help");
    }
}
