//! Texts that people paste into `inspect`: the token is found, and what surrounded it is named.

use serde_json::json;

use crate::common::{Said, Sandbox, World, forged};

#[test]
fn text_around_a_token_is_removed_and_named() {
    let token = forged(
        &json!({ "alg": "RS256" }),
        &json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "azp": "acme" }),
    );
    let broken: Vec<&str> = token.split_inclusive('.').collect();
    let table = [
        (
            format!("Authorization: Bearer {token}"),
            json!(["header", "bearer"]),
            "from: an Authorization header\n",
        ),
        (
            format!("wss://h/x?a=b&token=Bearer%20{token}"),
            json!(["url", "bearer", "percent-encoding"]),
            "from: the token in a URL, percent-decoded\n",
        ),
        (
            format!("{{\"access_token\": \"{token}\",\n \"expires_in\": 300}}"),
            json!(["json"]),
            "from: the access_token in a JSON object, line 1\n",
        ),
        (broken.join("\n  "), json!(["white-space"]), "from line 1, rejoined from 3 lines\n"),
        (format!("\"{token}\""), json!(["quotes"]), "from: a text in quotes\n"),
        (format!("{token} please look"), json!(["words"]), "from: between other words\n"),
        (
            format!("https://h/back#access_token={token}&expires_in=300"),
            json!(["url"]),
            "from: the access_token in a URL\n",
        ),
        (format!("[{{\"token\": \"{token}\"}}]"), json!(["json"]), "from: the token in a JSON object\n"),
    ];
    for (text, cleaned, words) in table {
        let said = Said::by(World::new().run("inspect").write_stdin(text.clone()));
        assert_eq!(said.code, 0, "{text}: {}", said.stderr);
        assert!(said.stderr.starts_with("read ") && said.stderr.contains(words), "{}", said.stderr);
        let json = Said::by(World::new().run("inspect --json").write_stdin(text));
        assert_eq!((json.stderr.as_str(), &json.json()["cleaned"]), ("", &cleaned));
        assert_eq!(json.json()["client_id"], "acme");
    }
}

#[test]
fn a_token_followed_by_words_still_verifies() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let token = Said::by(&mut world.run("token --scope transcribe")).stdout.trim().to_owned();
    let wrapped = |width: usize| {
        let lines = token.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned());
        lines.collect::<Vec<_>>().join("\n")
    };
    let table = [
        (format!("{token} please"), json!(["words"])),
        (format!("{token}\nplease look"), json!(["words"])),
        (format!("Bearer {token}, does it work?"), json!(["bearer", "words"])),
        (wrapped(76), json!(["white-space"])),
        (format!("{}\nplease look", wrapped(76)), json!(["words", "white-space"])),
        (format!("{} please", wrapped(token.len() - 5)), json!(["words", "white-space"])),
    ];
    for (text, cleaned) in table {
        let said = Said::by(world.run("inspect --verify --json").write_stdin(text.clone()));
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{text}");
        assert_eq!(
            (&said.json()["signature"], &said.json()["cleaned"]),
            (&json!("valid"), &cleaned),
            "{text}"
        );
    }
    let twice = Said::by(world.run("inspect --verify --json").write_stdin(format!("{token} or {token}")));
    assert_eq!((twice.code, &twice.json()["signature"]), (0, &json!("valid")), "twice the same is one");
    let other = Said::by(&mut world.run("token --scope streams")).stdout;
    let two = Said::by(world.run("inspect --verify").write_stdin(format!("{token} or {other}")));
    assert_eq!((two.code, two.stdout.as_str()), (2, ""), "of two tokens none is taken");
    assert!(two.stderr.contains("2 different") && !two.stderr.contains("encrypted"), "{}", two.stderr);
}

#[test]
fn quiet_and_json_print_no_notes_and_field_prints_its_value_alone() {
    let token = forged(
        &json!({ "alg": "RS256" }),
        &json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "azp": "acme" }),
    );
    for flags in ["-q", "--json", "-q --json"] {
        let said =
            Said::by(World::new().run(&format!("inspect {flags}")).write_stdin(format!("Bearer {token}")));
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{flags}");
    }
    let said = Said::by(World::new().run("inspect --field client_id").write_stdin(format!("Bearer {token}")));
    assert_eq!(
        (said.stdout.as_str(), said.stderr.as_str()),
        ("acme\n", "read from: the text after `Bearer`\n")
    );
}

#[test]
fn text_without_a_token_is_refused_and_not_printed() {
    let table = [
        ("Bearer", "no token in this text"),
        ("Authorization: Bearer b1946ac92492d2347c6235b4d2611184", "an opaque token"),
        ("https://h/?token=", "no token in this text"),
        (
            r#"{"error":"invalid_client"}"#,
            "no token: this is an OAuth error\nhint: corti-auth explain --response FILE",
        ),
        ("a.b.c and more words", "no token in this text"),
        ("a.b.c", "not base64url"),
    ];
    for (text, words) in table {
        let said = Said::by(World::new().run("inspect").write_stdin(text));
        assert_eq!((said.code, said.stdout.as_str()), (7, ""), "{text}");
        assert!(said.stderr.contains(words) && said.stderr.contains("hint: "), "{text}: {}", said.stderr);
        assert!(!said.stderr.contains("b1946ac9"), "no part of the text is repeated");
    }
}
