//! The realm's documents. Keycloak's have everything that the sandbox's have, and both have what clients read. The rest of
//! Keycloak's is out of scope: endpoints, grants, users, keys and algorithms that the sandbox does not have.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::server::Server;

/// The members of the discovery document that clients read.
const DISCOVERY: [&str; 6] = [
    "issuer",
    "token_endpoint",
    "jwks_uri",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "scopes_supported",
];

/// The members of a key that clients read.
const KEY: [&str; 6] = ["kid", "kty", "alg", "use", "n", "e"];

/// Compares both documents.
pub async fn compare(keycloak: &Server, sandbox: &Server, wrong: &mut String) {
    let path = "/realms/base/.well-known/openid-configuration";
    let (theirs, ours) = (get(keycloak, path).await, get(sandbox, path).await);
    for name in DISCOVERY.into_iter().filter(|name| ours.get(name).is_none()) {
        writeln!(wrong, "discovery: the sandbox lacks {name}").unwrap();
    }
    for fact in members(&ours).difference(&members(&theirs)) {
        writeln!(wrong, "discovery: only the sandbox has {fact}").unwrap();
    }
    let path = "/realms/base/protocol/openid-connect/certs";
    let (theirs, ours) = (get(keycloak, path).await, get(sandbox, path).await);
    let theirs = &theirs["keys"].as_array().unwrap().iter().find(|key| key["use"] == "sig").unwrap();
    for key in ours["keys"].as_array().unwrap() {
        let names: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        if names != BTreeSet::from(KEY) || !KEY.iter().all(|name| theirs.get(name).is_some()) {
            writeln!(wrong, "keys: the sandbox's have {names:?}, Keycloak's are {theirs}").unwrap();
        }
        for name in ["kty", "alg", "use"].into_iter().filter(|name| key[*name] != theirs[*name]) {
            writeln!(wrong, "keys: {name} is {} / {}", theirs[name], key[name]).unwrap();
        }
    }
}

/// Checks an access token's signature, issuer, audience and time with the key that the key set has for it.
pub async fn verify(server: &Server, token: &str) -> Result<(), jsonwebtoken::errors::Error> {
    let keys = get(server, "/realms/base/protocol/openid-connect/certs").await;
    let id = jsonwebtoken::decode_header(token)?.kid.unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == id.as_str()).unwrap();
    assert_eq!(key["use"], "sig");
    let key = DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap())?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[format!("{}/realms/base", server.environment())]);
    validation.set_audience(&["account"]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).map(|_| ())
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.send("GET", &format!("{}{path}", server.environment()), &[], String::new()).await;
    serde_json::from_str(&answer.body.replace(server.environment(), "HOST")).unwrap()
}

/// Each member with its value, each entry of a list separately.
fn members(document: &Value) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for (name, value) in document.as_object().unwrap() {
        let single = std::slice::from_ref(value);
        let entries = value.as_array().map_or(single, Vec::as_slice);
        facts.extend(entries.iter().map(|entry| format!("{name}={entry}")));
    }
    facts
}
