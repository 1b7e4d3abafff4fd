//! Keeps the interactions in memory: a bounded number, no two with the same encounter identifier.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::interaction::{Draft, Interaction};
use super::validation::ValidationErrors;

/// The most interactions that are kept.
const MAX_INTERACTIONS: usize = 2000;

/// The client's interactions.
#[derive(Default)]
pub(super) struct InteractionStore {
    /// By a number that counts up, so the first is the oldest.
    by_number: BTreeMap<u64, Interaction>,
    numbers: HashMap<Uuid, u64>,
    identifiers: HashSet<String>,
    created: u64,
}

/// Why an interaction was not created or changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StoreError {
    /// There is none with that id.
    NotFound,
    /// Another one has the encounter identifier.
    Duplicate(String),
    /// The changed interaction would not be valid.
    Invalid(ValidationErrors),
}

impl InteractionStore {
    /// Creates one and gives its id. Deletes the oldest where there are too many.
    pub(super) fn create(&mut self, draft: Draft, now: Timestamp) -> Result<Uuid, StoreError> {
        let interaction = Interaction::new(draft, now);
        let (id, identifier) = (interaction.id, interaction.identifier().to_owned());
        if !self.identifiers.insert(identifier.clone()) {
            return Err(StoreError::Duplicate(identifier));
        }
        self.created += 1;
        self.numbers.insert(id, self.created);
        self.by_number.insert(self.created, interaction);
        if self.by_number.len() > MAX_INTERACTIONS {
            let oldest = self.by_number.values().next().map(|oldest| oldest.id);
            oldest.map_or(Ok(()), |oldest| self.delete(oldest))?;
        }
        Ok(id)
    }

    /// The one with this id.
    pub(super) fn get(&self, id: Uuid) -> Option<&Interaction> {
        self.by_number.get(self.numbers.get(&id)?)
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Interaction> {
        self.by_number.values()
    }

    /// Changes one.
    pub(super) fn patch(
        &mut self,
        id: Uuid,
        patch: &Value,
        now: Timestamp,
    ) -> Result<&Interaction, StoreError> {
        let number = self.numbers.get(&id).ok_or(StoreError::NotFound)?;
        let own = self.by_number.get_mut(number).ok_or(StoreError::NotFound)?;
        let changed = own.patched(patch, now).map_err(StoreError::Invalid)?;
        if changed.identifier() != own.identifier() {
            if !self.identifiers.insert(changed.identifier().to_owned()) {
                return Err(StoreError::Duplicate(changed.identifier().to_owned()));
            }
            self.identifiers.remove(own.identifier());
        }
        *own = changed;
        Ok(own)
    }

    /// Deletes one; its identifier can be used again.
    pub(super) fn delete(&mut self, id: Uuid) -> Result<(), StoreError> {
        let number = self.numbers.remove(&id).ok_or(StoreError::NotFound)?;
        let deleted = self.by_number.remove(&number).ok_or(StoreError::NotFound)?;
        self.identifiers.remove(deleted.identifier());
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
        let (mut store, now) = (InteractionStore::default(), Timestamp::UNIX_EPOCH);
        let id = store.create(draft("a"), now).unwrap();
        store.create(draft("b"), now).unwrap();
        assert_eq!(store.create(draft("a"), now), Err(StoreError::Duplicate("a".into())));
        let rename = |to: &str| json!({ "encounter": { "identifier": to } });
        assert_eq!(store.patch(id, &rename("b"), now).unwrap_err(), StoreError::Duplicate("b".into()));
        assert_eq!(store.patch(id, &rename("c"), now).unwrap().identifier(), "c");
        store.create(draft("a"), now).unwrap();
        store.delete(id).unwrap();
        store.create(draft("c"), now).unwrap();
        assert_eq!(store.delete(id), Err(StoreError::NotFound));
    }

    #[test]
    fn the_oldest_are_deleted_and_their_identifiers_are_free() {
        let (mut store, now) = (InteractionStore::default(), Timestamp::UNIX_EPOCH);
        let ids: Vec<Uuid> =
            (0..MAX_INTERACTIONS + 2).map(|n| store.create(draft(&n.to_string()), now).unwrap()).collect();
        assert_eq!(store.iter().count(), MAX_INTERACTIONS);
        assert!(store.get(ids[0]).is_none() && store.get(ids[1]).is_none());
        assert_eq!(store.iter().next().map(|one| one.id), Some(ids[2]));
        assert!(store.create(draft("0"), now).is_ok());
        assert_eq!((store.numbers.len(), store.identifiers.len()), (MAX_INTERACTIONS, MAX_INTERACTIONS));
    }
}
