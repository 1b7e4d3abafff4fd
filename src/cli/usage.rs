//! What clap says of a command line it does not understand, in this tool's terms.

use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::domain::text::shell::quote;
use crate::failure::{Failure, Kind};

/// The commands that are handed a secret: what stands on their command line by mistake may be one, and is not repeated.
const SECRET_COMMANDS: [&str; 3] = ["login", "rotate", "import"];

/// clap's error as a failure, and as the text to show a person; the text is empty where clap's must not be shown.
pub(crate) fn failure(error: &clap::Error, arguments: &[OsString]) -> (Failure, String) {
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

/// A failure for a profile that is not there: where one is meant that is, the hint is the whole command with its name.
pub fn with_command_meant(failure: Failure, arguments: &[OsString]) -> Failure {
    let Some((name, nearest)) = failure.mistyped_profile() else { return failure };
    let nearest = nearest.clone();
    match mended(arguments, name.as_str(), nearest.as_str()) {
        Some(line) => failure.meant(&nearest, &line),
        // A variable or the configuration named it.
        None => failure,
    }
}

/// The command line with `right` in place of the profile `wrong`, where that stands in it.
fn mended(arguments: &[OsString], wrong: &str, right: &str) -> Option<String> {
    let words: Option<Vec<&str>> = arguments.iter().skip(1).map(|word| word.to_str()).collect();
    let mut words: Vec<String> = words?.into_iter().map(str::to_owned).collect();
    let (joined, end) = (format!("--profile={wrong}"), words.iter().position(|word| word == "--"));
    let own = words.get(..end.unwrap_or(words.len()))?;
    let is_value = |pair: &[String]| matches!(pair[0].as_str(), "-p" | "--profile") && pair[1] == wrong;
    let place = own.windows(2).position(is_value).map(|place| place + 1);
    let place = place.map(|place| (place, right.to_owned()));
    let as_joined = || Some((own.iter().position(|word| *word == joined)?, format!("--profile={right}")));
    let place = place.or_else(as_joined);
    // `profile use NAME`, and the others of its kind.
    let operand = || {
        let group = own.iter().position(|word| word == "profile")?;
        let behind = own.iter().skip(group + 1).position(|word| word == wrong)?;
        Some((group + 1 + behind, right.to_owned()))
    };
    let (place, word) = place.or_else(operand)?;
    words[place] = word;
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    Some(format!("corti-auth {}", words.join(" ")))
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

    #[test]
    fn a_command_is_mended_where_the_profile_stands_in_it() {
        let mended = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            mended(&words, "acmeeu", "acme-eu")
        };
        for (line, expected) in [
            ("/bin/c profile use acmeeu", Some("corti-auth profile use acme-eu")),
            ("c -p acmeeu token --full", Some("corti-auth -p acme-eu token --full")),
            ("c --profile=acmeeu status", Some("corti-auth '--profile=acme-eu' status")),
            ("c profile rename acmeeu acmeeu", Some("corti-auth profile rename acme-eu acmeeu")),
            ("c status acmeeu -p acmeeu", Some("corti-auth status acmeeu -p acme-eu")),
            ("c exec --full -- x -p acmeeu", None),
            ("c status", None),
        ] {
            assert_eq!(mended(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_name_may_be_a_part_of_the_option() {
        let words: Vec<OsString> = ["c", "--profile=pro", "status"].map(OsString::from).into();
        assert_eq!(mended(&words, "pro", "prod").unwrap(), "corti-auth '--profile=prod' status");
    }

    const TEXT: &str = "error: the following required arguments were not provided:\n  <DIR>\n\n\
                        Usage: corti-auth man <DIR>\n\nFor more information, try '--help'.\n";

    #[test]
    fn the_message_is_whole_and_the_hint_is_the_commands_own() {
        assert_eq!(message(TEXT), "the following required arguments were not provided: <DIR>");
        assert_eq!(help_command(TEXT), "corti-auth man --help");
        assert_eq!(help_command("error: x\n"), "corti-auth --help");
    }
}
