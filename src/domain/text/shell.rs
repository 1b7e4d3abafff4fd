//! Text for shells: quoted values, and the commands that hints show.

use std::path::Path;

/// The shells that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// A POSIX shell: sh, dash, bash, zsh, ksh.
    Posix,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
}

impl Shell {
    /// The shell that this system's scripts and hints are for. Not `$SHELL`: a script must work for every user.
    pub const HERE: Self = if cfg!(windows) { Self::PowerShell } else { Self::Posix };

    /// `text` as one word, in quotes where it needs them.
    pub fn quote(self, text: &str) -> String {
        match self {
            // Only a NUL cannot be quoted, and arguments and variables have none.
            Self::Posix => {
                shlex::Quoter::new().allow_nul(true).quote(text).map_or_else(|_| text.to_owned(), Into::into)
            }
            Self::Fish => quote_for_fish(text),
            Self::PowerShell if is_bare_in_powershell(text) => text.to_owned(),
            Self::PowerShell => quote_for_powershell(text),
        }
    }

    /// The line that exports the variable `name` with `value`.
    pub fn export(self, name: &str, value: &str) -> String {
        match self {
            Self::Posix => format!("export {name}={}", self.quote(value)),
            Self::Fish => format!("set -gx {name} {}", self.quote(value)),
            Self::PowerShell => format!("$env:{name} = {}", quote_for_powershell(value)),
        }
    }
}

/// What hints show. They are for [`Shell::HERE`], which is never fish.
impl Shell {
    fn choose(self, posix: String, powershell: String) -> String {
        if self == Self::PowerShell { powershell } else { posix }
    }

    /// Sets variables. The values must need no quotes in a POSIX shell.
    pub fn set(self, variables: &[(&str, &str)]) -> String {
        let posix: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let powershell: Vec<_> = variables.iter().map(|(name, value)| self.export(name, value)).collect();
        self.choose(format!("export {}", posix.join(" ")), powershell.join("; "))
    }

    /// Removes variables.
    pub fn unset(self, names: &[&str]) -> String {
        let items: Vec<_> = names.iter().map(|name| format!("Env:{name}")).collect();
        self.choose(format!("unset {}", names.join(" ")), format!("Remove-Item {}", items.join(", ")))
    }

    /// Gives a variable another name.
    pub fn rename(self, old: &str, new: &str) -> String {
        self.choose(format!("export {new}=\"${old}\"; unset {old}"), format!("Rename-Item Env:{old} {new}"))
    }

    /// Removes the line breaks in a variable's value.
    pub fn join_lines(self, name: &str) -> String {
        self.choose(
            format!("export {name}=\"$(printenv {name} | tr -d '\\r\\n')\""),
            format!("$env:{name} = $env:{name} -replace '[\\r\\n]'"),
        )
    }

    /// The value of a variable, in a command.
    pub fn variable(self, name: &str) -> String {
        self.choose(format!("${name}"), format!("$env:{name}"))
    }

    /// Runs `command` with a variable's value as its input.
    pub fn pipe_variable(self, name: &str, command: &str) -> String {
        self.choose(format!("printenv {name} | {command}"), format!("$env:{name} | {command}"))
    }

    /// Runs `command`, which reads standard input, with a file as its input. PowerShell has no `<`, so there the file is named.
    pub fn read_from(self, command: &str, file: &str) -> String {
        let named = match command.strip_suffix("--secret-stdin") {
            Some(command) => format!("{command}--secret-file {file}"),
            None => format!("{} {file}", command.strip_suffix(" -").unwrap_or(command)),
        };
        self.choose(format!("{command} < {file}"), named)
    }

    /// Examples in a help text, which are written for a POSIX shell.
    pub fn examples(self, text: &str) -> String {
        let line = |line: &str| {
            if let Some((command, _)) =
                line.strip_prefix("  eval \"$(").and_then(|rest| rest.split_once(")\""))
            {
                return format!("  {command} | Out-String | Invoke-Expression");
            }
            match line.split_once(" < ") {
                Some((command, file)) => self.read_from(command, file),
                None => line.replace("curl -", "curl.exe -"),
            }
        };
        self.choose(text.to_owned(), text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
    }

    /// Runs `command` with one line of a file as its input; the first is number 1.
    pub fn pipe_line(self, number: u64, file: &str, command: &str) -> String {
        let index = number.saturating_sub(1);
        self.choose(
            format!("sed -n {number}p {file} | {command}"),
            format!("Get-Content {file} | Select-Object -Index {index} | {command}"),
        )
    }

    /// Shows who may use a file or a folder. `options` are those of `ls`.
    pub fn show_rights(self, options: &str, path: impl AsRef<Path>) -> String {
        let path = self.quote(&path.as_ref().display().to_string());
        self.choose(format!("ls {options} {path}"), format!("icacls {path}"))
    }

    /// Removes a file.
    pub fn remove_file(self, path: &str) -> String {
        let path = self.quote(path);
        // Without the option, PowerShell takes brackets for a pattern, also in quotes.
        self.choose(format!("rm {path}"), format!("Remove-Item -LiteralPath {path}"))
    }

    /// Shows where a program is.
    pub fn find_program(self, name: &str) -> String {
        let name = self.quote(name);
        self.choose(format!("command -v {name}"), format!("Get-Command {name}"))
    }

    /// Opens a file in an editor.
    pub fn edit(self, path: &Path) -> String {
        let path = self.quote(&path.display().to_string());
        self.choose(format!("${{EDITOR:-vi}} {path}"), format!("notepad {path}"))
    }

    /// Runs curl. In Windows PowerShell, `curl` alone is another command.
    pub fn curl(self, arguments: &str) -> String {
        self.choose(format!("curl {arguments}"), format!("curl.exe {arguments}"))
    }
}

/// `text` as one word of this system's shell, in quotes where it needs them.
pub fn quote(text: &str) -> String {
    Shell::HERE.quote(text)
}

/// Whether PowerShell passes `text` on as it is. It splits some words that begin with a hyphen.
fn is_bare_in_powershell(text: &str) -> bool {
    let is_bare = |c: char| c.is_alphanumeric() || "_-./:\\+=".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_bare)
}

/// In fish's single quotes only a backslash before a quote or a backslash is special.
fn quote_for_fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// In PowerShell's single quotes only a quote is special, and is written twice. The typographic quotes (U+2018 to U+201B)
/// are quotes too (its language specification, section 2.3.5.2).
fn quote_for_powershell(text: &str) -> String {
    let times = |c| if matches!(c, '\'' | '\u{2018}'..='\u{201b}') { 2 } else { 1 };
    let quoted: String = text.chars().flat_map(|c| std::iter::repeat_n(c, times(c))).collect();
    format!("'{quoted}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_again() {
        let quote = |text: &str| Shell::Posix.quote(text);
        assert_eq!(quote("http://127.0.0.1:80"), "http://127.0.0.1:80");
        for text in ["a b$(x)`y`", "it's", "", "\"\\!#&;|<>*?~", "\u{fc}\n"] {
            assert_eq!(shlex::split(&quote(text)), Some(vec![text.to_owned()]), "{text}");
        }
    }

    #[test]
    fn powershell_takes_typographic_quotes_for_quotes() {
        let line = |value: &str| Shell::PowerShell.export("A", value);
        assert_eq!(line("x"), "$env:A = 'x'");
        assert_eq!(line("it's $(x) `n \"y\" \\"), "$env:A = 'it''s $(x) `n \"y\" \\'");
        assert_eq!(
            line("\u{2018};x;\u{2019}\u{201a}\u{201b}\u{201c}"),
            "$env:A = '\u{2018}\u{2018};x;\u{2019}\u{2019}\u{201a}\u{201a}\u{201b}\u{201b}\u{201c}'"
        );
    }
    #[test]
    fn powershell_quotes_words_that_it_would_not_pass_on() {
        for bare in [r"C:\Users\me\secret.txt", "http://127.0.0.1:80", "a=b_c-d+e", "\u{fc}"] {
            assert_eq!(Shell::PowerShell.quote(bare), bare);
        }
        for text in
            ["", "a b", "$x", "a;b", "--all", "@x", "a,b", "(x)", "a&b", "~", "#x", "`", "\"", "{x}", "%x%"]
        {
            assert_eq!(Shell::PowerShell.quote(text), format!("'{text}'"));
        }
        assert_eq!(Shell::PowerShell.quote("it's"), "'it''s'");
    }

    #[test]
    fn hints_are_commands_of_the_systems_shell() {
        let file = Path::new("a b");
        let both = |hint: &dyn Fn(Shell) -> String| [hint(Shell::Posix), hint(Shell::PowerShell)];
        assert_eq!(both(&|it| it.set(&[("A", "eu")])), ["export A=eu", "$env:A = 'eu'"]);
        let two = "$env:A = 'eu'; $env:B = '\u{2026}'";
        assert_eq!(both(&|it| it.set(&[("A", "eu"), ("B", "\u{2026}")])), ["export A=eu B=\u{2026}", two]);
        assert_eq!(both(&|it| it.unset(&["A"])), ["unset A", "Remove-Item Env:A"]);
        assert_eq!(both(&|it| it.unset(&["A", "B"])), ["unset A B", "Remove-Item Env:A, Env:B"]);
        assert_eq!(both(&|it| it.rename("A", "B")), ["export B=\"$A\"; unset A", "Rename-Item Env:A B"]);
        assert_eq!(both(&|it| it.variable("A")), ["$A", "$env:A"]);
        assert_eq!(both(&|it| it.pipe_variable("A", "x")), ["printenv A | x", "$env:A | x"]);
        assert_eq!(both(&|it| it.read_from("x", "FILE")), ["x < FILE", "x FILE"]);
        assert_eq!(both(&|it| it.read_from("x --y -", "FILE")), ["x --y - < FILE", "x --y FILE"]);
        let login = ["x --secret-stdin < FILE", "x --secret-file FILE"];
        assert_eq!(both(&|it| it.read_from("x --secret-stdin", "FILE")), login);
        let (posix, powershell) = (
            "  eval \"$(x --y)\"\n  x --z < FILE > OTHER\n  curl -s URL | x -\n  x y",
            "  x --y | Out-String | Invoke-Expression\n  x --z FILE > OTHER\n  curl.exe -s URL | x -\n  x y",
        );
        assert_eq!(both(&|it| it.examples(posix)), [posix, powershell]);
        let third = ["sed -n 3p FILE | x", "Get-Content FILE | Select-Object -Index 2 | x"];
        assert_eq!(both(&|it| it.pipe_line(3, "FILE", "x")), third);
        assert_eq!(both(&|it| it.show_rights("-ld", file)), ["ls -ld 'a b'", "icacls 'a b'"]);
        assert_eq!(both(&|it| it.remove_file("a b")), ["rm 'a b'", "Remove-Item -LiteralPath 'a b'"]);
        assert_eq!(both(&|it| it.find_program("x")), ["command -v x", "Get-Command x"]);
        assert_eq!(both(&|it| it.edit(file)), ["${EDITOR:-vi} 'a b'", "notepad 'a b'"]);
        assert_eq!(both(&|it| it.curl("-si URL")), ["curl -si URL", "curl.exe -si URL"]);
    }
}
