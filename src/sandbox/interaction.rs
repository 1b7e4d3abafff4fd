//! One interaction: checks the body that a client sends, and shows it as the API does. Members that Corti does not document are
//! dropped.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::corti::interaction::{ENCOUNTER_TYPES, GENDERS, STATUSES};

use super::validation::{Field, ValidationErrors, validate};

/// The members of an encounter, its period and a patient.
const ENCOUNTER: [&str; 5] = ["identifier", "status", "type", "period", "title"];
const PERIOD: [&str; 2] = ["startedAt", "endedAt"];
const PATIENT: [&str; 5] = ["identifier", "name", "gender", "birthDate", "pronouns"];

/// The longest interaction that is kept, in bytes of JSON. It bounds the sandbox's memory.
const MAX_LENGTH: usize = 32 * 1024;

/// Checks the body of a request to create one. Returns its known members, and all errors.
fn check(body: &Value) -> Result<Value, ValidationErrors> {
    let checked = validate("body", body, |body| {
        let body = body.object();
        let is_id = |text: &str| parse_id(text).is_some();
        let user = body.optional("assignedUserId").text_that("must be a UUID", is_id);
        let encounter = body.required("encounter").object();
        check_encounter(&encounter);
        let patient = body.optional("patient").object();
        check_patient(&patient);
        // Corti makes a user up if none is named.
        let user = user.and_then(parse_id).unwrap_or_else(Uuid::new_v4);
        let mut encounter = encounter.value().map_or(Value::Null, |it| keep(it, &ENCOUNTER));
        if let Some(period) = encounter.get_mut("period") {
            *period = keep(period, &PERIOD);
        }
        json!({
            "assignedUserId": user,
            "encounter": encounter,
            "patient": patient.value().map(|it| keep(it, &PATIENT)),
        })
    })?;
    if checked.to_string().len() > MAX_LENGTH {
        return Err(vec![("body".to_owned(), "is too long for the sandbox".to_owned())]);
    }
    Ok(checked)
}

fn check_encounter(encounter: &Field<'_>) {
    encounter.required("identifier").text();
    encounter.required("status").one_of(&STATUSES);
    encounter.required("type").one_of(&ENCOUNTER_TYPES);
    let period = encounter.optional("period").object();
    for time in [period.required("startedAt"), period.optional("endedAt")] {
        time.text_that("must be an RFC 3339 time", |text| text.parse::<Timestamp>().is_ok());
    }
    encounter.optional("title").string(usize::MAX);
}

fn check_patient(patient: &Field<'_>) {
    patient.required("identifier").text();
    patient.optional("gender").one_of(&GENDERS);
    let is_date = |text: &str| text.parse::<Timestamp>().is_ok() || text.parse::<jiff::civil::Date>().is_ok();
    patient.optional("birthDate").text_that("must be an ISO 8601 date", is_date);
    patient.optional("name").string(usize::MAX);
    patient.optional("pronouns").string(usize::MAX);
}

/// The `known` members of an object, except those that are null.
fn keep(object: &Value, known: &[&str]) -> Value {
    let member = |name: &&str| {
        object.get(name).filter(|value| !value.is_null()).map(|value| ((*name).to_owned(), value.clone()))
    };
    Value::Object(known.iter().filter_map(member).collect())
}

/// Reads an id as Corti writes it: hyphenated, nothing around it.
pub(super) fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// An interaction.
#[derive(Clone, Debug)]
pub(super) struct Interaction {
    pub(super) id: Uuid,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// `assignedUserId`, `encounter` and `patient`, which may be null.
    content: Value,
}

impl Interaction {
    /// A new one. Returns all errors of the body.
    pub(super) fn new(body: &Value, now: Timestamp) -> Result<Self, ValidationErrors> {
        Ok(Self { id: Uuid::new_v4(), created: now, updated: now, content: check(body)? })
    }

    /// The interaction after `patch`, which changes members of encounter and patient one by one. Returns all errors of the
    /// result.
    pub(super) fn patched(&self, patch: &Value, now: Timestamp) -> Result<Self, ValidationErrors> {
        let mut body = self.content.clone();
        if !patch.is_object() {
            return Err(vec![("body".to_owned(), "must be an object".to_owned())]);
        }
        for name in ["assignedUserId", "encounter", "patient"] {
            match (patch.get(name), &mut body[name]) {
                (None | Some(Value::Null), _) => {}
                (Some(Value::Object(change)), Value::Object(own)) => own.extend(change.clone()),
                (Some(change), own) => *own = change.clone(),
            }
        }
        Ok(Self { updated: now, content: check(&body)?, ..self.clone() })
    }

    /// The encounter's identifier, which is unique among a client's interactions.
    pub(super) fn identifier(&self) -> &str {
        self.text("/encounter/identifier")
    }

    /// A text in the content, by its JSON pointer. Empty if there is none.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.content.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The patient's identifier. The SDK's types promise a patient: if none was named, it is the interaction's id.
    pub(super) fn patient_identifier(&self) -> String {
        self.content["patient"]["identifier"].as_str().map_or_else(|| self.id.to_string(), str::to_owned)
    }

    /// When the encounter ended, if it did.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.content["encounter"]["period"]["endedAt"].as_str()?.parse().ok()
    }

    /// The body that the API shows. The SDK's types promise a period: if none was named, it starts with the interaction.
    pub(super) fn show(&self, websocket_url: &str) -> Value {
        let mut body = self.content.clone();
        body["id"] = json!(self.id);
        body["createdAt"] = self.created.to_string().into();
        for name in ["updatedAt", "lastUpdated"] {
            body[name] = self.updated.to_string().into();
        }
        body["websocketUrl"] = websocket_url.into();
        if body["patient"].is_null() {
            body["patient"] = json!({ "identifier": self.id });
        }
        if body["encounter"]["period"].is_null() {
            body["encounter"]["period"] = json!({ "startedAt": self.created.to_string() });
        }
        if let Some(ended) = self.ended() {
            body["endedAt"] = ended.to_string().into();
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_body_of_the_sdks_tests_is_enough() {
        let body =
            json!({ "encounter": { "identifier": "a", "status": "planned", "type": "first_consultation" } });
        assert_eq!(check(&body).unwrap()["encounter"]["identifier"], "a");
    }

    #[test]
    fn every_error_of_a_body_is_found() {
        let body = json!({
            "assignedUserId": "me",
            "encounter": { "status": "begun", "type": 1, "period": { "endedAt": "noon" } },
            "patient": { "gender": "x", "birthDate": "1946-13-05" },
        });
        let errors: Vec<String> = check(&body).unwrap_err().into_iter().map(|error| error.0).collect();
        let expected = [
            "assignedUserId",
            "encounter.identifier",
            "encounter.status",
            "encounter.type",
            "encounter.period.startedAt",
            "encounter.period.endedAt",
            "patient.identifier",
            "patient.gender",
            "patient.birthDate",
        ];
        assert_eq!(errors, expected);
        assert!(check(&json!([])).is_err());
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let body =
            json!({ "encounter": { "identifier": "a", "status": "planned", "type": "emergency", "x": 1 } });
        let old = Interaction::new(&body, Timestamp::UNIX_EPOCH).unwrap();
        let patch = json!({ "encounter": { "status": "completed" }, "patient": { "identifier": "p" } });
        let new = old.patched(&patch, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((new.id, new.identifier(), new.text("/encounter/status")), (old.id, "a", "completed"));
        assert_eq!((old.patient_identifier(), new.patient_identifier()), (old.id.to_string(), "p".into()));
        assert_eq!(new.show("")["encounter"]["x"], Value::Null);
        for bad in [json!([]), json!({ "encounter": "x" }), json!({ "encounter": { "status": null } })] {
            assert!(old.patched(&bad, Timestamp::UNIX_EPOCH).is_err(), "{bad}");
        }
    }
}
