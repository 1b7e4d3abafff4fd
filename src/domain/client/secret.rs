//! Wraps secrets from the prompt to the request.
//!
//! `Debug` redacts, `Display` and `Serialize` are missing, and the memory is wiped on drop. Copies in the TLS library or in
//! the keyring's D-Bus client are not wiped.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The longest accepted client secret, in bytes. Keycloak's have 32 characters; a mounted file may have more.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;

/// The longest file or input with a client secret, in bytes: with the line break that an editor adds.
pub const MAX_SECRET_FILE_BYTES: usize = MAX_SECRET_BYTES + 2;

/// Shown in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// A text that must not be shown.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps `text`; the caller's copy is moved, not cloned.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself. Call this only where the text leaves the process: `tests/it/layers.rs` lists the files.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether `other` is the same text. Compares digests, so the time taken reveals nothing.
    pub fn is_same(&self, other: &Self) -> bool {
        Sha256::digest(self.expose().as_bytes()) == Sha256::digest(other.expose().as_bytes())
    }

    /// The number of characters, which may be shown.
    pub fn length(&self) -> usize {
        self.expose().chars().count()
    }

    /// The [`fingerprint`] of the text: distinguishes two tokens, and is useless to an attacker.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.0.expose_secret())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// `sha256:` and the first 8 hex digits of the text's SHA-256.
pub fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let first = digest.iter().take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("sha256:{first:08x}")
}

/// A client secret: not empty, at most 64 KiB, no control characters.
#[derive(Clone, Debug)]
pub struct ClientSecret(Secret);

/// Why a text is not a client secret. No variant carries the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientSecretError {
    /// An empty text.
    #[error("the client secret is empty")]
    Empty,
    /// More than [`MAX_SECRET_BYTES`].
    #[error("the client secret is longer than {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// A control character, as in two pasted lines.
    #[error("the client secret contains a line break or another control character")]
    Control,
    /// Not UTF-8.
    #[error("the client secret is not UTF-8 text")]
    NotText,
}

impl ClientSecret {
    /// Takes `text` without one trailing line break, which an editor or `echo` adds.
    pub fn parse(text: &str) -> Result<Self, ClientSecretError> {
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(ClientSecretError::Empty);
        }
        if text.len() > MAX_SECRET_BYTES {
            return Err(ClientSecretError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ClientSecretError::Control);
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    /// Reads the bytes of a file or a keyring entry.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClientSecretError> {
        std::str::from_utf8(bytes).map_err(|_| ClientSecretError::NotText).and_then(Self::parse)
    }

    /// The wrapped text.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// An access token: only RFC 6750's `b64token` characters, which are safe in a header, in a URL and on a terminal.
#[derive(Clone, Debug)]
pub struct AccessToken(Secret);

impl AccessToken {
    /// `None` if `text` has a character that RFC 6750, section 2.1, does not allow in a bearer token.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        (!text.is_empty() && text.bytes().all(allowed)).then(|| Self(Secret::new(text.to_owned())))
    }

    /// The wrapped text.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let secret = ClientSecret::parse("hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "ClientSecret([redacted])");
    }

    #[test]
    fn one_trailing_line_break_is_dropped_and_spaces_are_kept() {
        for text in ["a b&=%+ü", "a b&=%+ü\n", "a b&=%+ü\r\n"] {
            assert_eq!(ClientSecret::parse(text).unwrap().secret().expose(), "a b&=%+ü");
        }
    }

    #[test]
    fn what_is_not_a_secret_is_refused_without_being_shown() {
        assert_eq!(ClientSecret::parse("\n").unwrap_err(), ClientSecretError::Empty);
        assert_eq!(ClientSecret::parse("a\nb").unwrap_err(), ClientSecretError::Control);
        assert_eq!(ClientSecret::parse("a\n\n").unwrap_err(), ClientSecretError::Control);
        assert_eq!(ClientSecret::from_bytes(b"\xff\xfe").unwrap_err(), ClientSecretError::NotText);
        let long = "x".repeat(MAX_SECRET_BYTES + 1);
        assert_eq!(ClientSecret::parse(&long).unwrap_err(), ClientSecretError::TooLong);
    }

    #[test]
    fn a_token_is_visible_ascii() {
        assert!(AccessToken::parse("eyJ.abc-_~+/=").is_some());
        for bad in ["", "a b", "a\u{1b}[31m", "ä"] {
            assert!(AccessToken::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn secrets_are_compared_and_counted_unseen() {
        let secret = |text: &str| Secret::new(text.to_owned());
        assert!(secret("ab").is_same(&secret("ab")) && !secret("ab").is_same(&secret("abc")));
        assert_eq!(secret("Schlüssel").length(), 9);
    }

    #[test]
    fn fingerprints_are_short_and_stable() {
        assert_eq!(Secret::new("abc".into()).fingerprint(), "sha256:ba7816bf");
    }
}
