//! One interaction: what a client may say about it, checked, and how the API shows it. Members that Corti
//! does not document are dropped.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::corti::interaction::{ENCOUNTER_TYPES, GENDERS, STATUSES};

use super::field::{Faults, Need, Object};

/// What a client says about an interaction.
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
    pub(super) fn check(body: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut draft =
            Self { assigned_user: None, identifier: String::new(), encounter: Value::Null, patient: None };
        if let Some(root) = faults.root("", body) {
            let user = faults.text_that(&root, "assignedUserId", Need::Optional, "must be a UUID", |text| {
                parse_id(text).is_some()
            });
            draft.assigned_user = user.and_then(parse_id);
            if let Some(encounter) = faults.object(&root, "encounter", Need::Required) {
                draft.identifier = check_encounter(&mut faults, &encounter);
                draft.encounter =
                    keep(&body["encounter"], &["identifier", "status", "type", "period", "title"]);
            }
            if let Some(patient) = faults.object(&root, "patient", Need::Optional) {
                check_patient(&mut faults, &patient);
                let known = ["identifier", "name", "gender", "birthDate", "pronouns"];
                draft.patient = Some(keep(&body["patient"], &known));
            }
        }
        faults.or(draft)
    }

    /// What is unique among a client's interactions.
    pub(super) fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Who it is assigned to. Corti makes somebody up where nobody is named.
    fn assigned_user(&self) -> Uuid {
        self.assigned_user.unwrap_or_else(Uuid::new_v4)
    }
}

/// Checks the encounter and gives its identifier.
fn check_encounter(faults: &mut Faults, encounter: &Object<'_>) -> String {
    let identifier = faults.text(encounter, "identifier", Need::Required).unwrap_or_default();
    faults.one_of(encounter, "status", Need::Required, &STATUSES);
    faults.one_of(encounter, "type", Need::Required, &ENCOUNTER_TYPES);
    if let Some(period) = faults.object(encounter, "period", Need::Optional) {
        check_time(faults, &period, "startedAt", Need::Required);
        check_time(faults, &period, "endedAt", Need::Optional);
    }
    check_string(faults, encounter, "title");
    identifier.to_owned()
}

fn check_patient(faults: &mut Faults, patient: &Object<'_>) {
    faults.text(patient, "identifier", Need::Required);
    faults.one_of(patient, "gender", Need::Optional, &GENDERS);
    let date = |text: &str| text.parse::<Timestamp>().is_ok() || text.parse::<jiff::civil::Date>().is_ok();
    faults.text_that(patient, "birthDate", Need::Optional, "must be an ISO 8601 date", date);
    check_string(faults, patient, "name");
    check_string(faults, patient, "pronouns");
}

fn check_time(faults: &mut Faults, of: &Object<'_>, name: &str, need: Need) {
    let reason = "must be an RFC 3339 time";
    faults.text_that(of, name, need, reason, |text| text.parse::<Timestamp>().is_ok());
}

/// A text that may be empty.
fn check_string(faults: &mut Faults, of: &Object<'_>, name: &str) {
    if faults.member(of, name, Need::Optional).is_some_and(|value| !value.is_string()) {
        faults.add(of.path(name), "must be a string");
    }
}

fn keep(value: &Value, known: &[&str]) -> Value {
    let present = |name: &&str| {
        value.get(name).filter(|value| !value.is_null()).map(|v| ((*name).to_owned(), v.clone()))
    };
    Value::Object(known.iter().filter_map(present).collect::<Map<_, _>>())
}

/// Reads an id as Corti writes it: hyphenated, nothing around it.
pub(super) fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// An interaction that exists.
#[derive(Clone, Debug)]
pub(super) struct Interaction {
    pub(super) id: Uuid,
    /// The order in which interactions were made, for those of one instant.
    pub(super) serial: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) assigned_user: Uuid,
    draft: Draft,
}

impl Interaction {
    /// A new one.
    pub(super) fn new(draft: Draft, serial: u64, now: Timestamp) -> Self {
        let assigned_user = draft.assigned_user();
        Self { id: Uuid::new_v4(), serial, created: now, updated: now, assigned_user, draft }
    }

    /// What it would be after `patch`, members of encounter and patient changed one by one.
    ///
    /// # Errors
    /// Everything that is wrong with the result.
    pub(super) fn patched(&self, patch: &Value, now: Timestamp) -> Result<Self, Faults> {
        let mut body = json!({ "assignedUserId": self.assigned_user, "encounter": self.draft.encounter });
        if let Some(patient) = &self.draft.patient {
            body["patient"] = patient.clone();
        }
        let Some(changes) = patch.as_object() else {
            let mut faults = Faults::default();
            faults.add("body", "must be an object");
            return Err(faults);
        };
        for name in ["assignedUserId", "encounter", "patient"] {
            match (changes.get(name), &mut body[name]) {
                (None | Some(Value::Null), _) => {}
                (Some(Value::Object(change)), Value::Object(own)) => own.extend(change.clone()),
                (Some(change), own) => *own = change.clone(),
            }
        }
        let draft = Draft::check(&body)?;
        let assigned_user = draft.assigned_user();
        Ok(Self { updated: now, assigned_user, draft, ..self.clone() })
    }

    /// What is unique among a client's interactions.
    pub(super) fn identifier(&self) -> &str {
        self.draft.identifier()
    }

    /// The state of the encounter.
    pub(super) fn status(&self) -> &str {
        self.draft.encounter["status"].as_str().unwrap_or_default()
    }

    /// The patient. The SDK's types promise one: where nobody named any, the interaction's own id stands in.
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

    /// The body that the API shows. The SDK's types promise a period: where nobody named any, the interaction's beginning
    /// stands in.
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
        assert_eq!(Draft::check(&body).unwrap().identifier(), "a");
    }

    #[test]
    fn every_fault_of_a_body_is_found() {
        let body = json!({
            "assignedUserId": "me",
            "encounter": { "status": "begun", "type": 1, "period": { "endedAt": "noon" } },
            "patient": { "gender": "x", "birthDate": "1946-13-05" },
        });
        let faults: Vec<String> = Draft::check(&body).unwrap_err().into_iter().map(|fault| fault.0).collect();
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
        assert_eq!(faults, expected);
        assert!(Draft::check(&json!([])).is_err());
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let body =
            json!({ "encounter": { "identifier": "a", "status": "planned", "type": "emergency", "x": 1 } });
        let old = Interaction::new(Draft::check(&body).unwrap(), 0, Timestamp::UNIX_EPOCH);
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
