//! Reads the values of `config.toml`.

use std::str::FromStr;

use toml_edit::{Array, Item};

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

pub(super) fn invalid(place: &str, reason: &(impl ToString + ?Sized)) -> ConfigError {
    ConfigError::Invalid { place: place.to_owned(), reason: reason.to_string() }
}

pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(place: &str, item: &Item) -> Result<T, ConfigError> {
    let text = item.as_str().ok_or_else(|| invalid(place, "not a string"))?;
    text.parse().map_err(|error: T::Err| invalid(place, &error))
}

/// An array of words, or one text that is split into words.
pub(super) fn parse_command(place: &str, item: &Item) -> Result<SecretCommand, ConfigError> {
    let command = match (item.as_str(), item.as_array()) {
        (Some(text), _) => SecretCommand::split(text),
        (None, Some(array)) => SecretCommand::new(strings(place, array)?.map(str::to_owned).collect()),
        (None, None) => return Err(invalid(place, "neither an array of strings nor a string")),
    };
    command.map_err(|error| invalid(place, &error))
}

pub(super) fn parse_scopes(place: &str, item: &Item) -> Result<ScopeSet, ConfigError> {
    let array = item.as_array().ok_or_else(|| invalid(place, "not an array of strings"))?;
    if array.is_empty() {
        return Err(invalid(place, "it names no scope"));
    }
    strings(place, array)?.map(|text| text.parse::<Scope>().map_err(|error| invalid(place, &error))).collect()
}

fn strings<'a>(place: &str, array: &'a Array) -> Result<impl Iterator<Item = &'a str>, ConfigError> {
    let texts: Option<Vec<&str>> = array.iter().map(toml_edit::Value::as_str).collect();
    Ok(texts.ok_or_else(|| invalid(place, "not an array of strings"))?.into_iter())
}
