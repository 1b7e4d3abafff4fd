//! Finds out whether a secret can be used, without a prompt.

use std::path::Path;

use crate::app::tokens;
use crate::domain::client::api_client::Client;
use crate::domain::client::identity::ProfileName;
use crate::domain::text::page::Tone;
use crate::domain::text::redactor::Redactor;
use crate::edge::store::{Store, StoreError};
use crate::failure::Failure;

/// The state of a secret.
pub(crate) struct SecretState {
    /// The word for it in JSON.
    pub(crate) code: &'static str,
    pub(crate) tone: Tone,
    pub(crate) text: String,
    /// Why it cannot be used.
    pub(crate) failure: Option<Failure>,
}

impl SecretState {
    pub(crate) fn present(place: &str) -> Self {
        Self { code: "present", tone: Tone::Good, text: format!("present, in {place}"), failure: None }
    }

    pub(crate) fn unusable(code: &'static str, text: String, failure: Failure) -> Self {
        Self { code, tone: Tone::Bad, text, failure: Some(failure) }
    }

    pub(crate) async fn mounted(
        variable: &'static str,
        path: &Path,
        place: &str,
        redactor: &Redactor,
    ) -> Self {
        match tokens::read_mounted(variable, path, redactor).await {
            Ok(_) => Self::present(place),
            Err(failure) => Self::unusable("unusable", failure.in_one_line(), failure),
        }
    }

    pub(crate) async fn stored(store: &Store, name: &ProfileName, client: &Client) -> Self {
        let place = store.place(client);
        if matches!(store, Store::Command(..)) {
            // Only running the command could tell, and that may ask for a passphrase.
            let text = format!("kept by {place}, which is run when it is needed");
            return Self { code: "not_looked_at", tone: Tone::Plain, text, failure: None };
        }
        let error = match store.probe(client).await {
            Ok(true) => return Self::present(&place),
            Ok(false) => StoreError::Missing,
            Err(error) => error,
        };
        let code = match &error {
            StoreError::Missing => "missing",
            StoreError::Locked => "locked",
            StoreError::Ambiguous(_) => "ambiguous",
            StoreError::NoBus => "no_bus",
            StoreError::NoLogonSession => "no_logon_session",
            StoreError::NoService => "no_service",
            StoreError::NoCollection => "no_collection",
            StoreError::TimedOut(_) => "timed_out",
            _ => "failed",
        };
        let text = match &error {
            StoreError::Missing => format!("not stored in {place}"),
            error => format!("{error} ({place})"),
        };
        Self::unusable(code, text, Failure::store(&error, client, name))
    }
}
