use crate::domain::token::scope::ScopeSet;

use super::*;

fn client(environment: &str, id: &str) -> Client {
    Client {
        environment: environment.parse().unwrap(),
        tenant: "base".parse().unwrap(),
        id: id.parse().unwrap(),
    }
}

fn secret(text: &str) -> ClientSecret {
    ClientSecret::parse(text).unwrap()
}

fn scopes(text: &str) -> Ask {
    Ask::scopes(ScopeSet::from_wire(text)).unwrap()
}

fn id(digit: u8) -> CredentialId {
    CredentialId::of([digit; 16])
}

#[test]
fn a_key_is_of_one_client_one_ask_and_one_credential() {
    let owner = |home: &[u8], environment, id| Owner::new(home, &client(environment, id));
    let (first, second, one, other) = (secret("s"), secret("t"), id(1), id(2));
    let (keyring, file) = (StoreKind::Keyring, StoreKind::File);
    let stored = Credential::Stored(&keyring, &one);
    let keys = [
        CacheKey::new(&owner(b"h", "eu", "a"), &Ask::Full, stored),
        CacheKey::new(&owner(b"i", "eu", "a"), &Ask::Full, stored),
        CacheKey::new(&owner(b"h", "us", "a"), &Ask::Full, stored),
        CacheKey::new(&owner(b"h", "eu", "b"), &Ask::Full, stored),
        CacheKey::new(&owner(b"h", "eu", "a"), &scopes("transcribe"), stored),
        CacheKey::new(&owner(b"h", "eu", "a"), &scopes("transcribe streams"), stored),
        CacheKey::new(&owner(b"h", "eu", "a"), &Ask::Full, Credential::Stored(&keyring, &other)),
        CacheKey::new(&owner(b"h", "eu", "a"), &Ask::Full, Credential::Stored(&file, &one)),
        CacheKey::new(&owner(b"h", "eu", "a"), &Ask::Full, Credential::AtHand(&first)),
        CacheKey::new(&owner(b"h", "eu", "a"), &Ask::Full, Credential::AtHand(&second)),
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys.iter().skip(index + 1).any(|other| other == key), "{index}");
    }
    let again = CacheKey::new(&owner(b"h", "eu", "a"), &scopes("streams transcribe"), stored);
    assert_eq!(keys[5], again, "the order of scopes says nothing");
}

#[test]
fn names_say_nothing_and_are_found_by_home_and_client() {
    let acme = client("eu", "acme");
    let key = CacheKey::new(&Owner::new(b"/h", &acme), &Ask::Full, Credential::AtHand(&secret("acme")));
    let hidden = |name: &str| name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    assert!(hidden(key.name()) && !key.name().contains("acme"), "{}", key.name());
    for (selection, has) in [
        (Selection::home(b"/h"), true),
        (Selection::home(b"/i"), false),
        (Selection::client(&acme), true),
        (Selection::client(&client("us", "acme")), false),
    ] {
        assert_eq!(selection.has(key.name()), has, "{selection:?}");
        assert!(!selection.has("another"));
    }
}

#[test]
fn a_seal_is_of_one_secret_and_one_entry() {
    let owner = Owner::new(b"/h", &client("eu", "acme"));
    let (one, other) = (secret("s"), secret("t"));
    let key = |ask| CacheKey::new(&owner, ask, Credential::AtHand(&one));
    let seal = |secret, ask| *SealKey::new(secret, &key(ask)).bytes();
    let limited = scopes("transcribe");
    assert_eq!(seal(&one, &Ask::Full), seal(&one, &Ask::Full));
    assert_ne!(seal(&one, &Ask::Full), seal(&other, &Ask::Full));
    assert_ne!(seal(&one, &Ask::Full), seal(&one, &limited));
}

#[test]
fn an_id_has_32_digits() {
    assert_eq!(id(0xab).as_str().parse(), Ok(id(0xab)));
    for bad in ["", "abc", &"A".repeat(32), &"g".repeat(32), &"a".repeat(33)] {
        assert!(bad.parse::<CredentialId>().is_err(), "{bad}");
    }
}
