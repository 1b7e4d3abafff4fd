use super::*;

const GOOD: &str = r#"
profile = "prod"
listen = ["127.0.0.1:8744", "unix:/run/corti-auth/1.sock"]
public_url = "https://gw.example.org"
origins = ["https://app.example.org"]
metrics = "127.0.0.1:9464"

[[issuer]]
url = "https://idp.example.org/realms/clinic"
audience = "corti-gateway"
algorithms = ["RS256", "ES256"]
groups = "realm_access.roles"

[keys]
batch = { sha256 = "0000000000000000000000000000000000000000000000000000000000000001", groups = ["batch"] }

[limits]
rate = "20/s"
session = "2h"
body = "512MiB"

[[rule]]
groups = ["clinician"]
allow = ["transcribe", "streams", "session.streams", "token.transcribe", "interactions.read", "facts.*"]
own = true

[[rule]]
groups = ["batch"]
allow = ["interactions.*"]
limits = { rate = "100/s", sockets = 0 }
"#;

#[test]
fn a_whole_file_is_read() {
    let config = Config::parse(GOOD).unwrap();
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.rules[0].allow.iter().filter(|name| name.starts_with("facts.")).count(), 4);
    assert_eq!(config.groups(), BTreeSet::from(["batch", "clinician"]));
    let batch = config.permissions(&BTreeSet::from(["batch".to_owned()]));
    assert_eq!((batch.limits.rate.to_string().as_str(), batch.limits.sockets), ("100/s", 0));
    assert_eq!(batch.operations.get("interactions.list"), Some(&false));
}

#[test]
fn dangerous_combinations_are_refused() {
    let without_callers =
        GOOD.split("[[issuer]]").next().unwrap().to_owned() + "[[rule]]\ngroups=[\"a\"]\nallow=[\"streams\"]";
    for (from, to, said) in [
        ("\"127.0.0.1:8744\"", "\"0.0.0.0:8744\"", "trust_network"),
        ("\"127.0.0.1:9464\"", "\"[::]:9464\"", "trust_network"),
        ("https://gw.example.org", "http://gw.example.org", "plain http"),
        ("https://gw.example.org", "https://gw.example.org/x", "is not an origin"),
        ("[\"https://app.example.org\"]", "[\"*\"]", "any page"),
        ("[\"https://app.example.org\"]", "[\"null\"]", "any page"),
        (
            "[\"https://app.example.org\"]",
            "[\"https://app.example.org/\"]",
            "write `https://app.example.org`",
        ),
        ("https://idp.example.org", "http://idp.example.org", "not https"),
        ("\"corti-gateway\"", "\"\"", "empty audience"),
        ("\"RS256\", \"ES256\"", "\"HS256\"", "public key"),
        ("\"RS256\", \"ES256\"", "\"none\"", "public key"),
        ("\"RS256\", \"ES256\"", "\"rs256\"", "public key"),
        ("\"RS256\", \"ES256\"", "", "no algorithms"),
        ("https://gw.example.org", "https://u:p@gw.example.org", "write `https://gw.example.org`"),
        ("https://gw.example.org", "https://gw.example.org:443", "write `https://gw.example.org`"),
        ("https://gw.example.org", "https://gw.example.org/#x", "is not an origin"),
        ("groups = [\"batch\"] }", "groups = [\"bach\"] }", "is in no group that a [[rule]] names"),
        ("\"facts.*\"", "\"facts.lst\"", "did you mean `facts.list`?"),
        ("0001\"", "01\"", "64 lower-case hex digits"),
        ("0001\"", "000x\"", "64 lower-case hex digits"),
        ("\"token.transcribe\"", "\"token.streams\"", "every user's interaction"),
        (
            "allow = [\"interactions.*\"]",
            "allow = [\"token.streams\"]\n[[rule]]\ngroups = [\"batch\"]\nallow = [\"streams\"]\nown = true",
            "every user's interaction",
        ),
        ("\"facts.*\"", "\"fact.*\"", "is not an operation"),
        ("\"interactions.*\"", "\"interaction.*\"", "did you mean `interactions.*`?"),
        ("\"facts.*\"", "\"*\"", "is not an operation"),
        ("\"20/s\"", "\"20\"", "not a rate"),
        ("own = true", "mine = true", "line 25: unknown field `mine`"),
        ("unix:/run", "unix:run", "is not an address"),
        (GOOD, &without_callers, "no caller is allowed"),
        ("own = true", "own = 7", "line 25: write a boolean, not the integer `7`"),
        (GOOD, "listen = [\"127.0.0.1:1\"]", "line 1: `public_url` is missing"),
        ("[limits]", "[decide]\nfull = true\n[limits]", "line 17: `engine_key_file` is missing"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let refused = Config::parse(&GOOD.replace(from, to)).map(|_| to).unwrap_err().to_string();
        assert!(refused.contains(said), "{to}: {refused}");
    }
}
