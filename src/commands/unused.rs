//! Stored secrets that no profile uses any more: noted in the configuration when a profile leaves one, and removed here, by
//! the command that left it or, had that been killed, by the next one that stores or removes a secret.

use crate::domain::config::{Config, StoredSecret};
use crate::edge::store::{State, StoreError};
use crate::failure::Failure;

use super::context::Context;

/// Removes those that `config` notes. One that cannot be removed keeps its note, and a warning says so: what the command was
/// run for is done.
pub(super) async fn remove(context: &Context<'_>, config: &Config) {
    let noted = config.unused_secrets();
    if noted.is_empty() {
        return;
    }
    if let Err(failure) = remove_noted(context, &noted).await {
        let reasons = failure.in_one_line();
        context
            .warn(format!("the secret that the profile had before is still stored: {reasons}"), Some(LATER));
    }
}

/// What becomes of one that is still there.
pub(super) const LATER: &str = "the next corti-auth login or logout removes it, where its store can be used";

async fn remove_noted(context: &Context<'_>, noted: &[StoredSecret]) -> Result<(), Failure> {
    // As it is by now, and while nobody makes a profile that uses one of them again.
    let mut held = context.config_file()?.hold().await?;
    let still_unused = held.config.unused_secrets();
    for StoredSecret { client, store: kind } in noted.iter().filter(|it| still_unused.contains(it)) {
        context.remove_tokens(client);
        let store = context.store(kind)?;
        let place = store.place(client);
        // Nobody is asked to unlock what is cleared away in passing, and others wait for the configuration meanwhile.
        let removed = match store.probe(client).await.and_then(State::usable) {
            Ok(()) => store.delete(client, context.sink).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(removed) => {
                held.config.strike_unused(client, kind);
                if removed {
                    context.note(format!("removed the secret that the profile had before, from {place}"));
                }
            }
            Err(error) => kept(context, &place, &error),
        }
    }
    Ok(held.commit()?)
}

fn kept(context: &Context<'_>, place: &str, error: &StoreError) {
    let message = format!("the secret that the profile had before is still in {place}: {error}");
    context.warn(message, Some(LATER));
}
