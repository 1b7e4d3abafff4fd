//! Builds the body of a new interaction: flags first, then a file, then defaults.

use serde_json::{Map, Value, json};

/// The fields of a new interaction that are set by flags (Corti's API reference, interactions).
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The path in the body, such as `encounter.identifier`, and the value.
    values: Vec<(&'static [&'static str], String)>,
}

/// Why a body cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The file is not JSON from this line and column, both counted from 1.
    #[error("it is not JSON: line {0}, column {1}")]
    NotJson(usize, usize),
    /// The file is JSON, but not an object.
    #[error("it is JSON, but not an object")]
    NotAnObject,
    /// A flag sets a field inside a member that is not an object in the file.
    #[error("its member `{0}` is not an object")]
    Member(&'static str),
}

impl Fields {
    /// Sets the value at `path`, where there is one.
    #[must_use]
    pub fn with(mut self, path: &'static [&'static str], value: Option<&String>) -> Self {
        self.values.extend(value.map(|value| (path, value.clone())));
        self
    }

    /// The body. `from` is the text of a file. The defaults are `identifier` (which must be new to the client), `planned` and
    /// `first_consultation`. Everything else is for the API to check.
    pub fn body(&self, from: Option<&[u8]>, identifier: &str) -> Result<Value, DraftError> {
        let mut body = from.map_or_else(|| Ok(Map::new()), read)?;
        for (path, value) in &self.values {
            set(&mut body, path, value)?;
        }
        let encounter = body.entry("encounter").or_insert_with(|| json!({}));
        // If it is not an object, the API refuses it.
        if let Some(encounter) = encounter.as_object_mut() {
            let defaults =
                [("identifier", identifier), ("status", "planned"), ("type", "first_consultation")];
            for (name, value) in defaults {
                encounter.entry(name).or_insert_with(|| value.into());
            }
        }
        Ok(Value::Object(body))
    }
}

fn read(bytes: &[u8]) -> Result<Map<String, Value>, DraftError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(DraftError::NotAnObject),
        // serde's own message may repeat the text.
        Err(error) => Err(DraftError::NotJson(error.line(), error.column())),
    }
}

fn set(object: &mut Map<String, Value>, path: &[&'static str], value: &str) -> Result<(), DraftError> {
    let [name, rest @ ..] = path else { return Ok(()) };
    if rest.is_empty() {
        object.insert((*name).to_owned(), value.into());
        return Ok(());
    }
    let member = object.entry(*name).or_insert(Value::Null);
    if member.is_null() {
        *member = json!({});
    }
    set(member.as_object_mut().ok_or(DraftError::Member(name))?, rest, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: &str) -> Fields {
        Fields::default()
            .with(&["encounter", "status"], Some(&value.to_owned()))
            .with(&["patient", "identifier"], None)
    }

    #[test]
    fn the_smallest_body() {
        let body = Fields::default().body(None, "id").unwrap();
        let encounter = json!({ "identifier": "id", "status": "planned", "type": "first_consultation" });
        assert_eq!(body, json!({ "encounter": encounter }));
    }

    #[test]
    fn flags_are_over_the_file_and_the_file_is_over_the_defaults() {
        let file = br#"{"x":[1],"encounter":{"identifier":"f","status":"completed","period":null}}"#;
        let fields = fields("on-hold").with(&["encounter", "period", "startedAt"], Some(&"now".to_owned()));
        let body = fields.body(Some(file), "id").unwrap();
        let encounter = json!({
            "identifier": "f", "status": "on-hold", "type": "first_consultation", "period": { "startedAt": "now" },
        });
        assert_eq!(body, json!({ "x": [1], "encounter": encounter }));
    }

    #[test]
    fn what_is_no_object_is_told_without_its_text() {
        let body = |file: &str| fields("planned").body(Some(file.as_bytes()), "id").unwrap_err();
        assert_eq!(body("[]"), DraftError::NotAnObject);
        assert_eq!(body("{\n  canary"), DraftError::NotJson(2, 3));
        assert_eq!(body(r#"{"encounter":"x"}"#), DraftError::Member("encounter"));
        let untouched = Fields::default().body(Some(br#"{"encounter":"x"}"#), "id").unwrap();
        assert_eq!(untouched, json!({ "encounter": "x" }));
    }
}
