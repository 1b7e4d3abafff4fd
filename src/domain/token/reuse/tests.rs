use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::domain::client::api_client::Client;
use crate::domain::client::secret::ClientSecret;
use crate::domain::token::cache_key::{Credential, Tag};

use super::*;

/// When the token is minted, in milliseconds.
const START: i64 = 1_764_000_000_250;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn key(requested: &ScopeRequest) -> CacheKey {
    let client = Client {
        environment: "eu".parse().unwrap(),
        tenant: "base".parse().unwrap(),
        id: "acme".parse().unwrap(),
    };
    let secret = ClientSecret::parse("s").unwrap();
    CacheKey::new(&Tag::folder(b"/h"), &Tag::client(&client), requested, Credential::Secret(&secret))
}

fn transcribe() -> ScopeRequest {
    ScopeRequest::scopes(ScopeSet::from_wire("transcribe")).unwrap()
}

/// So many milliseconds after the minting.
fn after(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(START + milliseconds).unwrap()
}

/// What the server gave at the start: a token of `life` seconds with these claims.
fn minted(life: i64, scopes: &str, claims: &Value) -> CachedToken {
    minted_at(after(0), life, scopes, claims)
}

fn minted_at(minted: Timestamp, life: i64, scopes: &str, claims: &Value) -> CachedToken {
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let token = Token {
        access_token: AccessToken::parse(&token).unwrap(),
        expires_at: Timestamp::UNIX_EPOCH,
        expires_in: life,
        granted: ScopeSet::from_wire(scopes),
        cached: false,
    };
    CachedToken::new(&token, minted, &key(&transcribe()))
}

fn usual(life: i64) -> CachedToken {
    minted(life, "openid transcribe", &json!({ "scope": "openid transcribe" }))
}

const USUAL: CachePolicy = CachePolicy::new(CacheMode::Use);

fn at_least(min_ttl: Duration) -> CachePolicy {
    CachePolicy { min_ttl: Some(min_ttl), ..USUAL }
}

fn is_good(cached: &CachedToken, now: Timestamp, policy: CachePolicy) -> bool {
    cached.usable(&transcribe(), now, policy).is_some()
}

#[test]
fn the_margin_is_30_seconds_or_a_third_of_the_life() {
    for (life, last) in [(300, 269_750), (90, 59_750), (60, 39_750), (3, 1_750)] {
        assert!(is_good(&usual(life), after(last), USUAL), "{life}");
        assert!(!is_good(&usual(life), after(last + 1), USUAL), "{life}");
    }
}

#[test]
fn what_is_asked_for_is_honoured_as_given() {
    let entry = usual(300);
    let one = at_least(Duration::from_secs(1));
    assert!(is_good(&entry, after(298_750), one), "less than the usual margin");
    assert!(!is_good(&entry, after(298_751), one));
    assert!(!is_good(&entry, after(0), at_least(Duration::from_secs(301))));
    assert!(!is_good(&entry, after(0), at_least(Duration::MAX)));
    assert!(!is_good(&entry, after(300_000), at_least(Duration::from_nanos(1))), "nothing is left");
}

#[test]
fn a_new_token_may_live_less_than_was_asked_for() {
    let token = usual(300).usable(&transcribe(), after(0), USUAL).unwrap();
    let life = Duration::from_secs(token.expires_in.unsigned_abs());
    let longer = [life + Duration::from_millis(1), Duration::from_secs(301), Duration::MAX];
    assert_eq!(at_least(life).unmet_min_ttl(&token), None);
    assert_eq!(longer.map(|asked| at_least(asked).unmet_min_ttl(&token)), longer.map(Some));
    assert_eq!(USUAL.unmet_min_ttl(&token), None);
    assert_eq!(
        CachePolicy { preferred_ttl: Some(Duration::MAX), ..USUAL }.unmet_min_ttl(&token),
        None,
        "no demand"
    );
}

#[test]
fn the_sooner_of_both_expiries_counts() {
    let seconds = START.div_euclid(1000);
    let entry =
        |exp: Value| minted(300, "openid transcribe", &json!({ "scope": "openid transcribe", "exp": exp }));
    let token = |exp: i64| entry((seconds + exp).into()).usable(&transcribe(), after(50), USUAL);
    let (sooner, later) = (token(100).unwrap(), token(1000).unwrap());
    assert_eq!((sooner.expires_at.as_second() - seconds, sooner.expires_in), (100, 99));
    assert_eq!((later.expires_at.as_second() - seconds, later.expires_in), (300, 299));
    assert!(token(29).is_none() && token(-5).is_none());
    for no_date in [json!("soon"), json!(1e300)] {
        assert!(entry(no_date).usable(&transcribe(), after(0), USUAL).is_none());
    }
}

#[test]
fn a_clock_before_the_minting_is_a_miss() {
    let entry = usual(300);
    assert!(is_good(&entry, after(0), USUAL) && is_good(&entry, after(250_000), USUAL));
    for by in [-1, -20_000, -3_600_000, -DAY, 3_600_000, DAY] {
        assert!(!is_good(&entry, after(by), USUAL), "{by}");
    }
}

#[test]
fn a_token_that_does_more_or_less_than_is_asked_is_a_miss() {
    let decide = |scopes: &str, claimed: &str, requested: &ScopeRequest| {
        minted(300, scopes, &json!({ "scope": claimed })).usable(requested, after(0), USUAL).is_some()
    };
    assert!(decide("openid transcribe", "openid transcribe", &transcribe()));
    assert!(decide("openid email", "openid", &ScopeRequest::Full));
    assert!(!decide("openid", "openid", &transcribe()));
    assert!(!decide("openid transcribe", "openid", &transcribe()), "the token itself is a full one");
    assert!(!decide("openid transcribe", "openid transcribe streams", &transcribe()));
    assert!(!decide("openid transcribe", "openid transcribe", &ScopeRequest::Full));
}

#[test]
fn an_entry_is_read_under_its_own_key_only() {
    let (entry, key, other) = (usual(300), key(&transcribe()), key(&ScopeRequest::Full));
    let bytes = entry.to_bytes();
    let again = CachedToken::from_bytes(&bytes, &key).unwrap();
    assert!(is_good(&again, after(0), USUAL));
    assert!(CachedToken::from_bytes(&bytes, &other).is_none());
    for damaged in [&b""[..], b"{}", b"[]", b"\xff", &bytes[1..], &bytes[..bytes.len() - 1]] {
        assert!(CachedToken::from_bytes(damaged, &key).is_none());
    }
    let with = |field: &str, value: Value| {
        let mut text: Value = serde_json::from_slice(&bytes).unwrap();
        text[field] = value;
        CachedToken::from_bytes(text.to_string().as_bytes(), &key)
            .map(|entry| is_good(&entry, after(0), USUAL))
    };
    assert_eq!(with("access_token", "a b".into()), Some(false));
    for (field, value) in [("expires_in", json!(i64::MAX)), ("expires_in", json!(-1)), ("granted", json!([]))]
    {
        assert_eq!(with(field, value), Some(false), "{field}");
    }
}

/// 24 hours of calls, at every distance from a new token, and shorter times of shorter lives: none handed out has less than
/// its margin left, and no more are minted than that takes.
#[test]
fn a_day_of_calls() {
    let minute = 60_000;
    for (life, every, span) in
        [(300, 7_100, DAY), (300, 29_000, DAY), (60, 4_300, DAY), (3, 130, 20 * minute), (1, 90, 10 * minute)]
    {
        let (mut entry, mut mints, mut now) = (None::<CachedToken>, 0, 0);
        let margin = (life * 1000 / 3).min(30_000);
        while now < span {
            let now_then = after(now);
            let exp = now_then.as_second() + life;
            let found = entry.as_ref().and_then(|entry| entry.usable(&transcribe(), now_then, USUAL));
            if let Some(token) = found {
                let left = token.expires_at.as_millisecond() - now_then.as_millisecond();
                assert!(left >= margin && token.expires_in * 1000 <= left, "{life} s: {left} ms left");
            } else {
                mints += 1;
                let claims = json!({ "scope": "openid transcribe", "exp": exp });
                entry = Some(minted_at(now_then, life, "openid transcribe", &claims));
            }
            now += every;
        }
        // Expiry is in whole seconds, so up to one is given away.
        let usable = life * 1000 - margin;
        let fewest = span / (usable + every);
        let most = span / (usable - 1000).max(every) + 1;
        assert!((fewest..=most).contains(&mints), "{life} s, every {every} ms: {mints} mints");
    }
}
