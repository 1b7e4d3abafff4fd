//! A WebSocket URL out of a ticket or a log: cleaned of what surrounds it, its token kept out of sight, and what is
//! wrong with it told.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use url::{Url, form_urlencoded};
use uuid::Uuid;

use crate::domain::client::environment::{Environment, is_loopback};
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::{AccessToken, Secret};
use crate::domain::corti::websocket::connect_url;
use crate::domain::token::jwt::contains_token;

use super::SocketKind;

/// A URL that somebody pasted.
#[derive(Clone, Debug)]
pub struct Pasted {
    /// The URL without its token. Its query may still hold what is nobody's business.
    bare: Url,
    /// The URL as it came.
    whole: Secret,
    /// The token in it, where it is one.
    token: Option<AccessToken>,
    /// The value of the token's parameter, whether it is a token or not.
    written: Option<Secret>,
    /// Which WebSocket its path leads to.
    pub kind: Option<SocketKind>,
    /// What is wrong with it, in words that repeat nothing of its query.
    pub flaws: Vec<String>,
}

/// Why a text is no URL of a WebSocket. No variant carries any of the text but its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastedError {
    /// No URL at all.
    #[error("what was pasted is not a URL")]
    NotAUrl,
    /// A URL of something else.
    #[error("what was pasted is a URL of `{0}`, and a WebSocket's is of `wss`")]
    Scheme(String),
    /// A token in the clear over a network.
    #[error(
        "the pasted URL is of `ws` to a host that is not this machine: its token would travel unencrypted"
    )]
    NotEncrypted,
    /// `user:password@`.
    #[error("the pasted URL has a user name or a password in it")]
    User,
    /// Nobody could say which of them is used.
    #[error("the pasted URL has more than one token in it")]
    Tokens,
    /// A token that is not the value of the `token` parameter: the rest of the URL is sent, and its path printed.
    #[error("the pasted URL has a token outside of `token=`: nothing was sent")]
    Outside,
}

impl Pasted {
    /// Reads a URL, quotes, white space and JSON's `\u0026` around and in it aside.
    ///
    /// # Errors
    /// [`PastedError`], see its variants.
    pub fn parse(text: &str) -> Result<Self, PastedError> {
        let quotes = |c: char| c.is_whitespace() || "\"'`<>,;".contains(c);
        let text = unlabelled(text).trim_matches(quotes).replace("\\u0026", "&");
        let mut url = Url::parse(&text).map_err(|_| PastedError::NotAUrl)?;
        match url.scheme() {
            "wss" => {}
            "ws" if is_loopback(&url) => {}
            "ws" => return Err(PastedError::NotEncrypted),
            scheme => return Err(PastedError::Scheme(scheme.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PastedError::User);
        }
        if tokens(&url) > 1 {
            return Err(PastedError::Tokens);
        }
        let mut flaws = flaws_of_place(&url);
        url.set_fragment(None);
        let whole = Secret::new(url.to_string());
        let written = take_token(&mut url);
        if tokens(&url) > 0 || contains_token(&decoded(url.as_str())) {
            return Err(PastedError::Outside);
        }
        let token = written.as_deref().and_then(|written| token(written, &mut flaws));
        let written = written.map(Secret::new);
        Ok(Self { kind: kind(&url), bare: url, whole, token, written, flaws })
    }

    /// The token in it.
    pub fn token(&self) -> Option<&AccessToken> {
        self.token.as_ref()
    }

    /// Whether the URL leads to this environment, and names no other tenant.
    pub fn leads_to(&self, environment: &Environment, tenant: &Tenant) -> bool {
        let names = self.bare.query_pairs().filter(|(name, _)| name == "tenant-name");
        // What follows a second `?` is no part of the name, however the URL is written.
        let mut tenants = names.map(|(_, value)| value.split('?').next().unwrap_or_default().to_owned());
        environment.serves_socket(&self.bare) && tenants.all(|name| name == tenant.as_str())
    }

    /// What must not be repeated of it.
    pub fn secrets(&self) -> Vec<Secret> {
        self.written.iter().cloned().chain(self.token.as_ref().map(|token| token.secret().clone())).collect()
    }

    /// The URL without its token, for comparing hosts.
    pub fn bare(&self) -> &Url {
        &self.bare
    }

    /// Whether anything stands where its token should, readable or not.
    pub fn has_token(&self) -> bool {
        self.written.is_some()
    }

    /// What to open: the URL as it came, or with `token` where it has none.
    pub fn address(&self, token: Option<&AccessToken>) -> Secret {
        match token.filter(|_| !self.has_token()) {
            Some(token) => connect_url(&self.bare, token),
            None => self.whole.clone(),
        }
    }
}

/// The URL behind a label, as `websocketUrl: …` and JSON's `"websocketUrl": "…"` have it; else the whole text.
fn unlabelled(text: &str) -> &str {
    let Some(start) = text.find("wss://").or_else(|| text.find("ws://")) else { return text };
    let (label, url) = text.split_at(start);
    let quote = label.chars().next_back().filter(|c| "\"'`".contains(*c));
    let before = label.trim_end_matches(|c: char| c.is_whitespace() || "\"'`".contains(c));
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let in_a_url = word.rsplit(['"', '\'', '`', ',']).next().unwrap_or_default().contains("://");
    if !before.ends_with([':', '=']) || in_a_url {
        return text;
    }
    // What follows in the same JSON object, or on the next line, is none of the URL's.
    let ends = |at: usize| !url.get(..at).is_some_and(|before| before.ends_with("Bearer"));
    let end = match quote {
        Some(quote) => url.find(quote),
        // A space behind the token's scheme is one of the URL's, however wrongly it is written.
        None => url.match_indices(char::is_whitespace).map(|(at, _)| at).find(|at| ends(*at)),
    };
    end.and_then(|end| url.get(..end)).unwrap_or(url)
}

/// What is wrong with the path and the parameters.
fn flaws_of_place(url: &Url) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut flaw = |is: bool, text: &str| {
        if is {
            flaws.push(text.to_owned());
        }
    };
    let query = url.query().unwrap_or_default();
    let path = url.path();
    flaw(url.fragment().is_some(), "the URL has a `#`: what follows it is never sent");
    flaw(query.contains('?'), "the URL has a second `?`, where parameters are joined by `&`");
    flaw(query.contains("amp;"), "the URL has `&amp;` in it, which is HTML's spelling of `&`");
    flaw(value(url, "tenant-name").is_none(), "the URL has no tenant-name parameter");
    flaw(path.contains("%7B") || path.contains('{'), "the URL has a placeholder in its path");
    flaw(kind(url).is_none(), "the path is neither …/transcribe nor …/interactions/ID/streams");
    let id = path.strip_suffix("/streams").and_then(|rest| rest.rsplit('/').next());
    let is_odd = id.is_some_and(|id| Uuid::try_parse(id).is_err());
    flaw(is_odd, "what stands for the interaction in the path is no UUID");
    flaws
}

/// The token of the parameter's value, once decoded, and what is wrong with how it is written.
fn token(given: &str, flaws: &mut Vec<String>) -> Option<AccessToken> {
    let mut flaw = |text: &str| flaws.push(text.to_owned());
    let mut text = Cow::Borrowed(given);
    if given.contains("%20") || given.contains("%25") {
        flaw("the token parameter is percent-encoded twice: the server reads `Bearer%20…`");
        text = given.replace("%25", "%").replace("%20", " ").into();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let bare = match words.as_slice() {
        [scheme, token] if scheme.eq_ignore_ascii_case("bearer") => Some(*token),
        [token] => {
            flaw("the token is not preceded by `Bearer`: the value is `Bearer`, a space, and the token");
            Some(*token)
        }
        _ => None,
    };
    let token = bare.and_then(AccessToken::parse);
    if token.is_none() {
        flaw("the token parameter holds no token");
    }
    token
}

fn kind(url: &Url) -> Option<SocketKind> {
    let mut segments = url.path().trim_end_matches('/').rsplit('/');
    match (segments.next(), segments.next(), segments.next()) {
        (Some("transcribe"), ..) => Some(SocketKind::Transcribe),
        (Some("streams"), _, Some("interactions")) => Some(SocketKind::Streams),
        _ => None,
    }
}

fn value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// How many parameters are called a token, however they are encoded and separated.
fn tokens(url: &Url) -> usize {
    decoded(url.query().unwrap_or_default()).to_ascii_lowercase().matches("token=").count()
}

/// `text` with its percent-encoding decoded, however often it was encoded.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        bytes.push(byte);
        // What was decoded may be the end of another escape.
        while let Some(escape @ [b'%', ..]) = bytes.last_chunk::<3>() {
            let mut decoded = percent_decode(escape);
            let (Some(byte), None) = (decoded.next(), decoded.next()) else { break };
            bytes.truncate(bytes.len() - escape.len());
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes the `token` parameter out of the query, and gives its value. Behind `&amp;` or a second `?` the server does not
/// find it, and it is one all the same.
fn take_token(url: &mut Url) -> Option<String> {
    let query = url.query()?.to_owned();
    let value = |part: &str| {
        let pair = part.trim_end_matches(['&', '?']).trim_start_matches("amp;");
        let (name, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
        (name == "token").then(|| value.into_owned())
    };
    let (taken, kept): (Vec<&str>, Vec<&str>) =
        query.split_inclusive(['&', '?']).partition(|part| value(part).is_some());
    let given = value(taken.first()?)?;
    let rest = kept.concat();
    url.set_query(Some(rest.trim_end_matches(['&', '?'])).filter(|rest| !rest.is_empty()));
    Some(given)
}

#[cfg(test)]
mod tests;
