//! The realm's documents: everything that the sandbox's say is in Keycloak's, and what is missing is listed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::server::Server;

/// What Keycloak's discovery document has and the sandbox's lacks: a member, or one entry of a list.
const NOT_IN_DISCOVERY: [(&str, &str); 10] = [
    (
        "the sandbox serves no other endpoint than the token endpoint and the keys",
        "authorization_endpoint backchannel_authentication_endpoint check_session_iframe \
         device_authorization_endpoint end_session_endpoint introspection_endpoint mtls_endpoint_aliases \
         pushed_authorization_request_endpoint registration_endpoint revocation_endpoint userinfo_endpoint",
    ),
    (
        "it is about an endpoint that the sandbox does not serve",
        "acr_values_supported authorization_encryption_alg_values_supported \
         authorization_encryption_enc_values_supported authorization_response_iss_parameter_supported \
         authorization_signing_alg_values_supported backchannel_authentication_request_signing_alg_values_supported \
         backchannel_logout_session_supported backchannel_logout_supported \
         backchannel_token_delivery_modes_supported claims_parameter_supported code_challenge_methods_supported \
         frontchannel_logout_session_supported frontchannel_logout_supported \
         introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported \
         prompt_values_supported request_object_encryption_alg_values_supported \
         request_object_encryption_enc_values_supported request_object_signing_alg_values_supported \
         request_parameter_supported request_uri_parameter_supported require_pushed_authorization_requests \
         require_request_uri_registration response_modes_supported revocation_endpoint_auth_methods_supported \
         revocation_endpoint_auth_signing_alg_values_supported userinfo_encryption_alg_values_supported \
         userinfo_encryption_enc_values_supported userinfo_signing_alg_values_supported",
    ),
    (
        "the sandbox grants client credentials only",
        "grant_types_supported=authorization_code grant_types_supported=implicit grant_types_supported=password \
         grant_types_supported=refresh_token \
         grant_types_supported=urn:ietf:params:oauth:grant-type:device_code \
         grant_types_supported=urn:ietf:params:oauth:grant-type:jwt-bearer \
         grant_types_supported=urn:ietf:params:oauth:grant-type:token-exchange \
         grant_types_supported=urn:ietf:params:oauth:grant-type:uma-ticket \
         grant_types_supported=urn:openid:params:grant-type:ciba",
    ),
    (
        "there is no user who would log in",
        "response_types_supported=code response_types_supported=code+id_token \
         response_types_supported=code+id_token+token response_types_supported=code+token \
         response_types_supported=id_token response_types_supported=id_token+token \
         response_types_supported=token claims_supported=auth_time claims_supported=email \
         claims_supported=family_name claims_supported=given_name claims_supported=name claims_supported=nonce \
         subject_types_supported=pairwise",
    ),
    (
        "the sandbox signs with RS256, as Keycloak does unless it is told otherwise",
        "id_token_signing_alg_values_supported=ES256 id_token_signing_alg_values_supported=ES384 \
         id_token_signing_alg_values_supported=ES512 id_token_signing_alg_values_supported=EdDSA \
         id_token_signing_alg_values_supported=HS256 id_token_signing_alg_values_supported=HS384 \
         id_token_signing_alg_values_supported=HS512 id_token_signing_alg_values_supported=PS256 \
         id_token_signing_alg_values_supported=PS384 id_token_signing_alg_values_supported=PS512 \
         id_token_signing_alg_values_supported=RS384 id_token_signing_alg_values_supported=RS512",
    ),
    (
        "the sandbox encrypts no tokens",
        "id_token_encryption_alg_values_supported id_token_encryption_enc_values_supported",
    ),
    (
        "the sandbox's client has a secret, and no key or certificate",
        "token_endpoint_auth_methods_supported=client_secret_jwt \
         token_endpoint_auth_methods_supported=private_key_jwt \
         token_endpoint_auth_methods_supported=tls_client_auth token_endpoint_auth_signing_alg_values_supported",
    ),
    (
        "the sandbox binds tokens to nothing",
        "dpop_signing_alg_values_supported tls_client_certificate_bound_access_tokens",
    ),
    ("Corti's realm does not list this scope", "scopes_supported=organization"),
    ("it says what is the default", "claim_types_supported"),
];

/// What Keycloak's key set has and the sandbox's lacks.
const NOT_IN_KEYS: [(&str, &str); 2] = [
    (
        "verifiers go by n and e, and there is no certificate authority behind a sandbox",
        "sig.x5c sig.x5t sig.x5t#S256",
    ),
    (
        "the sandbox decrypts nothing, so it has no key to encrypt for it",
        "enc.alg=\"RSA-OAEP\" enc.e enc.kid enc.kty=\"RSA\" enc.n enc.x5c enc.x5t enc.x5t#S256",
    ),
];

/// Compares both documents, and says what is listed as missing.
pub async fn compare(keycloak: &Server, sandbox: &Server, wrong: &mut String) -> String {
    let discovery = "/realms/base/.well-known/openid-configuration";
    let (theirs, ours) = (get(keycloak, discovery).await, get(sandbox, discovery).await);
    let mut listed = hold("discovery", &members(&theirs, &ours), &NOT_IN_DISCOVERY, wrong);
    let keys = "/realms/base/protocol/openid-connect/certs";
    let (theirs, ours) = (get(keycloak, keys).await, get(sandbox, keys).await);
    listed += &hold("keys", &(key_members(&theirs), key_members(&ours)), &NOT_IN_KEYS, wrong);
    listed
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

/// Keycloak's facts and the sandbox's: a member with its value, each entry of a list by itself. Of a member that the
/// sandbox does not have, the name is enough.
fn members(theirs: &Value, ours: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |document: &Value| {
        let mut facts = BTreeSet::new();
        for (name, value) in document.as_object().unwrap() {
            match value.as_array() {
                _ if ours.get(name).is_none() => drop(facts.insert(name.clone())),
                Some(entries) => facts.extend(entries.iter().map(|one| {
                    // Entries stand in a list of words, and some are several words.
                    format!("{name}={}", one.as_str().unwrap().replace(' ', "+"))
                })),
                None => drop(facts.insert(format!("{name}={value}"))),
            }
        }
        facts
    };
    (of(theirs), of(ours))
}

/// The members of each key, those with values that have the same value in every key set.
fn key_members(set: &Value) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for key in set["keys"].as_array().unwrap() {
        let kind = key["use"].as_str().unwrap();
        for (name, value) in key.as_object().unwrap().iter().filter(|(name, _)| *name != "use") {
            let fixed = matches!(name.as_str(), "kty" | "alg").then(|| format!("={value}"));
            facts.insert(format!("{kind}.{name}{}", fixed.unwrap_or_default()));
        }
    }
    facts
}

/// The sandbox's facts must be Keycloak's, and the others exactly those that are listed.
fn hold(
    what: &str,
    (theirs, ours): &(BTreeSet<String>, BTreeSet<String>),
    list: &[(&str, &str)],
    wrong: &mut String,
) -> String {
    let missing: BTreeSet<&str> = list.iter().flat_map(|(_, names)| names.split_whitespace()).collect();
    let apart: BTreeSet<&str> = theirs.difference(ours).map(String::as_str).collect();
    for fact in ours.difference(theirs) {
        writeln!(wrong, "{what}: only the sandbox has {fact}").unwrap();
    }
    for fact in apart.difference(&missing) {
        writeln!(wrong, "{what}: the sandbox lacks {fact}").unwrap();
    }
    for fact in missing.difference(&apart) {
        writeln!(wrong, "{what}: listed as missing, and no difference any more: {fact}").unwrap();
    }
    let mut listed = String::new();
    for (reason, names) in list {
        let names: Vec<&str> = names.split_whitespace().collect();
        writeln!(listed, "  {what} without {}: {reason}", names.join(", ")).unwrap();
    }
    listed
}
