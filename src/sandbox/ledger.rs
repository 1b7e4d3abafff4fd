//! The interactions that exist, in memory, and the one rule between them: no two share an encounter's
//! identifier.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::field::Faults;
use super::record::{Draft, Interaction};

/// All interactions of the client.
#[derive(Default)]
pub(super) struct Ledger {
    made: u64,
    held: BTreeMap<Uuid, Interaction>,
    identifiers: BTreeSet<String>,
}

/// Why an interaction was not made or changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is none with that id.
    Missing,
    /// The encounter's identifier belongs to another one.
    Duplicate(String),
    /// What the change would make of it is not valid.
    Invalid(Faults),
}

impl Ledger {
    /// Makes one and gives its id.
    pub(super) fn create(&mut self, draft: Draft, now: Timestamp) -> Result<Uuid, Refused> {
        if !self.identifiers.insert(draft.identifier().to_owned()) {
            return Err(Refused::Duplicate(draft.identifier().to_owned()));
        }
        let interaction = Interaction::new(draft, self.made, now);
        let id = interaction.id;
        self.made = self.made.saturating_add(1);
        self.held.insert(id, interaction);
        Ok(id)
    }

    /// The one with this id.
    pub(super) fn get(&self, id: Uuid) -> Option<&Interaction> {
        self.held.get(&id)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Interaction> {
        self.held.values()
    }

    /// Changes one.
    pub(super) fn patch(&mut self, id: Uuid, patch: &Value, now: Timestamp) -> Result<&Interaction, Refused> {
        let own = self.held.get_mut(&id).ok_or(Refused::Missing)?;
        let changed = own.patched(patch, now).map_err(Refused::Invalid)?;
        if changed.identifier() != own.identifier() {
            if !self.identifiers.insert(changed.identifier().to_owned()) {
                return Err(Refused::Duplicate(changed.identifier().to_owned()));
            }
            self.identifiers.remove(own.identifier());
        }
        *own = changed;
        Ok(own)
    }

    /// Removes one; its identifier is free again.
    pub(super) fn delete(&mut self, id: Uuid) -> Result<(), Refused> {
        let gone = self.held.remove(&id).ok_or(Refused::Missing)?;
        self.identifiers.remove(gone.identifier());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(identifier: &str) -> Draft {
        let body =
            json!({ "encounter": { "identifier": identifier, "status": "planned", "type": "emergency" } });
        Draft::check(&body).unwrap()
    }

    #[test]
    fn an_identifier_belongs_to_one_interaction_until_it_is_freed() {
        let (mut ledger, now) = (Ledger::default(), Timestamp::UNIX_EPOCH);
        let id = ledger.create(draft("a"), now).unwrap();
        ledger.create(draft("b"), now).unwrap();
        assert_eq!(ledger.create(draft("a"), now), Err(Refused::Duplicate("a".into())));
        let rename = |to: &str| json!({ "encounter": { "identifier": to } });
        assert_eq!(ledger.patch(id, &rename("b"), now).unwrap_err(), Refused::Duplicate("b".into()));
        assert_eq!(ledger.patch(id, &rename("c"), now).unwrap().identifier(), "c");
        ledger.create(draft("a"), now).unwrap();
        ledger.delete(id).unwrap();
        ledger.create(draft("c"), now).unwrap();
        assert_eq!(ledger.delete(id), Err(Refused::Missing));
    }
}
