//! Tests of `variable`.

use super::*;

#[test]
fn a_bad_value_is_named_and_a_secret_is_not_repeated() {
    let only = |name: &'static str, value: &'static str| {
        let lookup = move |asked: &str| (asked == name).then(|| value.to_owned());
        Variables::read(lookup, |_| false).unwrap_err().to_string()
    };
    assert!(only(TENANT, "a/b").starts_with("CORTI_TENANT_NAME: `a/b` is not a tenant"));
    assert!(!only(CLIENT_SECRET, "hunter\n2").contains("hunter"));
    assert!(!only(ACCESS_TOKEN, "eyJ hunter").contains("hunter"));
}

#[test]
fn one_of_three_gives_the_secret() {
    let read = |set: &[(&str, &str)], there: bool| {
        let lookup =
            |asked: &str| set.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned());
        Variables::read(lookup, |_| there)
            .map(|variables| variables.client_secret.map(|given| given.variable()))
    };
    let (value, file) = ((CLIENT_SECRET, "s"), (CLIENT_SECRET_FILE, "/f"));
    let folder = (CREDENTIALS_DIRECTORY, "/d");
    assert_eq!(read(&[value], false), Ok(Some(CLIENT_SECRET)));
    assert_eq!(read(&[file], false), Ok(Some(CLIENT_SECRET_FILE)));
    assert_eq!(read(&[folder], true), Ok(Some(CREDENTIALS_DIRECTORY)));
    assert_eq!(read(&[folder, value], false), Ok(Some(CLIENT_SECRET)));
    for two in [[value, file], [value, folder], [file, folder]] {
        assert!(read(&two, true).is_err(), "{two:?}");
    }
}

#[test]
fn names_that_are_almost_right() {
    assert_eq!(meant_by("CORTI_TENANT"), Some(TENANT));
    assert_eq!(meant_by("CORTI_CLIENT_SECERT"), Some(CLIENT_SECRET));
    assert_eq!(meant_by("CORTI_CLIENT_ID"), None);
    assert_eq!(meant_by("CORTI_ROPC_CLIENT_ID"), None);
}
