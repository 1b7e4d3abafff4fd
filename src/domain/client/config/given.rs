//! The values that a command is given for a profile. A profile's environment, tenant, client id and store never change.

use std::fmt::Display;

use crate::domain::client::api_client::Client;
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
#[error("the profile `{profile}` already exists with {differences}")]
pub struct ProfileConflict {
    profile: ProfileName,
    differences: String,
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
        let Client { environment, tenant, id } = &self.client;
        let differences = [
            difference("environment", environment, given.environment.as_ref()),
            difference("tenant", tenant, given.tenant.as_ref()),
            difference("client id", id, given.client_id.as_ref()),
            given.store.as_ref().and_then(|store| {
                let given = Taken { value: store.value.as_str(), name: store.name.clone() };
                difference("store", &self.store.as_str(), Some(&given))
            }),
        ];
        let differences: Vec<String> = differences.into_iter().flatten().collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(ProfileConflict { profile: profile.clone(), differences: differences.join(", ") })
    }
}

/// What the profile has, what the command is given, and by which flag or variable.
fn difference<T: Display + PartialEq>(what: &str, own: &T, given: Option<&Taken<T>>) -> Option<String> {
    let Taken { value, name } = given.filter(|given| given.value != *own)?;
    Some(format!("{what} `{own}` ({name} says `{value}`)"))
}

#[cfg(test)]
mod tests {
    use super::*;
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
