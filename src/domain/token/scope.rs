//! OAuth scopes, and the class of a token by its scopes.
//!
//! `transcribe` and `streams` limit a token of Corti's. Without them it acts as the client itself.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::domain::client::invalid::Invalid;
use crate::domain::text::excerpt::quoted;
use crate::domain::text::shell::quote;

/// The scopes that Keycloak adds to a service account's token. They mean nothing to Corti.
pub const BASE: [&str; 8] =
    ["openid", "profile", "email", "roles", "web-origins", "acr", "basic", "service_account"];

/// The scopes of the two WebSockets. A frontend may have no others.
pub const LIMITED: [&str; 2] = ["transcribe", "streams"];

/// How many scopes a command in a hint has.
const MAX_SHOWN: usize = 10;

/// The scope of every request.
pub const OPENID: &str = "openid";

/// One scope: RFC 6749, section 3.3, `scope-token`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Scope(String);

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let token_character = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || !text.bytes().all(token_character) {
            return Err(Invalid::new(format!("`{text}` is not a scope")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Scope {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_base(&self) -> bool {
        BASE.contains(&self.as_str())
    }

    fn is_limited(&self) -> bool {
        LIMITED.contains(&self.as_str())
    }

    /// The scope that was probably meant: `streams` for `stream`.
    pub fn suggestion(&self) -> Option<&'static str> {
        if self.is_documented() {
            return None;
        }
        LIMITED
            .into_iter()
            .find(|known| strsim::damerau_levenshtein(known, &self.0.to_ascii_lowercase()) <= 2)
    }

    /// Whether Corti documents it.
    pub fn is_documented(&self) -> bool {
        self.is_base() || self.is_limited()
    }
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenClass {
    /// `transcribe` or `streams` and nothing else: it opens those WebSockets only.
    Limited,
    /// Nothing outside [`BASE`]: it acts as the client itself.
    Full,
    /// Anything else. Treated as full.
    Mixed,
}

impl TokenClass {
    /// `limited`, `full` or `mixed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Full => "full",
            Self::Mixed => "mixed",
        }
    }
}

/// A sorted set of scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Reads the `scope` of a token or response. Malformed words are kept and make the token mixed, because the server may know
    /// them.
    pub fn from_wire(text: &str) -> Self {
        Self(text.split_whitespace().map(|word| Scope(word.to_owned())).collect())
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// The scopes as texts, in order.
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(|scope| scope.0.clone()).collect()
    }

    /// Whether `name` is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|scope| scope.0 == name)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes for which `is_one` is true; `None` if there are none.
    pub(super) fn matching(&self, is_one: impl Fn(&Scope) -> bool) -> Option<Self> {
        let set: Self = self.0.iter().filter(|scope| is_one(scope)).cloned().collect();
        (!set.is_empty()).then_some(set)
    }

    /// The command that mints a token with these scopes.
    pub fn mint_command(&self) -> String {
        format!("corti-auth token {}", self.arguments())
    }

    /// The arguments of `token` and `exec` that ask for these scopes.
    pub fn arguments(&self) -> String {
        let names: Vec<&str> = self.0.iter().filter(|scope| !scope.is_base()).map(Scope::as_str).collect();
        match self.class() {
            TokenClass::Full => "full".to_owned(),
            TokenClass::Limited => names.join(" "),
            TokenClass::Mixed if names.len() <= MAX_SHOWN => {
                format!("--scope {}", quote(&names.join(",")))
            }
            TokenClass::Mixed => "--help".to_owned(),
        }
    }

    /// The class of a token with these scopes.
    pub fn class(&self) -> TokenClass {
        if self.0.iter().any(|scope| !scope.is_base() && !scope.is_limited()) {
            TokenClass::Mixed
        } else if self.0.iter().any(Scope::is_limited) {
            TokenClass::Limited
        } else {
            TokenClass::Full
        }
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_strings().join(" "))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// The scopes that are requested from the token endpoint. A full token is never a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeRequest {
    /// A token that acts as the client itself: `openid`.
    Full,
    /// These scopes, at least one of them outside [`BASE`].
    Scopes(ScopeSet),
}

impl ScopeRequest {
    /// Requests `scopes`. Refuses those with which the token would be full.
    pub fn scopes(scopes: ScopeSet) -> Result<Self, Invalid> {
        if scopes.class() == TokenClass::Full {
            let reason = format!("the scopes `{scopes}` do not limit the token: it would be full");
            return Err(Invalid::new(reason));
        }
        Ok(Self::Scopes(scopes))
    }

    /// The `scope` parameter: `openid` first, as in the vendor's SDKs, then the others in order.
    pub fn to_wire(&self) -> String {
        let mut words = vec![OPENID];
        words.extend(self.asked().iter().map(Scope::as_str).filter(|name| *name != OPENID));
        words.join(" ")
    }

    /// The class of the token if the server grants exactly these scopes.
    pub fn class(&self) -> TokenClass {
        self.asked().class()
    }

    fn asked(&self) -> &ScopeSet {
        static NONE: ScopeSet = ScopeSet(BTreeSet::new());
        match self {
            Self::Full => &NONE,
            Self::Scopes(scopes) => scopes,
        }
    }

    /// Compares the granted scopes with the requested ones.
    pub fn check(&self, granted: &ScopeSet) -> Result<(), Mismatch> {
        let asked = self.asked();
        if let Some(extra) = granted.matching(|scope| !asked.0.contains(scope) && !scope.is_base()) {
            return Err(Mismatch::Broader(extra));
        }
        let missing = asked.matching(|scope| !granted.0.contains(scope));
        missing.map_or(Ok(()), |missing| Err(Mismatch::Narrower(missing)))
    }
}

/// How the granted scopes differ from the requested ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The token may do more than was requested.
    #[error("the server granted more than was asked: `{}`", quoted(&.0.to_string()))]
    Broader(ScopeSet),
    /// A requested scope is missing. Without `transcribe` and `streams` the token would be full.
    #[error("the server did not grant `{0}`")]
    Narrower(ScopeSet),
    /// Neither the answer nor the token names the granted scopes. RFC 6749, section 5.1, allows that if they are the requested
    /// ones, but this tool never assumes that a token is limited.
    #[error("the server did not say which scopes it granted")]
    Unstated,
}

/// The scopes a token must have, and those it must not have: `--require-scope` and `--forbid-scope`.
#[derive(Clone, Debug, Default)]
pub struct Requirement {
    /// All of these.
    pub required: ScopeSet,
    /// None of these.
    pub forbidden: ScopeSet,
}

impl Requirement {
    /// Refuses scopes that do not meet the requirement.
    pub fn check(&self, scopes: &ScopeSet) -> Result<(), Invalid> {
        if let Some(missing) = self.required.matching(|scope| !scopes.contains(scope.as_str())) {
            let reason = format!("the token lacks the scope `{missing}`, which --require-scope asks for");
            return Err(Invalid::new(reason));
        }
        if let Some(present) = self.forbidden.matching(|scope| scopes.contains(scope.as_str())) {
            let reason = format!("the token has the scope `{present}`, which --forbid-scope rules out");
            return Err(Invalid::new(reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::from_wire(text)
    }

    #[test]
    fn the_class_follows_the_scopes() {
        let table = [
            ("openid", TokenClass::Full),
            ("", TokenClass::Full),
            ("openid email profile roles web-origins acr basic service_account", TokenClass::Full),
            ("openid transcribe", TokenClass::Limited),
            ("profile email openid streams transcribe", TokenClass::Limited),
            ("openid interactions:read", TokenClass::Mixed),
            ("openid transcribe interactions:read", TokenClass::Mixed),
            ("openid stream", TokenClass::Mixed),
            ("openid transcribe \"admin:write\"", TokenClass::Mixed),
            ("openid transcribe\tadmin:l\u{e4}s", TokenClass::Mixed),
        ];
        for (scopes, class) in table {
            assert_eq!(set(scopes).class(), class, "{scopes}");
        }
    }

    #[test]
    fn openid_comes_first_on_the_wire() {
        assert_eq!(ScopeRequest::Full.to_wire(), "openid");
        assert_eq!(
            ScopeRequest::scopes(set("transcribe openid streams")).unwrap().to_wire(),
            "openid streams transcribe"
        );
    }

    #[test]
    fn scopes_that_limit_nothing_are_not_a_silent_full_token() {
        for scopes in ["openid", "profile", "openid email"] {
            assert!(ScopeRequest::scopes(set(scopes)).is_err(), "{scopes}");
        }
    }

    #[test]
    fn granted_is_compared_with_asked() {
        let transcribe = ScopeRequest::scopes(set("transcribe")).unwrap();
        assert_eq!(transcribe.check(&set("openid transcribe")), Ok(()));
        assert_eq!(transcribe.check(&set("email openid profile transcribe")), Ok(()));
        assert_eq!(transcribe.check(&set("openid email")), Err(Mismatch::Narrower(set("transcribe"))));
        assert_eq!(
            transcribe.check(&set("openid transcribe streams")),
            Err(Mismatch::Broader(set("streams")))
        );
        assert_eq!(ScopeRequest::Full.check(&set("openid email profile")), Ok(()));
        assert_eq!(
            ScopeRequest::Full.check(&set("openid transcribe")),
            Err(Mismatch::Broader(set("transcribe")))
        );
    }

    #[test]
    fn near_misses_get_a_suggestion() {
        let suggest = |text: &str| text.parse::<Scope>().unwrap().suggestion();
        assert_eq!(suggest("stream"), Some("streams"));
        assert_eq!(suggest("Transcribe"), Some("transcribe"));
        assert_eq!(suggest("interactions:read"), None);
        assert_eq!(suggest("streams"), None);
    }

    #[test]
    fn all_that_is_required_and_nothing_that_is_forbidden() {
        let set = ScopeSet::from_wire;
        let check = |required: &str, forbidden: &str| {
            Requirement { required: set(required), forbidden: set(forbidden) }.check(&set("openid streams"))
        };
        assert_eq!(check("", ""), Ok(()));
        assert_eq!(check("streams openid", "transcribe"), Ok(()));
        let refused = |required, forbidden| check(required, forbidden).unwrap_err().to_string();
        assert_eq!(
            refused("streams transcribe", ""),
            "the token lacks the scope `transcribe`, which --require-scope asks for"
        );
        assert_eq!(
            refused("streams", "openid x"),
            "the token has the scope `openid`, which --forbid-scope rules out"
        );
    }
}
