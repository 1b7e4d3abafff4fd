//! The JOSE header of a token (RFC 7515, section 4.1): what it says of its signature. It chooses no key and no algorithm.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::{JwtError, read};

/// The parts of the JOSE header (RFC 7515, section 4.1) that are shown.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one parameter is there")]
pub struct Header {
    /// The signature algorithm.
    pub alg: String,
    /// Which of the issuer's keys signed it.
    pub kid: Option<String>,
    /// Whether `crit` is there: extensions that a reader must understand, and this one understands none.
    #[serde(default, deserialize_with = "present")]
    pub crit: bool,
    /// Whether `b64` (RFC 7797) is there, which changes what is signed.
    #[serde(default, deserialize_with = "present")]
    pub b64: bool,
    #[serde(default, deserialize_with = "present")]
    jwk: bool,
    #[serde(default, deserialize_with = "present")]
    jku: bool,
    #[serde(default, deserialize_with = "present")]
    x5u: bool,
    #[serde(default, deserialize_with = "present")]
    x5c: bool,
}

impl Header {
    /// The parameters by which the token brings or names a key of its own. None of them is ever followed.
    pub fn own_keys(&self) -> Vec<&'static str> {
        let named = [(self.jwk, "jwk"), (self.jku, "jku"), (self.x5u, "x5u"), (self.x5c, "x5c")];
        named.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect()
    }
}

/// Takes any value, `null` too, as a sign that the parameter is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The last header, and the text it was read from: most tokens of a stream have the one that the token before had.
#[derive(Debug, Default)]
pub struct LastHeader(Option<(String, Header)>);

impl LastHeader {
    pub(super) fn or_read(&mut self, text: &str) -> Result<Header, JwtError> {
        match &self.0 {
            Some((known, header)) if known == text => Ok(header.clone()),
            _ => {
                let header: Header = read("header", text)?;
                self.0 = Some((text.to_owned(), header.clone()));
                Ok(header)
            }
        }
    }
}
