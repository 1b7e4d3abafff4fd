//! Keycloak and the sandbox, each with its own names and secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::common::Sandbox;
use crate::common::keycloak::{Keycloak, form_encoded};

use super::fact::{Facts, of_body, of_head};
use super::request::{FORM, TOKEN};
use super::table::Case;

/// Every character that a form, a URL, a shell, JSON or Basic authentication treats specially, as in the realm's
/// `awkward`.
const AWKWARD: &str = "x &=%+/?#\"'\\:;<>$`!*(){}[]|~^@,ü€🔑";

pub struct Server {
    client: reqwest::Client,
    kind: Kind,
}

enum Kind {
    Keycloak(Keycloak),
    /// One with the client `service`, one with `awkward`.
    Sandboxes(Box<[Sandbox; 2]>),
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Server {
    pub fn keycloak() -> Self {
        Self { client: client(), kind: Kind::Keycloak(Keycloak::running()) }
    }

    pub fn sandbox() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, AWKWARD).unwrap();
        let service = Sandbox::start_with(&["--client-id", "service"]);
        let awkward =
            Sandbox::start_with(&["--client-id", "awkward", "--secret-file", path.to_str().unwrap()]);
        Self { client: client(), kind: Kind::Sandboxes(Box::new([service, awkward])) }
    }

    /// The address, and the secrets of `service` and `awkward`.
    fn own(&self, is_awkward: bool) -> (&str, &str, &str) {
        match &self.kind {
            Kind::Keycloak(keycloak) => (&keycloak.environment, &keycloak.secret, &keycloak.awkward),
            Kind::Sandboxes(both) => {
                let one = &both[usize::from(is_awkward)];
                (&one.environment, &both[0].client_secret, AWKWARD)
            }
        }
    }

    /// The address.
    pub fn environment(&self) -> &str {
        self.own(false).0
    }

    /// Mints an access token.
    pub async fn token(&self) -> String {
        let (place, secret, _) = self.own(false);
        let form =
            format!("grant_type=client_credentials&client_id=service&client_secret={secret}&scope=openid");
        let headers = [("content-type", FORM.to_owned())];
        let answer = self.send("POST", &format!("{place}{TOKEN}"), &headers, form).await;
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// The facts of the answer to a case.
    ///
    /// Keycloak reads its clock more than once for a token. If a second passed in between, the request is sent again.
    pub async fn answer(&self, case: &Case) -> Facts {
        let is_odd = |facts: &Facts| {
            facts.iter().any(|(name, value)| name.ends_with("_token lifetime") && value == "301")
        };
        let first = self.answer_once(case).await;
        if is_odd(&first) { self.answer_once(case).await } else { first }
    }

    async fn answer_once(&self, case: &Case) -> Facts {
        let request = &case.request;
        let (place, secret, awkward) = self.own(request.is_awkward());
        let fill = |text: &str| {
            text.replace("AWKWARD_RAW", awkward)
                .replace("AWKWARD20", &form_encoded(awkward).replace('+', "%20"))
                .replace("AWKWARD", &form_encoded(awkward))
                .replace("SECRET", secret)
        };
        let url = format!("{place}{}", fill(request.path));
        let pair = STANDARD.encode(format!("service:{secret}"));
        let (start, end) = pair.split_at(9);
        let apart = format!("{start} {end}");
        let port = place.rsplit(':').next().unwrap();
        let fill_header = |text: &str| {
            text.replace("HOST", place)
                .replace("PORT", port)
                .replace("BASE64_APART", &apart)
                .replace("BASE64", &pair)
        };
        let mut headers: Vec<(&str, String)> =
            request.headers.iter().map(|(name, value)| (*name, fill_header(value))).collect();
        headers.extend(request.kind.map(|kind| ("content-type", kind.to_owned())));
        headers.extend(
            request.basic.map(|pair| ("authorization", format!("Basic {}", STANDARD.encode(fill(pair))))),
        );
        let answer = self.send(request.method, &url, &headers, fill(&request.body)).await;
        let mut facts = of_head(answer.status, &answer.headers);
        // Answers repeat the page's origin.
        for fact in facts.values_mut() {
            *fact = fact.replace(place, "HOST");
        }
        if request.reads_body {
            facts.extend(of_body(&answer.body.replace(place, "HOST"), place));
        }
        // They also repeat the request's `Host`.
        for fact in facts.values_mut() {
            *fact = fact.replace(&format!(":{port}/"), ":PORT/");
        }
        facts
    }

    pub async fn send(&self, method: &str, url: &str, headers: &[(&str, String)], body: String) -> Answer {
        let request = self.client.request(method.parse().unwrap(), url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        // Without a body there is no Content-Length either, as in HEAD and OPTIONS.
        let request = if body.is_empty() { request } else { request.body(body) };
        let response = request.send().await.unwrap();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Answer { status: response.status().as_u16(), headers, body: response.text().await.unwrap() }
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A new connection for each request: Keycloak closes it after some refusals.
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}
