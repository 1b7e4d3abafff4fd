//! `serve` with a real Keycloak on both sides: it mints the gateway's tokens, and it is the identity provider of the clinic's
//! users. Only Corti's API is emulated, in a few lines: it answers with the token that it was given.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::control::{Answer, client};
use crate::common::fake_server::{self, listen, read_request, serve};
use crate::common::gateway::{Gateway, HOST, code};
use crate::common::keycloak::{Keycloak, form_encoded};
use crate::common::{Said, World, forged, now, variable};

const RULES: &str = "[[rule]]\ngroups = [\"clinician\"]\n\
                     allow = [\"languages.list\", \"token.transcribe\", \"token.streams\"]\n";

/// A realm of Keycloak with the users of a clinic. Each test has its own, because some change its keys.
struct Clinic {
    keycloak: Keycloak,
    /// The environment whose login is Keycloak.
    corti: String,
    realm: &'static str,
}

impl Clinic {
    async fn new(realm: &'static str) -> Self {
        let keycloak = Keycloak::running();
        let clinic = Self { corti: corti(&keycloak), keycloak, realm };
        let mut made: Value = serde_json::from_str(include_str!("../keycloak/clinic.json")).unwrap();
        made["realm"] = realm.into();
        made["id"] = realm.into();
        let answer = clinic.admin("POST", "", Some(&made)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        clinic
    }

    fn issuer(&self) -> String {
        format!("{}/realms/{}", self.keycloak.environment, self.realm)
    }

    /// A request of Keycloak's administrator. `path` is below the realm, or empty for the list of realms.
    async fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let password = variable("KEYCLOAK_ADMIN_PASSWORD").unwrap();
        let token = self.token("master", "admin-cli", "admin", &password).await;
        let mut url = format!("{}/admin/realms", self.keycloak.environment);
        if !path.is_empty() {
            url = format!("{url}/{}{path}", self.realm);
        }
        let request = client().request(method.parse().unwrap(), url);
        let request = request.bearer_auth(token["access_token"].as_str().unwrap());
        Answer::to(match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        })
        .await
    }

    /// The answer to a login.
    async fn token(&self, realm: &str, client_id: &str, user: &str, password: &str) -> Value {
        let url = format!("{}/realms/{realm}/protocol/openid-connect/token", self.keycloak.environment);
        let form = format!(
            "grant_type=password&scope=openid&client_id={client_id}&username={user}&password={}",
            form_encoded(password)
        );
        let request =
            client().post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 200, "{client_id}: {}", answer.body);
        answer.json()
    }

    /// The tokens of the clinic's user, by a login at this client.
    async fn log_in(&self, client_id: &str) -> Value {
        self.token(self.realm, client_id, "ada", "correct horse").await
    }

    async fn access_token(&self, client_id: &str) -> String {
        self.log_in(client_id).await["access_token"].as_str().unwrap().to_owned()
    }

    /// A gateway for the clinic's users, with this client of Corti's realm.
    fn gateway(&self, client: &str) -> Gateway {
        let config = format!(
            "listen = [\"127.0.0.1:0\"]\npublic_url = \"http://{HOST}\"\n[[issuer]]\nurl = \"{}\"\n\
             audience = \"corti-gateway\"\nalgorithms = [\"RS256\"]\ngroups = \"realm_access.roles\"\n{RULES}",
            self.issuer()
        );
        Gateway::start_in(self.world(client), &config)
    }

    /// A world whose variables name this client of Corti's realm.
    fn world(&self, client: &str) -> World {
        let mut world = World::client_of(&self.corti);
        world.set("CORTI_CLIENT_ID", client);
        world.set("CORTI_CLIENT_SECRET", self.keycloak.secret_of(client));
        world
    }

    /// What `inspect --verify` says of a token of Corti's realm.
    fn verified(&self, token: &str) -> Value {
        let said = Said::by(self.world("service").run("inspect --verify --json").write_stdin(token));
        assert_eq!(said.code, 0, "{} {}", said.stdout, said.stderr);
        said.json()
    }
}

/// One host for Corti's login, which is Keycloak, and for its API. Returns its environment.
fn corti(keycloak: &Keycloak) -> String {
    let login = keycloak.environment.replace("http://", "");
    let (listener, environment) = listen();
    serve(listener, move |_, mut stream| {
        let request = read_request(&mut stream);
        if request.starts_with("POST /realms/") || request.starts_with("GET /realms/") {
            let mut login = TcpStream::connect(&login).unwrap();
            login.write_all(request.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).unwrap();
            let _ = std::io::copy(&mut login, &mut stream);
        } else if request.starts_with("GET /v2/languages/") {
            let token = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
            let fake_server::Answer::Bytes(answer) = fake_server::Answer::json(token.unwrap_or_default())
            else {
                return;
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    environment
}

async fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.get("/broker/v1/me", token).await.status
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn a_user_of_keycloak_calls_with_keycloaks_own_token_behind() {
    let clinic = Clinic::new("clinic").await;
    let gateway = clinic.gateway("service");
    let tokens = clinic.log_in("app").await;
    let text = |name: &str| tokens[name].as_str().unwrap();
    let user = text("access_token");
    let me = gateway.get("/broker/v1/me", user).await;
    assert_eq!(me.status, 200, "{}", me.body);
    let me = me.json();
    assert!(me["groups"].as_array().unwrap().contains(&json!("clinician")), "{me}");
    // Keycloak's subjects are UUIDs.
    let subject = me["assignedUserId"].as_str().unwrap();
    assert_eq!(me["caller"], format!("{}#{subject}", clinic.issuer()));
    let behind = gateway.get("/corti/v2/languages/", user).await;
    assert_eq!(behind.status, 200, "{}", behind.body);
    let seen = clinic.verified(&behind.body);
    assert_eq!((&seen["client_id"], &seen["reach"]), (&json!("service"), &json!("full")), "{seen}");

    let other = clinic.access_token("other").await;
    let own = Said::by(&mut clinic.world("service").run("token --full")).stdout;
    for (name, token) in [
        ("the ID token, which is for the client", text("id_token")),
        ("the refresh token, which is for Keycloak", text("refresh_token")),
        ("a token for another audience", &other),
        ("a token of another realm", own.trim()),
    ] {
        let answer = gateway.get("/broker/v1/me", token).await;
        assert_eq!(code(&answer), (401, "credential_invalid".to_owned()), "{name}: {}", answer.body);
    }

    // A JWT is good until it expires, whatever happens to its user.
    let form = format!("client_id=app&refresh_token={}", text("refresh_token"));
    let logout = client().post(format!("{}/protocol/openid-connect/logout", clinic.issuer()));
    let logout = logout.header("content-type", "application/x-www-form-urlencoded").body(form);
    assert_eq!(Answer::to(logout).await.status, 204);
    assert_eq!(clinic.admin("DELETE", &format!("/users/{subject}"), None).await.status, 204);
    assert_eq!(status(&gateway, user).await, 200);
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn a_token_of_keycloak_is_refused_once_it_has_expired() {
    let clinic = Clinic::new("expiring").await;
    let gateway = clinic.gateway("service");
    let token = clinic.access_token("brief").await;
    let expiry = now() + Duration::from_secs(1);
    assert_eq!(status(&gateway, &token).await, 200);
    // The clocks may differ by half a minute.
    while status(&gateway, &token).await == 200 {
        assert!(now() < expiry + Duration::from_secs(60), "it never expires");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(now() >= expiry);
    assert_eq!(code(&gateway.get("/broker/v1/me", &token).await).1, "credential_invalid");
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn keycloaks_keys_are_rotated_without_a_refused_user() {
    let clinic = Clinic::new("rotating").await;
    let gateway = clinic.gateway("service");
    // Enough for one each second until the gateway may fetch keys again, 30 s after the last time.
    let mut old = Vec::new();
    for _ in 0..40 {
        old.push(clinic.access_token("app").await);
    }
    assert_eq!(status(&gateway, &old.pop().unwrap()).await, 200);
    let keys = "/components?type=org.keycloak.keys.KeyProvider";
    let before = clinic.admin("GET", keys, None).await.json();
    let key = json!({
        "name": "new", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": clinic.realm,
        "config": { "priority": ["200"], "algorithm": ["RS256"], "enabled": ["true"], "active": ["true"] },
    });
    assert_eq!(clinic.admin("POST", "/components", Some(&key)).await.status, 201);
    let new = clinic.access_token("app").await;
    assert_ne!(key_id(&new), key_id(&old[0]));
    // Its key is fetched for it.
    assert_eq!(status(&gateway, &new).await, 200);
    assert_eq!(status(&gateway, &old.pop().unwrap()).await, 200);

    for component in before.as_array().unwrap().iter().filter(|it| it["providerId"] == "rsa-generated") {
        let path = format!("/components/{}", component["id"].as_str().unwrap());
        assert_eq!(clinic.admin("DELETE", &path, None).await.status, 204);
    }
    // A key that nobody knows makes the gateway fetch them again, at most every 30 s. A token that it saw already would be good
    // for another minute.
    let unknown = forged(
        &json!({ "alg": "RS256", "kid": "unknown" }),
        &json!({ "iss": clinic.issuer(), "aud": "corti-gateway", "sub": "x", "exp": 9_999_999_999_i64 }),
    );
    loop {
        assert_eq!(status(&gateway, &unknown).await, 401);
        if status(&gateway, &old.pop().expect("a removed key is still good")).await == 401 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(status(&gateway, &clinic.access_token("app").await).await, 200);
}

fn key_id(token: &str) -> Value {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn the_broker_hands_out_limited_tokens_of_keycloak_and_no_others() {
    let clinic = Clinic::new("broker").await;
    let user = clinic.access_token("app").await;
    let ask = async |gateway: &Gateway, scope: &str| {
        gateway.post("/broker/v1/token", &user, &json!({ "scopes": [scope] })).await
    };
    let gateway = clinic.gateway("service");
    for scope in ["transcribe", "streams"] {
        let answer = ask(&gateway, scope).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let seen = clinic.verified(answer.json()["accessToken"].as_str().unwrap());
        let scopes = json!(["email", "openid", "profile", scope]);
        let mut found: Vec<_> = seen["scopes"].as_array().unwrap().clone();
        found.sort_by_key(ToString::to_string);
        assert_eq!((&seen["reach"], json!(found)), (&json!("limited"), scopes), "{seen}");
    }
    // One adds `streams` to every token, the other has no such scope.
    for (client, scope) in [("broader", "transcribe"), ("no-streams", "streams")] {
        let answer = ask(&clinic.gateway(client), scope).await;
        assert_eq!(code(&answer), (502, "upstream_invalid".to_owned()), "{client}: {}", answer.body);
        assert!(!answer.body.contains("eyJ"), "{client}: {}", answer.body);
    }
}
