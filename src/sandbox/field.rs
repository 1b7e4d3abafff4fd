//! Checks the members of JSON objects that clients sent, and collects every fault with the path of its field.
//! Used for REST bodies and for the configurations of sockets; a `null` counts as absent, as in Corti's SDKs.

use serde_json::{Map, Value};

/// Whether a member may be absent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It may not.
    Required,
    /// It may.
    Optional,
}

/// One object, and the path that leads to it.
pub(super) struct Object<'v> {
    path: String,
    members: &'v Map<String, Value>,
}

impl Object<'_> {
    /// The path of the member `name`.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// What is wrong: pairs of a path and a reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults(Vec<(String, String)>);

impl IntoIterator for Faults {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Faults {
    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value`, or what is wrong with it.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// All of it on one line.
    pub(super) fn to_line(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|(path, reason)| format!("{path}: {reason}")).collect();
        parts.join("; ")
    }

    /// Adds one.
    pub(super) fn add(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.0.push((path.into(), reason.into()));
    }

    fn unless<T>(&mut self, path: String, found: Option<T>, reason: &str) -> Option<T> {
        if found.is_none() {
            self.add(path, reason);
        }
        found
    }

    /// `value` as an object that stands at `path`.
    pub(super) fn root<'v>(&mut self, path: &str, value: &'v Value) -> Option<Object<'v>> {
        let name = if path.is_empty() { "body" } else { path };
        let members = self.unless(name.to_owned(), value.as_object(), "must be an object")?;
        Some(Object { path: path.to_owned(), members })
    }

    /// The member `name`, where it is there and not null.
    pub(super) fn member<'v>(&mut self, of: &Object<'v>, name: &str, need: Need) -> Option<&'v Value> {
        let found = of.members.get(name).filter(|value| !value.is_null());
        if found.is_none() && need == Need::Required {
            self.add(of.path(name), "is required");
        }
        found
    }

    /// A member that is an object.
    pub(super) fn object<'v>(&mut self, of: &Object<'v>, name: &str, need: Need) -> Option<Object<'v>> {
        let value = self.member(of, name, need)?;
        self.root(&of.path(name), value)
    }

    /// A member that is a list.
    pub(super) fn list<'v>(&mut self, of: &Object<'v>, name: &str, need: Need) -> Option<&'v [Value]> {
        let value = self.member(of, name, need)?;
        self.unless(of.path(name), value.as_array().map(Vec::as_slice), "must be a list")
    }

    /// A member that is a text and not empty.
    pub(super) fn text<'v>(&mut self, of: &Object<'v>, name: &str, need: Need) -> Option<&'v str> {
        let value = self.member(of, name, need)?;
        let text = self.unless(of.path(name), value.as_str(), "must be a string")?;
        self.unless(of.path(name), Some(text).filter(|text| !text.trim().is_empty()), "must not be empty")
    }

    /// A member that is a text for which `test` holds.
    pub(super) fn text_that<'v>(
        &mut self,
        of: &Object<'v>,
        name: &str,
        need: Need,
        reason: &str,
        test: impl FnOnce(&str) -> bool,
    ) -> Option<&'v str> {
        let found = self.text(of, name, need)?;
        self.unless(of.path(name), Some(found).filter(|text| test(text)), reason)
    }

    /// A member that is one of the texts `allowed`.
    pub(super) fn one_of<'v>(
        &mut self,
        of: &Object<'v>,
        name: &str,
        need: Need,
        allowed: &[&str],
    ) -> Option<&'v str> {
        let reason = format!("must be one of {}", allowed.join(", "));
        self.text_that(of, name, need, &reason, |text| allowed.contains(&text))
    }

    /// A member that is true or false, if it is there.
    pub(super) fn boolean(&mut self, of: &Object<'_>, name: &str) {
        if let Some(value) = self.member(of, name, Need::Optional) {
            self.unless(of.path(name), value.as_bool(), "must be true or false");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_is_named_with_its_path() {
        let value = json!({ "a": { "b": 1, "c": "x", "d": null, "e": " " }, "f": [] });
        let mut faults = Faults::default();
        let root = faults.root("", &value).unwrap();
        let a = faults.object(&root, "a", Need::Required).unwrap();
        faults.text(&a, "b", Need::Optional);
        faults.one_of(&a, "c", Need::Required, &["y", "z"]);
        faults.text(&a, "d", Need::Required);
        faults.text(&a, "d", Need::Optional);
        faults.text(&a, "e", Need::Optional);
        faults.object(&root, "f", Need::Optional);
        let line = "a.b: must be a string; a.c: must be one of y, z; a.d: is required; a.e: must not be empty; \
                    f: must be an object";
        assert_eq!(faults.to_line(), line);
    }
}
