//! The handlers of `/v2/interactions/`. A list is filtered, sorted and paged by its query.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::domain::corti::interaction::{SORTS, STATUSES};

use super::interaction::{Interaction, parse_id};
use super::problem::Problem;
use super::state::{AppState, Shared};
use super::validation::ValidationErrors;

type Body = Result<Bytes, BytesRejection>;
type Id = Result<Path<String>, PathRejection>;

/// `POST /v2/interactions/`.
pub(super) async fn create(
    State(shared): AppState,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (body, now) = (parse(body)?, shared.now());
    let id = shared.interactions().create(&body, now)?;
    let created = json!({ "interactionId": id, "websocketUrl": shared.streams_url(id) });
    Ok((StatusCode::CREATED, Json(created)))
}

/// `GET /v2/interactions/`.
pub(super) async fn list(State(shared): AppState, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    let listing = Listing::parse(&query.unwrap_or_default()).map_err(Problem::query)?;
    let interactions = shared.interactions();
    let page: Vec<Value> =
        listing.page(interactions.iter()).into_iter().map(|one| show(&shared, one)).collect();
    Ok(Json(json!({ "interactions": page })))
}

/// `GET /v2/interactions/{id}`.
pub(super) async fn get(State(shared): AppState, id: Id) -> Result<Json<Value>, Problem> {
    let id = parse_uuid(id)?;
    let interactions = shared.interactions();
    interactions.get(id).map(|one| Json(show(&shared, one)))
}

/// `PATCH /v2/interactions/{id}`.
pub(super) async fn update(State(shared): AppState, id: Id, body: Body) -> Result<Json<Value>, Problem> {
    let (id, patch, now) = (parse_uuid(id)?, parse(body)?, shared.now());
    let mut interactions = shared.interactions();
    interactions.patch(id, &patch, now).map(|one| Json(show(&shared, one)))
}

/// `DELETE /v2/interactions/{id}`.
pub(super) async fn delete(State(shared): AppState, id: Id) -> Result<StatusCode, Problem> {
    let id = parse_uuid(id)?;
    shared.interactions().delete(id).map(|()| StatusCode::NO_CONTENT)
}

fn parse(body: Body) -> Result<Value, Problem> {
    let body = body.map_err(|rejection| Problem::body(&rejection))?;
    serde_json::from_slice(&body).map_err(|_| Problem::NOT_JSON)
}

fn parse_uuid(id: Id) -> Result<Uuid, Problem> {
    id.ok().and_then(|Path(id)| parse_id(&id)).ok_or(Problem::NOT_A_UUID)
}

fn show(shared: &Shared, one: &Interaction) -> Value {
    one.show(&shared.streams_url(one.id))
}

/// The query of a list, with Corti's defaults.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// A value of [`SORTS`].
    sort: &'static str,
    descending: bool,
    page_size: usize,
    /// From 1.
    index: usize,
    statuses: Vec<String>,
    patient: Option<String>,
}

impl Listing {
    /// Reads a query. Parameters that Corti does not document are ignored. Returns all errors.
    pub(super) fn parse(query: &str) -> Result<Self, ValidationErrors> {
        let mut listing = Self {
            sort: SORTS[0].1,
            descending: true,
            page_size: 10,
            index: 1,
            statuses: Vec::new(),
            patient: None,
        };
        let mut errors = ValidationErrors::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            listing.set(&mut errors, &name, &value);
        }
        if errors.is_empty() { Ok(listing) } else { Err(errors) }
    }

    fn set(&mut self, errors: &mut ValidationErrors, name: &str, value: &str) {
        let mut one_of = |allowed: &[&str]| {
            let found = allowed.iter().position(|it| *it == value);
            if found.is_none() {
                errors.push((name.to_owned(), format!("must be one of {}", allowed.join(", "))));
            }
            found
        };
        match name {
            "sort" => {
                let values = SORTS.map(|(_, value)| value);
                self.sort = one_of(&values).map_or(self.sort, |index| values[index]);
            }
            "direction" if one_of(&["asc", "desc"]).is_some() => self.descending = value == "desc",
            "encounterStatus" if one_of(&STATUSES).is_some() => self.statuses.push(value.to_owned()),
            "patient" => self.patient = Some(value.to_owned()),
            "pageSize" => set_count(&mut self.page_size, errors, name, value),
            "index" => set_count(&mut self.index, errors, name, value),
            _ => {}
        }
    }

    /// The page of `all`, which starts with the oldest.
    pub(super) fn page<'a>(&self, all: impl Iterator<Item = &'a Interaction>) -> Vec<&'a Interaction> {
        let mut kept: Vec<&Interaction> = all.filter(|one| self.keeps(one)).collect();
        // `all` starts with the oldest, and a stable sort keeps that order among equals.
        kept.sort_by_cached_key(|one| self.key(one));
        if self.descending {
            kept.reverse();
        }
        let before = self.page_size.saturating_mul(self.index.saturating_sub(1));
        kept.into_iter().skip(before).take(self.page_size).collect()
    }

    fn keeps(&self, one: &Interaction) -> bool {
        let status = self.statuses.is_empty()
            || self.statuses.iter().any(|status| status == one.text("/encounter/status"));
        status && self.patient.as_ref().is_none_or(|patient| *patient == one.patient_identifier())
    }

    /// The value to sort by: a text, or a time in nanoseconds.
    fn key(&self, one: &Interaction) -> (String, Option<i128>) {
        let time = |time: jiff::Timestamp| (String::new(), Some(time.as_nanosecond()));
        match self.sort {
            "id" => (one.id.to_string(), None),
            "assignedUserId" => (one.text("/assignedUserId").to_owned(), None),
            "patient" => (one.patient_identifier(), None),
            "endedAt" => one.ended().map_or((String::new(), None), time),
            "updatedAt" => time(one.updated),
            _ => time(one.created),
        }
    }
}

fn set_count(count: &mut usize, errors: &mut ValidationErrors, name: &str, value: &str) {
    match value.parse() {
        Ok(number) if number > 0 => *count = number,
        _ => errors.push((name.to_owned(), "must be a whole number from 1".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::super::interaction_store::InteractionStore;
    use super::*;

    fn store() -> InteractionStore {
        let mut store = InteractionStore::default();
        for (second, status) in ["planned", "completed", "planned", "on-hold"].into_iter().enumerate() {
            let encounter =
                json!({ "identifier": second.to_string(), "status": status, "type": "emergency" });
            let now = Timestamp::from_second(i64::try_from(second).unwrap() / 2).unwrap();
            store.create(&json!({ "encounter": encounter }), now).unwrap();
        }
        store
    }

    #[test]
    fn pages_are_filtered_and_sorted() {
        let store = store();
        let list = |query: &str| {
            let page = Listing::parse(query).unwrap().page(store.iter());
            page.iter().map(|one| one.identifier()).collect::<String>()
        };
        assert_eq!(list(""), "3210");
        assert_eq!(list("direction=asc&sort=updatedAt"), "0123");
        assert_eq!(list("pageSize=3&index=2"), "0");
        assert_eq!(list("index=18446744073709551615&pageSize=18446744073709551615"), "");
        assert_eq!(list("encounterStatus=planned&encounterStatus=on-hold"), "320");
        assert_eq!(list("patient=x&unknown=y"), "");
    }

    #[test]
    fn bad_values_are_named() {
        let errors = Listing::parse("sort=x&direction=up&pageSize=0&index=-1&encounterStatus=y").unwrap_err();
        let names: Vec<String> = errors.into_iter().map(|error| error.0).collect();
        assert_eq!(names, ["sort", "direction", "pageSize", "index", "encounterStatus"]);
    }
}
