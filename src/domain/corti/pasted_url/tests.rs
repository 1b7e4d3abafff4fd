//! Tests pasted URLs.

use crate::domain::text::redactor::Redactor;

use super::*;

const BASE: &str =
    "wss://api.eu.corti.app/audio-bridge/v2/interactions/6f9c1a1e-0000-4000-8000-000000000000/streams";

fn pasted(text: &str) -> PastedUrl {
    PastedUrl::parse(text).unwrap()
}

#[test]
fn a_label_before_the_url_is_taken_off() {
    let url = format!("{BASE}?tenant-name=base");
    for text in [
        format!("websocketUrl: {url}"),
        format!("CORTI_WEBSOCKET_URL='{url}'"),
        format!("{{\"interactionId\": \"x\", \"websocketUrl\":\"{url}\", \"accessToken\": \"y\"}}"),
        format!("\"websocketUrl\" : \"{url}\","),
        format!("websocketUrl: {url}\naccessToken: opaque"),
        format!("export A='https://x.example'\nexport B='{url}'\nexport C=d"),
        format!("{{\"environment\":\"http://x.example\",\"websocketUrl\":\"{url}\"}}"),
    ] {
        assert_eq!(pasted(&text).bare.as_str(), url, "{text}");
    }
    let escaped = pasted(&format!("url: {url}&amp;token=Bearer%20x"));
    assert!(escaped.has_token(), "a semicolon does not end the URL");
    let spaced = pasted(&format!("websocketUrl: {url}&token=Bearer a.b.c\nnext: line"));
    assert_eq!(spaced.token.as_ref().map(|token| token.secret().expose()), Some("a.b.c"));
    let elsewhere = PastedUrl::parse(&format!("https://x.example/?next={url}"));
    assert_eq!(elsewhere.unwrap_err(), PastedUrlError::Scheme("https".to_owned()));
}

#[test]
fn a_good_url_has_no_flaws_and_shows_no_token() {
    let url = format!("  \"{BASE}?tenant-name=base\\u0026token=Bearer%20a.b-c\"\n");
    let pasted = pasted(&url);
    assert_eq!(pasted.flaws, Vec::<&str>::new());
    assert_eq!(pasted.kind, Some(SocketKind::Streams));
    assert_eq!(pasted.bare.as_str(), format!("{BASE}?tenant-name=base"));
    assert_eq!(pasted.token.as_ref().unwrap().secret().expose(), "a.b-c");
    assert!(pasted.has_token() && !format!("{pasted:?}").contains("a.b-c"));
    let other = AccessToken::parse("other").unwrap();
    assert!(pasted.address(Some(&other)).expose().ends_with("&token=Bearer%20a.b-c"));
}

#[test]
fn a_url_without_a_token_gets_one() {
    let pasted = pasted("ws://127.0.0.1:9/audio-bridge/v2/transcribe?tenant-name=base");
    let token = AccessToken::parse("x").unwrap();
    assert!(!pasted.has_token() && pasted.kind == Some(SocketKind::Transcribe));
    assert!(pasted.address(Some(&token)).expose().ends_with("?tenant-name=base&token=Bearer%20x"));
}

#[test]
fn each_flaw_is_told() {
    let table = [
        (format!("{BASE}?token=Bearer%20x"), "no tenant-name"),
        (format!("{BASE}?tenant-name=b&token=x"), "`Bearer` is missing before the token"),
        (format!("{BASE}?tenant-name=b&token=Bearer%2520x"), "encoded twice"),
        (format!("{BASE}?tenant-name=b&token=Bearer"), "`Bearer` is missing before the token"),
        (format!("{BASE}?tenant-name=b&token="), "`token=` is empty, or its value is not a token"),
        (format!("{BASE}?tenant-name=b&token=Bearer%20x#y"), "`#`"),
        (format!("{BASE}?tenant-name=b?x=y"), "second `?`"),
        (format!("{BASE}?tenant-name=b&amp;token=x"), "&amp;"),
        ("wss://h/interactions/{id}/streams?tenant-name=b".to_owned(), "placeholder"),
        ("wss://h/interactions/1/streams?tenant-name=b".to_owned(), "not a UUID"),
        ("wss://h/stream?tenant-name=b".to_owned(), "neither"),
    ];
    for (url, words) in table {
        let flaws = pasted(&url).flaws;
        assert!(flaws.iter().any(|flaw| flaw.contains(words)), "{url}: {flaws:?}");
    }
}

#[test]
fn a_token_that_a_slip_hides_is_still_one() {
    for query in [
        "tenant-name=b&amp;token=Bearer%20hidden-token",
        "tenant-name=b?token=Bearer%20hidden-token",
        "tenant-name=b&%74oken=Bearer%20hidden-token",
    ] {
        let pasted = pasted(&format!("{BASE}?{query}"));
        let other = AccessToken::parse("other").unwrap();
        assert!(pasted.has_token(), "{query}");
        assert!(!pasted.address(Some(&other)).expose().contains("other"), "{query}");
        let known = pasted.secrets();
        assert!(
            known.iter().any(|secret| Redactor::from_iter([secret]).finds_in("hidden-token")
                || secret.expose().contains("hidden-token")),
            "{query}"
        );
    }
    for bare in ["?", "", "?tenant-name=b"] {
        assert!(!pasted(&format!("{BASE}{bare}")).has_token(), "{bare}");
    }
}

#[test]
fn what_would_not_be_opened_is_refused() {
    let refused = |text: &str| PastedUrl::parse(text).unwrap_err();
    assert_eq!(refused("hello"), PastedUrlError::NotAUrl);
    assert_eq!(refused("https://api.eu.corti.app/x"), PastedUrlError::Scheme("https".into()));
    assert_eq!(refused("ws://api.eu.corti.app/transcribe"), PastedUrlError::NotEncrypted);
    assert_eq!(refused("wss://u:p@api.eu.corti.app/transcribe"), PastedUrlError::User);
    for query in ["token=a&token=b", "token=a&amp;token=b", "token=a&tok%65n=b", "token=a&access_token=b"] {
        assert_eq!(refused(&format!("{BASE}?{query}")), PastedUrlError::Tokens, "{query}");
    }
}

#[test]
fn a_token_outside_of_its_parameter_is_refused() {
    let token = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";
    for text in [
        format!("{BASE}?tenant-name=b&jwt={token}"),
        format!("{BASE}?token=Bearer%20own&{token}=x"),
        format!("{BASE}?tenant-name={}", token.replace('J', "%25%34%41")),
        format!("{BASE}?tenant-name={}", token.replace('J', "%2%354A")),
        format!("wss://h/{token}/transcribe?tenant-name=b"),
        format!("{BASE}?tenant-name=b&TOKEN=Bearer%20opaque"),
        format!("{BASE}?tenant-name=b&access_token=opaque"),
        format!("{BASE}?tenant-name=b%2526token%253Dopaque"),
    ] {
        assert_eq!(PastedUrl::parse(&text).unwrap_err(), PastedUrlError::Outside, "{text}");
    }
    for text in ["%", "%4", "%zz", "%+4", "a%25b", "100%25%25", "eyJ.x"] {
        assert!(!pasted(&format!("{BASE}?tenant-name=b&x={text}")).has_token(), "{text}");
    }
}

#[test]
fn what_stands_beside_the_token_stays() {
    for (query, rest) in [
        ("token=Bearer%20x&tenant-name=b", "tenant-name=b"),
        ("tenant-name=b&token=Bearer%20x&c=%64", "tenant-name=b&c=%64"),
        ("tenant-name=b&amp;token=Bearer%20x", "tenant-name=b"),
        ("tenant-name=b?token=Bearer%20x", "tenant-name=b"),
    ] {
        let pasted = pasted(&format!("{BASE}?{query}"));
        assert_eq!(pasted.bare.query(), Some(rest), "{query}");
        assert_eq!(pasted.token.as_ref().map(|token| token.secret().expose()), Some("x"), "{query}");
    }
}

#[test]
fn a_url_leads_to_one_environment_and_tenant() {
    let (eu, tenant) = ("eu".parse().unwrap(), Tenant::default());
    let leads = |url: &str| pasted(url).leads_to(&eu, &tenant);
    for query in ["tenant-name=base", "x=y", "tenant-name=base?token=a", "tenant-name=base&tenant-name=base"]
    {
        assert!(leads(&format!("{BASE}?{query}")), "{query}");
    }
    for query in ["tenant-name=other", "tenant-name=", "tenant-name=base&tenant-name=other"] {
        assert!(!leads(&format!("{BASE}?{query}")), "{query}");
    }
    assert!(!leads("wss://api.us.corti.app/audio-bridge/v2/transcribe?tenant-name=base"));
}

#[test]
fn a_url_is_found_in_what_surrounds_it() {
    let signature = "c2ln".repeat(21) + "AA";
    let token = format!("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UifQ.{signature}");
    let url = format!("{BASE}?tenant-name=base&token=Bearer%20{token}");
    let lines: Vec<String> =
        url.as_bytes().chunks(60).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    for text in [
        format!("hi, this one fails: {url}\nwhy?"),
        format!("> Hi,\n> {}\n> Best", lines.join("\n> ")),
        format!("it is \u{1b}[36m{url}\u{1b}[0m, I think"),
        format!(r#"{{"url":"{}"}}"#, url.replace('/', "\\/").replace('&', "\\u0026")),
        format!("[connect]({url})"),
    ] {
        let pasted = pasted(&text);
        let found = pasted.token.as_ref().map(|token| token.secret().expose());
        assert_eq!(
            (found, pasted.bare.as_str()),
            (Some(token.as_str()), &*format!("{BASE}?tenant-name=base")),
            "{text}"
        );
        assert_eq!(pasted.flaws, Vec::<&str>::new(), "{text}");
    }
    // A token on the next line is no part of the URL.
    let apart = pasted(&format!("websocketUrl: {BASE}?tenant-name=base\naccessToken: {token}"));
    assert!(!apart.has_token() && apart.flaws.is_empty());
}
