//! The committed completion scripts are up to date, shells can load them, and profile names complete.

use std::path::Path;

use crate::common::{self, Said, World};

const SHELLS: [(&str, &str); 5] = [
    ("bash", "corti-auth.bash"),
    ("zsh", "_corti-auth"),
    ("fish", "corti-auth.fish"),
    ("powershell", "corti-auth.ps1"),
    ("elvish", "corti-auth.elv"),
];

#[test]
fn the_committed_scripts_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, file) in SHELLS {
        let printed = Said::by(&mut World::new().run(&format!("completions {shell}"))).stdout;
        let committed = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            printed == committed,
            "completions/{file} is stale: corti-auth completions {shell} > completions/{file}"
        );
    }
}

/// What bash offers for `line` with the cursor at its end.
fn complete(world: &World, line: &str) -> String {
    let script = r#"
        source "$SCRIPT"
        COMP_WORDS=($LINE) COMP_LINE="$LINE" COMP_POINT=${#LINE}
        [[ $LINE == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        function=$(complete -p corti-auth | sed 's/.*-F \([^ ]*\).*/\1/')
        $function corti-auth "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let folder = common::binary().parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", common::path());
    let completions = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/corti-auth.bash");
    let mut bash = world.program("bash");
    bash.args(["--norc", "-c", script]).env("PATH", path).env("SCRIPT", completions).env("LINE", line);
    Said::by(&mut bash).stdout
}

#[test]
fn bash_completes_commands_and_profile_names() {
    let world = World::new();
    world.write_config(
        "[profiles.hospital-a]\nenvironment = \"eu\"\nclient-id = \"a\"\n[profiles.other]\nenvironment = \"us\"\nclient-id = \"b\"\n",
    );
    assert_eq!(complete(&world, "corti-auth insp").trim(), "inspect");
    assert!(complete(&world, "corti-auth profile use h").contains("hospital-a"));
    assert!(complete(&world, "corti-auth profile remove o").contains("other"));
    assert!(complete(&world, "corti-auth profile rename h").contains("hospital-a"));
    assert!(
        !complete(&world, "corti-auth profile rename other h").contains("hospital-a"),
        "a new name is new"
    );
    let named = complete(&world, "corti-auth --profile ");
    assert!(named.contains("hospital-a") && named.contains("other"), "{named}");
}

#[test]
fn bash_completes_the_documented_values_of_open_options() {
    let table = [
        ("corti-auth token --scope ", "transcribe streams"),
        ("corti-auth exec -s t", "transcribe"),
        ("corti-auth token --forbid-scope s", "streams"),
        ("corti-auth inspect --require-scope ", "transcribe streams"),
        ("corti-auth login --store ", "keyring file"),
        ("corti-auth profile import --store f", "file"),
        ("corti-auth token -e ", "eu us"),
    ];
    for (line, offered) in table {
        let words: Vec<String> =
            complete(&World::new(), line).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words.join(" "), offered, "{line}");
    }
}

#[test]
fn a_broken_configuration_does_not_break_completion() {
    let world = World::new();
    world.write_config("[[[");
    assert_eq!(complete(&world, "corti-auth insp").trim(), "inspect");
}
