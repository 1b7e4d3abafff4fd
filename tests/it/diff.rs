//! `diff` compares two tokens or profiles.

use serde_json::json;

use crate::common::{Said, Sandbox, World, forged};

fn claims(scope: &str, roles: &[&str]) -> serde_json::Value {
    json!({
        "typ": "Bearer", "iss": "https://auth.eu.corti.app/realms/base", "azp": "acme", "aud": "account",
        "iat": 1_800_000_000, "exp": 1_800_000_300, "scope": scope, "realm_access": { "roles": roles },
    })
}

fn token(claims: &serde_json::Value) -> String {
    forged(&json!({ "alg": "RS256" }), claims)
}

#[test]
fn the_order_of_scopes_and_roles_and_the_token_ids_are_not_compared() {
    let world = World::new();
    let mut second = claims("openid profile email", &["b", "a"]);
    second["jti"] = json!("another");
    let a = world.file("a", token(&claims("email openid profile", &["a", "b"])));
    let b = world.file("b", format!("Bearer {}", token(&second)));
    let said = Said::by(&mut world.run_words(&["diff", &a, &b]));
    let note = format!("{b}: read from: the text after `Bearer`\n");
    assert_eq!((said.code, said.stderr.as_str()), (0, note.as_str()), "{}", said.stdout);
    assert!(said.stdout.contains("same: email openid profile"), "{}", said.stdout);
    assert!(said.stdout.contains("NOT VERIFIED") && !said.stdout.contains("eyJ"), "{}", said.stdout);
    let json = Said::by(&mut world.run_words(&["diff", "--json", &a, &b])).json();
    assert_eq!((&json["same"], &json["differences"]), (&json!(true), &json!([])));
    assert_eq!(json["schema"], "corti-auth/diff/v1");
}

#[test]
fn differences_are_named_and_exit_10() {
    let world = World::new();
    let mut second = claims("openid streams", &["b"]);
    second["iss"] = json!("https://auth.us.corti.app/realms/other");
    second["azp"] = json!("acme-us\u{1b}[2J");
    second["exp"] = json!(1_800_000_060);
    second["aud"] = json!(["account", "x"]);
    let a = world.file("a", token(&claims("openid profile", &["a", "b"])));
    let json = Said::by(world.run_words(&["diff", "--json", &a, "-"]).write_stdin(token(&second)));
    assert_eq!((json.code, &json.error()["code"]), (10, &json!("check_failed")), "{}", json.stderr);
    let json = json.json();
    let expected = json!([
        "reach",
        "scopes",
        "roles",
        "audience",
        "client",
        "environment",
        "tenant",
        "issuer",
        "lifetime"
    ]);
    assert_eq!((&json["same"], &json["differences"]), (&json!(false), &expected));
    let fields = &json["fields"];
    assert_eq!(
        (&fields["scopes"]["only_a"], &fields["scopes"]["only_b"]),
        (&json!(["profile"]), &json!(["streams"]))
    );
    assert_eq!((&fields["roles"]["only_a"], &fields["roles"]["only_b"]), (&json!(["a"]), &json!([])));
    assert_eq!((&fields["environment"]["a"], &fields["environment"]["b"]), (&json!("eu"), &json!("us")));
    assert_eq!((&fields["lifetime"]["a"], &fields["lifetime"]["b"]), (&json!("300 s"), &json!("60 s")));
    assert_eq!(json["b"]["source"], "standard input");
    let text = Said::by(world.run_words(&["diff", &a, "-"]).write_stdin(token(&second)));
    for words in ["only in A: profile", "only in B: streams", "A: eu", "B: us", "B: acme-us\\u{1b}[2J"] {
        assert!(text.stdout.contains(words), "{words}: {}", text.stdout);
    }
    assert!(text.stderr.contains("the tokens differ: may do, scopes, roles"), "{}", text.stderr);
}

#[test]
fn for_a_profile_a_token_is_minted() {
    let sandbox = Sandbox::start();
    let mut world = World::new();
    let secret = world.private_file("secret", &sandbox.client_secret);
    world.use_passphrase();
    for name in ["one", "two"] {
        let environment = &sandbox.environment;
        let login = ["login", "-p", name, "-e", environment, "-t", "base", "--client-id", "sandbox"];
        let store = ["--store", "file", "--secret-file", secret.as_str()];
        let said = Said::by(&mut world.run_words(&[&login[..], &store[..]].concat()));
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let same = Said::by(&mut world.run("diff one two --full"));
    assert_eq!(same.code, 0, "{} {}", same.stdout, same.stderr);
    assert!(same.stdout.contains("profile one") && same.stdout.contains("same: 300 s"), "{}", same.stdout);
    let limited = world.file("two", Said::by(&mut world.run("token -p two --scope streams")).stdout);
    let mixed = Said::by(&mut world.run_words(&["diff", "--full", "one", &limited]));
    assert_eq!(mixed.code, 10, "{}", mixed.stderr);
    assert!(mixed.stdout.contains("only in B: streams"), "{}", mixed.stdout);
    let unchosen = Said::by(&mut world.run("diff one two"));
    assert!(
        unchosen.code == 2 && unchosen.stderr.contains("say what the token may do"),
        "{}",
        unchosen.stderr
    );
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let world = World::new();
    let a = world.file("a", token(&claims("openid", &[])));
    let junk = world.file("junk", "hello");
    let table = [
        (vec!["diff", "-", "-"], 2, "only one of the two can come from standard input"),
        (vec!["diff", "-e", "eu", &a, &a], 2, "diff takes no --profile, --environment or --tenant"),
        (vec!["diff", &a, "/no/such/file"], 2, "there is no file and no profile named `/no/such/file`"),
        (vec!["diff", &a, &junk], 7, "no token in this text"),
        (vec!["diff", &a], 2, "required"),
        (vec!["diff", "a.txt", &a], 2, "hint: corti-auth profile list"),
        (vec!["diff", "demmo", &a], 2, "hint: did you mean the profile `demo`?"),
    ];
    let profile = "[profiles.demo]\nenvironment = \"eu\"\nclient-id = \"a\"\nstore = \"file\"\n";
    world.write_config(profile);
    for (words, code, message) in table {
        let said = Said::by(&mut world.run_words(&words));
        assert_eq!(said.code, code, "{words:?}: {}", said.stderr);
        assert!(said.stderr.contains(message), "{words:?}: {}", said.stderr);
    }
}
