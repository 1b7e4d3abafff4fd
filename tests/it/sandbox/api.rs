//! A client of the sandbox's REST API.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::Sandbox;

pub const ALL: &str = "/v2/interactions/";

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks a v2 error, and returns the fields that `validationErrors` names.
    pub fn problem(&self, status: u16) -> Vec<String> {
        let mut body = self.json();
        let errors = body.as_object_mut().unwrap().remove("validationErrors").unwrap_or(json!([]));
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).unwrap();
        assert!(text("requestid").parse::<Uuid>().is_ok() && text("type") != text("detail"), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
        assert_eq!((self.status, &body["status"]), (status, &json!(status)), "{body}");
        let errors: Vec<BTreeMap<String, String>> = serde_json::from_value(errors).unwrap();
        errors.into_iter().flat_map(BTreeMap::into_keys).collect()
    }
}

/// A sandbox, and a full token for it.
pub struct Api {
    pub sandbox: Sandbox,
    client: reqwest::Client,
    pub bearer: String,
}

impl Api {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut api = Self { sandbox: Sandbox::start(), client, bearer: String::new() };
        api.bearer = format!("Bearer {}", api.mint("openid", "access_token").await);
        api
    }

    pub async fn mint(&self, scope: &str, field: &str) -> String {
        let Sandbox { client_id: id, client_secret: secret, .. } = &self.sandbox;
        let client = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let body = format!("{client}&scope={}", scope.replace(' ', "+"));
        let request = self.client.post(self.sandbox.token_url()).body(body);
        let answer = send(request.header("Content-Type", "application/x-www-form-urlencoded")).await;
        answer.json()[field].as_str().unwrap().to_owned()
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.sandbox.environment))
    }

    pub async fn call(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(method, path).header("Authorization", &self.bearer);
        send(request.header("Tenant-Name", &self.sandbox.tenant).body(body)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    pub async fn create(&self, body: &Value) -> String {
        let answer = self.call("POST", ALL, body.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        format!("{ALL}{}", answer.json()["interactionId"].as_str().unwrap())
    }
}

pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

/// The smallest valid body, which Corti's SDK sends in its tests.
pub fn minimal(identifier: &str) -> Value {
    json!({ "encounter": { "identifier": identifier, "status": "planned", "type": "first_consultation" } })
}
