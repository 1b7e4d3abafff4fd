//! Failures of stores and of the token endpoint: what a client can do about its credential.

use crate::domain::grant::GrantError;
use crate::domain::identity::Client;
use crate::edge::store::StoreError;

use super::{Failure, Kind};

impl Failure {
    /// A store that did not do what `client` needed.
    pub fn store(error: &StoreError, client: &Client) -> Self {
        let context = anyhow::Error::new(error.clone())
            .context(format!("cannot use the stored secret of client `{}`", client.store_user()));
        let elsewhere = "on a machine without a keyring: CORTI_CLIENT_ID=… CORTI_CLIENT_SECRET=… CORTI_ENVIRONMENT=… \
                         corti-auth token --scope transcribe";
        match error {
            StoreError::Missing => {
                Self::new(Kind::Credential, format!("not logged in: no secret is stored for `{}`", client.store_user()))
                    .hint("corti-auth login")
            }
            StoreError::Locked => Self::caused(Kind::Credential, context)
                .hint("unlock the keyring (sign in on the desktop, or gnome-keyring-daemon --unlock), then try again"),
            StoreError::NoBus => Self::caused(Kind::Credential, context)
                .hint("start a session bus and a keyring: dbus-run-session -- bash")
                .hint(elsewhere),
            StoreError::NoService => Self::caused(Kind::Credential, context)
                .hint("install and start a keyring, such as gnome-keyring or KeePassXC")
                .hint(elsewhere),
            StoreError::NoCollection => Self::caused(Kind::Credential, context)
                .hint("make a default keyring: gnome-keyring-daemon --unlock, or Passwords and Keys (seahorse)"),
            StoreError::TimedOut(_) => Self::caused(Kind::Credential, context)
                .hint("look for an unlock prompt on the desktop, or restart the keyring's daemon")
                .hint(elsewhere),
            StoreError::Ambiguous => Self::caused(Kind::Credential, context).hint(format!(
                "remove the entries and log in again: secret-tool clear service corti-auth username '{}'",
                client.store_user()
            )),
            StoreError::NotASecret(_) => Self::caused(Kind::Credential, context).hint("corti-auth login"),
            StoreError::Failed(_) => Self::caused(Kind::Credential, context).hint("corti-auth status"),
        }
    }

    /// A token endpoint that gave `client` no token.
    pub fn grant(error: &GrantError, client: &Client) -> Self {
        let (environment, tenant) = (client.environment.to_string(), client.tenant.to_string());
        let (status, oauth_error) = (error.http_status(), error.oauth_error().map(str::to_owned));
        let context = |kind| {
            let message =
                format!("no token for client `{}` of `{environment}`, tenant `{tenant}`", client.id);
            Self::caused(kind, anyhow::Error::new(error.clone()).context(message))
        };
        let mut failure = match error {
            GrantError::UnknownClient(_) => context(Kind::Rejected)
                .hint("check the client id, the environment and the tenant: corti-auth status"),
            GrantError::WrongSecret(_) => context(Kind::Rejected)
                .hint("store the current secret (the Corti Console can make a new one): corti-auth login"),
            GrantError::NotAllowed(_) => context(Kind::Rejected).hint(
                "make an API client for client credentials in the Corti Console, then: corti-auth login",
            ),
            GrantError::UnknownTenant(_) => {
                context(Kind::Configuration).hint("nearly every customer's tenant is base: --tenant base")
            }
            GrantError::ScopeRefused(_) => {
                context(Kind::Scope).hint("the limited scopes are transcribe and streams: --scope transcribe")
            }
            GrantError::Mismatch(_) => context(Kind::Scope)
                .hint("the token was discarded; ask Corti's support which scopes the client may have"),
            GrantError::Refused { status: 401 | 403, .. } => {
                context(Kind::Rejected).hint("corti-auth status")
            }
            GrantError::Refused { .. } => context(Kind::Refused).hint("corti-auth status"),
            GrantError::Unavailable { retry_after, .. } => {
                context(Kind::Unavailable).hint(match retry_after {
                    Some(after) => {
                        format!("the server asks to wait (Retry-After: {after}), then run it again")
                    }
                    None => {
                        "wait a little, then run it again; https://status.corti.ai shows outages".to_owned()
                    }
                })
            }
            GrantError::NotTheProtocol { .. } | GrantError::Redirect(_) => {
                context(Kind::Network).hint(format!(
                    "check that {} is Corti, and no proxy or login page in between",
                    client.environment.token_url(&client.tenant)
                ))
            }
        };
        failure.http_status = status;
        failure.oauth_error = oauth_error;
        failure
    }
}
