//! The interactions API: requests sent, answers read, refusals without the token that they may repeat.

use serde_json::Value;
use uuid::Uuid;

use crate::domain::environment::Environment;
use crate::domain::identity::Tenant;
use crate::domain::interaction::{self, Interaction, InteractionError, Listing, Record};
use crate::domain::secret::AccessToken;
use crate::edge::http::Http;
use crate::failure::Failure;

/// The API of one tenant, with a full token.
pub(in super::super) struct Api<'a> {
    http: &'a Http<'a>,
    requests: interaction::Api<'a>,
}

impl<'a> Api<'a> {
    pub(in super::super) fn new(
        http: &'a Http<'a>,
        environment: &'a Environment,
        tenant: &'a Tenant,
        token: &'a AccessToken,
    ) -> Self {
        Self { http, requests: interaction::Api { environment, tenant, token } }
    }

    /// # Errors
    /// Where the API does not answer, or refuses; the same for all of them.
    pub(in super::super) async fn create(&self, body: &Value) -> Result<Interaction, Failure> {
        let response = self.http.send(&self.requests.create(body)).await?;
        self.told(interaction::parse(&response, self.requests.environment))
    }

    pub(super) async fn list(&self, listing: &Listing, page: u32) -> Result<Vec<Record>, Failure> {
        let response = self.http.send(&self.requests.list(listing, page)).await?;
        self.told(Record::page(&response))
    }

    pub(super) async fn get(&self, id: Uuid) -> Result<Record, Failure> {
        let response = self.http.send(&self.requests.get(id)).await?;
        self.told(Record::one(&response))
    }

    pub(in super::super) async fn delete(&self, id: Uuid) -> Result<(), Failure> {
        let response = self.http.send(&self.requests.delete(id)).await?;
        self.told(interaction::deleted(&response))
    }

    fn told<T>(&self, result: Result<T, InteractionError>) -> Result<T, Failure> {
        result.map_err(|error| match error {
            InteractionError::Refused(problem) => problem.without(self.requests.token.secret()).into(),
            other => other.into(),
        })
    }
}
