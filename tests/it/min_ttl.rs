//! `--min-ttl` longer than the lifetime of a new token: no token is handed out.

use serde_json::json;

use crate::common::Said;
use crate::common::cached::{start, token};

#[tokio::test]
async fn a_token_below_min_ttl_is_not_printed() {
    let (_sandbox, control, world) = start();
    for flags in ["", "--json", "--no-cache", "--refresh", "--format env", "-q"] {
        let said = Said::by(&mut world.run(&format!("token --full --min-ttl 10m {flags}")));
        assert_eq!((said.code, said.stdout.as_str()), (10, ""), "{flags}: {}", said.stderr);
        assert!(said.stderr.contains("300 s") && said.stderr.contains("--min-ttl"), "{}", said.stderr);
        assert!(!said.stderr.contains("eyJ") && !said.stderr.contains("warning"), "{}", said.stderr);
    }
    assert_eq!(
        Said::by(&mut world.run("token --full --min-ttl 301s --json")).error()["code"],
        "check_failed"
    );
    assert!(token(&mut world.run("token --full")).1, "the token is good for others");
    let before = control.token_requests().await;
    for _ in 0..2 {
        world.run("token --full --min-ttl 10m").assert().code(10);
    }
    assert_eq!(control.token_requests().await, before + 2, "each asks for a new one");
    assert!(!token(&mut world.run("token --full --min-ttl 300s")).1, "to the second");
}

#[tokio::test]
async fn a_token_below_min_ttl_is_not_written_to_a_file() {
    let (_sandbox, _control, mut world) = start();
    let outputs = world.file("outputs", "");
    world.set("GITHUB_OUTPUT", &outputs);
    let project = world.home().display().to_string();
    world.set("CI_PROJECT_DIR", &project);
    for format in ["github", "gitlab"] {
        let said = Said::by(&mut world.run(&format!("token --full --min-ttl 10m --format {format}")));
        assert_eq!((said.code, said.stdout.as_str()), (10, ""), "{}", said.stderr);
    }
    assert_eq!(std::fs::read_to_string(&outputs).unwrap(), "");
    assert!(!world.home().join("corti.env").exists());
}

#[tokio::test]
async fn without_a_token_of_min_ttl_no_program_is_started() {
    let (_sandbox, _control, world) = start();
    for flags in ["", "--refresh-url"] {
        let command = format!("exec --full --min-ttl 10m {flags} -- touch {}/ran", world.home().display());
        let said = Said::by(&mut world.run(&command));
        assert_eq!(said.code, 10, "{}", said.stderr);
        assert!(!world.home().join("ran").exists());
    }
}

/// `--refresh-url` prefers tokens with 150 s left, but also hands out shorter ones.
#[tokio::test]
async fn refresh_url_hands_out_short_tokens_too() {
    const ASK: &str = "curl -s -w '%{http_code}' -o /dev/null --noproxy '*' \
        -H \"Authorization: Bearer $CORTI_AUTH_REFRESH_TOKEN\" \"$CORTI_AUTH_REFRESH_URL\"";
    let (_sandbox, control, world) = start();
    control.set(json!({ "token_lifetime": 60 })).await;
    for flags in ["", "--min-ttl 50s"] {
        let mut words = vec!["exec", "--full", "--refresh-url"];
        words.extend(flags.split_whitespace());
        words.extend(["--", "sh", "-c", ASK]);
        let said = Said::by(&mut world.run_words(&words));
        assert_eq!((said.code, said.stdout.as_str()), (0, "200"), "{flags}: {}", said.stderr);
    }
}
