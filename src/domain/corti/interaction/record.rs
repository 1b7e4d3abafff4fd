//! Reads an interaction as the API sends it, with unknown members.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::corti::problem::{InteractionError, accepted, unexpected};
use crate::domain::corti::request::Response;
use crate::domain::text::page::{Column, Page};
use crate::domain::text::redactor::{Redactor, map_json};

/// One interaction: the JSON object that the API sent. It holds patient data.
#[derive(Clone)]
pub struct Record(Value);

impl std::fmt::Debug for Record {
    /// Without patient data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({} members)", self.0.as_object().map_or(0, Map::len))
    }
}

impl Record {
    /// Reads the answer to a request for one interaction.
    pub fn one(response: &Response) -> Result<Self, InteractionError> {
        let record = Self(object(response)?.into());
        if record.id().is_empty() {
            return Err(unexpected(response));
        }
        Ok(record)
    }

    /// Reads the answer to a request for a page of interactions.
    pub fn page(response: &Response) -> Result<Vec<Self>, InteractionError> {
        let Some(Value::Array(list)) = object(response)?.remove("interactions") else {
            return Err(unexpected(response));
        };
        let records = list.into_iter().map(|one| match one {
            Value::Object(_) => Ok(Self(one)),
            _ => Err(unexpected(response)),
        });
        records.collect()
    }

    /// Removes secrets. Call this before [`Self::to_json`], which changes names, so that secrets in them are not found.
    #[must_use]
    pub fn redacted(self, secrets: &Redactor) -> Self {
        Self(secrets.apply_json(self.0))
    }

    /// `id`, or empty.
    pub fn id(&self) -> &str {
        self.text("/id")
    }

    /// The text at a JSON pointer (RFC 6901), or empty.
    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A row of a list for programs: id, time in whole seconds, status, type, encounter. Without the patient's name.
    pub fn row(&self) -> Vec<String> {
        self.columns(&|time| time.to_string())
    }

    /// The row for people, see [`Record::COLUMNS`].
    pub fn cells(&self) -> Vec<String> {
        self.columns(&|time| time.strftime("%Y-%m-%d %H:%MZ").to_string())
    }

    fn columns(&self, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
        let created = self.text("/createdAt");
        let second = created.parse().and_then(|time: Timestamp| Timestamp::from_second(time.as_second()));
        let rest = ["/encounter/status", "/encounter/type", "/encounter/identifier"];
        let rest = rest.iter().map(|pointer| self.text(pointer).to_owned());
        let created = second.map_or_else(|_| created.to_owned(), time);
        [self.id().to_owned(), created].into_iter().chain(rest).collect()
    }

    /// The columns of [`Record::cells`]. Their widths are fixed, since later pages are not known yet: a UUID, a time, the
    /// longest status, the longest type, another UUID.
    pub const COLUMNS: [Column; 5] = [
        Column::whole("ID", 36),
        Column::whole("CREATED", 17),
        Column::text("STATUS", 11, 7),
        Column::text("TYPE", 18, 8),
        Column::text("ENCOUNTER", 36, 9),
    ];

    /// The interaction for a person.
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
            let text = self.text(pointer);
            let text = if pointer.ends_with("At") { whole_seconds(text) } else { text.to_owned() };
            page.optional(*label, Some(text).filter(|text| !text.is_empty()))
        })
    }

    /// The whole interaction, with names in `snake_case` as in all JSON of corti-auth.
    pub fn to_json(&self) -> Value {
        map_json(self.0.clone(), &snake_name, &str::to_owned)
    }
}

fn object(response: &Response) -> Result<Map<String, Value>, InteractionError> {
    serde_json::from_slice(&accepted(response)?.body).map_err(|_| unexpected(response))
}

/// A time in whole seconds, in UTC; another text as it is.
fn whole_seconds(text: &str) -> String {
    let second = text.parse().and_then(|time: Timestamp| Timestamp::from_second(time.as_second()));
    second.map_or_else(|_| text.to_owned(), |time| time.to_string())
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
    fn a_person_reads_times_in_whole_seconds() {
        let period = json!({ "startedAt": "2026-11-24T08:05:10.079464919Z", "endedAt": "soon" });
        let one =
            json!({ "id": "i", "updatedAt": "2026-11-24T08:05:10.999Z", "encounter": { "period": period } });
        let page = Record::one(&response(200, &one)).unwrap().summary();
        let text = format!("{:?}", page.lines);
        assert_eq!(text.matches("2026-11-24T08:05:10Z").count(), 2, "{text}");
        assert!(text.contains("soon"), "{text}");
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
