//! `token`: what is printed, in which format, and that a scope must be chosen.

use predicates::prelude::*;

use crate::common::{self, Said, Sandbox, World};

#[test]
fn stdout_is_the_token_and_one_line_break() {
    let sandbox = Sandbox::start();
    let said = Said::by(&mut World::of(&sandbox).run("token --scope transcribe"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.ends_with('\n') && said.stdout.trim_end().split('.').count() == 3, "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 1);
}

#[test]
fn json_has_the_documented_fields() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for arguments in [
        "token --scope transcribe --json",
        "token --scope transcribe --format json",
        "--json token -s transcribe --format json",
    ] {
        let json = Said::by(&mut world.run(arguments)).json();
        assert_eq!(json["schema"], "corti-auth/token/v1");
        assert_eq!((json["reach"].as_str(), json["token_type"].as_str()), (Some("limited"), Some("Bearer")));
        assert_eq!(json["expires_in"], 300);
        assert_eq!(json["scopes"], serde_json::json!(["email", "openid", "profile", "transcribe"]));
        assert_eq!(
            (&json["environment"], &json["tenant"]),
            (&sandbox.environment.as_str().into(), &"base".into())
        );
        assert_eq!(json["client_id"], "sandbox");
        assert!(json["access_token"].as_str().unwrap().starts_with("eyJ"));
        assert!(json["fingerprint"].as_str().unwrap().starts_with("sha256:"));
        let at: jiff::Timestamp = json["expires_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(at.as_second(), json["expires_at_unix"].as_i64().unwrap());
        let left = at.as_second() - common::now().as_second();
        assert!((280..=300).contains(&left), "{left}");
    }
}

#[test]
fn scopes_are_repeated_or_separated() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for arguments in [
        vec!["--scope", "transcribe,streams"],
        vec!["--scope", "transcribe streams"],
        vec!["-s", "streams", "-s", "transcribe"],
    ] {
        let words = [vec!["token", "--json"], arguments].concat();
        let scopes = Said::by(&mut world.run_words(&words)).json()["scopes"].clone();
        assert_eq!(
            scopes,
            serde_json::json!(["email", "openid", "profile", "streams", "transcribe"]),
            "{words:?}"
        );
    }
    assert_eq!(Said::by(&mut world.run("token --full --json")).json()["reach"], "full");
}

#[test]
fn a_scope_must_be_chosen() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for (arguments, message) in [
        ("token", "say what the token may do"),
        ("token --scope openid", "do not limit the token: it would be full"),
        ("token --scope profile", "do not limit the token: it would be full"),
        ("token --scope tran\"scribe", "is not a scope"),
        ("token --scope transcribe --full", "cannot be used with"),
        ("token --full --json --format token", "cannot be used together"),
    ] {
        world.run(arguments).assert().code(2).stdout("").stderr(predicate::str::contains(message));
    }
}

#[test]
fn an_unknown_scope_is_sent_and_refused_with_a_suggestion() {
    let sandbox = Sandbox::start();
    World::of(&sandbox)
        .run("token --scope stream")
        .assert()
        .code(6)
        .stdout("")
        .stderr(predicate::str::contains("did you mean --scope streams?"))
        .stderr(predicate::str::contains("Invalid scopes: openid stream"));
}

#[test]
fn the_profiles_default_scope_is_used() {
    let sandbox = Sandbox::start();
    let keyring = common::Keyring::unlocked();
    let world = World::with_keyring(&keyring);
    let secret = world.file("secret", &sandbox.client_secret);
    world
        .run_words(&["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &secret])
        .assert()
        .success();
    world.run("token").assert().code(2);
    world.write_config(&format!("{}default-scope = [\"transcribe\"]\n", world.config()));
    assert_eq!(Said::by(&mut world.run("token --json")).json()["reach"], "limited");
    assert_eq!(Said::by(&mut world.run("token --full --json")).json()["reach"], "full");
}

#[test]
fn curl_can_use_the_printed_token() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let status = |flags: &str| {
        let script = format!(
            "curl -s -o /dev/null -w '%{{http_code}}' -H \"Authorization: Bearer $('{}' token {flags})\" \
             -H 'Tenant-Name: base' \"$CORTI_ENVIRONMENT/v2/languages/\"",
            common::binary().display()
        );
        Said::by(world.program("sh").args(["-c", &script])).stdout
    };
    assert_eq!((status("--full").as_str(), status("--scope transcribe").as_str()), ("200", "403"));
}

#[test]
fn it_ends_quietly_when_its_pipe_is_closed() {
    let sandbox = Sandbox::start();
    let script = format!(
        "'{}' token --full | true; '{}' --help | head -n 1",
        common::binary().display(),
        common::binary().display()
    );
    let said = Said::by(World::of(&sandbox).program("sh").args(["-c", &script]));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
}

#[test]
fn verbose_shows_the_request_and_not_its_secrets() {
    let sandbox = Sandbox::start();
    let said = Said::by(&mut World::of(&sandbox).run("token --full -v"));
    assert!(said.stderr.starts_with(&format!("POST {} -> 200", sandbox.token_url())), "{}", said.stderr);
    assert!(!said.stderr.contains(&sandbox.client_secret) && !said.stderr.contains("eyJ"));
}

/// `token transcribe` is `token --scope transcribe`, and `token full` is `token --full`.
#[test]
fn words_say_what_the_token_may_do() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for (words, reach, has) in [
        ("transcribe", "limited", "transcribe"),
        ("streams", "limited", "streams"),
        ("streams transcribe", "limited", "transcribe"),
        ("streams,transcribe", "limited", "transcribe"),
        ("full", "full", "openid"),
    ] {
        let said = Said::by(&mut world.run(&format!("token {words} --json"))).json();
        assert_eq!(said["reach"], reach, "{words}");
        let scopes = said["scopes"].as_array().unwrap();
        assert!(scopes.iter().any(|scope| scope == has), "{words}: {said}");
    }
}

#[test]
fn other_words_are_refused_and_not_all_repeated() {
    let world = World::new();
    for (arguments, message) in [
        ("token full transcribe", "use `full` without other words"),
        ("token transcribe --full", "once: by a word such as full, or by --full\n"),
        ("token full --scope transcribe", "once: by a word such as transcribe, or by --scope\n"),
        ("token transcribe,full", "use `full` without other words"),
        ("token strems", "did you mean `streams`?"),
        ("exec node -- server.js", "to run a program: corti-auth exec full -- CMD"),
    ] {
        let said = Said::by(&mut world.run(arguments));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments}: {}", said.stderr);
        assert!(said.stderr.contains(message), "{arguments}: {}", said.stderr);
    }
    // It may be a secret that was pasted in the wrong place.
    let said = Said::by(&mut world.run("token Zx81Canary0123456789012345678901"));
    assert!(said.code == 2 && !said.stderr.contains("Canary"), "{}", said.stderr);
}
