//! What the help, the manual pages and docs/configuration.md say about the environment variables.

use super::{
    ACCESS_TOKEN, CI, CLIENT_ID, CLIENT_SECRET, CLIENT_SECRET_FILE, CONFIG_FOLDER, CREDENTIALS_DIRECTORY,
    ENVIRONMENT, NO_CACHE, NO_INPUT, PASSPHRASE_FILE, PROFILE, STORE, TENANT,
};

/// Each variable that a user may set, and its meaning.
pub const TABLE: [(&str, &str); 18] = [
    (ENVIRONMENT, "the environment: eu, us, another label, or a URL"),
    (TENANT, "the tenant (realm); base if nothing says so"),
    (CLIENT_ID, "the client id, for use without a login; its secret comes by a variable too"),
    (CLIENT_SECRET, "that client's secret"),
    (CLIENT_SECRET_FILE, "a mounted file with that secret"),
    (CREDENTIALS_DIRECTORY, "systemd's folder of credentials; the secret is corti-client-secret in it"),
    (ACCESS_TOKEN, "a ready token for interaction, probe, check and explain; none is minted then"),
    (PROFILE, "as --profile"),
    (STORE, "as --store of login: keyring, file or command"),
    (PASSPHRASE_FILE, "a file with the passphrase of the store file"),
    (CONFIG_FOLDER, "as --config-dir"),
    (NO_CACHE, "as --no-cache"),
    (NO_INPUT, "as --no-input"),
    (CI, "implies --no-input"),
    ("SSL_CERT_FILE", "PEM certificates to trust rather than the system's"),
    ("HTTPS_PROXY", "the proxy for https, never for this machine"),
    ("NO_PROXY", "the hosts that no proxy is used for"),
    ("NO_COLOR", "no colours"),
];
