//! Corti's interactions: the encounter that a `/streams` session belongs to.

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::AccessToken;
use crate::domain::text::quotation::quoted;

use super::problem::Problem;
use super::request::{Body, Method, Request, Response};
use super::websocket::{difference, streams_url};

mod draft;
mod listing;
mod record;

pub use draft::{DraftError, Fields};
pub use listing::{Listing, PAGE_SIZE, Sort};
pub use record::Record;

/// The states of an encounter (Corti's API reference, interactions).
pub const STATUSES: [&str; 6] = ["planned", "in-progress", "on-hold", "completed", "cancelled", "deleted"];

/// The types of an encounter (there).
pub const ENCOUNTER_TYPES: [&str; 5] =
    ["first_consultation", "consultation", "emergency", "inpatient", "outpatient"];

/// What a patient's gender may be (there).
pub const GENDERS: [&str; 4] = ["male", "female", "unknown", "other"];

/// A created interaction.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Corti's id, a UUID.
    pub id: Uuid,
    /// Where its `/streams` session opens. It carries the tenant and no token.
    pub websocket_url: Url,
}

/// Why no interaction came of a request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InteractionError {
    /// The API refused, with its reason.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// 2xx, but not what the API documents.
    #[error("the answer from the interactions API is not an interaction: {status} with {what}")]
    NotTheProtocol {
        /// The HTTP status.
        status: u16,
        /// What it looked like.
        what: &'static str,
    },
    /// 2xx, with a WebSocket URL that is not the new interaction's.
    #[error("the websocketUrl that the API returned has another {part} than `{expected}`")]
    OtherSocket {
        /// The interaction, which is there.
        id: Uuid,
        /// Which part of the URL differs. It may hold a token, so that only a host is repeated.
        part: String,
        /// The URL of the interaction's `/streams`.
        expected: String,
    },
}

/// The requests of one tenant's interactions API.
#[derive(Clone, Copy, Debug)]
pub struct Api<'a> {
    /// Which Corti.
    pub environment: &'a Environment,
    /// Whose.
    pub tenant: &'a Tenant,
    /// A full token.
    pub token: &'a AccessToken,
}

impl Api<'_> {
    /// Creates one with this body, see [`Fields::body`].
    pub fn create(&self, body: &Value) -> Request {
        Request { method: Method::Post, body: Body::Json(body.to_string()), ..self.request("") }
    }

    /// A page of those that `listing` asks for; pages are counted from 1.
    pub fn list(&self, listing: &Listing, page: u32) -> Request {
        Request { repeatable: true, ..self.request(&format!("?{}", listing.query(page))) }
    }

    /// Reads one.
    pub fn get(&self, id: Uuid) -> Request {
        Request { repeatable: true, ..self.request(&id.to_string()) }
    }

    /// Deletes one, and with it its recordings, transcripts, facts and documents.
    pub fn delete(&self, id: Uuid) -> Request {
        Request { method: Method::Delete, ..self.request(&id.to_string()) }
    }

    fn request(&self, rest: &str) -> Request {
        Request {
            method: Method::Get,
            url: format!("{}/interactions/{rest}", self.environment.api_url()),
            bearer: Some(self.token.clone()),
            tenant: Some(self.tenant.clone()),
            body: Body::Empty,
            repeatable: false,
        }
    }
}

/// Reads the answer to [`Api::create`]; any 2xx is fine, since Corti's documents name both 200 and 201. The `websocketUrl`
/// must be the one that `environment` and `tenant` have for the interaction: a token is sent there.
///
/// # Errors
/// [`InteractionError`], see its variants.
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
    if !response.is_success() {
        return Err(Problem::of(response).into());
    }
    let foreign = |what| InteractionError::NotTheProtocol { status: response.status, what };
    let created: Created =
        serde_json::from_slice(&response.body).map_err(|_| foreign(response.appearance()))?;
    let id = Uuid::try_parse(&created.interaction_id)
        .map_err(|_| foreign("an `interactionId` that is no UUID"))?;
    let expected = streams_url(environment, tenant, id)
        .map_err(|_| foreign("an interaction that this environment has no URL for"))?;
    let part = match Url::parse(&created.websocket_url) {
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

/// Reads the answer to [`Api::delete`]. Corti does not document which 2xx it is; a page of a proxy in between is none.
///
/// # Errors
/// [`InteractionError::Refused`] and [`InteractionError::NotTheProtocol`].
pub fn deleted(response: &Response) -> Result<(), InteractionError> {
    if !response.is_success() {
        return Err(Problem::of(response).into());
    }
    if response.is_html() {
        return Err(InteractionError::NotTheProtocol {
            status: response.status,
            what: response.appearance(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
