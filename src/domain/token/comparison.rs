//! Two tokens side by side: what each may do, where, and for how long. What differs between any two tokens, their ids and
//! dates, is left out.

use serde_json::{Map, Value, json};

use crate::domain::text::page::{Page, Tone};

use super::inspection::Inspection;
use super::scope::TokenClass;

/// One thing that two tokens say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, as in the JSON object.
    pub name: &'static str,
    /// What the first says; nothing where it does not say it.
    pub a: Vec<String>,
    /// What the second says.
    pub b: Vec<String>,
    /// Whether it is a set, in which the order means nothing.
    is_set: bool,
}

/// What two tokens say.
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
        let set = |name, values: fn(&Inspection) -> Vec<String>| {
            let sorted = |it| {
                let mut values = values(it);
                values.sort_unstable();
                values
            };
            Row { name, a: sorted(a), b: sorted(b), is_set: true }
        };
        Self(vec![
            one("kind", |it| Some(it.kind.as_str().to_owned())),
            one("reach", |it| it.class.map(|class| TokenClass::as_str(class).to_owned())),
            set("scopes", |it| it.scopes.to_strings()),
            set("roles", |it| it.roles.clone()),
            set("audience", |it| it.audience.clone()),
            one("client", |it| it.client.clone()),
            one("environment", |it| it.place.as_ref().map(|(environment, _)| environment.to_string())),
            one("tenant", |it| it.place.as_ref().map(|(_, tenant)| tenant.to_string())),
            one("issuer", |it| it.issuer.clone()),
            one("lifetime", |it| it.lifetime().map(|seconds| format!("{seconds} s"))),
            one("algorithm", |it| Some(it.algorithm.clone())),
        ])
    }

    /// The names of what differs.
    pub fn differences(&self) -> Vec<&'static str> {
        self.0.iter().filter(|row| !row.is_same()).map(|row| row.name).collect()
    }

    /// For a person.
    pub fn page(&self) -> Page {
        self.0.iter().fold(Page::new(), |page, row| match row.is_same() {
            true if row.a.is_empty() => page.toned_field(row.name, Tone::Dim, "neither says"),
            true => page.toned_field(row.name, Tone::Dim, format!("same: {}", row.a.join(" "))),
            false => row
                .lines()
                .into_iter()
                .fold(page, |page, (label, line)| page.toned_field(label, Tone::Caution, line)),
        })
    }

    /// For a program.
    pub fn fields(&self) -> Map<String, Value> {
        self.0.iter().map(|row| (row.name.to_owned(), row.json())).collect()
    }
}

impl Row {
    fn is_same(&self) -> bool {
        self.a == self.b
    }

    /// What the one has and the other has not.
    fn only<'a>(these: &'a [String], others: &[String]) -> Vec<&'a str> {
        these.iter().filter(|item| !others.contains(item)).map(String::as_str).collect()
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let (in_a, in_b) = if self.is_set {
            (Self::only(&self.a, &self.b), Self::only(&self.b, &self.a))
        } else {
            (Self::only(&self.a, &[]), Self::only(&self.b, &[]))
        };
        let word = if self.is_set { "only in " } else { "" };
        let nothing = if self.is_set { None } else { Some("nothing") };
        let line = |side: &str, items: &[&str]| {
            let text = (!items.is_empty()).then(|| items.join(" ")).or(nothing.map(str::to_owned))?;
            Some(format!("{word}{side}: {text}"))
        };
        let lines = [line("A", &in_a), line("B", &in_b)].into_iter().flatten();
        lines.enumerate().map(|(index, line)| (if index == 0 { self.name } else { "" }, line)).collect()
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
