//! `explain` of a real Keycloak's answers: the same causes as with the sandbox.

use crate::common::World;
use crate::common::keycloak::{Keycloak, form_encoded};
use crate::common::saved::{Id, assert_first, exchange_at, explain, names};

const TOKEN: &str = "POST /realms/base/protocol/openid-connect/token";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn a_refused_token_request_has_a_cause() {
    let (keycloak, world) = (Keycloak::running(), World::new());
    let secret = keycloak.secret.as_str();
    let table = [
        ("nobody", secret, "openid", Id("unknown-client"), "invalid_client"),
        ("disabled", secret, "openid", Id("unknown-client"), "invalid_client"),
        ("service", "wrong", "openid", Id("wrong-secret"), "unauthorized_client"),
        ("public", secret, "openid", Id("client-not-allowed"), "Public client not allowed"),
        ("no-service-account", secret, "openid", Id("client-not-allowed"), "Client not enabled"),
        ("service", secret, "openid stream", Id("misspelt-scope"), "did you mean `streams`?"),
        ("service", secret, "openid interactions:read", Id("refused-scope"), "Invalid scopes"),
        ("no-streams", secret, "openid streams", Id("refused-scope"), "Invalid scopes"),
        ("service", secret, "openid", Id("full-token"), "the scopes are"),
        ("service", secret, "openid transcribe", Id("granted"), "transcribe"),
    ];
    for (client, secret, scope, id, words) in table {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={}&scope={}",
            form_encoded(secret),
            form_encoded(scope)
        );
        let explained = explain(&world, &exchange_at(&keycloak.environment, TOKEN, &[FORM], &form), "");
        assert_first(&explained, id, words);
        assert_eq!(names(&explained).len(), 1, "{explained:#}");
        assert!(!explained.to_string().contains("eyJ"), "{explained:#}");
    }
    let ask = |request: &str, headers: &[&str], body: &str| {
        explain(&world, &exchange_at(&keycloak.environment, request, headers, body), "")
    };
    assert_first(
        &ask(&TOKEN.replace("base", "nowhere"), &[FORM], "a=b"),
        Id("unknown-tenant"),
        "does not exist",
    );
    assert_first(&ask(TOKEN, &[FORM], "client_id=service"), Id("not-a-form"), "Missing form parameter");
    assert_first(&ask(TOKEN, &[FORM], "grant_type=magic"), Id("refused-grant"), "Unsupported grant_type");
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn a_token_that_userinfo_refuses_has_possible_causes() {
    let (keycloak, world) = (Keycloak::running(), World::new());
    let userinfo = "GET /realms/base/protocol/openid-connect/userinfo";
    let saved = exchange_at(&keycloak.environment, userinfo, &["Authorization: Bearer x.y.z"], "");
    assert!(saved.starts_with("HTTP/1.1 401"), "{saved}");
    let explained = explain(&world, &saved, "");
    for guess in ["expired", "wrong-environment", "refused-token"] {
        assert!(names(&explained).contains(&guess), "{saved} {explained:#}");
    }
}

#[test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
fn a_redirect_of_keycloak_is_recognised() {
    let (keycloak, world) = (Keycloak::running(), World::new());
    let saved = exchange_at(&keycloak.environment, "GET /?token=hidden", &[], "");
    // Its Location repeats the query.
    assert!(saved.starts_with("HTTP/1.1 303") && saved.contains("token=hidden"), "{saved}");
    let explained = explain(&world, &saved, "");
    assert_first(&explained, Id("redirect"), &format!("Location is `{}/`", keycloak.environment));
    assert!(!explained.to_string().contains("hidden"), "{explained:#}");
}
