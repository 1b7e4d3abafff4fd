//! An exchange as somebody saved it: what `curl -i`, `-D` or `-v` writes, a body alone, or the frames of a WebSocket.
//!
//! Whatever stood in it as a credential is looked at here, and only its form goes on; the credential itself is kept to be
//! looked for, and taken out, should the answer repeat it.

use url::form_urlencoded;

use crate::domain::client::secret::Secret;

/// How a token was presented, or stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// After `Bearer `, as it must be.
    Bearer,
    /// Without `Bearer `.
    Bare,
    /// After `Bearer`, with escapes (`%20`) left where they mean themselves.
    Encoded,
    /// After two of them.
    Doubled,
}

impl Presented {
    /// The form of a text that holds a token.
    pub fn of(text: &str) -> Self {
        let text = text.trim().trim_matches(['"', '\'']);
        let Some(rest) = after_bearer(text) else { return Self::Bare };
        if rest.starts_with('%') {
            return Self::Encoded;
        }
        if after_bearer(rest.trim_start()).is_some() { Self::Doubled } else { Self::Bearer }
    }

    /// The same of the value of a query as it stands in a URL, where one level of escapes belongs.
    fn of_query(value: &str) -> Self {
        let pair = format!("v={value}");
        form_urlencoded::parse(pair.as_bytes()).next().map_or(Self::Bare, |(_, text)| Self::of(&text))
    }
}

fn after_bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("bearer".len())?;
    (scheme.eq_ignore_ascii_case("bearer") && rest.starts_with([' ', '%'])).then_some(rest)
}

/// What `curl -v` says of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The path, without the query.
    pub path: String,
    /// How a token was presented, if one was.
    pub presented: Option<Presented>,
    /// The tenant that was named in a header or the query, if one was.
    pub tenant: Option<String>,
}

impl Asked {
    fn read(lines: &[&str]) -> Option<Self> {
        let target = lines.first()?.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |name: &str| headers(lines.iter().skip(1).copied()).find(|(key, _)| key == name);
        let value = |name: &str| {
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)
        };
        let presented = header("authorization")
            .map(|(_, value)| Presented::of(&value))
            .or_else(|| value("token").map(|(_, value)| Presented::of_query(value)));
        let tenant = header("tenant-name")
            .map(|(_, value)| value)
            .or_else(|| value("tenant-name").map(|(_, value)| value.to_owned()));
        Some(Self { path: path.to_owned(), presented, tenant })
    }
}

/// The schemes by which a proxy may ask who is there: no other word of its challenge is looked at.
const SCHEMES: [&str; 5] = ["Basic", "Digest", "NTLM", "Negotiate", "Bearer"];

/// The credentials of a request: the words of its `Authorization`, and a query's `token` with and without its escapes.
fn credentials(lines: &[&str]) -> Vec<Secret> {
    let query = lines.first().and_then(|line| line.split(' ').nth(1)?.split_once('?')).unwrap_or_default().1;
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("token="));
    let decoded = |value: &str| {
        let pair = format!("v={value}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, text)| text.into_owned())
    };
    let queried = values.flat_map(|value| [Some(value.to_owned()), decoded(value)]).flatten();
    let headers = headers(lines.iter().skip(1).copied()).filter(|(name, _)| name == "authorization");
    let texts = queried.chain(headers.map(|(_, value)| value));
    texts
        .flat_map(|text| text.split_whitespace().map(|word| Secret::new(word.to_owned())).collect::<Vec<_>>())
        .collect()
}

/// What was saved.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The last status line's status.
    pub status: Option<u16>,
    /// The headers after it, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What follows them.
    pub body: String,
    /// The request, where it was saved too.
    pub asked: Option<Asked>,
    /// What the request had as credentials.
    pub credentials: Vec<Secret>,
}

impl Exchange {
    /// Reads any of the forms. Nothing is malformed: what is not a head is a body.
    pub fn read(text: &str) -> Self {
        if text.lines().any(|line| line.starts_with("< HTTP/")) {
            Self::verbose(text)
        } else {
            Self::plain(text)
        }
    }

    /// `curl -i` and `-D`: one head after another (a proxy's, 100, a redirect's), then the body of the last.
    fn plain(text: &str) -> Self {
        let mut exchange = Self::default();
        let mut rest = text.trim_start_matches(['\u{feff}', '\r', '\n']);
        while rest.starts_with("HTTP/") {
            let (head, after) = split_head(rest);
            exchange.take_head(head.lines());
            rest = after;
        }
        Self { body: rest.to_owned(), ..exchange }
    }

    /// `curl -v`: `> ` before the request's lines, `< ` before the response's, `* ` and braces before its own remarks.
    fn verbose(text: &str) -> Self {
        let marked = |mark: &'static str| text.lines().filter_map(move |line| line.strip_prefix(mark));
        let mut exchange = Self::default();
        let heads: Vec<&str> = marked("< ").collect();
        for head in heads.split_inclusive(|line| line.trim().is_empty()) {
            if head.first().is_some_and(|line| line.starts_with("HTTP/")) {
                exchange.take_head(head.iter().copied());
            }
        }
        let requests: Vec<&str> = marked("> ").collect();
        let last = requests.iter().rposition(|line| line.contains(" HTTP/")).unwrap_or_default();
        let request = requests.get(last..).unwrap_or_default();
        exchange.asked = Asked::read(request);
        exchange.credentials = credentials(request);
        let remark = |line: &&str| {
            ["* ", "> ", "< ", "{ [", "} ["].iter().any(|mark| line.starts_with(mark))
                || matches!(line.trim(), "<" | ">" | "*")
        };
        let body: Vec<&str> = text.lines().filter(|line| !remark(line)).collect();
        // With -i as well, the head stands in the body once more.
        exchange.body = Self::plain(&body.join("\n")).body;
        exchange
    }

    fn take_head<'a>(&mut self, mut lines: impl Iterator<Item = &'a str>) {
        let status = lines.next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        self.status = status.or(self.status);
        self.headers = headers(lines).collect();
    }

    /// The schemes of `Proxy-Authenticate`, where it is there.
    pub(super) fn asked_by_a_proxy(&self) -> Option<Vec<&'static str>> {
        let challenges: Vec<&str> = self.each_header("proxy-authenticate").collect();
        // A scheme begins the header or follows the parameters of another, and has no `=` behind it.
        let words = || challenges.iter().flat_map(|header| header.split(',')).map(str::trim);
        let names = |scheme: &str| {
            words().any(|word| word.split(' ').next().unwrap_or_default().eq_ignore_ascii_case(scheme))
        };
        (!challenges.is_empty()).then(|| SCHEMES.into_iter().filter(|scheme| names(scheme)).collect())
    }

    /// Every header of this name (lower case).
    pub fn each_header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An address without its user, its parameters, its query and its fragment, any of which may hold a secret.
pub(super) fn bare_address(text: &str) -> String {
    let escaped = text.to_ascii_lowercase().find("%3f").unwrap_or(text.len());
    let text = text.get(..escaped).unwrap_or(text);
    let text = text.split(['?', '#', ';', '&']).next().unwrap_or_default();
    let Some((scheme, rest)) = text.split_once("//") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}//{host}{path}")
}

/// The head and what follows the empty line after it.
fn split_head(text: &str) -> (&str, &str) {
    let ends = ["\r\n\r\n", "\n\n"].iter().filter_map(|end| Some((text.find(end)?, end.len())));
    match ends.min() {
        Some((at, length)) => {
            let (head, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            (head, rest.get(length..).unwrap_or_default())
        }
        None => (text, ""),
    }
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (String, String)> {
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests;
