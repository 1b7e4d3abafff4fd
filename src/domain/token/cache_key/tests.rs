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

fn scopes(text: &str) -> ScopeRequest {
    ScopeRequest::scopes(ScopeSet::from_wire(text)).unwrap()
}

fn id(digit: u8) -> CredentialId {
    CredentialId::of([digit; 16])
}

fn key(folder: &[u8], client: &Client, requested: &ScopeRequest, credential: Credential<'_>) -> CacheKey {
    CacheKey::new(&Tag::folder(folder), &Tag::client(client), requested, credential)
}

#[test]
fn a_key_is_of_one_client_one_request_and_one_credential() {
    let (first, second, one, other) = (secret("s"), secret("t"), id(1), id(2));
    let (keyring, file) = (StoreKind::Keyring, StoreKind::File);
    let (stored, full) = (Credential::Stored(&keyring, &one), ScopeRequest::Full);
    let a = client("eu", "a");
    let keys = [
        key(b"h", &a, &full, stored),
        key(b"i", &a, &full, stored),
        key(b"h", &client("us", "a"), &full, stored),
        key(b"h", &client("eu", "b"), &full, stored),
        key(b"h", &a, &scopes("transcribe"), stored),
        key(b"h", &a, &scopes("transcribe streams"), stored),
        key(b"h", &a, &full, Credential::Stored(&keyring, &other)),
        key(b"h", &a, &full, Credential::Stored(&file, &one)),
        key(b"h", &a, &full, Credential::Secret(&first)),
        key(b"h", &a, &full, Credential::Secret(&second)),
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys.iter().skip(index + 1).any(|other| other == key), "{index}");
    }
    let again = key(b"h", &a, &scopes("streams transcribe"), stored);
    assert_eq!(keys[5], again, "the order of scopes says nothing");
}

#[test]
fn names_say_nothing_and_have_the_tags_of_folder_and_client() {
    let acme = client("eu", "acme");
    let key = key(b"/h", &acme, &ScopeRequest::Full, Credential::Secret(&secret("acme")));
    let hidden = |name: &str| name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    assert!(hidden(key.name()) && !key.name().contains("acme"), "{}", key.name());
    for (tag, is_in) in [
        (Tag::folder(b"/h"), true),
        (Tag::folder(b"/i"), false),
        (Tag::client(&acme), true),
        (Tag::client(&client("us", "acme")), false),
    ] {
        assert_eq!(tag.is_in(key.name()), is_in, "{tag:?}");
        assert!(!tag.is_in("another"));
    }
}

#[test]
fn there_are_at_most_256_locks() {
    let locks: std::collections::BTreeSet<String> = (0..2000)
        .map(|number| lock_name(&Tag::client(&client("eu", &number.to_string())), &ScopeRequest::Full))
        .collect();
    assert!((200..=256).contains(&locks.len()), "{}", locks.len());
}

#[test]
fn a_seal_is_of_one_secret_and_one_entry() {
    let (one, other, acme) = (secret("s"), secret("t"), client("eu", "acme"));
    let seal = |secret, requested| {
        *SealKey::new(secret, &key(b"/h", &acme, requested, Credential::Secret(&one))).bytes()
    };
    let (full, limited) = (ScopeRequest::Full, scopes("transcribe"));
    assert_eq!(seal(&one, &full), seal(&one, &full));
    assert_ne!(seal(&one, &full), seal(&other, &full));
    assert_ne!(seal(&one, &full), seal(&one, &limited));
}

#[test]
fn an_id_has_32_digits() {
    assert_eq!(id(0xab).as_str().parse(), Ok(id(0xab)));
    for bad in ["", "abc", &"A".repeat(32), &"g".repeat(32), &"a".repeat(33)] {
        assert!(bad.parse::<CredentialId>().is_err(), "{bad}");
    }
}
