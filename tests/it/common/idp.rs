//! An identity provider with any number of users: its key is the test's, so tokens can have any form.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

use super::fake_server::{listen, read_request, serve};
use super::now;
use super::recorder::{answer_with, target};

pub struct Idp {
    /// Its `iss`.
    pub url: String,
    pub key: RsaPrivateKey,
    pub kid: String,
    keys: Arc<Mutex<Value>>,
    fetches: Arc<AtomicUsize>,
}

impl Idp {
    pub fn start() -> Self {
        let (listener, url) = listen();
        let (keys, fetches) = (Arc::<Mutex<Value>>::default(), Arc::<AtomicUsize>::default());
        let (own, shown, count) = (url.clone(), Arc::clone(&keys), Arc::clone(&fetches));
        serve(listener, move |_, mut stream| {
            let request = read_request(&mut stream);
            let document = if target(&request) == "/keys" {
                count.fetch_add(1, Ordering::SeqCst);
                shown.lock().unwrap().clone()
            } else {
                json!({ "issuer": own, "jwks_uri": format!("{own}/keys") })
            };
            answer_with("200 OK", "content-type: application/json\r\n", &document.to_string(), &mut stream);
        });
        let mut idp = Self { url, key: new_key(), kid: "1".to_owned(), keys, fetches };
        idp.show();
        idp
    }

    /// Signs with a new key from now on, and shows no other.
    pub fn rotate(&mut self, kid: &str) {
        (self.key, self.kid) = (new_key(), kid.to_owned());
        self.show();
    }

    fn show(&mut self) {
        let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let key = json!({
            "kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256",
            "n": number(self.key.n()), "e": number(self.key.e()),
        });
        *self.keys.lock().unwrap() = json!({ "keys": [key] });
    }

    /// How often the keys were fetched.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// The claims of a good token.
    pub fn claims(&self, subject: &str, group: &str) -> Value {
        let issued = now().as_second();
        json!({
            "iss": self.url, "aud": "account", "sub": subject, "typ": "Bearer", "azp": "app", "iat": issued,
            "exp": issued + 3600, "jti": format!("{subject}-{issued}"), "realm_access": { "roles": [group] },
        })
    }

    /// A good token.
    pub fn token(&self, subject: &str, group: &str) -> String {
        self.sign(&self.header(), &self.claims(subject, group).to_string())
    }

    /// The header of a good token.
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid })
    }

    /// Signs a header and a payload as they are.
    pub fn sign(&self, header: &Value, payload: &str) -> String {
        let text =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
        let key = EncodingKey::from_rsa_der(self.key.to_pkcs1_der().unwrap().as_bytes());
        let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::RS256).unwrap();
        format!("{text}.{signature}")
    }
}

fn new_key() -> RsaPrivateKey {
    RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap()
}
