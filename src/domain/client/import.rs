//! Finds a client in a `.env` file: by the vendor's names of variables, and by those in its examples and in public code.

use std::str::FromStr;

use super::dotenv::Entry;
use super::environment::Environment;
use super::identity::{ClientId, Tenant};
use super::invalid::Invalid;
use super::secret::ClientSecret;
use super::variable::{CLIENT_ID_NAMES, CLIENT_SECRET_NAMES, ENVIRONMENT_NAMES, Names, TENANT_NAMES};

/// A value and its origin.
#[derive(Clone, Debug)]
pub struct Taken<T> {
    /// The value.
    pub value: T,
    /// The variable or the flag that gave it.
    pub name: String,
}

/// The client in a file. Empty values count as missing.
#[derive(Debug)]
pub struct Import {
    /// The environment.
    pub environment: Option<Taken<Environment>>,
    /// The tenant.
    pub tenant: Option<Taken<Tenant>>,
    /// The client id.
    pub client_id: Option<Taken<ClientId>>,
    /// The client's secret.
    pub client_secret: Option<Taken<ClientSecret>>,
    /// For each known variable that was not used, a text that says why.
    pub passed_over: Vec<String>,
}

impl Import {
    /// Takes the client from the entries of a file. Errors repeat no secret.
    pub fn read(entries: &[Entry]) -> Result<Self, Invalid> {
        let mut passed_over = Vec::new();
        let secret = choose(&CLIENT_SECRET_NAMES, entries, &mut passed_over)?;
        let id = choose(&CLIENT_ID_NAMES, entries, &mut passed_over)?;
        if let (Some(id), Some(secret)) = (id, secret)
            && CLIENT_ID_NAMES.has(&id.name) != CLIENT_SECRET_NAMES.has(&secret.name)
        {
            let (id, secret) = (place(id), place(secret));
            return Err(Invalid::new(format!(
                "{id} and {secret} may belong to different clients: only one name begins with CORTI"
            )));
        }
        Ok(Self {
            environment: taken(choose(&ENVIRONMENT_NAMES, entries, &mut passed_over)?, str::parse)?,
            tenant: taken(choose(&TENANT_NAMES, entries, &mut passed_over)?, str::parse)?,
            client_id: taken(id, ClientId::from_str)?,
            client_secret: taken(secret, ClientSecret::parse)?,
            passed_over,
        })
    }
}

/// The entry that is used: one with a name of Corti's, else one with a general name.
fn choose<'a>(
    names: &Names,
    entries: &'a [Entry],
    passed_over: &mut Vec<String>,
) -> Result<Option<&'a Entry>, Invalid> {
    let given = || entries.iter().filter(|entry| entry.value.length() > 0);
    let plain = given().filter(|entry| names.plain.contains(&entry.name.as_str()));
    let prefixed = given().filter(|entry| names.has(&entry.name));
    let Some(chosen) = agreed(names, prefixed)? else { return agreed(names, plain) };
    for other in plain.filter(|other| !other.value.is_same(&chosen.value)) {
        passed_over.push(format!("{}: `{}` wins", place(other), chosen.name));
    }
    Ok(Some(chosen))
}

/// The first entry, if all have the same value.
fn agreed<'a>(
    names: &Names,
    mut entries: impl Iterator<Item = &'a Entry>,
) -> Result<Option<&'a Entry>, Invalid> {
    let Some(first) = entries.next() else { return Ok(None) };
    let Some(other) = entries.find(|other| !other.value.is_same(&first.value)) else {
        return Ok(Some(first));
    };
    let (first, other) = (place(first), place(other));
    Err(Invalid::new(format!("{first} and {other} give different {}s", names.what)))
}

fn place(entry: &Entry) -> String {
    format!("`{}` on line {}", entry.name, entry.line)
}

fn taken<T, E: std::fmt::Display>(
    entry: Option<&Entry>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<Taken<T>>, Invalid> {
    let Some(entry) = entry else { return Ok(None) };
    let value = parse(entry.value.expose());
    let value = value.map_err(|error| Invalid::new(format!("{}: {error}", place(entry))))?;
    Ok(Some(Taken { value, name: entry.name.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::dotenv;

    fn import(text: &str) -> Result<Import, Invalid> {
        Import::read(&dotenv::parse(text).unwrap())
    }

    /// What was taken: environment, tenant, client id, secret, each with its name.
    fn taken_from(text: &str) -> [Option<(String, String)>; 4] {
        let Import { environment, tenant, client_id, client_secret, .. } = import(text).unwrap();
        [
            environment.map(|it| (it.value.to_string(), it.name)),
            tenant.map(|it| (it.value.to_string(), it.name)),
            client_id.map(|it| (it.value.to_string(), it.name)),
            client_secret.map(|it| (it.value.secret().expose().to_owned(), it.name)),
        ]
    }

    #[test]
    fn every_name_in_circulation() {
        for [environment, tenant, id, secret] in [
            ["CORTI_ENVIRONMENT", "CORTI_TENANT_NAME", "CORTI_CLIENT_ID", "CORTI_CLIENT_SECRET"],
            ["CORTI__ENVIRONMENT", "CORTI__TENANTNAME", "CORTI__CLIENTID", "CORTI__CLIENTSECRET"],
            ["CORTI_ENVIRONMENT_ID", "CORTI_TENANT", "CORTI_CLIENTID", "CORTI_SECRET"],
            ["CORTI_ENV", "CORTI_TENANT", "CORTI_CLIENT_ID", "CORTI_CLIENT_SECRET"],
            ["ENVIRONMENT_ID", "TENANT_NAME", "CLIENT_ID", "CLIENT_SECRET"],
            ["ENVIRONMENT", "TENANT", "CLIENT_ID", "CLIENT_SECRET"],
        ] {
            let text = format!("{environment}=eu\n{tenant}=acme\n{id}=x\n{secret}=s$1\nPORT=3000\n");
            let expected = [("eu", environment), ("acme", tenant), ("x", id), ("s$1", secret)];
            let expected = expected.map(|(value, name)| Some((value.to_owned(), name.to_owned())));
            assert_eq!(taken_from(&text), expected);
        }
    }

    #[test]
    fn clients_of_other_grants_are_not_taken() {
        let text = "CORTI_ROPC_CLIENT_ID=x\nCORTI__PKCECLIENTID=x\nCORTI_AUTH_CODE_CLIENT_SECRET=x\nCORTI_CLIENT_ID=\n";
        assert_eq!(taken_from(text), [None, None, None, None]);
    }

    #[test]
    fn prefixed_names_win_and_the_others_are_told() {
        let found =
            import("CLIENT_ID=other\nCORTI_CLIENT_ID=x\nTENANT=base\nCORTI_TENANT_NAME=base\n").unwrap();
        assert_eq!(found.client_id.unwrap().value.as_str(), "x");
        assert_eq!(found.passed_over, ["`CLIENT_ID` on line 1: `CORTI_CLIENT_ID` wins"]);
    }

    #[test]
    fn an_id_and_a_secret_of_two_families_are_no_pair() {
        for text in ["CORTI_CLIENT_ID=x\nCLIENT_SECRET=googles", "CLIENT_ID=x\nCORTI_CLIENT_SECRET=s"] {
            let message = import(text).unwrap_err().to_string();
            assert!(
                message.contains("line 1") && message.contains("may belong to different clients"),
                "{message}"
            );
        }
    }

    #[test]
    fn two_values_of_one_kind_are_an_error_that_names_both() {
        let message = |text: &str| import(text).unwrap_err().to_string();
        assert_eq!(
            message("CORTI_CLIENT_SECRET=hunter2\n\nCORTI_SECRET=hunter3"),
            "`CORTI_CLIENT_SECRET` on line 1 and `CORTI_SECRET` on line 3 give different client secrets"
        );
        assert!(
            message("TENANT=a\nTENANT_NAME=b").contains("`TENANT` on line 1 and `TENANT_NAME` on line 2")
        );
        assert!(message("CLIENT_ID=a\nCLIENT_ID=b").contains("differ"));
        assert!(import("CLIENT_ID=a\nCLIENT_ID=a\nCORTI_ENV=eu\nCORTI_ENVIRONMENT=eu").is_ok());
    }

    #[test]
    fn a_value_that_cannot_be_is_named_and_a_secret_is_not_shown() {
        let message = |text: &str| import(text).unwrap_err().to_string();
        assert!(message("A=1\nTENANT=a/b").starts_with("`TENANT` on line 2: `a/b` is not a tenant"));
        let secret = message("CLIENT_SECRET=\"hunter\\n2\"");
        assert!(
            secret.contains("line 1: the client secret contains") && !secret.contains("hunter"),
            "{secret}"
        );
    }
}
