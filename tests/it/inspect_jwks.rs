//! `inspect --verify --jwks`: a file of keys, and keys and algorithms that are not supported.

use serde_json::json;

use crate::common::control::keys;
use crate::common::ready::{mint, verdicts};
use crate::common::{Said, Sandbox, World, forged};

/// A token, a world, a file there with the keys of the token's realm, and that realm's environment. The realm is
/// stopped.
async fn token_of_a_stopped_realm() -> (String, World, String, String) {
    let sandbox = Sandbox::start();
    let token = mint(&World::of(&sandbox), "--full");
    let keys = keys(&sandbox).await.to_string();
    let issuer = sandbox.environment.clone();
    drop(sandbox);
    let world = World::new();
    let file = world.file("keys.json", keys);
    (token, world, file, issuer)
}

#[tokio::test]
async fn a_file_of_keys_needs_no_network_and_no_environment() {
    let (token, world, file, _) = token_of_a_stopped_realm().await;
    let words = ["inspect", "--verify", "--json", "--jwks", &file];
    let json = Said::by(world.run_words(&words).write_stdin(token.clone())).json();
    assert_eq!(verdicts(&json)[4..], ["issuer skipped", "audience ok"]);
    assert_eq!((&json["verification"]["valid"], &json["verification"]["keys"]), (&json!(true), &json!(file)));
    let text =
        Said::by(world.run_words(&["inspect", "--verify", "--jwks", &file]).write_stdin(token.clone()));
    assert_eq!((text.code, text.stderr.as_str()), (0, ""));
    assert!(text.stdout.contains("valid, but the issuer was not checked (keys of"), "{}", text.stdout);
    assert!(text.stdout.contains("skipped: not checked: add --environment NAME"), "{}", text.stdout);
    for (style, warning) in [("--json", "\"schema\":\"corti-auth/warning/v1\""), ("--lines", "warning: ")] {
        let words = ["inspect", "--verify", "--jwks", &file, "--field", "client_id", style];
        let said = Said::by(world.run_words(&words).write_stdin(token.clone()));
        assert_eq!((said.code, said.stdout.lines().count()), (0, 1), "{}", said.stderr);
        assert!(
            said.stderr.contains("the issuer is not checked") && said.stderr.contains(warning),
            "{style}"
        );
    }
}

#[tokio::test]
async fn with_a_file_of_keys_and_an_environment_the_issuer_is_checked() {
    let (token, world, file, issuer) = token_of_a_stopped_realm().await;
    let eu = ["inspect", "--verify", "--jwks", &file, "-e", &issuer];
    let said = Said::by(world.run_words(&eu).write_stdin(token.clone()));
    assert!(
        said.code == 0 && !said.stdout.contains("not checked") && !said.stdout.contains("NOT VERIFIED"),
        "{}",
        said.stdout
    );
    let mut flags = vec!["inspect", "--verify", "--json", "--jwks", &file, "--environment", &issuer];
    assert_eq!(
        verdicts(&Said::by(world.run_words(&flags).write_stdin(token.clone())).json())[4],
        "issuer ok"
    );
    flags.extend(["--tenant", "other"]);
    let said = Said::by(world.run_words(&flags).write_stdin(token.clone()));
    assert_eq!((said.code, verdicts(&said.json())[4].as_str()), (7, "issuer failed"));
    assert!(
        said.stdout.contains("/realms/other`, found `") && said.stderr.contains("not valid: issuer"),
        "{}{}",
        said.stdout,
        said.stderr
    );
}

#[tokio::test]
async fn with_a_file_of_keys_the_audience_is_checked() {
    let (token, world, file, _) = token_of_a_stopped_realm().await;
    for (audience, code) in [("account", 0), ("corti", 7)] {
        let words = ["inspect", "--verify", "--jwks", &file, "--audience", audience];
        let said = Said::by(world.run_words(&words).write_stdin(token.clone()));
        assert_eq!(said.code, code, "{}", said.stderr);
        // A new token would have the same audience.
        let error = "error: the token is not valid: audience\n\
                     hint: the token's audience is account: compare it with --audience\n";
        assert_eq!(said.stderr, if code == 0 { "" } else { error });
    }
    for (name, code) in [("/no/such/keys", 2), (world.file("junk", "{}").as_str(), 3)] {
        let said =
            Said::by(world.run_words(&["inspect", "--verify", "--jwks", name]).write_stdin(token.clone()));
        assert_eq!(said.code, code, "{}", said.stderr);
        assert!(said.stdout.is_empty() && said.stderr.contains(name), "{}", said.stderr);
    }
}

#[test]
fn an_unsupported_algorithm_is_not_called_a_bad_signature() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let claims = json!({ "typ": "Bearer", "exp": 9_999_999_999_i64 });
    let keys = json!({ "keys": [
        { "kty": "EC", "crv": "P-521", "kid": "x", "x": "A".repeat(88), "y": "A".repeat(88) },
    ] });
    let keys = world.file("keys.json", keys.to_string());
    for algorithm in ["ES512", "ES256K", "RS1"] {
        let token = forged(&json!({ "alg": algorithm, "kid": "x" }), &claims);
        for words in [vec!["inspect", "--verify"], vec!["inspect", "--verify", "--jwks", &keys]] {
            let said = Said::by(world.run_words(&words).write_stdin(token.clone()));
            assert_eq!(said.code, 7, "{}", said.stderr);
            let message = format!("unsupported algorithm `{algorithm}`; supported: RS256");
            assert!(said.stdout.contains(&message), "{}", said.stdout);
            assert!(!said.stdout.contains("did not make this signature"), "{}", said.stdout);
        }
    }
    // A key for another algorithm is another error.
    let token = forged(&json!({ "alg": "RS256", "kid": "x" }), &claims);
    let said = Said::by(world.run_words(&["inspect", "--verify", "--jwks", &keys]).write_stdin(token));
    assert!(said.code == 7 && said.stdout.contains("`RS256` does not fit the issuer's key"));
}
