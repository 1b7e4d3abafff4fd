//! The unit of systemd for `serve`. `scripts/try-service` has a systemd run it. Here systemd's own programs check it, and its
//! command is run as systemd would: by a user without rights, with credentials, and with the unit's filter of system calls.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use crate::common::cached::become_user;
use crate::common::gateway::{BATCH, sha256};
use crate::common::{Running, Said, Sandbox, World, chmod, signal};

const UNIT: &str = include_str!("../../packaging/systemd/corti-auth-serve.service");

/// Whom the service runs as. Nobody else has this id.
const USER: u32 = 65_522;

/// What `systemd-analyze` says of a unit.
fn analyze(unit: &str, words: &[&str]) -> Said {
    let world = World::new();
    let file = world.file("corti-auth-serve.service", unit.replace("/usr/bin/corti-auth", "/bin/true"));
    Said::by(world.program("systemd-analyze").args(words).arg(file))
}

#[test]
fn systemd_accepts_the_unit() {
    let said = analyze(UNIT, &["verify", "--man=no"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    // The exposure is at most 2.0 of 10.
    let exposure = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    let said = analyze(UNIT, &exposure);
    assert_eq!(said.code, 0, "{} {}", said.stdout, said.stderr);
    let weaker =
        analyze(&UNIT.replace("SystemCallFilter", "#").replace("CapabilityBoundingSet=", ""), &exposure);
    assert_ne!(weaker.code, 0, "{}", weaker.stdout);
}

/// Applies a unit's `SystemCallFilter`, `MemoryDenyWriteExecute` and `RestrictAddressFamilies`, as far as they are filters of
/// system calls, then runs the command.
const CONFINED: &str = r##"
import ctypes, os, re, socket, struct, subprocess, sys
unit, command = open(sys.argv[1]).read(), sys.argv[2:]
def said(*words, **more): return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more).stdout
def values(name): return re.findall(rf"^{name}=(.*)", unit, re.M)
groups, group = {}, set()
for line in said("systemd-analyze", "syscall-filter", "--no-pager").splitlines():
    if line.startswith("@"): group = groups.setdefault(line.strip(), set())
    elif line.startswith("#"): group = set()
    elif not line.strip().startswith("#"): group.add(line.strip())
def expanded(name): return set().union(*map(expanded, groups[name])) if name in groups else {name}
allowed = expanded("@default")
for value in values("SystemCallFilter"):
    named = set().union(*map(expanded, value.lstrip("~").split()))
    allowed = allowed - named if value.startswith("~") else allowed | named
assert "openat" in allowed and "chroot" not in allowed and values("MemoryDenyWriteExecute") == ["yes"]
defines = said("cc", "-E", "-dM", "-", input="#include <sys/syscall.h>")
number = {name: int(text) for name, text in re.findall(r"#define __NR_(\w+) (\d+)", defines)}
LOAD, AND, EQUAL, ANY, RETURN = 0x20, 0x54, 0x15, 0x45, 0x06
ALLOW, EPERM, EAFNOSUPPORT = 0x7fff0000, 0x00050001, 0x00050061
def operation(code, value, yes=0, no=0): return struct.pack("HBBI", code, yes, no, value)
def when(call, *rest): return operation(EQUAL, number[call], 0, len(rest)) + b"".join(rest) + operation(LOAD, 0)
def answer(value, result): return [operation(EQUAL, value, 0, 1), operation(RETURN, result)]
families = [int(getattr(socket, name)) for name in values("RestrictAddressFamilies")[0].split()]
program = operation(LOAD, 0)
program += when("socket", operation(LOAD, 16), *sum((answer(it, ALLOW) for it in families), []), operation(RETURN, EAFNOSUPPORT))
program += when("mmap", operation(LOAD, 32), operation(AND, 6), *answer(6, EPERM))
program += when("mprotect", operation(LOAD, 32), operation(ANY, 4, 0, 1), operation(RETURN, EPERM))
for name in allowed & number.keys(): program += b"".join(answer(number[name], ALLOW))
program += operation(RETURN, EPERM)
class Filter(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(program) // 8, program)), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(command[0], command)
"##;

/// A file as systemd makes a credential: the service's own, or root's with an access list.
fn credential(folder: &Path, name: &str, text: &str, owner: u32, mode: u32) {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    chmod(&file, mode);
    if rustix::process::geteuid().is_root() {
        chown(file, Some(owner), Some(USER)).unwrap();
    }
}

#[test]
fn its_command_serves_on_a_unix_socket() {
    let (corti, world) = (Sandbox::start(), World::new());
    let (mut words, binary) = become_user(&world, USER);
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        words.extend(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"].map(str::to_owned));
    }
    let folder = |name: &str| {
        let folder = world.home().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let (etc, credentials, run) = (folder("etc"), folder("credentials"), folder("runtime"));
    if is_root {
        chown(&run, Some(USER), Some(USER)).unwrap();
    }
    chmod(&run, 0o750);
    credential(&credentials, "corti-client-secret", &corti.client_secret, USER, 0o400);
    credential(&credentials, "ticket.key", "0123456789abcdef0123456789abcdef", 0, 0o440);
    let socket = run.join("serve.sock");
    let config = format!(
        "listen = [\"unix:{}\"]\npublic_url = \"https://gw.example.org\"\n[ticket]\nkey_file = \"{}\"\n\
         [keys]\nbatch = {{ sha256 = \"{}\", groups = [\"batch\"] }}\n\
         [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\", \"session.transcribe\"]\n",
        socket.display(),
        credentials.join("ticket.key").display(),
        sha256(BATCH)
    );
    std::fs::write(etc.join("serve.toml"), config).unwrap();

    let line = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let line =
        line.replace("/usr/bin/corti-auth", &binary).replace("/etc/corti-auth", &etc.display().to_string());
    let unit = world.file("unit", UNIT);
    let mut command = Process::new(&words[0]);
    command.args(&words[1..]).args(["python3", "-c", CONFINED, &unit]).args(line.split(' '));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/");
    command.env("CREDENTIALS_DIRECTORY", &credentials).env("RUNTIME_DIRECTORY", &run);
    for (name, value) in corti.variables().into_iter().filter(|(name, _)| *name != "CORTI_CLIENT_SECRET") {
        command.env(name, value);
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut log = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut service = Running(child);
    let first = errors.next().unwrap_or_default();
    assert!(first.starts_with("listening on unix:"), "{first}");

    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let bearer = format!("authorization: Bearer {BATCH}");
    let curl = |more: &[&str]| {
        let mut curl = world.program("curl");
        curl.args(["-sS", "--max-time", "60", "-w", "\n%{http_code}", "-H", &bearer, "--unix-socket"]);
        curl.arg(&socket).args(more);
        Said::by(&mut curl).stdout
    };
    let languages = curl(&["http://gw.example.org/corti/v2/languages/"]);
    assert!(languages.contains("\"da\"") && languages.ends_with("\n200"), "{languages}");
    let asked = ["--json", "{\"kind\":\"transcribe\"}", "http://gw.example.org/broker/v1/sessions"];
    let session = curl(&asked);
    assert!(session.contains("\"corti-ticket\"") && session.ends_with("\n201"), "{session}");
    if is_root {
        let stranger = ["--reuid=65523", "--regid=65523", "--clear-groups", "curl", "-s", "--unix-socket"];
        let mut stranger_asks = world.program("setpriv");
        stranger_asks.args(stranger).arg(&socket).arg("http://gw.example.org/healthz").assert().code(7);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.0.id())).unwrap();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("2".to_owned(), "1".to_owned()));
    assert!(field("CapEff:").chars().all(|digit| digit == '0'));

    signal(service.0.id(), "TERM");
    assert_eq!(service.wait(), Some(0));
    let lines: Vec<String> = log.by_ref().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
}
