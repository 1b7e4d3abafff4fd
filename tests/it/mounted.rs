//! Mounted secrets (`CORTI_CLIENT_SECRET_FILE`, systemd's credentials, Docker's `/run/secrets`, the links of
//! Kubernetes), and files that are refused.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::common;
use crate::common::{Said, Sandbox, World};
use predicates::prelude::*;

/// A world of the sandbox's client, still without a secret.
fn world(sandbox: &Sandbox) -> World {
    let mut world = World::of(sandbox);
    world.set("CORTI_CLIENT_SECRET", "");
    world
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    common::chmod(path, mode);
}

fn mint(world: &mut World, path: &Path) -> Said {
    world.set("CORTI_CLIENT_SECRET_FILE", &path.display().to_string());
    Said::by(&mut world.run("token --scope transcribe"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a_file_that_only_its_owner_can_access_is_accepted() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let file = world.home().join("secret");
    write(&file, &format!("{}\n", sandbox.client_secret), 0o600);
    let said = mint(&mut world, &file);
    assert_eq!(said.code, 0, "{}", said.stderr);
    world.run("status").assert().success().stdout(predicate::str::contains("by CORTI_CLIENT_SECRET_FILE"));

    for (mode, reason) in
        [(0o644, "others may read it"), (0o640, "others may read it"), (0o620, "others may change it")]
    {
        common::chmod(&file, mode);
        let said = mint(&mut world, &file);
        assert_eq!(said.code, 3, "{mode:o}: {}", said.stderr);
        assert!(
            said.stderr.contains(&format!("{reason}\nhint: chmod 600 {}\n", file.display())),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn an_unusable_secret_file_is_refused_at_once() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let pipe = world.pipe("pipe");
    let (folder, empty, large) =
        (world.home().to_owned(), world.home().join("empty"), world.home().join("large"));
    write(&empty, "", 0o600);
    write(&large, &"x".repeat(70_000), 0o600);
    for (path, reason) in [
        (Path::new("/no/such/file"), "No such file"),
        (Path::new(&pipe), "it is not a file"),
        (&folder, "it is not a file"),
        (Path::new("/dev/zero"), "it is not a file"),
        (&empty, "is empty"),
        (&large, "longer than"),
    ] {
        let said = mint(&mut world, path);
        assert_eq!(said.code, 3, "{}: {}", path.display(), said.stderr);
        assert!(said.stderr.contains(reason), "{}: {}", path.display(), said.stderr);
        assert!(said.stderr.contains("CORTI_CLIENT_SECRET_FILE"), "{}", said.stderr);
    }
}

#[test]
fn a_link_of_an_ordinary_user_is_not_followed() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let (file, link) = (world.home().join("secret"), world.home().join("link"));
    write(&file, &sandbox.client_secret, 0o600);
    symlink(&file, &link).unwrap();
    if is_root() {
        // Links that root made are followed; another user's are not.
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
    }
    let said = mint(&mut world, &link);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("it is a symbolic link"), "{}", said.stderr);
}

#[test]
fn the_links_of_kubernetes_are_followed() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let mount = world.home().join("mount");
    let real = mount.join("..2026_11_24_12_00_00.123");
    std::fs::create_dir_all(&real).unwrap();
    write(&real.join("secret"), &sandbox.client_secret, 0o644);
    symlink("..2026_11_24_12_00_00.123", mount.join("..data")).unwrap();
    symlink("..data/secret", mount.join("secret")).unwrap();
    let said = mint(&mut world, &mount.join("secret"));
    // The kubelet's links belong to root; anybody else's are refused.
    assert_eq!(said.code, if is_root() { 0 } else { 3 }, "{}", said.stderr);
}

#[test]
fn a_file_of_root_that_all_may_read_is_accepted() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    if !is_root() {
        // A file of root that anybody may read is accepted here; the server rejects its text.
        assert_eq!(mint(&mut world, Path::new("/etc/hostname")).code, 5);
        return;
    }
    // A unique name, since other tests may use the folder.
    let folder = Path::new("/run/secrets");
    let made = std::fs::create_dir(folder).is_ok();
    let file = folder.join(format!("corti-auth-test-{}", std::process::id()));
    write(&file, &sandbox.client_secret, 0o444);
    let said = mint(&mut world, &file);
    // The user `nobody` can read it as well.
    let nobody = format!("setpriv --reuid=65534 --regid=65534 --clear-groups head -c 3 '{}'", file.display());
    let readable = Said::by(world.program("sh").args(["-c", &nobody])).code;
    std::fs::remove_file(&file).unwrap();
    if made {
        std::fs::remove_dir(folder).unwrap();
    }
    assert_eq!((said.code, readable), (0, 0), "{}", said.stderr);
}

#[test]
fn a_credential_of_systemd_is_found() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let folder = world.home().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    world.set("CREDENTIALS_DIRECTORY", &folder.display().to_string());
    // The folder exists, but without our credential.
    world
        .run("token --full")
        .assert()
        .code(3)
        .stderr(predicate::str::contains("CORTI_CLIENT_SECRET is set but empty"));
    write(&folder.join("corti-client-secret"), &sandbox.client_secret, 0o400);
    world.run("token --full").assert().success();
    world.set("CORTI_CLIENT_SECRET", "x");
    world.run("token --full").assert().code(3).stderr(predicate::str::contains("both give a client secret"));
}

/// `status` reports it without a token request.
#[test]
fn status_reports_an_empty_secret_file() {
    let sandbox = Sandbox::start();
    let mut world = world(&sandbox);
    let path = world.home().join("empty");
    write(&path, "", 0o600);
    world.set("CORTI_CLIENT_SECRET_FILE", &path.display().to_string());
    let said = Said::by(&mut world.run("status"));
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(
        said.stdout.contains("cannot be used") && said.stdout.contains("the client secret is empty"),
        "{}",
        said.stdout
    );
}

#[test]
fn without_a_thread_for_the_read_it_is_an_error() {
    const USER: u32 = 65_530;
    let mut world = World::new();
    let file = world.home().join("secret");
    write(&file, "y", 0o600);
    for (name, value) in [
        ("CORTI_ENVIRONMENT", "http://127.0.0.1:1"),
        ("CORTI_CLIENT_ID", "x"),
        ("CORTI_CLIENT_SECRET_FILE", file.to_str().unwrap()),
    ] {
        world.set(name, value);
    }
    let (words, binary) = common::cached::become_user(&world, USER);
    if is_root() {
        std::os::unix::fs::chown(&file, Some(USER), Some(USER)).unwrap();
    }
    let mut command = world.program(&words[0]);
    command.args(&words[1..]).args(["prlimit", "--nproc=1", &binary, "token", "--full"]);
    let said = Said::by(&mut command);
    assert!(
        said.code == 3 && said.stderr.contains("the read was given up"),
        "{}: {}",
        said.code,
        said.stderr
    );
}
