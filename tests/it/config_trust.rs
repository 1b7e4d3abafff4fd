//! A configuration that another user can change is not trusted, because it can name a command to run.

use std::os::unix::fs::chown;

use crate::common::{self, Said, World};

/// A user id that is not root and that nobody else uses.
const USER: u32 = 65_529;

/// A home whose default profile gets its secret from a command that creates the file `ran`.
struct Home {
    world: World,
    words: Vec<String>,
    binary: String,
}

impl Home {
    /// Root's home, or an ordinary user's.
    fn of(is_ordinary: bool) -> Self {
        let world = World::new();
        let ran = world.home().join("ran");
        world.write_config(&format!(
            "default-profile = \"dev\"\n[profiles.dev]\nenvironment = \"http://127.0.0.1:1\"\nclient-id = \"x\"\n\
             store = \"command\"\nsecret-command = [\"sh\", \"-c\", \"touch '{}'; echo secret\"]\n",
            ran.display()
        ));
        let (words, binary) = if is_ordinary {
            common::cached::become_user(&world, USER)
        } else {
            (vec!["env".to_owned()], common::binary().display().to_string())
        };
        let home = Self { world, words, binary };
        if is_ordinary && rustix::process::geteuid().is_root() {
            for path in [home.world.config_folder(), home.file()] {
                chown(path, Some(USER), Some(USER)).unwrap();
            }
        }
        home.set_modes(0o700, 0o600);
        home
    }

    fn file(&self) -> std::path::PathBuf {
        self.world.config_folder().join("config.toml")
    }

    fn set_modes(&self, folder: u32, file: u32) {
        common::chmod(self.world.config_folder(), folder);
        common::chmod(self.file(), file);
    }

    fn run(&self, arguments: &str) -> Said {
        let mut command = self.world.program(&self.words[0]);
        command.args(&self.words[1..]).arg(&self.binary).args(arguments.split_whitespace());
        Said::by(command.current_dir(self.world.home()))
    }

    /// Whether the profile's command was run since the last call.
    fn ran(&self) -> bool {
        std::fs::remove_file(self.world.home().join("ran")).is_ok()
    }
}

#[test]
fn a_configuration_that_others_may_change_is_refused_and_its_command_is_not_run() {
    for is_ordinary in [false, true] {
        let home = Home::of(is_ordinary);
        assert_eq!(home.run("token --full").code, 8, "nothing answers on port 1");
        assert!(home.ran());
        for (folder, file, by) in [
            (0o700, 0o660, "its group"),
            (0o700, 0o620, "its group"),
            (0o700, 0o666, "everybody"),
            (0o700, 0o602, "everybody"),
            (0o770, 0o600, "its group"),
            (0o730, 0o600, "its group"),
            (0o1777, 0o600, "everybody"),
        ] {
            home.set_modes(folder, file);
            let (action, exposed) =
                if file == 0o600 { ("use", home.world.config_folder()) } else { ("read", home.file()) };
            for command in ["token --full", "exec --full -- true", "status --online", "profile list"] {
                let said = home.run(command);
                let case =
                    format!("{command}, {folder:o}, {file:o}, ordinary {is_ordinary}: {}", said.stderr);
                assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{case}");
                assert!(
                    said.stderr.starts_with(&format!(
                        "error: cannot {action} `{}`\n  {by} can write to it\n",
                        exposed.display()
                    )),
                    "{case}"
                );
                assert!(!home.ran(), "{case}");
                let hint = said.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
                assert_eq!(hint, format!("chmod go-w {}", exposed.display()), "{case}");
            }
            let doctor = home.run("doctor");
            assert!(doctor.code == 3 && doctor.stderr.contains("chmod go-w"), "{}", doctor.stderr);
            assert!(!home.ran());
        }
    }
}

#[test]
fn following_the_hints_makes_the_configuration_usable() {
    let home = Home::of(false);
    home.set_modes(0o770, 0o664);
    for _ in ["the folder", "the file"] {
        let said = home.run("profile list");
        let hint = said.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
        home.world.program("sh").args(["-c", hint]).assert().success();
    }
    assert_eq!(home.run("profile list").code, 0);
}

#[test]
fn nothing_is_written_to_a_folder_that_others_may_change() {
    let home = Home::of(false);
    home.set_modes(0o770, 0o600);
    let before = home.world.config();
    let secret = home.world.private_file("secret", "anything");
    for command in [
        "profile use dev".to_owned(),
        "logout".to_owned(),
        format!("login -e eu --client-id y -p new --store file --no-verify --secret-file {secret}"),
    ] {
        assert_eq!(home.run(&command).code, 3, "{command}");
    }
    assert_eq!(home.world.config(), before);
    let names: Vec<_> =
        std::fs::read_dir(home.world.config_folder()).unwrap().flatten().map(|it| it.file_name()).collect();
    assert_eq!(names, ["config.toml"], "no lock, no secret");
}

/// Dotfile managers link the file: the file that is read is checked, and the folder that the link is in.
#[test]
fn a_linked_configuration_is_checked_where_the_link_leads() {
    let home = Home::of(false);
    let real = home.world.home().join("dotfiles.toml");
    std::fs::rename(home.file(), &real).unwrap();
    std::os::unix::fs::symlink(&real, home.file()).unwrap();
    assert_eq!(home.run("profile list").code, 0);
    common::chmod(&real, 0o660);
    assert_eq!(home.run("profile list").code, 3);
}
