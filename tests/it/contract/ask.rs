//! A request of the table, with stand-ins for what each server has of its own.

/// What is sent. `SECRET` stands for the client's secret, `AWKWARD` for the one of the client `awkward` as a form has it,
/// `AWKWARD20` for that with `%20` for spaces, `AWKWARD_RAW` for it as it is; in headers `BASE64` for the right pair of Basic
/// authentication, `BASE64_APART` for that with a space inside, `HOST` for the server's address and `PORT` for its port.
#[derive(Clone)]
pub struct Ask {
    pub method: &'static str,
    /// From the server's root.
    pub path: &'static str,
    pub kind: Option<&'static str>,
    pub headers: Vec<(&'static str, &'static str)>,
    /// `id:secret` of Basic authentication.
    pub basic: Option<&'static str>,
    pub body: String,
    /// Whether the body of the answer is looked at; for the documents another test does that.
    pub reads_body: bool,
}

pub const TOKEN: &str = "/realms/base/protocol/openid-connect/token";

pub const FORM: &str = "application/x-www-form-urlencoded";

/// A whole and right request but for the scope.
const GOOD: &str = "grant_type=client_credentials&client_id=service&client_secret=SECRET";

/// Where a page in a browser may come from.
pub const PAGE: &str = "http://localhost:3000";

/// `POST` to the token endpoint.
pub fn form(body: impl Into<String>) -> Ask {
    Ask {
        method: "POST",
        path: TOKEN,
        kind: Some(FORM),
        headers: Vec::new(),
        basic: None,
        body: body.into(),
        reads_body: true,
    }
}

/// A right request with more parameters.
pub fn good(more: &str) -> Ask {
    form(if more.is_empty() { GOOD.to_owned() } else { format!("{GOOD}&{more}") })
}

/// A right request of the client with this id.
pub fn of(client: &str, more: &str) -> Ask {
    form(GOOD.replace("=service", &format!("={client}")) + "&" + more)
}

/// Client credentials without any, but for the header's.
pub fn basic(pair: &'static str) -> Ask {
    form("grant_type=client_credentials&scope=openid").basic(pair)
}

/// A request without a body.
pub fn bare(method: &'static str, path: &'static str) -> Ask {
    Ask { method, path, kind: None, ..form("") }
}

/// The head of the answer to `GET`.
pub fn head_of(method: &'static str, path: &'static str) -> Ask {
    Ask { reads_body: false, ..bare(method, path) }
}

impl Ask {
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

    /// With nothing looked at but the head of the answer.
    pub fn unread(self) -> Self {
        Self { reads_body: false, ..self }
    }

    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// Whether it is about the client `awkward`. The sandbox has one client, so another sandbox answers.
    pub fn is_awkward(&self) -> bool {
        self.body.contains("AWKWARD") || self.basic.is_some_and(|pair| pair.contains("AWKWARD"))
    }
}
