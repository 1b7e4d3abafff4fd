//! Reads a saved exchange: the output of `curl -i`, `-D` or `-v`, a browser's HAR, a body alone, or messages of a WebSocket.
//!
//! Credentials in it are never shown. They are kept to cut them out of the answer, in case it repeats them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::{Url, form_urlencoded};

use crate::domain::client::secret::Secret;

/// How a token is written in a header, a query or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerForm {
    /// After `Bearer `, as it must be.
    Bearer,
    /// Without `Bearer `.
    Bare,
    /// After `Bearer%20`, with the space still encoded.
    Encoded,
    /// After `Bearer Bearer `.
    Doubled,
}

impl BearerForm {
    /// The form of a text with a token.
    pub fn of(text: &str) -> Self {
        let text = text.trim().trim_matches(['"', '\'']);
        let Some(rest) = after_bearer(text) else { return Self::Bare };
        if rest.starts_with('%') {
            return Self::Encoded;
        }
        if after_bearer(rest.trim_start()).is_some() { Self::Doubled } else { Self::Bearer }
    }
}

fn after_bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("bearer".len())?;
    (scheme.eq_ignore_ascii_case("bearer") && rest.starts_with([' ', '%'])).then_some(rest)
}

/// A request, as `curl -v` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRequest {
    /// The path, without the query.
    pub path: String,
    /// How the token was sent, if one was.
    pub token: Option<BearerForm>,
    /// The tenant of the header or the query, if there is one.
    pub tenant: Option<String>,
}

/// A saved exchange.
#[derive(Clone, Debug, Default)]
pub struct SavedExchange {
    /// The status of the last answer.
    pub status: Option<u16>,
    /// The headers of the last answer, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The request, if it was saved too.
    pub request: Option<SavedRequest>,
    /// What the request was authorized by: the header's value, or else the query's.
    pub authorization: Option<Secret>,
    /// The credentials of the request.
    pub credentials: Vec<Secret>,
}

impl SavedExchange {
    /// Reads any of the forms. It cannot fail: what is not a head is a body.
    pub fn read(text: &str) -> Self {
        if let Ok(Har { log }) = serde_json::from_str(text) {
            return log.failed().map(Self::of_har).unwrap_or_default();
        }
        let text = text.replace("\r\n", "\n");
        if text.lines().any(|line| line.starts_with("< HTTP/")) {
            Self::verbose(&text)
        } else {
            Self::plain(&text)
        }
    }

    /// Whether one line is all of it: a body in JSON.
    pub fn is_line(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    /// `curl -i` and `-D`: several heads (a proxy's, 100 Continue, a redirect's), then the body of the last answer.
    fn plain(text: &str) -> Self {
        let mut exchange = Self::default();
        let mut rest = text.trim_start_matches('\n');
        while rest.starts_with("HTTP/") {
            let (head, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
            let (first, lines) = head.split_once('\n').unwrap_or((head, ""));
            let status = first.split_whitespace().nth(1).and_then(|word| word.parse().ok());
            exchange.status = status.or(exchange.status);
            exchange.headers = headers(lines);
            rest = after;
        }
        Self { body: rest.to_owned(), ..exchange }
    }

    /// `curl -v`: `> ` before the lines of the request, `< ` before those of the answer, `* ` and braces before remarks.
    fn verbose(text: &str) -> Self {
        let marked = |mark: &str| {
            let lines: Vec<&str> = text.lines().filter_map(|line| after_mark(line, mark)).collect();
            lines.join("\n")
        };
        let is_body = |line: &&str| {
            let is_marked = ["*", ">", "<"].iter().any(|mark| after_mark(line, mark).is_some());
            !is_marked && !line.starts_with("{ [") && !line.starts_with("} [")
        };
        let body: Vec<&str> = text.lines().filter(is_body).collect();
        let mut exchange = Self::plain(&marked("<"));
        // With -i as well, the head is repeated in the body.
        exchange.body = Self::plain(&body.join("\n")).body;
        exchange.take_request(marked(">").trim_end().rsplit("\n\n").next().unwrap_or_default());
        exchange
    }

    fn of_har(HarEntry { request, response }: HarEntry) -> Self {
        let HarContent { text, encoding } = response.content;
        let decoded = || Some(String::from_utf8_lossy(&STANDARD.decode(&text).ok()?).into_owned());
        let is_base64 = encoding.as_deref() == Some("base64");
        let body = decoded().filter(|_| is_base64).unwrap_or(text);
        let headers = |list: Vec<HarHeader>| {
            list.into_iter().map(|it| (it.name.to_ascii_lowercase(), it.value)).collect::<Vec<_>>()
        };
        let mut exchange = Self {
            status: Some(response.status),
            headers: headers(response.headers),
            body,
            ..Self::default()
        };
        let target = Url::parse(&request.url).map(|url| {
            format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default())
        });
        if let Ok(target) = target {
            exchange.take_request_of(&target, &headers(request.headers));
        }
        exchange
    }

    fn take_request(&mut self, text: &str) {
        let (line, lines) = text.split_once('\n').unwrap_or((text, ""));
        let Some(target) = line.split(' ').nth(1) else { return };
        self.take_request_of(target, &headers(lines));
    }

    fn take_request_of(&mut self, target: &str, headers: &[(String, String)]) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let in_header =
            |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let in_query = |name: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        let (header, token) = (in_header("authorization"), in_query("token"));
        for text in [&header, &token].into_iter().flatten() {
            let text = text.replace("%20", " ");
            self.credentials.extend(text.split_whitespace().map(|word| Secret::new(word.to_owned())));
        }
        let sent = header.or(token);
        self.request = Some(SavedRequest {
            path: path.to_owned(),
            token: sent.as_deref().map(BearerForm::of),
            tenant: in_header("tenant-name").or_else(|| in_query("tenant-name")),
        });
        // Some tools hide a token before they save it.
        let is_hidden = |text: &String| text.contains("...") || text.contains(['*', '[', '<', '…']);
        self.authorization = sent.filter(|text| !is_hidden(text)).map(Secret::new);
    }

    /// Every header of this name (lower case).
    pub fn each_header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first header of this name (lower case).
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.each_header(name).next()
    }
}

/// What matters of a HAR (version 1.2): a browser's record of its exchanges.
#[derive(Deserialize)]
struct Har {
    log: HarLog,
}

#[derive(Deserialize)]
struct HarLog {
    entries: Vec<HarEntry>,
}

#[derive(Deserialize)]
struct HarEntry {
    request: HarRequest,
    response: HarResponse,
}

#[derive(Deserialize)]
struct HarRequest {
    url: String,
    #[serde(default)]
    headers: Vec<HarHeader>,
}

#[derive(Deserialize)]
struct HarResponse {
    status: u16,
    #[serde(default)]
    headers: Vec<HarHeader>,
    #[serde(default)]
    content: HarContent,
}

#[derive(Deserialize)]
struct HarHeader {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
struct HarContent {
    #[serde(default)]
    text: String,
    encoding: Option<String>,
}

impl HarLog {
    /// The first failed exchange with Corti, else the first with any host, else the last one.
    fn failed(mut self) -> Option<HarEntry> {
        let fails = |entry: &HarEntry| entry.response.status >= 400;
        let is_cortis = |entry: &HarEntry| {
            let url = Url::parse(&entry.request.url).ok();
            url.and_then(|url| Some(url.host_str()?.ends_with(".corti.app"))).unwrap_or_default()
        };
        let first = self.entries.iter().position(|it| fails(it) && is_cortis(it));
        let first = first.or_else(|| self.entries.iter().position(fails));
        let last = self.entries.len().checked_sub(1)?;
        Some(self.entries.swap_remove(first.unwrap_or(last)))
    }
}

/// What follows a mark of `curl -v`.
fn after_mark<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    if line.trim_end() == mark { Some("") } else { line.strip_prefix(mark)?.strip_prefix(' ') }
}

fn headers(lines: &str) -> Vec<(String, String)> {
    let pairs = lines.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// An address without user, parameters, query and fragment: any of them may hold a secret.
pub(super) fn bare_address(text: &str) -> String {
    let escaped = text.to_ascii_lowercase().find("%3f").unwrap_or(text.len());
    let text = text.get(..escaped).unwrap_or(text);
    let text = text.split(['?', '#', ';', '&']).next().unwrap_or_default();
    let Some((scheme, rest)) = text.split_once("//") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}//{host}{path}")
}

#[cfg(test)]
mod tests;
