//! `--field` prints one member of what `--json` prints, with every command.

use predicates::prelude::*;
use predicates::str::contains;

use crate::common::{Said, Sandbox, World};

/// What `--field` prints of a command's result.
fn field(world: &World, words: &str, name: &str) -> Said {
    Said::by(
        &mut world.run_words(&[words.split(' ').collect::<Vec<_>>().as_slice(), &["--field", name]].concat()),
    )
}

#[test]
fn a_member_is_printed_raw() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    world.file("one.txt", Said::by(&mut world.run("token transcribe")).stdout);
    let table = [
        ("status", "client_id", "sandbox"),
        ("status", "ready_token", "false"),
        ("token streams", "scopes", "email openid profile streams"),
        ("token streams", "scopes.3", "streams"),
        ("session transcribe", "tenant", "base"),
        ("explain 401", "status", "401"),
        ("doctor", "ok", "true"),
        ("check --scope transcribe", "reach", "limited"),
        ("demo", "schema", "corti-auth/demo/v1"),
        ("completions bash", "shell", "bash"),
        ("probe transcribe", "socket", "transcribe"),
    ];
    for (words, name, value) in table {
        let said = field(&world, words, name);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, &*format!("{value}\n")),
            "{words}: {}",
            said.stderr
        );
    }
    let token = field(&world, "token full", "access_token").stdout;
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    assert_eq!(Said::by(world.run("inspect --field reach").write_stdin(token)).stdout, "full\n");
}

#[test]
fn of_a_list_it_is_a_line_for_each() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let created = |name| {
        let said = field(&world, "interaction create", name);
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stdout
    };
    let ids = [created("id"), created("interaction_id")];
    let listed = field(&world, "interaction list", "id").stdout;
    assert!(listed.lines().count() == 2 && ids.iter().all(|id| listed.contains(id)), "{ids:?} {listed}");
    let said = field(&world, "interaction list", "nope");
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{}", said.stderr);
}

#[test]
fn with_json_it_is_the_only_member() {
    let world = World::of(&Sandbox::start());
    let json = Said::by(&mut world.run("status --json --field client_id")).json();
    assert_eq!(json, serde_json::json!({ "schema": "corti-auth/status/v1", "client_id": "sandbox" }));
}

#[test]
fn what_is_missing_is_an_error_that_names_what_there_is() {
    let world = World::of(&Sandbox::start());
    for name in ["client", "profile", "client_id.x", ""] {
        let said = contains(format!("the result has no `{name}`")).and(contains("client_id"));
        world.run_words(&["status", "--field", name]).assert().code(1).stdout("").stderr(said);
    }
    // Before it serves.
    let said = contains("the result has no `url`").and(contains("environment"));
    world.run("sandbox --port 0 --field url").assert().code(1).stdout("").stderr(said);
    let said = contains("the field `claims.sub` needs --claims\nhint: add --claims\n");
    world.run("inspect --field claims.sub").assert().code(2).stdout("").stderr(said);
    let said = contains("--field and --format curl cannot be used together");
    world.run("token full --format curl --field scopes").assert().code(2).stdout("").stderr(said);
}
