//! The operations of Corti's API that the gateway forwards: a closed table, and the grammar of a path.
//!
//! After the endpoints of `@corti/sdk` 1.0.0 and the agents of its next version.

use uuid::Uuid;

use super::refusal::{Code, Refusal};

/// Where the API is mounted in the gateway.
pub const MOUNT: &str = "/corti";

/// Whose data an operation reads or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nobody's: catalogues and tools.
    Nobodys,
    /// Those of the interaction in the path.
    Interaction,
    /// Those of all users of the API client. A rule with `own` does not allow it.
    Everybodys,
}

use Data::{Everybodys, Interaction, Nobodys};

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
}

const fn op(name: &'static str, method: &'static str, template: &'static str, data: Data) -> Operation {
    Operation { name, method, template, data }
}

/// The operations that are no path of Corti's: what the broker hands out.
pub const BROKER: [&str; 4] = ["token.transcribe", "token.streams", "session.transcribe", "session.streams"];

/// Every operation.
pub const TABLE: &[Operation] = &[
    op("transcribe", "GET", "/audio-bridge/v2/transcribe", Nobodys),
    op("streams", "GET", "/audio-bridge/v2/interactions/{interaction}/streams", Interaction),
    op("languages.list", "GET", "/v2/languages/", Nobodys),
    op("factgroups.list", "GET", "/v2/factgroups/", Nobodys),
    op("interactions.list", "GET", "/v2/interactions/", Everybodys),
    op("interactions.create", "POST", "/v2/interactions/", Everybodys),
    op("interactions.read", "GET", "/v2/interactions/{interaction}", Interaction),
    op("interactions.update", "PATCH", "/v2/interactions/{interaction}", Interaction),
    op("interactions.delete", "DELETE", "/v2/interactions/{interaction}", Interaction),
    op("recordings.list", "GET", "/v2/interactions/{interaction}/recordings/", Interaction),
    op("recordings.create", "POST", "/v2/interactions/{interaction}/recordings/", Interaction),
    op("recordings.read", "GET", "/v2/interactions/{interaction}/recordings/{recording}", Interaction),
    op("recordings.delete", "DELETE", "/v2/interactions/{interaction}/recordings/{recording}", Interaction),
    op("transcripts.list", "GET", "/v2/interactions/{interaction}/transcripts/", Interaction),
    op("transcripts.create", "POST", "/v2/interactions/{interaction}/transcripts/", Interaction),
    op("transcripts.read", "GET", "/v2/interactions/{interaction}/transcripts/{transcript}", Interaction),
    op(
        "transcripts.read",
        "GET",
        "/v2/interactions/{interaction}/transcripts/{transcript}/status",
        Interaction,
    ),
    op(
        "transcripts.delete",
        "DELETE",
        "/v2/interactions/{interaction}/transcripts/{transcript}",
        Interaction,
    ),
    op("facts.list", "GET", "/v2/interactions/{interaction}/facts/", Interaction),
    op("facts.create", "POST", "/v2/interactions/{interaction}/facts/", Interaction),
    op("facts.update", "PATCH", "/v2/interactions/{interaction}/facts/", Interaction),
    op("facts.update", "PATCH", "/v2/interactions/{interaction}/facts/{fact}", Interaction),
    op("facts.extract", "POST", "/v2/tools/extract-facts", Nobodys),
    // Its body may name a document of anybody.
    op("codes.predict", "POST", "/v2/tools/coding/", Everybodys),
    op("documents.list", "GET", "/v2/interactions/{interaction}/documents/", Interaction),
    op("documents.create", "POST", "/v2/interactions/{interaction}/documents/", Interaction),
    op("documents.read", "GET", "/v2/interactions/{interaction}/documents/{document}", Interaction),
    op("documents.update", "PATCH", "/v2/interactions/{interaction}/documents/{document}", Interaction),
    op("documents.delete", "DELETE", "/v2/interactions/{interaction}/documents/{document}", Interaction),
    op("templates.list", "GET", "/v2/templates/", Nobodys),
    op("templates.read", "GET", "/v2/templates/{key}", Nobodys),
    op("templates.list", "GET", "/v2/templateSections/", Nobodys),
    op("guided-documents.list", "GET", "/v2/documents/", Everybodys),
    op("guided-documents.create", "POST", "/v2/documents/", Everybodys),
    op("guided-sections.list", "GET", "/v2/documents/sections/", Nobodys),
    op("guided-sections.create", "POST", "/v2/documents/sections/", Everybodys),
    op("guided-sections.read", "GET", "/v2/documents/sections/{section}", Nobodys),
    op("guided-sections.update", "PATCH", "/v2/documents/sections/{section}", Everybodys),
    op("guided-sections.delete", "DELETE", "/v2/documents/sections/{section}", Everybodys),
    op("guided-sections.read", "GET", "/v2/documents/sections/{section}/versions/", Nobodys),
    op("guided-sections.update", "POST", "/v2/documents/sections/{section}/versions/", Everybodys),
    op("guided-sections.read", "GET", "/v2/documents/sections/{section}/versions/{version}", Nobodys),
    op("guided-sections.delete", "DELETE", "/v2/documents/sections/{section}/versions/{version}", Everybodys),
    op(
        "guided-sections.update",
        "POST",
        "/v2/documents/sections/{section}/versions/{version}/publish",
        Everybodys,
    ),
    op("guided-templates.list", "GET", "/v2/documents/templates/", Nobodys),
    op("guided-templates.create", "POST", "/v2/documents/templates/", Everybodys),
    op("guided-templates.read", "GET", "/v2/documents/templates/{template}", Nobodys),
    op("guided-templates.update", "PATCH", "/v2/documents/templates/{template}", Everybodys),
    op("guided-templates.delete", "DELETE", "/v2/documents/templates/{template}", Everybodys),
    op("guided-templates.read", "GET", "/v2/documents/templates/{template}/versions/", Nobodys),
    op("guided-templates.update", "POST", "/v2/documents/templates/{template}/versions/", Everybodys),
    op("guided-templates.read", "GET", "/v2/documents/templates/{template}/versions/{version}", Nobodys),
    op(
        "guided-templates.delete",
        "DELETE",
        "/v2/documents/templates/{template}/versions/{version}",
        Everybodys,
    ),
    op(
        "guided-templates.update",
        "POST",
        "/v2/documents/templates/{template}/versions/{version}/publish",
        Everybodys,
    ),
    // After the paths of sections and templates: the first match counts.
    op("guided-documents.read", "GET", "/v2/documents/{document}", Everybodys),
    op("guided-documents.update", "PATCH", "/v2/documents/{document}", Everybodys),
    op("guided-documents.delete", "DELETE", "/v2/documents/{document}", Everybodys),
    op("agents.list", "GET", "/v2/agentic/agents", Nobodys),
    op("agents.create", "POST", "/v2/agentic/agents", Everybodys),
    op("agents.read", "GET", "/v2/agentic/agents/{agent}", Nobodys),
    op("agents.update", "PATCH", "/v2/agentic/agents/{agent}", Everybodys),
    op("agents.delete", "DELETE", "/v2/agentic/agents/{agent}", Everybodys),
    op("agents.read", "GET", "/v2/agentic/agents/{agent}/.well-known/agent-card.json", Nobodys),
    op("agents.read", "GET", "/v2/agentic/agents/{agent}/usage", Nobodys),
    op("agents.message", "POST", "/v2/agentic/agents/{agent}/a2a", Everybodys),
    op("agents.message", "POST", "/v2/agentic/agents/{agent}/a2a/message:send", Everybodys),
    op("agents.message", "POST", "/v2/agentic/agents/{agent}/a2a/message:stream", Everybodys),
    op("agents.read", "GET", "/v2/agentic/agents/{agent}/connectors", Nobodys),
    op("agents.update", "POST", "/v2/agentic/agents/{agent}/connectors", Everybodys),
    op("agents.read", "GET", "/v2/agentic/agents/{agent}/connectors/{connector}", Nobodys),
    op("agents.update", "PATCH", "/v2/agentic/agents/{agent}/connectors/{connector}", Everybodys),
    op("agents.update", "DELETE", "/v2/agentic/agents/{agent}/connectors/{connector}", Everybodys),
    op("agents.tasks", "GET", "/v2/agentic/agents/{agent}/a2a/tasks", Everybodys),
    op("agents.tasks", "POST", "/v2/agentic/agents/{agent}/a2a/tasks/{task}:cancel", Everybodys),
    op("agents.tasks", "POST", "/v2/agentic/agents/{agent}/a2a/tasks/{task}:subscribe", Everybodys),
    op("agents.tasks", "GET", "/v2/agentic/agents/{agent}/a2a/tasks/{task}", Everybodys),
    op("contexts.list", "GET", "/v2/agentic/contexts", Everybodys),
    op("contexts.read", "GET", "/v2/agentic/contexts/{context}", Everybodys),
    op("contexts.delete", "DELETE", "/v2/agentic/contexts/{context}", Everybodys),
    op("contexts.read", "GET", "/v2/agentic/contexts/{context}/trace", Everybodys),
    op("contexts.read", "GET", "/v2/agentic/contexts/{context}/tasks", Everybodys),
    op("contexts.read", "GET", "/v2/agentic/contexts/{context}/tasks/{task}", Everybodys),
    op(
        "contexts.read",
        "GET",
        "/v2/agentic/contexts/{context}/tasks/{task}/artifacts/{artifact}",
        Everybodys,
    ),
    op("contexts.feedback", "GET", "/v2/agentic/contexts/{context}/tasks/{task}/feedback", Everybodys),
    op("contexts.feedback", "POST", "/v2/agentic/contexts/{context}/tasks/{task}/feedback", Everybodys),
    op(
        "contexts.feedback",
        "DELETE",
        "/v2/agentic/contexts/{context}/tasks/{task}/feedback/{feedback}",
        Everybodys,
    ),
    op("agents.registry", "GET", "/v2/agentic/registry/connectors", Nobodys),
    op("agents.registry", "GET", "/v2/agentic/registry/connectors/{connector}", Nobodys),
    // The first version of the agents, which is deprecated.
    op("agents.list", "GET", "/agents", Nobodys),
    op("agents.create", "POST", "/agents", Everybodys),
    op("agents.registry", "GET", "/agents/registry/experts", Nobodys),
    op("agents.read", "GET", "/agents/{agent}", Nobodys),
    op("agents.update", "PATCH", "/agents/{agent}", Everybodys),
    op("agents.delete", "DELETE", "/agents/{agent}", Everybodys),
    op("agents.read", "GET", "/agents/{agent}/agent-card.json", Nobodys),
    op("agents.message", "POST", "/agents/{agent}/v1/message:send", Everybodys),
    op("agents.tasks", "GET", "/agents/{agent}/v1/tasks/{task}", Everybodys),
    op("contexts.read", "GET", "/agents/{agent}/v1/contexts/{context}", Everybodys),
    op("contexts.delete", "DELETE", "/agents/{agent}/v1/contexts/{context}", Everybodys),
];

impl Operation {
    /// Whether it is a WebSocket.
    pub fn is_socket(&self) -> bool {
        self.template.starts_with("/audio-bridge/")
    }

    /// Whether its answer may take as long as it wants: an upload, a download, or a stream of events.
    pub fn is_long(&self) -> bool {
        matches!(self.name, "recordings.create" | "recordings.read" | "transcripts.create")
            || self.template.ends_with(":stream")
            || self.template.ends_with(":subscribe")
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

/// Finds the operation of a request. `path` is what the request line says, without the query.
pub fn find(method: &str, path: &str) -> Result<Call, Refusal> {
    let segments = segments(path)?;
    let unknown = || Refusal::new(Code::RouteUnknown, "no operation of Corti's API has this method and path");
    let Some(("corti", rest)) = segments.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(unknown());
    };
    let matches = |operation: &&Operation| operation.method == method && is_of(operation.template, rest);
    let operation = TABLE.iter().find(matches).ok_or_else(unknown)?;
    let (mut path, mut interaction) = (String::new(), None);
    for (name, segment) in operation.template.split('/').skip(1).zip(rest) {
        path.push('/');
        if name == "{interaction}" {
            let id = uuid(segment).ok_or_else(|| {
                Refusal::new(Code::PathInvalid, "an interaction's id is a UUID in lower case, with hyphens")
            })?;
            path.push_str(segment);
            interaction = Some(id);
        } else {
            path.push_str(segment);
        }
    }
    Ok(Call { operation, interaction, path })
}

/// Only the one usual form: Corti, or an engine in front of it, may take another for another interaction.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}

/// Splits a path. Nothing that anybody could read as another path is one: no percent sign, no empty segment but the last, no
/// `.` and no `..`.
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
    Refusal::new(Code::PathInvalid, "a path has only letters, digits and . _ ~ : - between single slashes")
}

/// Whether a path has the form of a template. A parameter is a whole segment, or all of it before `:verb`.
fn is_of(template: &str, segments: &[&str]) -> bool {
    let mut names = template.split('/').skip(1);
    let all = segments.iter().all(|segment| names.next().is_some_and(|name| fits(name, segment)));
    all && names.next().is_none()
}

fn fits(name: &str, segment: &str) -> bool {
    match name.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        // A colon begins a verb, so a parameter has none.
        Some((_, verb)) => {
            segment.strip_suffix(verb).is_some_and(|value| !value.is_empty() && !value.contains(':'))
        }
        None => name == segment,
    }
}

/// What is left of a query, without what names a caller or a tenant.
pub fn without_credentials(query: &str) -> String {
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| {
        !["token", "access_token", "tenant-name", "corti-ticket"]
            .iter()
            .any(|it| name.eq_ignore_ascii_case(it))
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
