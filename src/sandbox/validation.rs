//! Checks JSON from clients, and collects up to 20 errors, each with the path of its field. A `null` counts as absent, as in Corti's SDKs.

use std::cell::RefCell;

use serde_json::Value;

/// Pairs of a field's path and what is wrong with it.
pub(super) type ValidationErrors = Vec<(String, String)>;

/// More errors than this are not collected: a body of wrong fields must not cost many times its size.
const MOST: usize = 20;

/// All errors on one line.
pub(super) fn one_line(errors: &ValidationErrors) -> String {
    errors.iter().map(|(path, reason)| format!("{path}: {reason}")).collect::<Vec<_>>().join("; ")
}

/// Runs `check` on `value`, called `name` in the errors. Returns all errors.
pub(super) fn validate<T>(
    name: &str,
    value: &Value,
    check: impl FnOnce(Field<'_>) -> T,
) -> Result<T, ValidationErrors> {
    let errors = RefCell::new(ValidationErrors::new());
    // The fields of a body are named without a prefix.
    let prefix = if name == "body" { String::new() } else { format!("{name}.") };
    let checked = check(Field { path: name.to_owned(), prefix, value: Some(value), errors: &errors });
    let errors = errors.into_inner();
    if errors.is_empty() { Ok(checked) } else { Err(errors) }
}

/// A field. Each check adds to the errors.
pub(super) struct Field<'a> {
    path: String,
    /// What precedes the names of its members in a path.
    prefix: String,
    /// `None` if it is absent, or a check failed.
    value: Option<&'a Value>,
    errors: &'a RefCell<ValidationErrors>,
}

impl<'a> Field<'a> {
    /// Adds an error about it.
    pub(super) fn error(&self, reason: impl Into<String>) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() < MOST {
            errors.push((self.path.clone(), reason.into()));
        }
    }

    fn at(&self, path: String, value: Option<&'a Value>) -> Self {
        Field {
            prefix: format!("{path}."),
            path,
            value: value.filter(|it| !it.is_null()),
            errors: self.errors,
        }
    }

    /// The member `name`, which may be absent.
    pub(super) fn optional(&self, name: &str) -> Self {
        self.at(format!("{}{name}", self.prefix), self.value.and_then(|value| value.get(name)))
    }

    /// The member `name`, which must exist if this field does.
    pub(super) fn required(&self, name: &str) -> Self {
        let member = self.optional(name);
        if self.value.is_some() && member.value.is_none() {
            member.error("is required");
        }
        member
    }

    /// Its value, if it exists and no check failed.
    pub(super) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    fn expect(self, is_right: impl FnOnce(&Value) -> bool, reason: &str) -> Self {
        if self.value.is_none_or(is_right) {
            return self;
        }
        self.error(reason);
        Self { value: None, ..self }
    }

    /// It must be an object.
    pub(super) fn object(self) -> Self {
        self.expect(Value::is_object, "must be an object")
    }

    /// It must be true or false.
    pub(super) fn boolean(self) {
        self.expect(Value::is_boolean, "must be true or false");
    }

    /// It must be a whole number that is not negative.
    pub(super) fn count(self) {
        self.expect(Value::is_u64, "must be a whole number from 0");
    }

    /// It must be a list of at most `most` entries. Returns them.
    pub(super) fn list(self, most: usize) -> Vec<Self> {
        let this = self.expect(Value::is_array, "must be a list");
        let entries = this.value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if entries.len() > most {
            this.error(format!("must have at most {most} entries"));
        }
        let entry = |(at, value)| this.at(format!("{}[{at}]", this.path), Some(value));
        entries.iter().enumerate().map(entry).collect()
    }

    /// It must be a string of at most `most` characters, which may be empty.
    pub(super) fn string(self, most: usize) {
        let this = self.expect(Value::is_string, "must be a string");
        if this.value.and_then(Value::as_str).is_some_and(|text| text.chars().count() > most) {
            this.error(format!("must have at most {most} characters"));
        }
    }

    /// It must be a string that is not blank. Returns it.
    pub(super) fn text(self) -> Option<&'a str> {
        self.text_that("must not be empty", |_| true)
    }

    /// It must be a string that is not blank and for which `test` holds. Returns it.
    pub(super) fn text_that(self, reason: &str, test: impl FnOnce(&str) -> bool) -> Option<&'a str> {
        self.expect(Value::is_string, "must be a string")
            .expect(|value| value.as_str().is_some_and(|it| !it.trim().is_empty()), "must not be empty")
            .expect(|value| value.as_str().is_some_and(test), reason)
            .value
            .and_then(Value::as_str)
    }

    /// It must be one of the strings `allowed`. Returns it.
    pub(super) fn one_of(self, allowed: &[&str]) -> Option<&'a str> {
        let reason = format!("must be one of {}", allowed.join(", "));
        self.text_that(&reason, |text| allowed.contains(&text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_is_named_with_its_path() {
        let value = json!({ "a": { "b": 1, "c": "x", "d": null, "e": " " }, "f": [], "g": [1, {}] });
        let errors = validate("body", &value, |body| {
            let a = body.required("a").object();
            a.optional("b").text();
            a.required("c").one_of(&["y", "z"]);
            a.required("d").text();
            a.optional("d").text();
            a.optional("e").text();
            // There is no error about the members of a missing field.
            body.optional("f").object().required("h").boolean();
            for entry in body.optional("g").list(1) {
                entry.object().required("i").count();
            }
        });
        let line = "a.b: must be a string; a.c: must be one of y, z; a.d: is required; a.e: must not be empty; \
                    f: must be an object; g: must have at most 1 entries; g[0]: must be an object; \
                    g[1].i: is required";
        assert_eq!(one_line(&errors.unwrap_err()), line);
        let root = validate("configuration", &json!([]), |it| drop(it.object().required("a")));
        assert_eq!(root, Err(vec![("configuration".to_owned(), "must be an object".to_owned())]));
    }
}
