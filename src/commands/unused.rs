//! Stored secrets that no profile uses any more: noted in the configuration when a profile leaves one, and removed here, by
//! the command that left it or, had that been killed, by the next one that stores or removes a secret.

use crate::domain::config::Config;
use crate::edge::store::StoreError;
use crate::failure::Failure;

use super::context::Context;

/// Removes those that `config` notes. One that cannot be removed keeps its note.
///
/// # Errors
/// Where the configuration cannot be changed.
pub(super) async fn remove(context: &Context<'_>, config: &Config) -> Result<(), Failure> {
    let mut reachable = Vec::new();
    for secret in config.unused_secrets() {
        let store = context.store(&secret.store)?;
        // Others wait for the configuration while it is held, so a prompt is answered before.
        match store.ensure_usable(&secret.client, context.sink).await {
            Ok(_) => reachable.push(secret),
            Err(error) => kept(context, &store.place(&secret.client), &error),
        }
    }
    if reachable.is_empty() {
        return Ok(());
    }
    // As it is by now, and while nobody makes a profile that uses one of them again.
    let mut held = context.config_file()?.hold()?;
    let still_unused = held.config.unused_secrets();
    for secret in reachable.iter().filter(|it| still_unused.contains(it)) {
        context.remove_tokens(&secret.client);
        let store = context.store(&secret.store)?;
        let place = store.place(&secret.client);
        match store.delete(&secret.client, context.sink).await {
            Ok(removed) => {
                held.config.strike_unused(&secret.client, &secret.store);
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
    context.warn(message, Some("the next corti-auth login or logout tries again"));
}
