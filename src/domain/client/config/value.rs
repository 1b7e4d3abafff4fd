//! Single values of `config.toml`, and what the parser says of one that is none.

use std::str::FromStr;

use toml_edit::Item;

use crate::domain::client::store_kind::SecretCommand;
use crate::domain::token::scope::{Scope, ScopeSet};

use super::ConfigError;

pub(super) fn syntax_error(text: &str, error: &toml_edit::TomlError) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ConfigError::Syntax { line, column, message: error.message().lines().collect::<Vec<_>>().join(", ") }
}

pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(place: &str, item: &Item) -> Result<T, ConfigError> {
    let invalid = |reason: String| ConfigError::Invalid { place: place.to_owned(), reason };
    let text = item.as_str().ok_or_else(|| invalid("not a string".to_owned()))?;
    text.parse().map_err(|error: T::Err| invalid(error.to_string()))
}

/// An array of words, or one text that is split as a shell does.
pub(super) fn parse_command(place: &str, item: &Item) -> Result<SecretCommand, ConfigError> {
    let invalid = |reason: String| ConfigError::Invalid { place: place.to_owned(), reason };
    let command = match (item.as_str(), item.as_array()) {
        (Some(text), _) => SecretCommand::split(text),
        (None, Some(array)) => {
            let words: Option<Vec<String>> =
                array.iter().map(|word| word.as_str().map(str::to_owned)).collect();
            SecretCommand::new(words.ok_or_else(|| invalid("not an array of strings".to_owned()))?)
        }
        (None, None) => return Err(invalid("neither an array of strings nor a string".to_owned())),
    };
    command.map_err(|error| invalid(error.to_string()))
}

pub(super) fn parse_scopes(place: &str, item: &Item) -> Result<ScopeSet, ConfigError> {
    let invalid = |reason: String| ConfigError::Invalid { place: place.to_owned(), reason };
    let array = item.as_array().ok_or_else(|| invalid("not an array of strings".to_owned()))?;
    if array.is_empty() {
        return Err(invalid("it names no scope".to_owned()));
    }
    array
        .iter()
        .map(|entry| entry.as_str().ok_or_else(|| invalid("not an array of strings".to_owned())))
        .map(|text| text?.parse::<Scope>().map_err(|error| invalid(error.to_string())))
        .collect()
}
