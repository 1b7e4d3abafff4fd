//! `exec`: a real program gets a token and never the secret. It replaces this process and inherits everything else.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use predicates::prelude::*;

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::shell::Shell;
use crate::common::{self, Said, Sandbox, World, wait_until};

/// Runs `exec` with a shell script as the program.
fn exec(world: &World, flags: &str, script: &str) -> Said {
    let words: Vec<&str> = flags.split_whitespace().chain(["--", "sh", "-c", script]).collect();
    Said::by(&mut world.run_words(&[&["exec"], words.as_slice()].concat()))
}

/// `exec` as a process, for its id and exit status.
fn process(world: &World, words: &[&str]) -> Command {
    let mut command = Command::new(common::binary());
    command.env_clear().envs(world.variables()).args(words).stdin(Stdio::null());
    command
}

#[test]
fn the_program_gets_the_token_and_not_the_secret() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    for name in
        ["CORTI_SECRET", "CORTI__CLIENTSECRET", "CORTI_AUTH_PASSPHRASE_FILE", "CORTI_AUTH_REFRESH_URL"]
    {
        world.set(name, &sandbox.client_secret);
    }
    world.set("CREDENTIALS_DIRECTORY", "/run/credentials/other");
    world.set("CORTI_ACCESS_TOKEN", "an.older.one");
    world.set("UNRELATED", "kept");
    let said = exec(&world, "--scope streams", "tr '\\0' '\\n' < /proc/self/environ");
    assert_eq!(said.code, 0, "{}", said.stderr);
    let value = |name: &str| {
        let mut found = said.stdout.lines().filter_map(|line| line.strip_prefix(&format!("{name}=")));
        (found.next().map(str::to_owned), found.next())
    };
    let token = value("CORTI_ACCESS_TOKEN").0.unwrap();
    assert_eq!(token.split('.').count(), 3, "{token}");
    assert_eq!(value("CORTI_TENANT_NAME"), (Some("base".into()), None));
    assert_eq!(value("CORTI_ENVIRONMENT"), (Some(sandbox.environment.clone()), None));
    assert_eq!(value("UNRELATED"), (Some("kept".into()), None));
    assert_eq!(value("CREDENTIALS_DIRECTORY"), (Some("/run/credentials/other".into()), None));
    assert!(!said.stdout.contains(&sandbox.client_secret), "{}", said.stdout);
    assert!(!said.stdout.contains("REFRESH"), "{}", said.stdout);
    let file = world.private_file("mounted", &sandbox.client_secret);
    world.set("CORTI_CLIENT_SECRET", "");
    world.set("CORTI_CLIENT_SECRET_FILE", &file);
    let said = exec(&world, "--scope streams", "tr '\\0' '\\n' < /proc/self/environ");
    assert!(said.code == 0 && !said.stdout.contains(&file), "{}{}", said.stdout, said.stderr);
}

/// Other tools and older scripts keep the secret in other variables.
#[test]
fn no_variable_passes_the_secret_to_the_program() {
    let sandbox = Sandbox::start();
    let set = |world: &mut World| {
        for name in ["CORTI_CLIENTSECRET", "CLIENT_SECRET", "corti_client_secret", "Corti_Secret"] {
            world.set(name, "any-value");
        }
        for name in ["BACKUP", "backup"] {
            world.set(name, &sandbox.client_secret);
        }
        world.set("LINE", &format!("{}\n", sandbox.client_secret));
        world.set("UNRELATED", "kept");
    };
    let mut by_value = World::of(&sandbox);
    let mut by_file = World::of(&sandbox);
    let secret = by_file.private_file("secret", &sandbox.client_secret);
    by_file.set("CORTI_CLIENT_SECRET", "");
    by_file.set("CORTI_CLIENT_SECRET_FILE", &secret);
    let mut by_profile = World::new();
    let command = format!("cat '{}'", by_profile.private_file("secret", &sandbox.client_secret));
    let words = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-command", &command];
    by_profile.run_words(&words).assert().success();
    for world in [&mut by_value, &mut by_file, &mut by_profile] {
        set(world);
        for flags in ["--full", "--full --refresh-url"] {
            let said = exec(world, flags, "env");
            assert_eq!(said.code, 0, "{}", said.stderr);
            assert!(said.stdout.contains("UNRELATED=kept\n"), "{}", said.stdout);
            let found = said.stdout.lines().filter(|line| {
                line.contains(&sandbox.client_secret) || line.to_ascii_uppercase().contains("SECRET")
            });
            assert_eq!(found.collect::<Vec<_>>(), [""; 0], "{flags}");
        }
    }
}

/// A client id without its secret is useless to the program, and an error to this tool inside it.
#[test]
fn without_its_secret_the_client_id_is_not_passed_on() {
    let sandbox = Sandbox::start();
    let auth = common::binary().display().to_string();
    let of_the_client = |said: &Said| {
        let named = |line: &&str| line.contains("CLIENT");
        said.stdout.lines().filter(named).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut by_value = World::of(&sandbox);
    for name in ["CORTI_CLIENTID", "CORTI__CLIENTID"] {
        by_value.set(name, &sandbox.client_id);
    }
    let mut by_file = World::of(&sandbox);
    let secret = by_file.private_file("corti-client-secret", &sandbox.client_secret);
    by_file.set("CORTI_CLIENT_SECRET", "");
    by_file.set("CORTI_CLIENT_SECRET_FILE", &secret);
    for world in [by_value, by_file] {
        for flags in ["--full", "--full --refresh-url"] {
            let said = exec(&world, flags, "env");
            assert_eq!((said.code, of_the_client(&said)), (0, vec![]), "{}", said.stderr);
            let said = exec(&world, flags, &format!("'{auth}' token --full"));
            assert!(said.code == 4 && said.stderr.contains("you are not logged in"), "{}", said.stderr);
        }
    }
    let mut mounted = World::of(&sandbox);
    mounted.set("CORTI_CLIENT_SECRET", "");
    mounted.private_file("corti-client-secret", &sandbox.client_secret);
    let folder = mounted.home().display().to_string();
    mounted.set("CREDENTIALS_DIRECTORY", &folder);
    let said = exec(&mounted, "--full", &format!("env; '{auth}' token --full"));
    assert_eq!(of_the_client(&said), [format!("CORTI_CLIENT_ID={}", sandbox.client_id)], "{}", said.stderr);
    assert!(said.code == 0 && said.stdout.lines().any(|line| line.starts_with("eyJ")), "{}", said.stderr);
}

#[test]
fn this_tool_inside_the_program_uses_the_token() {
    let sandbox = Sandbox::start();
    let auth = common::binary().display().to_string();
    let said = exec(&World::of(&sandbox), "--full", &format!("'{auth}' interaction create"));
    assert!(said.code == 0 && said.stdout.contains("/streams"), "{}{}", said.stdout, said.stderr);
}

#[test]
fn exec_ends_like_its_program() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    for code in [0, 1, 3, 10, 130, 255] {
        assert_eq!(exec(&world, "--full", &format!("exit {code}")).code, code);
    }
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("SEGV", 11)] {
        let script = format!("kill -{signal} $$");
        let status = process(&world, &["exec", "--full", "--", "sh", "-c", &script]).status().unwrap();
        assert_eq!(status.signal(), Some(number), "{signal}");
    }
}

#[test]
fn a_program_that_cannot_be_run_exits_126_and_an_unknown_one_127() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let plain = world.file("plain", "no program\n");
    let home = world.home().display().to_string();
    let orphan = world.file("orphan", "#!/no/such/interpreter\n");
    common::chmod(&orphan, 0o755);
    for refresh in [&[][..], &["--refresh-url"]] {
        for (program, code, message) in [
            (plain.as_str(), 126, "cannot be run\n  Permission denied"),
            (home.as_str(), 126, "cannot be run\n  Permission denied"),
            ("no-such-program-7", 127, "no-such-program-7: command not found"),
            ("/no/such/file", 127, "/no/such/file: command not found"),
            (orphan.as_str(), 127, "orphan: the interpreter in its #! line was not found"),
        ] {
            let words = [&["exec", "--full"], refresh, &["--", program, "--password=x"]].concat();
            let said = Said::by(&mut world.run_words(&words));
            assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{program}: {}", said.stderr);
            assert!(said.stderr.contains(message) && said.stderr.contains("hint: "), "{}", said.stderr);
        }
    }
    let said = Said::by(&mut world.run_words(&["exec", "--full", "--json", "--", "no-such-program-7"]));
    assert_eq!((&said.error()["code"], &said.error()["exit"]), (&"not_found".into(), &127.into()));
}

#[test]
fn without_a_token_nothing_is_run() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let mark = world.home().join("ran").display().to_string();
    for (words, code) in [
        (&["exec", "--", "touch", &mark][..], 2),
        (&["exec", "--full"], 2),
        (&["exec", "--full", "--"], 2),
        (&["exec", "--full", "touch", &mark], 2),
        (&["exec", "--full", "--scope", "streams", "--", "touch", &mark], 2),
        (&["exec", "--scope", "nonsense", "--", "touch", &mark], 6),
        (&["exec", "--full", "-t", "nope", "--", "touch", &mark], 3),
        (&["exec", "--full", "-e", "http://127.0.0.1:1", "--", "touch", &mark], 8),
    ] {
        let said = Said::by(&mut world.run_words(words));
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{words:?}: {}", said.stderr);
    }
    world.set("CORTI_CLIENT_SECRET", "wrong");
    world.run_words(&["exec", "--full", "--", "touch", &mark]).assert().code(5);
    let world = World::new();
    world.run_words(&["exec", "--full", "--", "touch", &mark]).assert().code(predicate::in_iter([3, 4]));
    assert!(!std::path::Path::new(&mark).exists());
}

#[test]
fn the_program_replaces_this_process() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let mut command =
        process(&world, &["exec", "--full", "--", "sh", "-c", "echo $$; readlink /proc/$$/exe"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (id, output) = (child.id(), child.wait_with_output().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(&format!("{id}\n/")) && !text.contains("corti-auth"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_inherits_limits_signals_and_open_files() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("CORTI_AUTH", &common::binary().display().to_string());
    let sh = |before: &str, flags: &str, program: &str| {
        let script = format!("{before}\nexec \"$CORTI_AUTH\" exec --full {flags} -- {program}");
        let said = Said::by(world.program("sh").args(["-c", &script]));
        assert_eq!(said.code, 0, "{script}: {}", said.stderr);
        said.stdout
    };
    for flags in ["", "--refresh-url"] {
        for limit in ["0", "unlimited", "64"] {
            let set = format!("ulimit -S -c {limit}");
            assert_eq!(sh(&set, flags, "sh -c 'ulimit -S -c'"), format!("{limit}\n"), "{flags}");
        }
        // PR_GET_DUMPABLE
        let python = "python3 -c 'import ctypes; print(ctypes.CDLL(None).prctl(3))'";
        assert_eq!(sh("", flags, python), "1\n", "{flags}");
        let masks = "grep -E 'SigBlk|SigIgn' /proc/self/status";
        // The second is what nohup, or a shell without job control, sets.
        for before in ["", "trap '' HUP INT"] {
            let own = Said::by(world.program("sh").args(["-c", &format!("{before}\nexec {masks}")]));
            assert_eq!(signals(&sh(before, flags, masks)), signals(&own.stdout), "{flags}");
        }
        // Both counts are from one process, so they include the files that other threads of the test have open.
        let counts = sh("ls /proc/self/fd | wc -l", flags, "sh -c 'ls /proc/self/fd | wc -l'");
        let (before, after) = counts.trim_end().split_once('\n').unwrap();
        assert_eq!(before, after, "{flags}: no file of this tool's is left open");
    }
}

/// The masks, without the two signals that the C library reserves and ignores in the processes it starts.
#[cfg(target_os = "linux")]
fn signals(masks: &str) -> Vec<u64> {
    let numbers = masks.lines().filter_map(|line| line.split_whitespace().nth(1));
    numbers.map(|mask| u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff).collect()
}

#[test]
fn the_program_has_the_terminal() {
    let sandbox = Sandbox::start();
    let mut shell = Shell::start(&World::of(&sandbox));
    for flags in ["--full", "--full --refresh-url"] {
        shell.send_line(&format!(
            "\"$CORTI_AUTH\" exec {flags} -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty -echo && echo \"on a ter\"minal; read x; stty echo; echo \"got\" $x; exit 7'"
        ));
        shell.expect("on a terminal");
        shell.send_line("words");
        shell.expect("got words");
        shell.assert_ended("7");
        shell.send_line(&format!("\"$CORTI_AUTH\" exec {flags} -- sh -c 'echo \"rea\"dy; exec sleep 600'"));
        shell.expect("ready");
        shell.session.send_control('c').unwrap();
        shell.assert_ended("130");
    }
}

#[test]
fn control_c_before_the_program_starts_exits_130() {
    let server = FakeServer::start(vec![Answer::Silence]);
    let world = World::client_of(&server.environment);
    let mark = world.home().join("ran");
    for flags in ["", "--refresh-url"] {
        let seen = server.requests().len();
        let mut running =
            world.start(&format!("exec --full {flags} --timeout 60s -- touch {}", mark.display()));
        wait_until("it asks for a token", || server.requests().len() > seen);
        running.interrupt();
        assert_eq!(running.wait(), Some(130), "{flags}");
    }
    assert!(!mark.exists());
}

/// As aws-vault does. The shell has the token and a mark, and not the secret.
#[test]
fn without_a_program_the_users_shell_is_run() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    world.set("SHELL", "/bin/sh");
    let mut shell = Shell::start(&world);
    shell.send_line("\"$CORTI_AUTH\" exec transcribe; echo \"left\": $?");
    shell.send_line(
        "echo \"$CORTI_AUTH_SHELL has ${CORTI_ACCESS_TOKEN%%.*} and ${CORTI_CLIENT_SECRET-no secret}\"",
    );
    shell.expect("sandbox has eyJ");
    shell.expect(" and no secret");
    shell.send_line("exit 7");
    shell.expect("left: 7");
    shell.assert_ended("0");
}

#[test]
fn a_shell_is_not_run_without_a_terminal() {
    let world = World::of(&Sandbox::start());
    let said = Said::by(&mut world.run("exec transcribe"));
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("hint: corti-auth exec full -- CMD"), "{}", said.stderr);
}

#[test]
fn a_shell_is_not_run_in_ci_or_without_questions() {
    let mut world = World::of(&Sandbox::start());
    world.set("SHELL", "/bin/sh");
    let mut shell = Shell::start(&world);
    for command in ["\"$CORTI_AUTH\" exec transcribe --no-input", "CI=true \"$CORTI_AUTH\" exec transcribe"] {
        shell.send_line(command);
        shell.expect("no program given");
        shell.assert_ended("2");
    }
}
