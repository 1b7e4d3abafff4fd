//! The kernel lets an unprivileged user keep 20,000 bytes; where they are used up, tokens are cached in a file. This
//! test has a file of its own because it fills the quota of the user who runs it, unless that is root.

use serde_json::Value;

use crate::common::cached::{Cached, become_user};
use crate::common::control::Control;
use crate::common::{Said, Sandbox};

/// A user id that nobody else uses.
const USER: u32 = 65_533;

/// Fills the quota to its last byte, mints twice, and empties it again. Only the commands write to stderr.
const FILL: &str = r#"
exec 3>&2 2> /dev/null
keyctl link @u @s
for size in 2000 100 1; do
  count=0
  while head -c $size /dev/zero | keyctl padd user "corti-test-$$-$size-$count" @u > /dev/null; do count=$((count + 1)); done
done
"$CORTI_AUTH" token --full --json 2>&3
"$CORTI_AUTH" token --full --json 2>&3
keyctl rlist @u | tr ' ' '\n' | while read -r key; do keyctl rdescribe "$key"; done | grep -c ';corti-auth:'
keyctl purge -p user "corti-test-$$-" > /dev/null
# The kernel takes them away in its own time.
used() { awk -v user="$(id -u):" '$1 == user { split($5, bytes, "/"); print bytes[1] }' /proc/key-users; }
count=0
while [ "$(used)" -gt 10000 ] && [ $count -lt 300 ]; do sleep 0.1; count=$((count + 1)); done
"$CORTI_AUTH" token --full --json 2>&3
"$CORTI_AUTH" token --full --json --refresh 2>&3
keyctl rlist @u | tr ' ' '\n' | while read -r key; do keyctl rdescribe "$key"; done | grep -c ';corti-auth:'
"$CORTI_AUTH" logout 2> /dev/null
"#;

/// Caches a token in the kernel, then fills the quota, so that its keyring cannot be linked: logout removes the token
/// all the same.
const FILL_LATER: &str = r#"
exec 3>&2 2> /dev/null
"$CORTI_AUTH" token --full --json 2>&3
keyctl link @u @s
keyctl rlist @u | tr ' ' '\n' | while read -r key; do keyctl rdescribe "$key"; done | grep -c ';corti-auth:'
for size in 2000 100 1; do
  count=0
  while head -c $size /dev/zero | keyctl padd user "corti-test-$$-$size-$count" @u > /dev/null; do count=$((count + 1)); done
done
"$CORTI_AUTH" logout --json
keyctl rlist @u | tr ' ' '\n' | while read -r key; do keyctl rdescribe "$key"; done | grep -c ';corti-auth:'
keyctl purge -p user "corti-test-$$-" > /dev/null
"#;

/// Runs a script as a user whose keys the kernel counts.
fn run(world: &Cached, user: u32, script: &str) -> String {
    let (words, binary) = become_user(world, user);
    let mut command = world.program(&words[0]);
    command.args(&words[1..]);
    command.args(["keyctl", "session", "-", "sh", "-c", script]).env("CORTI_AUTH", &binary);
    let said = Said::by(&mut command);
    assert!(said.stderr.lines().all(|line| line.starts_with("Joined session")), "{}", said.stderr);
    said.stdout
}

#[tokio::test]
async fn where_the_quota_is_used_up_tokens_are_cached_in_a_file() {
    let sandbox = Sandbox::start();
    let (control, world) = (Control::of(&sandbox), Cached::of(&sandbox));
    let said = run(&world, USER, FILL);
    let lines: Vec<&str> = said.lines().collect();
    let [first, second, full, third, fourth, empty] = lines[..] else { panic!("{said}") };
    let cached = |line: &str| serde_json::from_str::<Value>(line).unwrap()["cached"].as_bool().unwrap();
    assert!(!cached(first) && cached(second), "the file serves");
    assert!(
        cached(third) && !cached(fourth),
        "and where there is room again, what is new goes into the kernel"
    );
    assert_eq!((full, empty), ("0", "1"), "keys in the kernel, without room and with it");
    assert_eq!((control.token_requests().await, world.token_files().len()), (2, 0));
    // In the same test, because both fill the quota.
    let sandbox = Sandbox::start();
    let said = run(&Cached::of(&sandbox), USER - 1, FILL_LATER);
    let lines: Vec<&str> = said.lines().collect();
    let [_, "1", removed, "0"] = lines[..] else { panic!("{said}") };
    assert_eq!(serde_json::from_str::<Value>(removed).unwrap()["tokens_removed"], 1);
}
