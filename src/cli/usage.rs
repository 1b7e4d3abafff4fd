//! Turns clap's usage errors into failures.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::{Failure, Kind};

/// The commands that take a secret. A wrong argument of theirs may be the secret, so it is not repeated.
const SECRET_COMMANDS: [&str; 3] = ["login", "rotate", "import"];

/// What a token may do is said by a word and by an option.
const FULL_TWICE: &str = "say what the token may do once: by a word such as full, or by --full";
const SCOPE_TWICE: &str = "say what the token may do once: by a word such as transcribe, or by --scope";

/// clap's error as a failure, and the help to show instead if only the command is missing.
pub(crate) fn failure(error: &clap::Error, arguments: &[OsString], root: &Command) -> (Failure, String) {
    use ErrorKind::{
        DisplayHelpOnMissingArgumentOrSubcommand as MissingCommand, InvalidSubcommand, InvalidValue,
        MissingSubcommand, TooManyValues, UnknownArgument, ValueValidation, WrongNumberOfValues,
    };
    let repeats = matches!(
        error.kind(),
        UnknownArgument
            | TooManyValues
            | WrongNumberOfValues
            | InvalidValue
            | ValueValidation
            | InvalidSubcommand
    );
    let command = SECRET_COMMANDS.iter().find(|command| arguments.iter().any(|word| word == *command));
    let help = help_command(error, arguments, root);
    let has_secret = || arguments.iter().any(|word| may_be_secret(&word.to_string_lossy()));
    if repeats && (command.is_some() || has_secret()) {
        let message = "invalid argument (not shown: it may be a secret)";
        let help = match command {
            Some(&"import") => "corti-auth profile import --help".to_owned(),
            Some(command) => format!("corti-auth {command} --help"),
            None => help,
        };
        return (Failure::new(Kind::Usage, message).hint(help), String::new());
    }
    let text = in_plain_words(&error.render().to_string());
    let is_missing = matches!(error.kind(), MissingCommand | MissingSubcommand);
    let message = if is_missing { "a command is missing".to_owned() } else { message(&text) };
    let mut failure = Failure::new(Kind::Usage, message);
    if let Some(command) = text.lines().find_map(|line| line.trim().strip_prefix("hint: corti-auth ")) {
        failure = failure.hint(format!("corti-auth {command}"));
    }
    let kinds = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    if let Some(similar) = kinds.into_iter().find_map(|kind| error.get(kind)) {
        failure = failure.hint(format!("did you mean `{similar}`?"));
    }
    if let Some(ContextValue::Strings(known)) = error.get(ContextKind::ValidValue)
        && !known.is_empty()
    {
        failure = failure.hint(match known.as_slice() {
            [only] => format!("use {only}"),
            several => format!("one of {}", several.join(", ")),
        });
    }
    let shown = if error.kind() == MissingCommand { text } else { String::new() };
    (failure.hint(help), shown)
}

/// Whether a word has the form of a secret that Keycloak makes: 32 letters and digits. A UUID has no capitals.
fn may_be_secret(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    word.len() >= 20
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

/// Replaces what clap and Rust's parsers of numbers and addresses say.
fn in_plain_words(text: &str) -> String {
    let plain = [
        ("invalid digit found in string", "not a whole number"),
        ("cannot parse integer from empty string", "not a whole number"),
        ("number too large to fit in target type", "the number is too large"),
        ("invalid IP address syntax", "not an IP address, such as 127.0.0.1"),
        (&format!("..={}", u32::MAX), " or more"),
        ("..=", " to "),
        (" is not in ", " is not allowed; use "),
        ("the argument '[WHAT]...' cannot be used with '--full'", FULL_TWICE),
        ("the argument '--full' cannot be used with '[WHAT]...'", FULL_TWICE),
        ("the argument '[WHAT]...' cannot be used with '--scope <SCOPE>'", SCOPE_TWICE),
        ("the argument '--scope <SCOPE>' cannot be used with '[WHAT]...'", SCOPE_TWICE),
        ("the argument '[WHAT]...'", "words such as transcribe"),
        ("'[WHAT]...'", "words such as transcribe"),
    ];
    plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The first paragraph of clap's text, on one line.
fn message(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let lines = paragraph.lines().map(str::trim);
    // What may be given is a hint of its own.
    let lines = lines.filter(|line| !line.starts_with("[possible values:"));
    let words: Vec<&str> =
        lines.flat_map(str::split_whitespace).skip_while(|word| *word == "error:").collect();
    words.join(" ")
}

/// The help of the command whose usage clap shows, else of the command that the arguments name.
fn help_command(error: &clap::Error, arguments: &[OsString], root: &Command) -> String {
    let Some(usage) = error.get(ContextKind::Usage).map(ToString::to_string) else {
        // Subcommands of a group are known only then.
        let mut root = root.clone();
        root.build();
        let (mut command, mut line) = (&root, "corti-auth".to_owned());
        for word in arguments {
            if let Some(inner) = command.find_subcommand(word) {
                command = inner;
                line = format!("{line} {}", inner.get_name());
            }
        }
        return line + " --help";
    };
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
        let group = clap::Command::new("man")
            .arg(clap::arg!(<DIR>))
            .arg(clap::arg!(--lines <N>).value_parser(clap::value_parser!(u8)))
            .arg(clap::arg!(--kind <KIND>).value_parser(["a", "b"]));
        let command = clap::Command::new("corti-auth").subcommand(group).arg(clap::arg!(--full));
        let wrong = |words: &[&str]| command.clone().try_get_matches_from(words).unwrap_err();
        let help = |words: &[&str]| {
            let arguments: Vec<_> = words.iter().map(OsString::from).collect();
            help_command(&wrong(words), &arguments, &command)
        };
        let error = wrong(&["corti-auth", "man"]);
        let text = error.render().to_string();
        assert_eq!(message(&text), "the following required arguments were not provided: <DIR>");
        assert_eq!(help(&["corti-auth", "man"]), "corti-auth man --help");
        assert_eq!(help(&["corti-auth", "--fulll"]), "corti-auth --help");
        assert_eq!(help(&["corti-auth", "man", "--lines", "x", "d"]), "corti-auth man --help");
        let error = wrong(&["corti-auth", "man", "--kind", "x", "d"]);
        assert_eq!(message(&error.render().to_string()), "invalid value 'x' for '--kind <KIND>'");
    }
}
