//! A real `pass` with the secret, and the secret in a file that `gpg` decrypts.

use super::World;

/// Makes a key, a password store with `corti/acme`, and the file `secret.gpg` in the home.
pub fn keep(world: &mut World, secret: &str) {
    let gnupg = world.home().join("gnupg");
    std::fs::create_dir(&gnupg).unwrap();
    super::chmod(&gnupg, 0o700);
    world.set("GNUPGHOME", &gnupg.display().to_string());
    world.set("PASSWORD_STORE_DIR", &world.home().join("store").display().to_string());
    let script = "set -e
        gpg --batch --quiet --passphrase '' --quick-generate-key corti-test default default never
        pass init corti-test > /dev/null
        printf '%s\\n' \"$SECRET\" | pass insert --echo corti/acme > /dev/null
        printf %s \"$SECRET\" | gpg --batch --quiet -r corti-test --encrypt -o \"$HOME/secret.gpg\"";
    world.program("bash").args(["-c", script]).env("SECRET", secret).assert().success();
}

/// Ends the agent that `gpg` started.
pub fn stop(world: &World) {
    world.program("gpgconf").args(["--kill", "all"]).assert().success();
}
