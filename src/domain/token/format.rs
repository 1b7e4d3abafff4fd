//! Named values in the forms that other programs take them in: headers, a shell's variables, a file of variables, the
//! SDK's JSON, and what CI systems read. What a form cannot say is refused, never altered.

use serde_json::{Value, json};

use crate::domain::client::api_client::Client;
use crate::domain::client::secret::Secret;
use crate::domain::client::{dotenv, variable};
use crate::domain::text::shell::Shell;

use super::grant::Token;

/// A value and what it is called there.
#[derive(Clone, Debug)]
pub struct Named {
    /// The variable's or the header's name.
    pub name: &'static str,
    /// The value.
    pub value: Secret,
    /// Whether it opens something: then logs must not have it.
    pub sensitive: bool,
}

impl Named {
    /// A value that everybody may see.
    pub fn open(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: Secret::new(value.into()), sensitive: false }
    }

    /// A token, or what holds one.
    pub fn sensitive(name: &'static str, value: Secret) -> Self {
        Self { name, value, sensitive: true }
    }
}

/// A value that has something in it that the form has no way to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of {name} has {what} in it, which {form} cannot say")]
pub struct Unrenderable {
    /// Whose value.
    pub name: &'static str,
    /// What is in it.
    pub what: &'static str,
    /// Where it was to go.
    pub form: &'static str,
}

/// What a CI system reads: commands on stdout, and lines of a file.
#[derive(Clone, Debug)]
pub struct ForPipeline {
    /// Commands that must reach the log before any value can.
    pub commands: Secret,
    /// Lines for the file, each ended.
    pub lines: Secret,
}

/// A token under the variables' names.
pub fn variables(client: &Client, token: &Token) -> [Named; 3] {
    [
        Named::sensitive(variable::ACCESS_TOKEN, token.access_token.secret().clone()),
        Named::open(variable::TENANT, client.tenant.as_str()),
        Named::open(variable::ENVIRONMENT, client.environment.to_string()),
    ]
}

/// A token as the headers of a request to the API.
pub fn headers(client: &Client, token: &Token) -> [Named; 2] {
    let bearer = format!("Bearer {}", token.access_token.secret().expose());
    [
        Named::sensitive("Authorization", Secret::new(bearer)),
        Named::open("Tenant-Name", client.tenant.as_str()),
    ]
}

/// A token as the vendor's SDK takes it from `refreshAccessToken`, camelCase, and where it is of use.
pub fn sdk(client: &Client, token: &Token) -> Value {
    json!({
        "accessToken": token.access_token.secret().expose(),
        "tokenType": "Bearer",
        "expiresIn": token.expires_in,
        "tenantName": client.tenant.as_str(),
        "environment": client.environment.to_string(),
    })
}

/// `Name: value`, a header a line: for `curl -H @-` and for reading.
///
/// # Errors
/// A control character would end the header, or smuggle another in.
pub fn header_lines(values: &[Named]) -> Result<Secret, Unrenderable> {
    refuse(values, "a header", char::is_control, "a control character")?;
    Ok(joined(values, |it| format!("{}: {}", it.name, it.value.expose())))
}

/// Headers as lines of a configuration file of curl's, for `curl -K -`.
///
/// # Errors
/// As [`header_lines`].
pub fn curl_config(values: &[Named]) -> Result<Secret, Unrenderable> {
    refuse(values, "a header", char::is_control, "a control character")?;
    // curl's manual, `--config`: within quotes `\\` and `\"` stand for themselves.
    let quoted = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
    Ok(joined(values, |it| format!("header = \"{}: {}\"", it.name, quoted(it.value.expose()))))
}

/// Commands that set variables, for a shell to run.
///
/// # Errors
/// No variable has a NUL.
pub fn exports(values: &[Named], shell: Shell) -> Result<Secret, Unrenderable> {
    refuse(values, "a variable", |c| c == '\0', "a NUL")?;
    Ok(joined(values, |it| shell.export(it.name, it.value.expose())))
}

/// Lines of a file of variables. Values are bare where nothing in them means anything to any reader of such files.
///
/// # Errors
/// No variable has a NUL.
pub fn dotenv_lines(values: &[Named]) -> Result<Secret, Unrenderable> {
    refuse(values, "a variable", |c| c == '\0', "a NUL")?;
    Ok(joined(values, |it| format!("{}={}", it.name, dotenv::quote(it.value.expose()))))
}

/// For GitHub Actions: masks first, then `name=value` lines for the file that `$GITHUB_OUTPUT` names. An output is
/// called as the variable, in lower case and without `CORTI_`.
///
/// # Errors
/// A line break would start another output.
pub fn github(values: &[Named]) -> Result<ForPipeline, Unrenderable> {
    refuse(values, "an output of GitHub", char::is_control, "a control character")?;
    // The runner reads `%25` of a command's value as `%`.
    let masked = |it: &Named| format!("::add-mask::{}", it.value.expose().replace('%', "%25"));
    let sensitive: Vec<Named> = values.iter().filter(|it| it.sensitive).cloned().collect();
    let output = |it: &Named| {
        let name = it.name.strip_prefix("CORTI_").unwrap_or(it.name).to_ascii_lowercase();
        format!("{name}={}", it.value.expose())
    };
    let lines = Secret::new(format!("{}\n", joined(values, output).expose()));
    Ok(ForPipeline { commands: joined(&sensitive, masked), lines })
}

/// For GitLab: lines of a dotenv report. GitLab takes every character as part of the value, and expands `$`.
///
/// # Errors
/// White space, quotes and `$` are not taken as they are.
pub fn gitlab(values: &[Named]) -> Result<Secret, Unrenderable> {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "\"'`$\\".contains(c);
    refuse(values, "a dotenv report of GitLab", strange, "white space, a quote, a backslash or `$`")?;
    let lines = joined(values, |it| format!("{}={}", it.name, it.value.expose()));
    Ok(Secret::new(format!("{}\n", lines.expose())))
}

/// For Azure Pipelines: commands that set variables, the sensitive ones as secrets.
///
/// # Errors
/// None that a token has; a control character is refused as elsewhere.
pub fn azure(values: &[Named]) -> Result<Secret, Unrenderable> {
    refuse(values, "a variable of Azure Pipelines", char::is_control, "a control character")?;
    Ok(joined(values, |it| {
        let secret = if it.sensitive { ";issecret=true" } else { "" };
        // The agent reads `%AZP25` as `%`.
        let value = it.value.expose().replace('%', "%AZP25");
        format!("##vso[task.setvariable variable={}{secret}]{value}", it.name)
    }))
}

fn joined(values: &[Named], line: impl Fn(&Named) -> String) -> Secret {
    Secret::new(values.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn refuse(
    values: &[Named],
    form: &'static str,
    strange: impl Fn(char) -> bool,
    what: &'static str,
) -> Result<(), Unrenderable> {
    match values.iter().find(|it| it.value.expose().chars().any(&strange)) {
        Some(Named { name, .. }) => Err(Unrenderable { name, what, form }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(token: &str) -> [Named; 2] {
        [
            Named::sensitive("CORTI_ACCESS_TOKEN", Secret::new(token.into())),
            Named::open("CORTI_TENANT_NAME", "a%b"),
        ]
    }

    #[test]
    fn nothing_ends_a_line_from_within() {
        for text in ["a\nb", "a\rb", "a\0b"] {
            let values = values(text);
            assert!(header_lines(&values).is_err() && curl_config(&values).is_err(), "{text:?}");
            assert!(
                github(&values).is_err() && azure(&values).is_err() && gitlab(&values).is_err(),
                "{text:?}"
            );
        }
        let refusal = header_lines(&values("hunter\n2")).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "the value of CORTI_ACCESS_TOKEN has a control character in it, which a header cannot say"
        );
        for shell in [Shell::Posix, Shell::Fish, Shell::PowerShell] {
            assert!(exports(&values("a\0b"), shell).is_err() && exports(&values("a\nb"), shell).is_ok());
        }
    }

    #[test]
    fn github_masks_first_and_only_what_is_sensitive() {
        let ForPipeline { commands, lines } = github(&values("a%b")).unwrap();
        assert_eq!(commands.expose(), "::add-mask::a%25b");
        assert_eq!(lines.expose(), "access_token=a%b\ntenant_name=a%b\n");
    }

    #[test]
    fn azure_escapes_what_its_agent_unescapes() {
        assert_eq!(
            azure(&values("a%b;]c")).unwrap().expose(),
            "##vso[task.setvariable variable=CORTI_ACCESS_TOKEN;issecret=true]a%AZP25b;]c\n\
             ##vso[task.setvariable variable=CORTI_TENANT_NAME]a%AZP25b"
        );
    }

    #[test]
    fn gitlab_takes_values_as_they_are() {
        assert_eq!(
            gitlab(&values("a.b")).unwrap().expose(),
            "CORTI_ACCESS_TOKEN=a.b\nCORTI_TENANT_NAME=a%b\n"
        );
        for text in ["a b", "'a'", "\"a\"", "$a", "a\\b"] {
            assert!(gitlab(&values(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_of_variables_reads_back() {
        for text in ["a.b", "", " a ", "it's", "\"'$x`y`\\", "a #b", "a\nb\r", "\u{fc}", "#", "a\\nb", "'\\'"]
        {
            let lines = dotenv_lines(&values(text)).unwrap();
            let entries = dotenv::parse(lines.expose()).unwrap();
            assert_eq!(entries[0].value.expose(), text, "{}", lines.expose());
        }
    }
}
