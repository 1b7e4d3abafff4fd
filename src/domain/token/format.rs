//! Writes named values in the formats of other programs: headers, a shell's variables, `.env` files, the SDK's JSON, and
//! those of CI systems. A value that a format cannot contain is refused, never changed.

use serde_json::{Value, json};

use crate::domain::client::api_client::Client;
use crate::domain::client::invalid::Invalid;
use crate::domain::client::secret::Secret;
use crate::domain::client::{dotenv, variable};
use crate::domain::text::shell::Shell;

use super::grant::Token;

/// A value and its name.
#[derive(Clone, Debug)]
pub struct Named {
    /// The variable's or the header's name.
    pub name: &'static str,
    /// The value.
    pub value: Secret,
    /// Whether it must not be in logs.
    pub sensitive: bool,
}

impl Named {
    /// A value that may be in logs.
    pub fn open(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: Secret::new(value.into()), sensitive: false }
    }

    /// A value that is or contains a token.
    pub fn sensitive(name: &'static str, value: Secret) -> Self {
        Self { name, value, sensitive: true }
    }
}

/// The output for a CI system.
#[derive(Clone, Debug)]
pub struct ForPipeline {
    /// Commands for stdout, before any value is written.
    pub commands: Secret,
    /// The lines of the file, each with its line break.
    pub lines: Secret,
}

/// A token as variables.
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

/// A token as the vendor's SDK expects it from `refreshAccessToken`, in camelCase, with its environment and tenant.
pub fn sdk(client: &Client, token: &Token) -> Value {
    json!({
        "accessToken": token.access_token.secret().expose(),
        "tokenType": "Bearer",
        "expiresIn": token.expires_in,
        "tenantName": client.tenant.as_str(),
        "environment": client.environment.to_string(),
    })
}

/// Characters that a format cannot contain, and their name.
type Refused = (&'static str, fn(char) -> bool);

/// These would end a line, and the rest of the value would be read as another line.
const CONTROL: Refused = ("a control character", char::is_control);

/// No variable can contain this.
const NUL: Refused = ("a NUL", |c| c == '\0');

/// `Name: value`, one header per line: for `curl -H @-` and for reading.
pub fn header_lines(values: &[Named]) -> Result<Secret, Invalid> {
    lines(values, "a header", CONTROL, |it| format!("{}: {}", it.name, it.value.expose()))
}

/// Headers as lines of a configuration file of curl's, for `curl -K -`.
pub fn curl_config(values: &[Named]) -> Result<Secret, Invalid> {
    // curl's manual, `--config`: in quotes `\\` and `\"` are escapes.
    let quoted = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
    lines(values, "a header", CONTROL, |it| {
        format!("header = \"{}: {}\"", it.name, quoted(it.value.expose()))
    })
}

/// Commands of a shell that set variables.
pub fn exports(values: &[Named], shell: Shell) -> Result<Secret, Invalid> {
    lines(values, "a variable", NUL, |it| shell.export(it.name, it.value.expose()))
}

/// Lines of a `.env` file.
pub fn dotenv_lines(values: &[Named]) -> Result<Secret, Invalid> {
    lines(values, "a variable", NUL, |it| format!("{}={}", it.name, dotenv::quote(it.value.expose())))
}

/// For GitHub Actions: masks first, then `name=value` lines for the file in `$GITHUB_OUTPUT`. An output has the name of the
/// variable in lower case and without `CORTI_`.
pub fn github(values: &[Named]) -> Result<ForPipeline, Invalid> {
    let form = "an output of GitHub";
    let outputs = lines(values, form, CONTROL, |it| {
        let name = it.name.strip_prefix("CORTI_").unwrap_or(it.name).to_ascii_lowercase();
        format!("{name}={}", it.value.expose())
    })?;
    let sensitive: Vec<Named> = values.iter().filter(|it| it.sensitive).cloned().collect();
    // The runner reads `%25` in a command's value as `%`.
    let commands = lines(&sensitive, form, CONTROL, |it| {
        format!("::add-mask::{}", it.value.expose().replace('%', "%25"))
    })?;
    Ok(ForPipeline { commands, lines: ended(&outputs) })
}

/// For GitLab: lines of a dotenv report. GitLab reads quotes as part of the value, and expands `$`.
pub fn gitlab(values: &[Named]) -> Result<Secret, Invalid> {
    let refused: Refused = ("white space, a quote, a backslash or `$`", |c| {
        c.is_whitespace() || c.is_control() || "\"'`$\\".contains(c)
    });
    let report = lines(values, "a dotenv report of GitLab", refused, |it| {
        format!("{}={}", it.name, it.value.expose())
    });
    report.map(|report| ended(&report))
}

/// For Azure Pipelines: commands that set variables, the sensitive ones as secrets.
pub fn azure(values: &[Named]) -> Result<Secret, Invalid> {
    lines(values, "a variable of Azure Pipelines", CONTROL, |it| {
        let secret = if it.sensitive { ";issecret=true" } else { "" };
        // The agent reads `%AZP25` as `%`.
        let value = it.value.expose().replace('%', "%AZP25");
        format!("##vso[task.setvariable variable={}{secret}]{value}", it.name)
    })
}

/// Writes each value as a line, unless one has a refused character.
fn lines(
    values: &[Named],
    form: &str,
    (what, is_refused): Refused,
    line: impl Fn(&Named) -> String,
) -> Result<Secret, Invalid> {
    if let Some(Named { name, .. }) = values.iter().find(|it| it.value.expose().contains(is_refused)) {
        return Err(Invalid::new(format!("the value of {name} has {what} in it, which {form} cannot have")));
    }
    Ok(Secret::new(values.iter().map(line).collect::<Vec<_>>().join("\n")))
}

fn ended(lines: &Secret) -> Secret {
    Secret::new(format!("{}\n", lines.expose()))
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
            "the value of CORTI_ACCESS_TOKEN has a control character in it, which a header cannot have"
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
