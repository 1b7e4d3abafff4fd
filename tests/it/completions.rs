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
    let folder = common::binary().parent().unwrap().display().to_string();
    complete_in(world, line, &format!("{folder}:{}", common::path()))
}

/// The same in the home folder, with this `PATH`.
fn complete_in(world: &World, line: &str, path: &str) -> String {
    let script = r#"
        source "$SCRIPT"
        COMP_WORDS=($LINE) COMP_LINE="$LINE" COMP_POINT=${#LINE}
        [[ $LINE == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        function=$(complete -p corti-auth | sed 's/.*-F \([^ ]*\).*/\1/')
        $function corti-auth "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let completions = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/corti-auth.bash");
    let mut bash = world.program("bash");
    bash.args(["--norc", "-c", script]).env("PATH", path).env("SCRIPT", completions).env("LINE", line);
    bash.current_dir(world.home());
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

/// Files, programs after `--`, and profiles beside files. Each shell asks its own way.
const OFFERED: [(&str, &str); 8] = [
    ("corti-auth inspect tok", "token.txt"),
    ("corti-auth login --secret-file tok", "token.txt"),
    ("corti-auth exec full -- only-pro", "only-program"),
    ("corti-auth exec full -- only-program --flag tok", "token.txt"),
    ("corti-auth exec -- only-pro", "only-program"),
    ("corti-auth sandbox --port 0 -- only-pro", "only-program"),
    ("corti-auth diff hosp", "hospital-a"),
    ("corti-auth diff hospital-a tok", "token.txt"),
];

/// A folder with a token, a program in `PATH`, and a profile.
fn offering() -> (World, String) {
    let world = World::new();
    world.write_config("[profiles.hospital-a]\nenvironment = \"eu\"\nclient-id = \"a\"\n");
    world.file("token.txt", "x");
    let bin = world.home().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("only-program"), "").unwrap();
    std::fs::write(bin.join("only-program-no-more"), "").unwrap();
    common::chmod(bin.join("only-program"), 0o755);
    let own = common::binary().parent().unwrap().display().to_string();
    let path = format!("{}:{own}:{}", bin.display(), common::path());
    (world, path)
}

#[test]
fn bash_completes_files_programs_and_profiles() {
    let (world, path) = offering();
    for (line, offered) in OFFERED {
        assert_eq!(complete_in(&world, line, &path).trim(), offered, "{line}");
    }
}

/// Where only options are possible, nothing is offered: a shell would insert the `--` that all of them begin with.
#[test]
fn an_empty_word_is_not_completed_to_an_option() {
    let world = World::new();
    for line in ["corti-auth status ", "corti-auth doctor ", "corti-auth token transcribe --json "] {
        let offered = complete(&world, line);
        assert!(!offered.contains('-'), "{line}: {offered}");
    }
    assert!(complete(&world, "corti-auth status -").contains("--online"));
    assert_eq!(complete(&world, "corti-auth session ").split_whitespace().count(), 2);
}

#[test]
fn fish_completes_files_programs_and_profiles() {
    let (world, path) = offering();
    let script =
        concat!("source ", env!("CARGO_MANIFEST_DIR"), "/completions/corti-auth.fish; complete -C $LINE");
    for (line, offered) in OFFERED {
        let mut fish = world.program("fish");
        fish.args(["--no-config", "-c", script])
            .env("PATH", &path)
            .env("LINE", line)
            .current_dir(world.home());
        let said = Said::by(&mut fish);
        let first = said.stdout.lines().next().unwrap_or_default();
        assert_eq!(first.split('\t').next().unwrap(), offered, "{line}: {}", said.stderr);
    }
}

/// On a terminal, by the keys that a person presses.
#[test]
fn zsh_completes_files_programs_and_profiles() {
    let (world, path) = offering();
    let mut zsh = std::process::Command::new("zsh");
    zsh.arg("-f")
        .env_clear()
        .envs(world.variables())
        .env("PATH", &path)
        .env("TERM", "dumb")
        .env("PS1", "ready> ");
    zsh.current_dir(world.home());
    let mut session = rexpect::session::spawn_command(zsh, Some(20_000)).unwrap();
    session.exp_string("ready> ").unwrap();
    let file = concat!(
        "autoload -Uz compinit; compinit -D; source ",
        env!("CARGO_MANIFEST_DIR"),
        "/completions/_corti-auth"
    );
    session.send_line(file).unwrap();
    session.exp_string("ready> ").unwrap();
    for (line, offered) in OFFERED {
        // The shell shows the line with the completed word. Ctrl-U clears it.
        session.send(&format!("{line}\t")).unwrap();
        session.flush().unwrap();
        session.exp_string(line.rsplit_once(' ').unwrap().0).unwrap();
        session.exp_string(offered).unwrap();
        session.send_control('u').unwrap();
    }
}
