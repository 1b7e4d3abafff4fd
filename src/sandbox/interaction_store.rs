//! Keeps the interactions in memory: a bounded number, no two with the same encounter identifier.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::interaction::Interaction;
use super::problem::Problem;

/// The most interactions that are kept.
const MAX_INTERACTIONS: usize = 2000;

/// The client's interactions, the oldest first.
#[derive(Default)]
pub(super) struct InteractionStore(VecDeque<Interaction>);

impl InteractionStore {
    /// Creates one, and returns its id. Deletes the oldest if there are too many.
    pub(super) fn create(&mut self, body: &Value, now: Timestamp) -> Result<Uuid, Problem> {
        let interaction = Interaction::new(body, now).map_err(Problem::invalid)?;
        let id = interaction.id;
        self.refuse_duplicate(&interaction)?;
        self.0.push_back(interaction);
        if self.0.len() > MAX_INTERACTIONS {
            self.0.pop_front();
        }
        Ok(id)
    }

    fn refuse_duplicate(&self, new: &Interaction) -> Result<(), Problem> {
        let is_taken = self.0.iter().any(|one| one.identifier() == new.identifier() && one.id != new.id);
        if is_taken { Err(Problem::duplicate(new.identifier())) } else { Ok(()) }
    }

    fn position(&self, id: Uuid) -> Result<usize, Problem> {
        self.0.iter().position(|one| one.id == id).ok_or(Problem::NO_INTERACTION)
    }

    /// The one with this id.
    pub(super) fn get(&self, id: Uuid) -> Result<&Interaction, Problem> {
        Ok(&self.0[self.position(id)?])
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Interaction> {
        self.0.iter()
    }

    /// Changes one.
    pub(super) fn patch(&mut self, id: Uuid, patch: &Value, now: Timestamp) -> Result<&Interaction, Problem> {
        let position = self.position(id)?;
        let changed = self.0[position].patched(patch, now).map_err(Problem::invalid)?;
        self.refuse_duplicate(&changed)?;
        self.0[position] = changed;
        Ok(&self.0[position])
    }

    /// Deletes one. Its identifier can be used again.
    pub(super) fn delete(&mut self, id: Uuid) -> Result<(), Problem> {
        let position = self.position(id)?;
        self.0.remove(position);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(identifier: &str) -> Value {
        json!({ "encounter": { "identifier": identifier, "status": "planned", "type": "emergency" } })
    }

    /// The detail of a refusal.
    fn detail<T>(result: Result<T, Problem>) -> String {
        result.err().map(|problem| problem.detail.into_owned()).unwrap_or_default()
    }

    #[test]
    fn an_identifier_belongs_to_one_interaction_until_it_is_freed() {
        let (mut store, now) = (InteractionStore::default(), Timestamp::UNIX_EPOCH);
        let duplicate = |name: &str| format!("Duplicate value: encounter.identifier `{name}` already exists");
        let id = store.create(&body("a"), now).unwrap();
        store.create(&body("b"), now).unwrap();
        assert_eq!(detail(store.create(&body("a"), now)), duplicate("a"));
        let rename = |to: &str| json!({ "encounter": { "identifier": to } });
        assert_eq!(detail(store.patch(id, &rename("b"), now)), duplicate("b"));
        assert_eq!(store.patch(id, &rename("c"), now).unwrap().identifier(), "c");
        store.create(&body("a"), now).unwrap();
        store.delete(id).unwrap();
        store.create(&body("c"), now).unwrap();
        assert_eq!(detail(store.delete(id)), "Interaction not found");
    }

    #[test]
    fn the_oldest_are_deleted_and_their_identifiers_are_free() {
        let (mut store, now) = (InteractionStore::default(), Timestamp::UNIX_EPOCH);
        let ids: Vec<Uuid> =
            (0..MAX_INTERACTIONS + 2).map(|n| store.create(&body(&n.to_string()), now).unwrap()).collect();
        assert_eq!(store.iter().count(), MAX_INTERACTIONS);
        assert!(store.get(ids[0]).is_err() && store.get(ids[1]).is_err());
        assert_eq!(store.iter().next().map(|one| one.id), Some(ids[2]));
        assert!(store.create(&body("0"), now).is_ok());
    }
}
