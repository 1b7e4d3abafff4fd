//! The operations of Corti's API that the gateway forwards: a closed table, `operations.txt`, and the grammar of a path.

use std::sync::LazyLock;

use uuid::Uuid;

use super::credential::TICKET;
use super::refusal::{Code, Refusal};

/// Whose data an operation reads or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// No user's: catalogues and tools.
    Shared,
    /// That of the interaction in the path.
    Interaction,
    /// That of all users of the API client. A rule with `own` does not allow it.
    AllUsers,
}

/// One method and path of the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name in rules, such as `facts.read`. Several paths may share one.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path on Corti's host, with `{parameters}`.
    pub template: &'static str,
    /// Whose data it is about.
    pub data: Data,
    /// Whether its answer may take long: an upload, a download, a stream of events, or what a model writes.
    pub is_long: bool,
}

/// The lists beside which there are parameters: `/v2/documents/sections/` and `/v2/documents/{document}`.
const LISTS: [&str; 3] = ["sections", "templates", "registry"];

/// The broker's own operations, which are not paths of Corti's API.
pub const BROKER: [&str; 4] = ["token.transcribe", "token.streams", "session.transcribe", "session.streams"];

/// Every operation.
pub static TABLE: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let lines = include_str!("operations.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(operation).collect()
});

fn operation(line: &'static str) -> Option<Operation> {
    let mut words = line.split_whitespace();
    let (name, method, template) = (words.next()?, words.next()?, words.next()?);
    let marks: Vec<&str> = words.collect();
    let data = match template.contains("{interaction}") {
        true => Data::Interaction,
        false if marks.contains(&"shared") => Data::Shared,
        false => Data::AllUsers,
    };
    Some(Operation { name, method, template, data, is_long: marks.contains(&"long") })
}

impl Operation {
    /// Whether it is a WebSocket.
    pub fn is_socket(&self) -> bool {
        self.template.starts_with("/audio-bridge/")
    }
}

/// A request to Corti, found in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: &'static Operation,
    /// The interaction in the path.
    pub interaction: Option<Uuid>,
    /// The path on Corti's host.
    pub path: String,
}

impl Call {
    /// Whether its body must be checked: an update can assign an interaction to another user. `own_only` says that it must be
    /// the caller's own.
    pub fn needs_body_check(&self, own_only: bool) -> bool {
        own_only && self.operation.name == "interactions.update"
    }
}

/// Finds the operation of a request. `path` is what the request line says, without the query.
pub fn find(method: &str, path: &str) -> Result<Call, Refusal> {
    let segments = segments(path)?;
    let unknown =
        || Refusal::new(Code::ROUTE_UNKNOWN, "no operation of Corti's API has this method and path");
    let Some(("corti", rest)) = segments.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(unknown());
    };
    let matches = |operation: &&Operation| operation.method == method && is_of(operation.template, rest);
    let operation = TABLE.iter().find(matches).ok_or_else(unknown)?;
    let is_id = |(name, _): &(&str, &&str)| *name == "{interaction}";
    let interaction = operation.template.split('/').skip(1).zip(rest).find(is_id);
    let interaction = interaction.map(|(_, id)| uuid(id)).transpose()?;
    Ok(Call { operation, interaction, path: format!("/{}", rest.join("/")) })
}

/// Only the one usual form: Corti, or an engine in front of it, may take another for another interaction.
fn uuid(text: &str) -> Result<Uuid, Refusal> {
    let id = Uuid::try_parse(text).ok().filter(|id| id.to_string() == text);
    let detail = "an interaction's id is a UUID in lower case, with hyphens";
    id.ok_or_else(|| Refusal::new(Code::PATH_INVALID, detail))
}

/// Splits a path. Refuses what another program could read as a different path: a percent sign, an empty segment but the last,
/// `.` and `..`.
fn segments(path: &str) -> Result<Vec<&str>, Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte);
    let segments: Vec<&str> = path.split('/').collect();
    let [first, inner @ .., last] = segments.as_slice() else { return Err(invalid_path()) };
    let is_segment = |it: &str| !it.is_empty() && it != "." && it != ".." && it.bytes().all(allowed);
    if first.is_empty() && inner.iter().all(|it| is_segment(it)) && (last.is_empty() || is_segment(last)) {
        Ok(segments.into_iter().skip(1).collect())
    } else {
        Err(invalid_path())
    }
}

fn invalid_path() -> Refusal {
    Refusal::new(Code::PATH_INVALID, "a path has only letters, digits and . _ ~ : - between single slashes")
}

/// Whether a path has the form of a template. A parameter is a whole segment, or all of it before `:verb`.
fn is_of(template: &str, segments: &[&str]) -> bool {
    let mut names = template.split('/').skip(1);
    let all = segments.iter().all(|segment| names.next().is_some_and(|name| fits(name, segment)));
    all && names.next().is_none()
}

fn fits(name: &str, segment: &str) -> bool {
    match name.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        // A colon begins a verb, so a parameter has none. Without its slash, a list would be a parameter.
        Some((_, verb)) => segment
            .strip_suffix(verb)
            .is_some_and(|value| !value.is_empty() && !value.contains(':') && !LISTS.contains(&value)),
        None => name == segment,
    }
}

/// What is left of a query, without what names a caller or a tenant.
pub fn without_credentials(query: &str) -> String {
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| {
        !["token", "access_token", "tenant-name", TICKET].iter().any(|it| name.eq_ignore_ascii_case(it))
    });
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}

/// The names of all operations, each once.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLE.iter().map(|it| it.name).chain(BROKER).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
