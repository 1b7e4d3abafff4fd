//! Every file that a command reads has a size limit: a longer file is refused by name, without being read into memory
//! first.

use std::fs::File;
use std::process::{Child, Command as Process};

use crate::common::{self, Running, Said, World};

/// Runs its arguments and prints their peak memory in KB on stderr.
const MEASURE: &str = "import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)";

/// Writes zeros without end into a pipe, for each reader that opens it.
const ENDLESS: &str = "import os, sys
while True:
    pipe = os.open(sys.argv[1], os.O_WRONLY)
    try:
        while True: os.write(pipe, bytes(65536))
    except BrokenPipeError: os.close(pipe)";

/// In KB: more than any command needs without the file, and less than the file's size.
const MEMORY: u64 = 94 * 1024;

/// Runs a command, and returns its peak memory in KB as well.
fn run_measured(world: &World, arguments: &str, stdin: Option<&str>) -> (Said, u64) {
    let mut command = world.program("sh");
    command.args(["-c", "exec python3 -c \"$MEASURE\" \"$0\" \"$@\" < \"$FROM\""]);
    command.env("MEASURE", MEASURE).env("FROM", stdin.unwrap_or("/dev/null"));
    command.arg(common::binary()).args(arguments.split_whitespace());
    let mut said = Said::by(&mut command);
    let (words, memory) = said.stderr.trim_end().rsplit_once('\n').unwrap();
    let memory = memory.parse().unwrap();
    said.stderr = words.to_owned();
    (said, memory)
}

/// Makes a sparse file of 100 MB and returns its path.
fn sparse_file(world: &World, name: &str) -> String {
    let path = world.private_file(name, "");
    File::options().write(true).open(&path).unwrap().set_len(100_000_000).unwrap();
    path
}

/// Starts a process that writes to `pipe` without end.
fn write_without_end(pipe: &str) -> Child {
    Process::new("python3").args(["-c", ENDLESS, pipe]).spawn().unwrap()
}

fn assert_refused(world: &World, arguments: &str, stdin: Option<&str>, code: i32, name: &str) {
    let (said, memory) = run_measured(world, arguments, stdin);
    assert_eq!(said.code, code, "{arguments}: {}", said.stderr);
    assert!(said.stdout.is_empty(), "{arguments}: {}", said.stdout);
    let is_named = said.stderr.contains(name) && said.stderr.contains("longer than");
    assert!(is_named, "{arguments}: {}", said.stderr);
    assert!(memory < MEMORY, "{arguments} took {memory} KB");
}

#[test]
fn a_large_configuration_is_refused() {
    let world = World::new();
    world.write_config("");
    let path = world.config_folder().join("config.toml");
    File::options().write(true).open(&path).unwrap().set_len(100_000_000).unwrap();
    for command in ["profile list", "token --full", "profile use x", "status"] {
        assert_refused(&world, command, None, 3, path.to_str().unwrap());
    }
}

#[test]
fn a_configuration_just_below_the_limit_takes_little_memory() {
    let world = World::new();
    world.write_config(&"a=[]\n".repeat(50_000));
    let (said, memory) = run_measured(&world, "profile list", None);
    assert!(said.code == 3 && said.stderr.contains("duplicate key"), "{}", said.stderr);
    assert!(memory < MEMORY, "{memory} KB");
    let lines: Vec<String> = (0..18_000).map(|number| format!("a{number}=[{{}}]")).collect();
    world.write_config(&lines.join("\n"));
    let (said, memory) = run_measured(&world, "profile list", None);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(memory < MEMORY, "{memory} KB");
}

#[test]
fn every_option_that_takes_a_file_has_a_size_limit() {
    let mut world = World::client_of("http://127.0.0.1:1");
    let large = sparse_file(&world, "large");
    world.use_passphrase();
    let pipe = world.pipe("pipe");
    for file in [large.as_str(), "/dev/zero", pipe.as_str()] {
        let _writer = (file == pipe).then(|| Running(write_without_end(&pipe)));
        for (command, code) in [
            ("inspect FILE", 7),
            ("inspect --verify --jwks FILE", 2),
            ("check FILE", 2),
            ("diff FILE /dev/null", 7),
            ("explain --response FILE", 2),
            ("explain --status 401 --token-file FILE", 2),
            ("profile import FILE", 2),
            ("interaction create --from FILE", 2),
            ("probe transcribe --configuration FILE", 2),
            ("probe --websocket-url FILE", 2),
            ("login -e eu --client-id x --no-verify --store file --secret-file FILE", 2),
            ("sandbox --secret-file FILE", 2),
            ("token --full --ca-cert FILE", 3),
        ] {
            assert_refused(&world, &command.replace("FILE", file), None, code, file);
        }
        world.set("SSL_CERT_FILE", file);
        assert_refused(&world, "token --full", None, 3, file);
        world.set("SSL_CERT_FILE", "");
    }
    // These take only a path.
    world.set("CORTI_AUTH_PASSPHRASE_FILE", &large);
    let secret = world.private_file("secret", "anything");
    let login = format!("login -e eu --client-id x -p new --no-verify --store file --secret-file {secret}");
    assert_refused(&world, &login, None, 4, &large);
    world.set("CORTI_CLIENT_SECRET", "");
    world.set("CORTI_CLIENT_SECRET_FILE", &large);
    assert_refused(&world, "token --full", None, 3, &large);
}

#[test]
fn an_audio_file_has_a_size_limit() {
    let world = World::client_of("http://127.0.0.1:1");
    let (said, memory) = run_measured(&world, "probe transcribe --audio /dev/zero", None);
    assert!(said.code == 2 && said.stderr.contains("/dev/zero"), "{}", said.stderr);
    assert!(said.stderr.contains("longer than"), "{}", said.stderr);
    assert!(memory < 4 * MEMORY, "{memory} KB");
}

#[test]
fn standard_input_has_a_size_limit() {
    let mut world = World::client_of("http://127.0.0.1:1");
    world.use_passphrase();
    for (command, code) in [
        ("inspect", 7),
        ("check -", 2),
        ("explain --response -", 2),
        ("login -e eu --client-id x --no-verify --store file --secret-stdin", 2),
    ] {
        assert_refused(&world, command, Some("/dev/zero"), code, "standard input");
    }
}

#[test]
fn a_large_file_of_the_encrypted_store_is_refused() {
    let mut world = World::new();
    let secret = world.private_file("secret", "x");
    world.use_passphrase();
    world
        .run(&format!(
            "login -e http://127.0.0.1:1 --client-id x --no-verify --store file --secret-file {secret}"
        ))
        .assert()
        .success();
    let file = std::fs::read_dir(world.config_folder().join("secrets")).unwrap().next().unwrap().unwrap();
    File::options().write(true).open(file.path()).unwrap().set_len(100_000_000).unwrap();
    assert_refused(&world, "token --full", None, 4, file.path().to_str().unwrap());
}
