//! Whose an interaction is, by its `assignedUserId`.

use serde_json::Value;
use uuid::Uuid;

use super::state::Gateway;
use crate::domain::corti::interaction::Api;
use crate::domain::gateway::operation::Call;
use crate::domain::gateway::refusal::{Code, Refusal};

impl Gateway {
    /// The user whom an interaction is assigned to. An interaction that does not exist is nobody's.
    pub(super) async fn owner(&self, interaction: Uuid) -> Result<Option<Uuid>, Refusal> {
        if let Some(owner) = self.owners.get(&interaction) {
            return Ok(owner);
        }
        let Self { environment, tenant, .. } = self;
        let response = self.call(|token| Api { environment, tenant, token }.get(interaction)).await?;
        let owner = match response.status {
            200 => {
                let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
                body["assignedUserId"].as_str().and_then(|id| Uuid::try_parse(id).ok())
            }
            403 | 404 => None,
            _ => {
                let detail = "cannot find out who owns the interaction";
                return Err(Refusal::new(Code::UPSTREAM_INVALID, detail));
            }
        };
        self.owners.insert(interaction, owner);
        Ok(owner)
    }

    /// After a change, an interaction may have another owner.
    pub(super) fn forget_owner(&self, call: &Call) {
        if call.operation.method != "GET"
            && let Some(interaction) = &call.interaction
        {
            self.owners.remove(interaction);
        }
    }
}
