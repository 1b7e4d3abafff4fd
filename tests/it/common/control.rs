//! The sandbox over HTTP: its control endpoint, and requests to its realm.

use serde_json::{Value, json};

use super::Sandbox;
use super::saved::form;

/// An HTTP client that uses no proxy.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The system's certificates take a moment to read, and nothing here uses TLS.
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Asks for a full token.
pub async fn request_token(sandbox: &Sandbox) -> Answer {
    let request = client().post(sandbox.token_url());
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::to(request.body(form(sandbox, "openid"))).await
}

/// The realm's public keys.
pub async fn keys(sandbox: &Sandbox) -> Value {
    let url = format!("{}/realms/base/protocol/openid-connect/certs", sandbox.environment);
    Answer::to(client().get(url)).await.json()
}

pub struct Control {
    client: reqwest::Client,
    pub base: String,
    pub token: String,
}

impl Control {
    pub fn of(sandbox: &Sandbox) -> Self {
        let ready: Value = serde_json::from_slice(&std::fs::read(sandbox.ready_file()).unwrap()).unwrap();
        Self {
            client: client(),
            base: format!("{}/_sandbox", sandbox.environment),
            token: ready["control_token"].as_str().unwrap().to_owned(),
        }
    }

    /// A request with the right bearer, not sent yet.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let bearer = format!("Bearer {}", self.token);
        self.client
            .request(method.parse().unwrap(), format!("{}{path}", self.base))
            .header("authorization", bearer)
    }

    async fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = Answer::to(self.request(method, path).body(body.to_string())).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Changes settings.
    pub async fn set(&self, settings: Value) -> Value {
        self.ok("PATCH", "/knobs", &settings).await
    }

    pub async fn reset(&self) -> Value {
        self.ok("DELETE", "/knobs", &Value::Null).await
    }

    /// How many token requests there were.
    pub async fn token_requests(&self) -> u64 {
        self.ok("GET", "/counters", &Value::Null).await["token_requests"].as_u64().unwrap()
    }

    pub async fn rotate(&self, forget: bool) -> Value {
        self.ok("POST", "/rotate-keys", &json!({ "forget": forget })).await
    }
}
