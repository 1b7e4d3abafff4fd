//! Runs the recipe for Kubernetes in docs/ci.md as it is written there. `tests/install` runs the others, which install the
//! program first.

use std::collections::BTreeMap;

use crate::common::{self, Said, Sandbox, World};
use crate::documents;

/// The program that the examples run. It fails without a token or with a secret, and records what it was given.
pub const PROGRAM: &str = r#"#!/bin/sh
test -n "$CORTI_ACCESS_TOKEN" && test -z "$CORTI_CLIENT_SECRET$CORTI_CLIENT_SECRET_FILE" || exit 90
printf %s "$CORTI_ACCESS_TOKEN" | corti-auth inspect --json > inspected.json || exit 91
printf '%s %s' "$CORTI_ENVIRONMENT" "$CORTI_TENANT_NAME" > given
if test -n "$CORTI_AUTH_REFRESH_URL"; then
  curl -s --noproxy '*' -H "Authorization: Bearer $CORTI_AUTH_REFRESH_TOKEN" "$CORTI_AUTH_REFRESH_URL" > fresh.json
fi
echo tested
"#;

/// The variables of the recipe, written as `{ name: NAME, value: V }`.
fn variables(recipe: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| {
        let (name, value) =
            line.trim().strip_prefix("- { name: ")?.strip_suffix(" }")?.split_once(", value: ")?;
        Some((name.to_owned(), value.to_owned()))
    };
    recipe.lines().filter_map(entry).collect()
}

/// What follows `key` on its line.
fn after<'a>(recipe: &'a str, key: &str) -> &'a str {
    recipe.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{key}: {recipe}"))
}

#[test]
fn the_recipe_for_kubernetes_works() {
    let (sandbox, mut world) = (Sandbox::with_secret("canary-5d41402abc4b2a76"), World::new());
    let tools = world.home().join("bin");
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink(common::binary(), tools.join("corti-auth")).unwrap();
    world.set("PATH", &format!("{}:{}", tools.display(), common::path()));
    common::chmod(world.file("job", PROGRAM), 0o755);
    let recipe = documents::block("docs/ci.md", "yaml kubernetes");
    let file = world.file("client-secret", &sandbox.client_secret);
    common::chmod(&file, 0o400);
    let mut given = variables(&recipe);
    assert_eq!(given["CORTI_CLIENT_SECRET_FILE"], "/run/secrets/corti/client-secret");
    assert!(after(&recipe, "secret: ").contains("defaultMode: 0400"));
    for (name, value) in [
        ("CORTI_ENVIRONMENT", &sandbox.environment),
        ("CORTI_CLIENT_ID", &sandbox.client_id),
        ("CORTI_CLIENT_SECRET_FILE", &file),
    ] {
        given.insert(name.to_owned(), value.clone()).unwrap();
    }
    let words: Vec<String> = serde_json::from_str(after(&recipe, "command: ")).unwrap();
    let mut command = world.program(&words[0]);
    let said = Said::by(command.current_dir(world.home()).envs(given).args(&words[1..]));
    assert_eq!((said.code, said.stdout.as_str()), (0, "tested\n"), "{}", said.stderr);
    assert!(!said.stderr.contains("eyJ") && !said.stderr.contains(&sandbox.client_secret), "{}", said.stderr);
    let text = |name: &str| std::fs::read_to_string(world.home().join(name)).unwrap();
    assert_eq!(text("given"), format!("{} base", sandbox.environment));
    let json = |name: &str| serde_json::from_str::<serde_json::Value>(&text(name)).unwrap();
    assert_eq!(
        (&json("inspected.json")["reach"], &json("fresh.json")["expiresIn"]),
        (&"full".into(), &300.into())
    );
}
