//! Builds requests to Corti's interactions API and reads the answers. A `/streams` session belongs to an interaction.

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::AccessToken;
use crate::domain::text::excerpt::quoted;

pub use super::problem::InteractionError;
use super::problem::{accepted, unexpected};
use super::request::{Body, Method, Request, Response};
use super::websocket::{difference, streams_url};

mod body;
mod listing;
mod record;

pub use body::{DraftError, Fields};
pub use listing::{Listing, PAGE_SIZE, SORTS};
pub use record::Record;

/// The states of an encounter (Corti's API reference, interactions).
pub const STATUSES: [&str; 6] = ["planned", "in-progress", "on-hold", "completed", "cancelled", "deleted"];

/// The types of an encounter.
pub const ENCOUNTER_TYPES: [&str; 5] =
    ["first_consultation", "consultation", "emergency", "inpatient", "outpatient"];

/// The genders of a patient.
pub const GENDERS: [&str; 4] = ["male", "female", "unknown", "other"];

/// A created interaction.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Corti's id, a UUID.
    pub id: Uuid,
    /// The URL of its `/streams` session, with the tenant and without a token.
    pub websocket_url: Url,
}

/// The requests of one tenant's interactions API.
#[derive(Clone, Copy, Debug)]
pub struct Api<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// A full token.
    pub token: &'a AccessToken,
}

impl Api<'_> {
    /// Creates one, see [`Fields::body`].
    pub fn create(&self, body: &Value) -> Request {
        let body = Body::Json(body.to_string());
        Request { method: Method::Post, body, repeatable: false, ..self.read("") }
    }

    /// Lists a page, counted from 1.
    pub fn list(&self, listing: &Listing, page: u32) -> Request {
        self.read(&format!("?{}", listing.query(page)))
    }

    /// Reads one.
    pub fn get(&self, id: Uuid) -> Request {
        self.read(&id.to_string())
    }

    /// Deletes one, with its recordings, transcripts, facts and documents.
    pub fn delete(&self, id: Uuid) -> Request {
        Request { method: Method::Delete, repeatable: false, ..self.get(id) }
    }

    fn read(&self, rest: &str) -> Request {
        Request::get(format!("{}/interactions/{rest}", self.environment.api_url()), self.token, self.tenant)
    }
}

/// Reads the answer to [`Api::create`]. Any 2xx is accepted: Corti's documents name both 200 and 201. A token is sent to the
/// `websocketUrl`, so it must be the one of `environment` and `tenant`.
pub fn parse(
    response: &Response,
    environment: &Environment,
    tenant: &Tenant,
) -> Result<Interaction, InteractionError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        interaction_id: String,
        websocket_url: String,
    }
    let body = &accepted(response)?.body;
    let read = || {
        let Created { interaction_id, websocket_url } = serde_json::from_slice(body).ok()?;
        let id = Uuid::try_parse(&interaction_id).ok()?;
        Some((id, websocket_url, streams_url(environment, tenant, id).ok()?))
    };
    let (id, websocket_url, expected) = read().ok_or_else(|| unexpected(response))?;
    let part = match Url::parse(&websocket_url) {
        Ok(given) => difference(&given, &expected).map(|part| match given.host_str() {
            Some(host) if part == "host" => format!("host ({})", quoted(host)),
            _ => part.to_owned(),
        }),
        Err(_) => Some("form".to_owned()),
    };
    match part {
        None => Ok(Interaction { id, websocket_url: expected }),
        Some(part) => Err(InteractionError::OtherSocket { id, part, expected: expected.into() }),
    }
}

/// Reads the answer to [`Api::delete`]. Corti does not document which 2xx it is; an HTML page comes from a proxy.
pub fn deleted(response: &Response) -> Result<(), InteractionError> {
    if accepted(response)?.is_html() { Err(unexpected(response)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::domain::corti::problem::Problem;

    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn created(url: &str) -> Result<Interaction, InteractionError> {
        let body = format!(r#"{{"interactionId":"{}","websocketUrl":"{url}"}}"#, Uuid::nil());
        parse(&response(201, &body), &"eu".parse().unwrap(), &Tenant::default())
    }

    #[test]
    fn the_socket_must_be_the_interactions_own() {
        let own = format!(
            "wss://api.eu.corti.app/audio-bridge/v2/interactions/{}/streams?tenant-name=base",
            Uuid::nil()
        );
        assert_eq!(created(&own).unwrap().websocket_url.as_str(), own);
        for (odd, wrong) in [
            (format!("{own}#x"), "fragment"),
            (format!("{own}&token=x"), "query"),
            (own.replace("wss://", "wss://u:canary@"), "user name"),
            (own.replace("00/streams", "01/streams"), "path"),
            (own.replace("wss://api.eu.corti.app", "wss://evil.example"), "host (evil.example)"),
            ("canary".to_owned(), "form"),
        ] {
            let error = created(&odd).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
            let InteractionError::OtherSocket { id, part, expected } = error else {
                panic!("{odd}: {error}")
            };
            assert_eq!((id, part, expected), (Uuid::nil(), wrong.to_owned(), own.clone()), "{odd}");
        }
    }

    #[test]
    fn other_answers_are_not_interactions() {
        let parsed = |status, body| {
            parse(&response(status, body), &"eu".parse().unwrap(), &Tenant::default()).unwrap_err()
        };
        assert!(matches!(
            parsed(200, "<html>"),
            InteractionError::NotTheProtocol { what: "an HTML page", .. }
        ));
        assert!(matches!(parsed(409, "{}"), InteractionError::Refused(Problem { status: 409, .. })));
    }

    #[test]
    fn a_page_of_somebody_else_deletes_nothing() {
        assert!(deleted(&response(204, "")).is_ok() && deleted(&response(200, "{}")).is_ok());
        assert!(matches!(deleted(&response(200, " <html>")), Err(InteractionError::NotTheProtocol { .. })));
        assert!(matches!(deleted(&response(302, "")), Err(InteractionError::Refused(_))));
    }
}
