//! The keys of `config.toml`.

/// The profile that is used when none is named.
pub(super) const DEFAULT_PROFILE: &str = "default-profile";
/// The table of profiles.
pub(super) const PROFILES: &str = "profiles";

/// Of a profile: which Corti.
pub(super) const ENVIRONMENT: &str = "environment";
/// Of a profile: which realm.
pub(super) const TENANT: &str = "tenant";
/// Of a profile: which client.
pub(super) const CLIENT_ID: &str = "client-id";
/// Of a profile: where its secret is.
pub(super) const STORE: &str = "store";
/// Of a profile: what prints its secret, where a command keeps it.
pub(super) const SECRET_COMMAND: &str = "secret-command";
/// Of a profile: what `token` asks for when it is not told.
pub(super) const DEFAULT_SCOPE: &str = "default-scope";
/// Of a profile: when the server last took its secret.
pub(super) const LAST_VERIFIED: &str = "last-verified";
/// Of a profile: what stands for its stored secret in the cache of tokens.
pub(super) const CREDENTIAL: &str = "credential";

/// Every key of a profile that means something.
pub(super) const OF_A_PROFILE: [&str; 8] =
    [ENVIRONMENT, TENANT, CLIENT_ID, STORE, SECRET_COMMAND, DEFAULT_SCOPE, LAST_VERIFIED, CREDENTIAL];
