//! The table: requests, Keycloak's answers, and how the sandbox differs.

mod credential;
mod document;
mod endpoint;
mod grant;
mod kind;
mod request;
mod scope;

use super::fact::Facts;
use super::request::Request;

pub struct Case {
    pub name: &'static str,
    pub request: Request,
    /// Keycloak's answer.
    pub expected: Expected,
    pub sandbox: Sandbox,
}

/// What the sandbox does with a case.
pub enum Sandbox {
    /// It answers the same.
    Same,
    /// It gives this other answer, for this reason.
    Differs(Expected, &'static str),
    /// It promises nothing, for this reason. Only Keycloak is asked.
    OutOfScope(&'static str),
}

/// An expected answer.
#[derive(Clone)]
pub struct Expected(Facts);

pub fn cases() -> Vec<Case> {
    let all = [
        scope::cases(),
        credential::cases(),
        grant::cases(),
        kind::cases(),
        request::cases(),
        document::cases(),
        endpoint::cases(),
    ];
    all.into_iter().flatten().collect()
}

/// A case in which the sandbox answers the same.
fn case(name: &'static str, request: Request, expected: Expected) -> Case {
    Case { name, request, expected, sandbox: Sandbox::Same }
}

impl Case {
    fn differs(self, reason: &'static str, is: Expected) -> Self {
        Self { sandbox: Sandbox::Differs(is, reason), ..self }
    }

    fn out_of_scope(self, reason: &'static str) -> Self {
        Self { sandbox: Sandbox::OutOfScope(reason), ..self }
    }

    /// Why the sandbox may differ.
    pub fn reason(&self) -> &'static str {
        match &self.sandbox {
            Sandbox::Same => "",
            Sandbox::Differs(_, reason) | Sandbox::OutOfScope(reason) => reason,
        }
    }
}

/// Cases in which the sandbox promises nothing.
fn out_of_scope(reason: &'static str, cases: Vec<Case>) -> Vec<Case> {
    cases.into_iter().map(|case| case.out_of_scope(reason)).collect()
}

impl Expected {
    pub fn facts(&self) -> Facts {
        self.0.clone()
    }

    fn with(mut self, name: &str, fact: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), fact.into());
        self
    }

    /// Adds the headers that let a page of another origin read the answer.
    fn readable_by_page(self) -> Self {
        self.with("header access-control-allow-origin", super::request::PAGE)
            .with("header access-control-allow-credentials", "true")
    }

    /// With tokens of another issuer.
    fn issued_by(mut self, issuer: &str) -> Self {
        for (_, fact) in self.0.iter_mut().filter(|(name, _)| name.ends_with("claim iss")) {
            *fact = format!("\"{issuer}\"");
        }
        self
    }

    /// With tokens of another client than `service`.
    fn about(mut self, client: &str) -> Self {
        for fact in self.0.values_mut().filter(|fact| fact.ends_with("service\"")) {
            *fact = fact.replace("service\"", &format!("{client}\""));
        }
        self
    }
}

/// A status and no body.
fn empty(status: u16) -> Expected {
    Expected(Facts::from([("status".to_owned(), status.to_string())]))
}

/// An error from below the endpoint.
fn plain(status: u16, error: &str) -> Expected {
    empty(status).with("header content-type", "application/json").with("body error", error)
}

/// An error of Keycloak itself.
fn keycloak_failed() -> Expected {
    plain(500, "unknown_error")
        .with("body error_description", "For more on this error consult the server log.")
}

/// An error of the server below Keycloak, with the headers of the token endpoint.
fn server_failed() -> Expected {
    not_cached(empty(500))
        .with("header content-type", "application/json; charset=utf-8")
        .with("body details", "string")
        .with("body stack", "\"\"")
}

/// An error of the endpoint, which must not be cached.
fn oauth(status: u16, error: &str, description: &str) -> Expected {
    not_cached(plain(status, error)).with("body error_description", description)
}

fn not_cached(is: Expected) -> Expected {
    is.with("header cache-control", "no-store").with("header pragma", "no-cache")
}

/// 401 for the client or its secret.
fn unauthorized(error: &str) -> Expected {
    oauth(401, error, "Invalid client or Invalid client credentials")
}

/// 400 for the scope.
fn bad_scope(asked: &str) -> Expected {
    oauth(400, "invalid_scope", &format!("Invalid scopes: {asked}"))
}

const ROLES: &str = r#"["offline_access","uma_authorization","default-roles-base"]"#;

/// A token with these scopes, besides `email` and `profile`.
fn token(scope: &str) -> Expected {
    let words: Vec<&str> = scope.split(' ').filter(|word| !word.is_empty()).collect();
    let mut all = words.clone();
    all.extend(["email", "profile"]);
    all.sort_unstable();
    let scope = all.join(" ");
    let mut is = not_cached(empty(200)).with("header content-type", "application/json");
    let body = [
        ("access_token", "token"),
        ("expires_in", "300"),
        ("refresh_expires_in", "0"),
        ("token_type", "\"Bearer\""),
        ("not-before-policy", "0"),
        ("scope", &scope),
    ];
    for (name, fact) in body {
        is = is.with(&format!("body {name}"), fact);
    }
    let has = |word| words.contains(&word);
    is = claims(is, "access_token", has("microprofile-jwt"));
    let realm_access = format!(r#"{{"roles":{ROLES}}}"#);
    let account = r#"{"account":{"roles":["manage-account","manage-account-links","view-profile"]}}"#;
    let own = [
        ("jti", "trrtcc:uuid"),
        ("aud", "\"account\""),
        ("typ", "\"Bearer\""),
        ("realm_access", &realm_access),
        ("resource_access", account),
        ("scope", &scope),
    ];
    for (name, fact) in own {
        is = is.with(&format!("access_token claim {name}"), fact);
    }
    if has("openid") {
        is = claims(is, "id_token", has("microprofile-jwt")).with("body id_token", "token");
        is = is.with("id_token at_hash is right", "Some(true)");
        for (name, fact) in
            [("jti", "uuid"), ("aud", "\"service\""), ("typ", "\"ID\""), ("at_hash", "string")]
        {
            is = is.with(&format!("id_token claim {name}"), fact);
        }
    }
    is
}

/// The claims that both tokens have.
fn claims(is: Expected, token: &str, microprofile: bool) -> Expected {
    let common = [
        ("exp", "integer"),
        ("iat", "integer"),
        ("iss", "\"HOST/realms/base\""),
        ("sub", "uuid"),
        ("azp", "\"service\""),
        ("acr", "\"1\""),
        ("email_verified", "false"),
        ("clientHost", "\"127.0.0.1\""),
        ("clientAddress", "\"127.0.0.1\""),
        ("preferred_username", "\"service-account-service\""),
        ("client_id", "\"service\""),
    ];
    let more = [("upn", "\"service-account-service\""), ("groups", ROLES)];
    let more = more.into_iter().filter(|_| microprofile);
    let is = common
        .into_iter()
        .chain(more)
        .fold(is, |is, (name, fact)| is.with(&format!("{token} claim {name}"), fact));
    [("alg", "\"RS256\""), ("typ", "\"JWT\""), ("kid", "string")]
        .into_iter()
        .fold(is, |is, (name, fact)| is.with(&format!("{token} header {name}"), fact))
        .with(&format!("{token} lifetime"), "300")
}
