//! One interaction: checks what a client says about it, and shows it as the API does. Members that Corti does not document are
//! dropped.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::corti::interaction::{ENCOUNTER_TYPES, GENDERS, STATUSES};

use super::validation::{Field, ValidationErrors, validate};

/// The members of an encounter and of a patient.
const ENCOUNTER: [&str; 5] = ["identifier", "status", "type", "period", "title"];
const PATIENT: [&str; 5] = ["identifier", "name", "gender", "birthDate", "pronouns"];

/// The longest encounter and patient that are kept, in bytes of JSON. It bounds the sandbox's memory.
const MAX_LENGTH: usize = 32 * 1024;

/// What a client says about an interaction, checked.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    assigned_user: Option<Uuid>,
    identifier: String,
    encounter: Value,
    patient: Option<Value>,
}

impl Draft {
    /// Checks the body of a request to create one.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn check(body: &Value) -> Result<Self, ValidationErrors> {
        let draft = validate("body", body, |body| {
            let body = body.object();
            let is_id = |text: &str| parse_id(text).is_some();
            let user = body.optional("assignedUserId").text_that("must be a UUID", is_id);
            let encounter = body.required("encounter").object();
            let identifier = check_encounter(&encounter);
            let patient = body.optional("patient").object();
            check_patient(&patient);
            Self {
                assigned_user: user.and_then(parse_id),
                identifier: identifier.unwrap_or_default().to_owned(),
                encounter: encounter.value().map_or(Value::Null, |it| keep(it, &ENCOUNTER)),
                patient: patient.value().map(|it| keep(it, &PATIENT)),
            }
        })?;
        let length = |value: &Value| value.to_string().len();
        if length(&draft.encounter) + draft.patient.as_ref().map_or(0, length) > MAX_LENGTH {
            return Err(ValidationErrors::one("body", "is too long for the sandbox"));
        }
        Ok(draft)
    }

    /// The user it is assigned to. Corti makes one up where none is named.
    fn assigned_user(&self) -> Uuid {
        self.assigned_user.unwrap_or_else(Uuid::new_v4)
    }
}

/// Checks the encounter and gives its identifier.
fn check_encounter<'a>(encounter: &Field<'a>) -> Option<&'a str> {
    let identifier = encounter.required("identifier").text();
    encounter.required("status").one_of(&STATUSES);
    encounter.required("type").one_of(&ENCOUNTER_TYPES);
    let period = encounter.optional("period").object();
    for time in [period.required("startedAt"), period.optional("endedAt")] {
        time.text_that("must be an RFC 3339 time", |text| text.parse::<Timestamp>().is_ok());
    }
    encounter.optional("title").string(usize::MAX);
    identifier
}

fn check_patient(patient: &Field<'_>) {
    patient.required("identifier").text();
    patient.optional("gender").one_of(&GENDERS);
    let is_date = |text: &str| text.parse::<Timestamp>().is_ok() || text.parse::<jiff::civil::Date>().is_ok();
    patient.optional("birthDate").text_that("must be an ISO 8601 date", is_date);
    patient.optional("name").string(usize::MAX);
    patient.optional("pronouns").string(usize::MAX);
}

/// The members `known` of an object, without those that are null.
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

/// An interaction that exists.
#[derive(Clone, Debug)]
pub(super) struct Interaction {
    pub(super) id: Uuid,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) assigned_user: Uuid,
    draft: Draft,
}

impl Interaction {
    /// A new one.
    pub(super) fn new(draft: Draft, now: Timestamp) -> Self {
        let assigned_user = draft.assigned_user();
        Self { id: Uuid::new_v4(), created: now, updated: now, assigned_user, draft }
    }

    /// The interaction after `patch`, which changes members of encounter and patient one by one.
    ///
    /// # Errors
    /// Everything that is wrong with the result.
    pub(super) fn patched(&self, patch: &Value, now: Timestamp) -> Result<Self, ValidationErrors> {
        let mut body = json!({ "assignedUserId": self.assigned_user, "encounter": self.draft.encounter });
        if let Some(patient) = &self.draft.patient {
            body["patient"] = patient.clone();
        }
        if !patch.is_object() {
            return Err(ValidationErrors::one("body", "must be an object"));
        }
        for name in ["assignedUserId", "encounter", "patient"] {
            match (patch.get(name), &mut body[name]) {
                (None | Some(Value::Null), _) => {}
                (Some(Value::Object(change)), Value::Object(own)) => own.extend(change.clone()),
                (Some(change), own) => *own = change.clone(),
            }
        }
        let draft = Draft::check(&body)?;
        let assigned_user = draft.assigned_user();
        Ok(Self { updated: now, assigned_user, draft, ..self.clone() })
    }

    /// The encounter's identifier, which is unique among a client's interactions.
    pub(super) fn identifier(&self) -> &str {
        &self.draft.identifier
    }

    /// The encounter's status.
    pub(super) fn status(&self) -> &str {
        self.draft.encounter["status"].as_str().unwrap_or_default()
    }

    /// The patient. The SDK's types promise one: where none was named, its identifier is the interaction's id.
    fn patient(&self) -> Value {
        self.draft.patient.clone().unwrap_or_else(|| json!({ "identifier": self.id }))
    }

    /// The patient's identifier, as it is shown.
    pub(super) fn patient_identifier(&self) -> String {
        self.patient()["identifier"].as_str().unwrap_or_default().to_owned()
    }

    /// When the encounter ended, if it did.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.draft.encounter["period"]["endedAt"].as_str()?.parse().ok()
    }

    /// The body that the API shows. The SDK's types promise a period: where none was named, it starts with the interaction.
    pub(super) fn show(&self, websocket_url: &str) -> Value {
        let mut body = json!({
            "id": self.id,
            "assignedUserId": self.assigned_user,
            "encounter": self.draft.encounter,
            "patient": self.patient(),
            "createdAt": self.created.to_string(),
            "updatedAt": self.updated.to_string(),
            "lastUpdated": self.updated.to_string(),
            "websocketUrl": websocket_url,
        });
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
        assert_eq!(Draft::check(&body).unwrap().identifier, "a");
    }

    #[test]
    fn every_error_of_a_body_is_found() {
        let body = json!({
            "assignedUserId": "me",
            "encounter": { "status": "begun", "type": 1, "period": { "endedAt": "noon" } },
            "patient": { "gender": "x", "birthDate": "1946-13-05" },
        });
        let errors: Vec<String> = Draft::check(&body).unwrap_err().into_iter().map(|error| error.0).collect();
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
        assert!(Draft::check(&json!([])).is_err());
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let body =
            json!({ "encounter": { "identifier": "a", "status": "planned", "type": "emergency", "x": 1 } });
        let old = Interaction::new(Draft::check(&body).unwrap(), Timestamp::UNIX_EPOCH);
        let patch = json!({ "encounter": { "status": "completed" }, "patient": { "identifier": "p" } });
        let new = old.patched(&patch, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((new.id, new.identifier(), new.status()), (old.id, "a", "completed"));
        assert_eq!((old.patient_identifier(), new.patient_identifier()), (old.id.to_string(), "p".into()));
        assert_eq!(new.show("")["encounter"]["x"], Value::Null);
        for bad in [json!([]), json!({ "encounter": "x" }), json!({ "encounter": { "status": null } })] {
            assert!(old.patched(&bad, Timestamp::UNIX_EPOCH).is_err(), "{bad}");
        }
    }
}
