//! Refuses to change a profile: its environment, tenant, client id and store stay as they are.

use std::fmt::Display;

use crate::domain::client::environment::Environment;
use crate::domain::client::identity::{ClientId, ProfileName, Tenant};
use crate::domain::client::import::Taken;
use crate::domain::client::store_kind::StoreKind;

use super::Profile;

/// The values that a login or an import is given, each with its flag or variable.
#[derive(Debug, Default)]
pub struct GivenValues {
    /// The environment.
    pub environment: Option<Taken<Environment>>,
    /// The tenant.
    pub tenant: Option<Taken<Tenant>>,
    /// The client id.
    pub client_id: Option<Taken<ClientId>>,
    /// The store.
    pub store: Option<Taken<StoreKind>>,
}

/// A profile exists with other values than the command is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("profile `{profile}` has {differences}")]
pub struct ProfileConflict {
    /// The profile.
    pub profile: ProfileName,
    differences: String,
}

impl Profile {
    /// Refuses `given` values that differ from the profile's. The secret command may differ.
    pub fn refuse_other_values(
        &self,
        profile: &ProfileName,
        given: &GivenValues,
    ) -> Result<(), ProfileConflict> {
        let store = given.store.as_ref().map(|it| Taken { value: it.value.as_str(), name: it.name.clone() });
        let differences = [
            difference("environment", &self.client.environment, given.environment.as_ref()),
            difference("tenant", &self.client.tenant, given.tenant.as_ref()),
            difference("client id", &self.client.id, given.client_id.as_ref()),
            difference("store", &self.store.as_str(), store.as_ref()),
        ];
        let differences = differences.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if differences.is_empty() {
            return Ok(());
        }
        Err(ProfileConflict { profile: profile.clone(), differences })
    }
}

/// Names the profile's value, the given one, and the flag or variable that gives it, if the values differ.
fn difference<T: Display + PartialEq>(what: &str, own: &T, given: Option<&Taken<T>>) -> Option<String> {
    let Taken { value, name } = given.filter(|given| given.value != *own)?;
    Some(format!("{what} `{own}`, but {name} says `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::api_client::Client;
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
        let expected = "profile `a` has environment `eu`, but CORTI_ENVIRONMENT says `us`; store `keyring`, but \
            --store says `file`";
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
