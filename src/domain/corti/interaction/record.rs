//! An interaction as the API tells it, with members that this tool has never heard of kept.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::corti::problem::Problem;
use crate::domain::corti::request::Response;
use crate::domain::text::page::Page;
use crate::domain::text::redactor::Redactor;

use super::InteractionError;

/// One interaction: whatever JSON object the API sent. It holds patient data.
#[derive(Clone)]
pub struct Record(Value);

impl std::fmt::Debug for Record {
    /// Patient data is in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({} members)", self.0.as_object().map_or(0, Map::len))
    }
}

impl Record {
    /// Reads the answer to a request for one interaction.
    ///
    /// # Errors
    /// [`InteractionError::Refused`] and [`InteractionError::NotTheProtocol`].
    pub fn one(response: &Response) -> Result<Self, InteractionError> {
        let record = Self(object(response)?.into());
        if record.id().is_empty() {
            return Err(not_the_protocol(response));
        }
        Ok(record)
    }

    /// Reads the answer to a request for a page of them.
    ///
    /// # Errors
    /// The same.
    pub fn page(response: &Response) -> Result<Vec<Self>, InteractionError> {
        let Some(Value::Array(list)) = object(response)?.remove("interactions") else {
            return Err(not_the_protocol(response));
        };
        let records = list.into_iter().map(|one| match one {
            Value::Object(_) => Ok(Self(one)),
            _ => Err(not_the_protocol(response)),
        });
        records.collect()
    }

    /// The same without secrets. Use it before [`Self::to_json`], which changes the names of members: a secret that is in a
    /// changed name is not found any more.
    #[must_use]
    pub fn redacted(self, secrets: &Redactor) -> Self {
        Self(secrets.apply_json(self.0))
    }

    /// `id`, or nothing.
    pub fn id(&self) -> &str {
        self.text("/id")
    }

    /// The text at a JSON pointer (RFC 6901), or nothing.
    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// What a row of a list shows of it; see [`Record::COLUMNS`]. The patient's name is not among it.
    pub fn row(&self) -> Vec<String> {
        let created = self.text("/createdAt");
        // To the second, as long as it is a time.
        let second = created.parse().and_then(|time: Timestamp| Timestamp::from_second(time.as_second()));
        let rest = ["/encounter/status", "/encounter/type", "/encounter/identifier"];
        let rest = rest.iter().map(|pointer| self.text(pointer).to_owned());
        let created = second.map_or_else(|_| created.to_owned(), |time| time.to_string());
        [self.id().to_owned(), created].into_iter().chain(rest).collect()
    }

    /// What stands over the columns of [`Record::row`], and how wide they are where all goes well: a UUID, a time, the
    /// longest status, the longest type.
    pub const COLUMNS: [(&'static str, usize); 5] =
        [("ID", 36), ("CREATED", 20), ("STATUS", 11), ("TYPE", 18), ("ENCOUNTER", 0)];

    /// All that a person may want to see of it.
    pub fn summary(&self) -> Page {
        let fields = [
            ("interaction", "/id"),
            ("created", "/createdAt"),
            ("updated", "/updatedAt"),
            ("ended", "/endedAt"),
            ("status", "/encounter/status"),
            ("type", "/encounter/type"),
            ("encounter", "/encounter/identifier"),
            ("title", "/encounter/title"),
            ("from", "/encounter/period/startedAt"),
            ("to", "/encounter/period/endedAt"),
            ("assigned to", "/assignedUserId"),
            ("patient", "/patient/identifier"),
            ("name", "/patient/name"),
            ("gender", "/patient/gender"),
            ("born", "/patient/birthDate"),
            ("pronouns", "/patient/pronouns"),
            ("websocketUrl", "/websocketUrl"),
        ];
        fields.iter().fold(Page::new(), |page, (label, pointer)| {
            page.optional(*label, Some(self.text(pointer)).filter(|text| !text.is_empty()))
        })
    }

    /// All of it, its members' names in `snake_case` as everywhere in this tool's JSON.
    pub fn to_json(&self) -> Value {
        snake(&self.0)
    }
}

fn object(response: &Response) -> Result<Map<String, Value>, InteractionError> {
    if !response.is_success() {
        return Err(Problem::of(response).into());
    }
    serde_json::from_slice(&response.body).map_err(|_| not_the_protocol(response))
}

fn not_the_protocol(response: &Response) -> InteractionError {
    InteractionError::NotTheProtocol { status: response.status, what: response.appearance() }
}

fn snake(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (snake_name(name), snake(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(list) => list.iter().map(snake).collect(),
        other => other.clone(),
    }
}

/// `websocketUrl` becomes `websocket_url`, `someURL` `some_url`.
fn snake_name(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_small {
            snake.push('_');
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(status: u16, body: &Value) -> Response {
        Response { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    #[test]
    fn unknown_members_stay_and_names_are_snake_case() {
        let body = json!({ "id": "i", "someURL": 1, "encounter": { "newThing": [{ "aB": null }] } });
        let record = Record::one(&response(200, &body)).unwrap();
        let expected = json!({ "id": "i", "some_url": 1, "encounter": { "new_thing": [{ "a_b": null }] } });
        assert_eq!(record.to_json(), expected);
    }

    #[test]
    fn a_row_has_what_is_there_and_no_patient() {
        let one = json!({ "id": "i", "encounter": { "status": "planned", "type": 7 }, "patient": { "name": "Canary" } });
        let page = Record::page(&response(200, &json!({ "interactions": [one] }))).unwrap();
        assert_eq!(page[0].row(), ["i", "", "planned", "", ""]);
        let one = json!({ "id": "i", "createdAt": "2026-11-24T08:05:10.3+01:00" });
        assert_eq!(Record::one(&response(200, &one)).unwrap().row()[1], "2026-11-24T07:05:10Z");
        assert_eq!(page[0].row().len(), Record::COLUMNS.len());
        assert!(!format!("{page:?}").contains("Canary"));
    }

    #[test]
    fn other_answers_are_no_interactions() {
        for body in [json!([]), json!({}), json!({ "interactions": {} }), json!({ "interactions": [1] })] {
            assert!(Record::page(&response(200, &body)).is_err(), "{body}");
            assert!(Record::one(&response(200, &body)).is_err(), "{body}");
        }
        assert!(matches!(Record::one(&response(404, &json!({}))), Err(InteractionError::Refused(_))));
    }
}
