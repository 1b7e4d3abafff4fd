//! Compares two tokens: what each may do, where, and for how long. Ids and dates are left out, because they differ anyway.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::text::page::{Page, Tone};

use super::inspection::Inspection;
use super::scope::TokenClass;

/// One property of two tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, as in the JSON object.
    pub name: &'static str,
    /// The first token's values; empty if it has none.
    pub a: Vec<String>,
    /// The second token's values.
    pub b: Vec<String>,
    /// Whether the values are a set, without an order.
    is_set: bool,
}

/// The properties of two tokens.
#[derive(Clone, Debug)]
pub struct Comparison(Vec<Row>);

impl Comparison {
    /// Compares two tokens.
    pub fn of(a: &Inspection, b: &Inspection) -> Self {
        let one = |name, value: fn(&Inspection) -> Option<String>| Row {
            name,
            a: value(a).into_iter().collect(),
            b: value(b).into_iter().collect(),
            is_set: false,
        };
        let set = |name, values: fn(&Inspection) -> BTreeSet<String>| Row {
            name,
            a: values(a).into_iter().collect(),
            b: values(b).into_iter().collect(),
            is_set: true,
        };
        Self(vec![
            one("kind", |it| Some(it.kind.as_str().to_owned())),
            one("reach", |it| it.class.map(|class| TokenClass::as_str(class).to_owned())),
            set("scopes", |it| it.scopes.to_strings().into_iter().collect()),
            set("roles", |it| it.roles.iter().cloned().collect()),
            set("audience", |it| it.audience.iter().cloned().collect()),
            one("client", |it| it.client.clone()),
            one("environment", |it| it.place.as_ref().map(|(environment, _)| environment.to_string())),
            one("tenant", |it| it.place.as_ref().map(|(_, tenant)| tenant.to_string())),
            one("issuer", |it| it.issuer.clone()),
            one("lifetime", |it| it.lifetime().map(|seconds| format!("{seconds} s"))),
            one("algorithm", |it| Some(it.algorithm.clone())),
        ])
    }

    /// The names of the properties that differ, as in the JSON object.
    pub fn differences(&self) -> Vec<&'static str> {
        self.0.iter().filter(|row| !row.is_same()).map(|row| row.name).collect()
    }

    /// For a person.
    pub fn page(&self) -> Page {
        self.0.iter().fold(Page::new(), |page, row| row.show(page))
    }

    /// For a program.
    pub fn fields(&self) -> Map<String, Value> {
        self.0.iter().map(|row| (row.name.to_owned(), row.json())).collect()
    }
}

/// The properties of these names, for a person.
pub fn list(names: &[&str]) -> String {
    names.iter().map(|name| label(name)).collect::<Vec<_>>().join(", ")
}

/// What a person reads for the property `name`, as `inspect` calls it.
fn label(name: &str) -> &str {
    if name == "reach" { "may do" } else { name }
}

impl Row {
    fn is_same(&self) -> bool {
        self.a == self.b
    }

    fn only<'a>(these: &'a [String], others: &[String]) -> Vec<&'a str> {
        these.iter().filter(|item| !others.contains(item)).map(String::as_str).collect()
    }

    fn show(&self, page: Page) -> Page {
        if self.is_same() {
            let same = self.a.first().map(|_| format!("same: {}", self.a.join(" ")));
            return page.toned_field(label(self.name), Tone::Dim, same.unwrap_or("in neither".to_owned()));
        }
        let line = |side: &str, own: &[String], other: &[String]| {
            if !self.is_set {
                return Some(format!("{side}: {}", own.first().map_or("none", String::as_str)));
            }
            let only = Self::only(own, other);
            (!only.is_empty()).then(|| format!("only in {side}: {}", only.join(" ")))
        };
        let lines = [line("A", &self.a, &self.b), line("B", &self.b, &self.a)].into_iter().flatten();
        lines.enumerate().fold(page, |page, (index, line)| {
            page.toned_field(if index == 0 { label(self.name) } else { "" }, Tone::Caution, line)
        })
    }

    fn json(&self) -> Value {
        if self.is_set {
            return json!({
                "same": self.is_same(),
                "a": self.a,
                "b": self.b,
                "only_a": Self::only(&self.a, &self.b),
                "only_b": Self::only(&self.b, &self.a),
            });
        }
        json!({ "same": self.is_same(), "a": self.a.first(), "b": self.b.first() })
    }
}
