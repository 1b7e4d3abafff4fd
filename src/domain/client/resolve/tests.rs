//! Tests of `resolve`.

use super::*;

const FILE: &str = "default-profile = \"dev\"\n\
    [profiles.dev]\nenvironment = \"eu\"\nclient-id = \"dev\"\n\
    [profiles.prod]\nenvironment = \"us\"\ntenant = \"acme\"\nclient-id = \"prod\"\n";

fn plan(flags: &Flags, variables: &[(&str, &str)]) -> Result<Plan, ResolveError> {
    let lookup =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    resolve(flags, &Variables::read(lookup, |_| false).unwrap(), &FILE.parse().unwrap())
}

fn profile(name: &str) -> Flags {
    Flags { profile: Some(name.parse().unwrap()), ..Flags::default() }
}

#[test]
fn flags_win_over_variables_win_over_the_default_profile() {
    let pair = [("CORTI_CLIENT_ID", "env"), ("CORTI_CLIENT_SECRET", "s"), ("CORTI_ENVIRONMENT", "eu")];
    let by_default = plan(&Flags::default(), &[]).unwrap();
    assert_eq!(
        (by_default.client.store_user(), by_default.layer),
        ("eu/base/dev".into(), Layer::DefaultProfile)
    );
    let by_variables = plan(&Flags::default(), &pair).unwrap();
    assert_eq!(by_variables.client.store_user(), "eu/base/env");
    assert_eq!(by_variables.hidden, ["the default profile `dev` (overridden by CORTI_CLIENT_ID)"]);
    let by_flag = plan(&profile("prod"), &pair).unwrap();
    assert_eq!((by_flag.client.store_user(), by_flag.layer), ("us/acme/prod".into(), Layer::Flag));
    assert_eq!(by_flag.hidden.len(), 3);
    let by_name = plan(&Flags::default(), &[("CORTI_AUTH_PROFILE", "prod")]).unwrap();
    assert_eq!(by_name.layer, Layer::ProfileVariable);
    assert_eq!(by_name.hidden, ["the default profile `dev` (overridden by CORTI_AUTH_PROFILE)"]);
}

#[test]
fn a_stored_secret_is_not_used_for_another_place() {
    let moved = plan(&Flags::default(), &[("CORTI_ENVIRONMENT", "us")]).unwrap();
    assert_eq!(moved.client.store_user(), "us/base/dev");
    assert!(matches!(moved.source, SecretSource::Withheld(..)) && moved.stored().is_none());
    let same =
        plan(&Flags::default(), &[("CORTI_ENVIRONMENT", "EU"), ("CORTI_TENANT_NAME", "base")]).unwrap();
    assert_eq!(same.stored().unwrap().0.store_user(), "eu/base/dev");
}

#[test]
fn half_a_client_names_the_other_half() {
    let error = |variables: &[(&str, &str)]| plan(&Flags::default(), variables).unwrap_err().to_string();
    assert_eq!(error(&[("CORTI_CLIENT_ID", "x")]), "CORTI_CLIENT_ID is set, but CORTI_CLIENT_SECRET is not");
    assert_eq!(
        error(&[("CORTI_CLIENT_SECRET", "x")]),
        "CORTI_CLIENT_SECRET is set, but CORTI_CLIENT_ID is not"
    );
    assert!(error(&[("CORTI_CLIENT_ID", "x"), ("CORTI_AUTH_PROFILE", "dev")]).contains("both set"));
    let pair = [("CORTI_CLIENT_ID", "x"), ("CORTI_CLIENT_SECRET", "s")];
    let message = "CORTI_CLIENT_ID names a client, but no environment is set (eu, us or an https:// URL)";
    assert_eq!(error(&pair), message);
}

#[test]
fn a_mistyped_profile_has_a_suggestion() {
    let ResolveError::UnknownProfile { nearest, .. } = plan(&profile("pord"), &[]).unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(nearest.unwrap().as_str(), "prod");
}
