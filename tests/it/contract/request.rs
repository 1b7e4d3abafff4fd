//! A request of the table, with placeholders for the secrets and the address of each server.

/// A request. Placeholders: `SECRET` is the client's secret; `AWKWARD` is the secret of the client `awkward` encoded
/// for a form, `AWKWARD20` the same with `%20` for spaces, `AWKWARD_RAW` the same without encoding. In headers,
/// `BASE64` is the right value of Basic authentication, `BASE64_APART` the same with a space inside, `HOST` the
/// server's address and `PORT` its port.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    /// The path from the server's root.
    pub path: &'static str,
    pub kind: Option<&'static str>,
    pub headers: Vec<(&'static str, &'static str)>,
    /// `id:secret` of Basic authentication.
    pub basic: Option<&'static str>,
    pub body: String,
    /// Whether the body of the answer is compared. Another test compares the documents.
    pub reads_body: bool,
}

pub const TOKEN: &str = "/realms/base/protocol/openid-connect/token";

pub const FORM: &str = "application/x-www-form-urlencoded";

/// A complete and right request without a scope.
const GOOD: &str = "grant_type=client_credentials&client_id=service&client_secret=SECRET";

/// The origin of a browser page.
pub const PAGE: &str = "http://localhost:3000";

/// `POST` to the token endpoint.
pub fn form(body: impl Into<String>) -> Request {
    Request {
        method: "POST",
        path: TOKEN,
        kind: Some(FORM),
        headers: Vec::new(),
        basic: None,
        body: body.into(),
        reads_body: true,
    }
}

/// A complete request with more parameters.
pub fn good(more: &str) -> Request {
    form(if more.is_empty() { GOOD.to_owned() } else { format!("{GOOD}&{more}") })
}

/// A complete request of the client with this id.
pub fn of(client: &str, more: &str) -> Request {
    form(GOOD.replace("=service", &format!("={client}")) + "&" + more)
}

/// A request that authenticates only in the header.
pub fn basic(pair: &'static str) -> Request {
    form("grant_type=client_credentials&scope=openid").basic(pair)
}

/// A request without a body.
pub fn bare(method: &'static str, path: &'static str) -> Request {
    Request { method, path, kind: None, ..form("") }
}

/// The head of the answer to `GET`.
pub fn head_of(method: &'static str, path: &'static str) -> Request {
    Request { reads_body: false, ..bare(method, path) }
}

impl Request {
    pub fn basic(self, pair: &'static str) -> Self {
        Self { basic: Some(pair), ..self }
    }

    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    pub fn without_kind(self) -> Self {
        Self { kind: None, ..self }
    }

    /// Only the head of the answer is compared.
    pub fn head_only(self) -> Self {
        Self { reads_body: false, ..self }
    }

    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// Whether it concerns the client `awkward`. A sandbox has one client, so a second sandbox answers.
    pub fn is_awkward(&self) -> bool {
        self.body.contains("AWKWARD") || self.basic.is_some_and(|pair| pair.contains("AWKWARD"))
    }
}
