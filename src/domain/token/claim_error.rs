//! Reads the claims of a token one by one, and says what is wrong with those that cannot be used.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Number;
use serde_json::value::RawValue;

/// A claim that cannot be used. Its text contains no word of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{claim}` is {problem}")]
pub struct ClaimError {
    /// The claim's name.
    pub claim: &'static str,
    /// What it is instead.
    pub problem: ClaimProblem,
}

/// What is wrong with a claim. Its text goes on after "is".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimProblem {
    /// Of a wrong type: found, expected.
    Type(&'static str, &'static str),
    /// More than once in the token.
    Repeated,
    /// A number that is not a date of the calendar.
    NoDate,
    /// Not in the token.
    Missing,
}

impl fmt::Display for ClaimProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The value is of the right type, but a value in it is not.
            Self::Type(found, expected) if expected.contains(found) => write!(f, "not {expected}"),
            Self::Type(found, expected) => write!(f, "{found}, not {expected}"),
            Self::Repeated => f.write_str("in the token more than once"),
            Self::NoDate => f.write_str("not a date"),
            Self::Missing => f.write_str("missing"),
        }
    }
}

impl ClaimError {
    /// A number that is not a date of the calendar.
    pub(super) fn date(claim: &'static str) -> Self {
        Self { claim, problem: ClaimProblem::NoDate }
    }

    /// A claim that the token lacks.
    pub(super) fn missing(claim: &'static str) -> Self {
        Self { claim, problem: ClaimProblem::Missing }
    }
}

/// Reads the members of an object one by one.
pub(super) struct ClaimReader<'a> {
    members: &'a [(String, Box<RawValue>)],
    /// What was wrong so far.
    pub(super) errors: Vec<ClaimError>,
}

impl<'a> ClaimReader<'a> {
    pub(super) fn new(members: &'a [(String, Box<RawValue>)]) -> Self {
        Self { members, errors: Vec::new() }
    }

    pub(super) fn text(&mut self, claim: &'static str) -> Option<String> {
        self.take(claim, "a string")
    }

    pub(super) fn seconds(&mut self, claim: &'static str) -> Option<Number> {
        self.take(claim, "a number of seconds")
    }

    /// The value of `claim`; `None` if it is missing, null or not `expected`.
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        claim: &'static str,
        expected: &'static str,
    ) -> Option<T> {
        let mut values = self.members.iter().filter(|(name, _)| name == claim);
        let (_, value) = values.next()?;
        let problem = if values.next().is_some() {
            ClaimProblem::Repeated
        } else {
            match serde_json::from_str(value.get()) {
                Ok(value) => return value,
                Err(_) => ClaimProblem::Type(kind(value), expected),
            }
        };
        self.errors.push(ClaimError { claim, problem });
        None
    }
}

/// The type of a JSON value, by its first character.
fn kind(value: &RawValue) -> &'static str {
    match value.get().bytes().next() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}
