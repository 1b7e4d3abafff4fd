//! The keys of `config.toml`.

/// The profile that is used when none is named.
pub(super) const DEFAULT_PROFILE: &str = "default-profile";
/// The table of profiles.
pub(super) const PROFILES: &str = "profiles";

/// Of a profile: the environment.
pub(super) const ENVIRONMENT: &str = "environment";
/// Of a profile: the tenant.
pub(super) const TENANT: &str = "tenant";
/// Of a profile: the client id.
pub(super) const CLIENT_ID: &str = "client-id";
/// Of a profile: where its secret is.
pub(super) const STORE: &str = "store";
/// Of a profile: the command that prints its secret.
pub(super) const SECRET_COMMAND: &str = "secret-command";
/// Of a profile: the scopes that `token` requests by default.
pub(super) const DEFAULT_SCOPE: &str = "default-scope";
/// Of a profile: when Corti last accepted its secret.
pub(super) const LAST_VERIFIED: &str = "last-verified";
/// Of a profile: the id of its stored secret in the token cache.
pub(super) const CREDENTIAL: &str = "credential";

/// All keys of a profile.
pub(super) const OF_A_PROFILE: [&str; 8] =
    [ENVIRONMENT, TENANT, CLIENT_ID, STORE, SECRET_COMMAND, DEFAULT_SCOPE, LAST_VERIFIED, CREDENTIAL];
