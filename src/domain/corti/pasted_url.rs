//! Reads a WebSocket URL that was copied from a ticket or a log, keeps its token secret, and lists what is wrong with it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};
use uuid::Uuid;

use crate::domain::client::environment::{Environment, is_loopback};
use crate::domain::client::identity::Tenant;
use crate::domain::client::secret::{AccessToken, Secret};
use crate::domain::token::jwt::contains_token;
use crate::domain::token::pasted;

use super::websocket::{SocketKind, connect_url};

/// A URL that somebody pasted.
#[derive(Clone, Debug)]
pub struct PastedUrl {
    /// The URL without its token. Its query may still hold secrets.
    pub bare: Url,
    /// The URL as it was pasted.
    whole: Secret,
    /// The token in it, if it is a valid one.
    pub token: Option<AccessToken>,
    /// The value of `token=`, whether it is a token or not.
    token_parameter: Option<Secret>,
    /// Which WebSocket its path leads to.
    pub kind: Option<SocketKind>,
    /// What is wrong with it. The texts repeat nothing of its query.
    pub flaws: Vec<&'static str>,
}

/// Why a text is not the URL of a WebSocket. Only the scheme of the text is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastedUrlError {
    /// No URL at all.
    #[error("what was pasted is not a URL")]
    NotAUrl,
    /// A URL with another scheme.
    #[error("the pasted URL begins with `{0}:`; a WebSocket URL begins with `wss:`")]
    Scheme(String),
    /// A token would be sent unencrypted over a network.
    #[error("the pasted URL uses `ws` to another machine: its token would travel unencrypted")]
    NotEncrypted,
    /// `user:password@`.
    #[error("the pasted URL has a user name or a password in it")]
    User,
    /// It is unclear which token is used.
    #[error("the pasted URL has more than one token in it")]
    Tokens,
    /// A token outside of `token=`: it would be sent, and printed with the path.
    #[error("the pasted URL has a token outside of `token=`: nothing was sent")]
    Outside,
}

impl PastedUrl {
    /// Finds a URL in a text. It may be wrapped, and have JSON's `\u0026` in it.
    pub fn parse(text: &str) -> Result<Self, PastedUrlError> {
        let text = pasted::rejoined(text);
        let text = unlabelled(&text).trim_matches(|c| is_end(c) || "<>,;)]".contains(c));
        let mut url = Url::parse(text).map_err(|_| PastedUrlError::NotAUrl)?;
        match url.scheme() {
            "wss" => {}
            "ws" if is_loopback(&url) => {}
            "ws" => return Err(PastedUrlError::NotEncrypted),
            scheme => return Err(PastedUrlError::Scheme(scheme.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PastedUrlError::User);
        }
        if count_tokens(&url) > 1 {
            return Err(PastedUrlError::Tokens);
        }
        let mut flaws = flaws(&url);
        url.set_fragment(None);
        let whole = Secret::new(url.to_string());
        let parameter = take_token(&mut url);
        if count_tokens(&url) > 0 || contains_token(&decoded(url.as_str())) {
            return Err(PastedUrlError::Outside);
        }
        let token = parameter.as_deref().and_then(|value| token(value, &mut flaws));
        let token_parameter = parameter.map(Secret::new);
        Ok(Self { kind: kind(&url), bare: url, whole, token, token_parameter, flaws })
    }

    /// Whether the URL leads to this environment, and names no other tenant.
    pub fn leads_to(&self, environment: &Environment, tenant: &Tenant) -> bool {
        let names = self.bare.query_pairs().filter(|(name, _)| name == "tenant-name");
        // What follows a second `?` is not part of the name.
        let mut tenants = names.map(|(_, value)| value.split('?').next().unwrap_or_default().to_owned());
        environment.serves_socket(&self.bare) && tenants.all(|name| name == tenant.as_str())
    }

    /// The secrets in it.
    pub fn secrets(&self) -> Vec<Secret> {
        self.token_parameter.iter().chain(self.token.as_ref().map(AccessToken::secret)).cloned().collect()
    }

    /// Whether it has a `token=`, readable or not.
    pub fn has_token(&self) -> bool {
        self.token_parameter.is_some()
    }

    /// The URL to open: as it was pasted, or with `token` if it has none.
    pub fn address(&self, token: Option<&AccessToken>) -> Secret {
        match token.filter(|_| !self.has_token()) {
            Some(token) => connect_url(&self.bare, token),
            None => self.whole.clone(),
        }
    }
}

/// White space and quotes end a URL.
fn is_end(c: char) -> bool {
    c.is_whitespace() || "\"'`".contains(c)
}

/// The URL without a label such as `websocketUrl:`, and without what follows it in the same object or on the next line.
fn unlabelled(text: &str) -> &str {
    let Some(start) = text.find("wss://").or_else(|| text.find("ws://")) else { return text };
    let (label, url) = text.split_at(start);
    // A WebSocket URL in the query of another URL is not the pasted one.
    if label.rsplit(is_end).next().unwrap_or_default().contains("://") {
        return text;
    }
    // A space after `Bearer` belongs to the URL, although it should be encoded.
    let is_outside = |at: &usize| !url.get(..*at).is_some_and(|before| before.ends_with("Bearer"));
    let end = url.match_indices(is_end).map(|(at, _)| at).find(is_outside);
    end.and_then(|end| url.get(..end)).unwrap_or(url)
}

/// What is wrong with the path and the parameters.
fn flaws(url: &Url) -> Vec<&'static str> {
    let (path, query) = (url.path(), url.query().unwrap_or_default());
    let id = path.strip_suffix("/streams").and_then(|rest| rest.rsplit('/').next());
    let has_tenant = url.query_pairs().any(|(name, _)| name == "tenant-name");
    let flaws = [
        (url.fragment().is_some(), "the URL has a `#`: what follows it is never sent"),
        (query.contains('?'), "the URL has a second `?`; write `&` instead"),
        (query.contains("amp;"), "the URL has `&amp;` in it, which is HTML for `&`"),
        (!has_tenant, "the URL has no tenant-name parameter"),
        (path.contains("%7B") || path.contains('{'), "the URL has a placeholder in its path"),
        (kind(url).is_none(), "the path is neither …/transcribe nor …/interactions/ID/streams"),
        (id.is_some_and(|id| Uuid::try_parse(id).is_err()), "the interaction in the path is not a UUID"),
    ];
    flaws.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, text)| text).collect()
}

/// The token in the value of `token=`, which is decoded once. What is wrong with it is added to `flaws`.
fn token(value: &str, flaws: &mut Vec<&'static str>) -> Option<AccessToken> {
    let mut text = Cow::Borrowed(value);
    if value.contains("%20") || value.contains("%25") {
        flaws.push("the token parameter is percent-encoded twice: the server reads `Bearer%20…`");
        text = value.replace("%25", "%").replace("%20", " ").into();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let bare = match words.as_slice() {
        [scheme, token] if scheme.eq_ignore_ascii_case("bearer") => token,
        [token] => {
            flaws.push("`Bearer` is missing before the token: write token=Bearer%20TOKEN");
            token
        }
        _ => "",
    };
    let token = AccessToken::parse(bare);
    if token.is_none() {
        flaws.push("`token=` is empty, or its value is not a token");
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

/// The number of parameters whose name ends in `token`, however they are encoded and separated.
fn count_tokens(url: &Url) -> usize {
    decoded(url.query().unwrap_or_default()).to_ascii_lowercase().matches("token=").count()
}

/// `text` with its percent-encoding decoded, however often it was encoded.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    loop {
        let next = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if next == text {
            return text;
        }
        text = next;
    }
}

/// Takes `token=` out of the query, and gives its value. Behind `&amp;` or a second `?` the server does not find it, but it is
/// still a token.
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
