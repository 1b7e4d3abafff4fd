//! Where tokens are cached: in the kernel's keyring, or in an encrypted file where the keyring cannot be used. Damage
//! to either is never an error.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::common::cached::{Cached, start, token};
use crate::common::control::Control;
use crate::common::{self, Keyring, Sandbox, World};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn where_keyrings_are_forbidden_tokens_are_cached_in_a_file() {
    let (_sandbox, control, world) = start();
    let (first, _) = token(&mut world.run_without_keyrings("token --full"));
    assert_eq!(token(&mut world.run_without_keyrings("token --full")), (first.clone(), true));
    assert_eq!(control.token_requests().await, 1);
    let files = world.token_files();
    assert_eq!((files.len(), mode(&files[0]), mode(&world.cache_folder())), (1, 0o600, 0o700), "{files:?}");
    assert!(world.files_with(&first).is_empty() && world.keys_with(&first).is_empty());
    assert!(world.files_with("sandbox").iter().all(|path| !path.starts_with(world.cache_folder())));
    // A token in a file is also found when the kernel works again; the next one goes to the kernel and replaces the
    // file.
    assert_eq!(token(&mut world.run("token --full")), (first, true));
    let (next, _) = token(&mut world.run("token --full --refresh"));
    assert_eq!((world.keys_with(&next).len(), world.token_files().len()), (1, 0));
}

#[tokio::test]
async fn a_cache_file_opens_only_with_the_secret_it_was_made_with() {
    let (sandbox, keyring) = (Sandbox::start(), Keyring::unlocked());
    let (control, world) = (Control::of(&sandbox), Cached::new(World::with_keyring(&keyring)));
    let secret = world.file("secret", &sandbox.client_secret);
    let login = ["login", "-e", &sandbox.environment, "--client-id", "sandbox", "--secret-file", &secret];
    world.run_words(&login).assert().success();
    let (first, _) = token(&mut world.run_without_keyrings("token --full"));
    assert_eq!(token(&mut world.run_without_keyrings("token --full")), (first.clone(), true));
    assert_eq!(control.token_requests().await, 2, "one by login");
    // Another program changes the secret: the file cannot be opened with the new one.
    let user = format!("{}/base/sandbox", sandbox.environment);
    let words = ["store", "--label", "x", "service", "corti-auth", "username", &user];
    world.program("secret-tool").args(words).write_stdin("another").assert().success();
    world.run_without_keyrings("token --full").assert().code(5);
    world.run_words(&login).assert().success();
    assert!(world.token_files().is_empty(), "a login ends what was cached");
}

#[tokio::test]
async fn a_damaged_or_swapped_cache_file_is_replaced() {
    let (_sandbox, control, world) = start();
    let (full, _) = token(&mut world.run_without_keyrings("token --full"));
    let file = world.token_files().remove(0);
    let (limited, _) = token(&mut world.run_without_keyrings("token --scope transcribe"));
    let other = world.token_files().into_iter().find(|path| *path != file).unwrap();
    let (good, swapped) = (std::fs::read(&file).unwrap(), std::fs::read(&other).unwrap());
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut other_nonce = good.clone();
    other_nonce[10] ^= 1;
    let damaged = [
        &b""[..],
        b"CAC1",
        &good[..20],
        &good[..good.len() - 1],
        &flipped,
        &other_nonce,
        &swapped,
        full.as_bytes(),
    ];
    for (index, bytes) in damaged.into_iter().enumerate() {
        std::fs::write(&file, bytes).unwrap();
        let (fresh, cached) = token(&mut world.run_without_keyrings("token --full"));
        assert!(!cached && fresh != limited, "{index}");
        assert_eq!(
            token(&mut world.run_without_keyrings("token --full")),
            (fresh, true),
            "{index}: it is mended"
        );
    }
    // Replaced by a folder, a link and a pipe.
    let replaced: [&dyn Fn(); 3] = [
        &|| std::fs::create_dir(&file).unwrap(),
        &|| std::os::unix::fs::symlink("/dev/zero", &file).unwrap(),
        &|| assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success()),
    ];
    for replace in replaced {
        std::fs::remove_file(&file).unwrap();
        replace();
        assert!(!token(&mut world.run_without_keyrings("token --full")).1);
        if file.is_dir() {
            std::fs::remove_dir(&file).unwrap();
            token(&mut world.run_without_keyrings("token --full"));
        }
    }
    assert_eq!(token(&mut world.run_without_keyrings("token --scope transcribe")), (limited, true));
    assert_eq!(control.token_requests().await, 2 + 8 + 3 + 1);
}

#[tokio::test]
async fn a_damaged_key_in_the_kernel_is_replaced() {
    let (_sandbox, control, world) = start();
    let (full, _) = token(&mut world.run("token --full"));
    let (limited, _) = token(&mut world.run("token --scope transcribe"));
    let key = |text: &str| world.keys_with(text).remove(0);
    let (of_full, of_limited) = (key(&full), key(&limited));
    let script = "keyctl link @u @s > /dev/null; eval \"$CHANGE\"";
    let changes = [
        format!("keyctl update {of_full} junk"),
        format!("keyctl pipe {of_limited} | keyctl pupdate {of_full}"),
        format!("printf '' | keyctl pupdate {of_full}"),
        format!("keyctl revoke {of_full}"),
    ];
    for change in &changes {
        let mut shell = world.program("keyctl");
        let _ = shell.args(["session", "-", "sh", "-c", script]).env("CHANGE", change).output().unwrap();
        let (fresh, cached) = token(&mut world.run("token --full"));
        assert!(!cached || change.contains("printf"), "{change}");
        assert!(fresh != limited);
        assert!(token(&mut world.run("token --full")).1, "{change}: it is mended");
    }
    assert_eq!(control.token_requests().await, 2 + 3, "the kernel itself refuses an empty key");
}

#[tokio::test]
async fn a_token_is_cached_in_a_session_without_the_users_keyring() {
    let (_sandbox, control, world) = start();
    let in_session = |words: &str| {
        let script = r#"exec 3>&2 2> /dev/null; exec keyctl session - sh -c 'exec "$0" "$@" 2>&3' "$0" "$@""#;
        let mut shell = world.program("sh");
        shell.args(["-c", script]).arg(common::binary()).args(words.split_whitespace());
        shell
    };
    let (first, _) = token(&mut in_session("token --full"));
    assert_eq!(token(&mut in_session("token --full")), (first.clone(), true));
    assert_eq!(token(&mut world.run("token --full")), (first.clone(), true), "and from another session");
    assert_eq!((control.token_requests().await, world.token_files().len()), (1, 0));
    in_session("logout").assert().success();
    assert!(world.keys_with(&first).is_empty());
}

#[tokio::test]
async fn where_the_list_of_keys_is_hidden_tokens_are_cached_in_a_file() {
    let (_sandbox, control, world) = start();
    let script = format!(
        "mount --bind /dev/null /proc/keys && exec '{}' token --full --json",
        common::binary().display()
    );
    let hidden = || {
        let mut unshare = world.program("unshare");
        unshare.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
        token(&mut unshare)
    };
    let (first, _) = hidden();
    assert_eq!(hidden(), (first.clone(), true));
    assert_eq!((control.token_requests().await, world.token_files().len()), (1, 1));
    assert!(world.keys_with(&first).is_empty(), "what could not be found again is not left there");
}

#[tokio::test]
async fn old_cache_files_are_removed() {
    let (_sandbox, _control, world) = start();
    token(&mut world.run_without_keyrings("token --full"));
    let old = world.token_files().remove(0);
    let age = |path: &Path, hours: u64| {
        let time = std::fs::metadata(path).unwrap().modified().unwrap()
            - std::time::Duration::from_secs(hours * 3600);
        std::fs::File::open(path).unwrap().set_modified(time).unwrap();
    };
    let unfinished = |name: &str, hours: u64| {
        let path = world.cache_folder().join(format!(".{name}.token.corti-auth-AbCd12"));
        std::fs::write(&path, "half").unwrap();
        age(&path, hours);
        path
    };
    age(&old, 25);
    let (dead, alive) = (unfinished("a", 25), unfinished("b", 23));
    token(&mut world.run_without_keyrings("token --scope transcribe"));
    let left = world.token_files();
    assert!(left.len() == 2 && left.contains(&alive) && !left.contains(&dead), "{left:?}");
    assert!(!left.contains(&old), "{left:?}");
}

#[tokio::test]
async fn without_a_safe_cache_folder_nothing_is_cached_and_nothing_fails() {
    let (_sandbox, control, mut world) = start();
    let exposed = world.home().join("exposed");
    std::fs::create_dir_all(exposed.join("corti-auth")).unwrap();
    common::chmod(exposed.join("corti-auth"), 0o777);
    for folder in ["/proc/no/such", exposed.to_str().unwrap()] {
        world.set("XDG_CACHE_HOME", folder);
        world.set("XDG_RUNTIME_DIR", folder);
        let (first, _) = token(&mut world.run_without_keyrings("token --full"));
        assert_ne!(token(&mut world.run_without_keyrings("token --full")).0, first, "{folder}");
    }
    assert_eq!(control.token_requests().await, 4);
    assert_eq!(std::fs::read_dir(exposed.join("corti-auth")).unwrap().count(), 0);
}
