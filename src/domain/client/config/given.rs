//! The values that a command is given for a profile. A profile's environment, tenant, client id and store never change.

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, ProfileName, Tenant};
use crate::domain::client::import::Taken;
use crate::domain::client::store_kind::StoreKind;

use super::Profile;

/// The values that a login or an import is given, each with the flag or the variable that it comes from.
#[derive(Debug, Default)]
pub struct GivenValues {
    /// Which Corti.
    pub environment: Option<Taken<Environment>>,
    /// Which realm.
    pub tenant: Option<Taken<Tenant>>,
    /// Which client.
    pub client_id: Option<Taken<ClientId>>,
    /// Which store.
    pub store: Option<Taken<StoreKind>>,
}

/// A profile exists with other values than the command is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profile `{profile}` already exists with {}", list(differences))]
pub struct ProfileConflict {
    profile: ProfileName,
    differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    what: &'static str,
    /// What the profile has.
    own: String,
    /// What the command is given.
    given: String,
    /// The flag or variable that gives it.
    origin: String,
}

impl Profile {
    /// Refuses `given` values that differ from what the profile has. Another secret command is no difference.
    ///
    /// # Errors
    /// [`ProfileConflict`].
    pub fn refuse_other_values(
        &self,
        profile: &ProfileName,
        given: &GivenValues,
    ) -> Result<(), ProfileConflict> {
        let Self { client, store, .. } = self;
        let differences = [
            difference("environment", client.environment.to_string(), text(given.environment.as_ref())),
            difference("tenant", client.tenant.to_string(), text(given.tenant.as_ref())),
            difference("client id", client.id.to_string(), text(given.client_id.as_ref())),
            difference(
                "store",
                store.as_str().to_owned(),
                given.store.as_ref().map(|it| (it.value.as_str().to_owned(), it.name.clone())),
            ),
        ];
        let differences: Vec<_> = differences.into_iter().flatten().collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(ProfileConflict { profile: profile.clone(), differences })
    }
}

/// A value as text, and where it comes from.
fn text<T: ToString>(given: Option<&Taken<T>>) -> Option<(String, String)> {
    given.map(|it| (it.value.to_string(), it.name.clone()))
}

fn difference(what: &'static str, own: String, given: Option<(String, String)>) -> Option<Difference> {
    let (given, origin) = given.filter(|(given, _)| *given != own)?;
    Some(Difference { what, own, given, origin })
}

fn list(differences: &[Difference]) -> String {
    let texts = differences
        .iter()
        .map(|Difference { what, own, given, origin }| format!("{what} `{own}` ({origin} says `{given}`)"));
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::identity::Client;
    use crate::domain::client::store_kind::SecretCommand;

    fn profile(store: StoreKind) -> Profile {
        let client = Client {
            environment: "eu".parse().unwrap(),
            tenant: Tenant::default(),
            id: "acme".parse().unwrap(),
        };
        Profile { client, store, default_scope: None, last_verified: None, credential: None }
    }

    fn taken<T>(value: T, name: &str) -> Taken<T> {
        Taken { value, name: name.to_owned() }
    }

    fn refuse(profile: &Profile, given: &GivenValues) -> Result<(), String> {
        profile.refuse_other_values(&"a".parse().unwrap(), given).map_err(|error| error.to_string())
    }

    #[test]
    fn every_other_value_is_named_with_its_origin() {
        let keyring = profile(StoreKind::Keyring);
        assert_eq!(refuse(&keyring, &GivenValues::default()), Ok(()));
        let same = GivenValues {
            environment: Some(taken("eu".parse().unwrap(), "--environment")),
            tenant: Some(taken(Tenant::default(), "CORTI_TENANT_NAME")),
            client_id: Some(taken("acme".parse().unwrap(), "--client-id")),
            store: Some(taken(StoreKind::Keyring, "--store")),
        };
        assert_eq!(refuse(&keyring, &same), Ok(()));
        let others = GivenValues {
            environment: Some(taken("us".parse().unwrap(), "CORTI_ENVIRONMENT")),
            store: Some(taken(StoreKind::File, "--store")),
            ..GivenValues::default()
        };
        let expected = "the profile `a` already exists with environment `eu` (CORTI_ENVIRONMENT says `us`), \
            store `keyring` (--store says `file`)";
        assert_eq!(refuse(&keyring, &others), Err(expected.to_owned()));
    }

    #[test]
    fn a_secret_command_may_be_replaced_by_another() {
        let command = |text| StoreKind::Command(SecretCommand::split(text).unwrap());
        let given = GivenValues {
            store: Some(taken(command("pass new"), "--secret-command")),
            ..GivenValues::default()
        };
        assert_eq!(refuse(&profile(command("pass old")), &given), Ok(()));
        assert!(refuse(&profile(StoreKind::Keyring), &given).is_err());
    }
}
