//! Whose an interaction is, by its `assignedUserId`. Answers are remembered for a minute.

use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::state::Gateway;
use super::throttle::lock;
use crate::domain::corti::interaction::Api;
use crate::domain::gateway::refusal::{Code, Refusal};

/// How long an answer is remembered.
const LIFE: Duration = Duration::from_secs(60);

/// How many answers are remembered.
const MOST: usize = 10_000;

impl Gateway {
    /// The interaction may have changed.
    pub(super) fn forget_owner(&self, interaction: Uuid) {
        lock(&self.owners).remove(&interaction);
    }

    /// The user whom an interaction is assigned to. An interaction that does not exist is nobody's.
    pub(super) async fn owner(&self, interaction: Uuid) -> Result<Option<Uuid>, Refusal> {
        if let Some((owner, asked)) = lock(&self.owners).get(&interaction)
            && asked.elapsed() < LIFE
        {
            return Ok(*owner);
        }
        let Self { environment, tenant, .. } = self;
        let response = self.call(|token| Api { environment, tenant, token }.get(interaction)).await?;
        let owner = match response.status {
            200 => {
                let body: Option<Value> = serde_json::from_slice(&response.body).ok();
                body.and_then(|body| Uuid::try_parse(body["assignedUserId"].as_str()?).ok())
            }
            403 | 404 => None,
            _ => {
                return Err(Refusal::new(
                    Code::UpstreamInvalid,
                    "Corti did not tell whose interaction it is",
                ));
            }
        };
        let mut owners = lock(&self.owners);
        if owners.len() >= MOST {
            owners.retain(|_, (_, asked)| asked.elapsed() < LIFE);
        }
        if owners.len() < MOST {
            owners.insert(interaction, (owner, Instant::now()));
        }
        Ok(owner)
    }
}
