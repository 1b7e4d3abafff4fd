//! Pasted tokens: `probe --websocket-url` and `check` send one only if the chosen environment and tenant issued it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::common::fake_server::listen;
use crate::common::{Said, World, forged, wait_until};

/// A server that refuses every request, and counts connections.
struct Server {
    environment: String,
    accepted: Arc<AtomicUsize>,
    /// How many of them the test made itself.
    own: AtomicUsize,
}

fn server() -> Server {
    let (listener, environment) = listen();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counter.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 8192]);
                let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                stream.write_all(refusal)
            });
        }
    });
    Server { environment, accepted, own: AtomicUsize::new(0) }
}

impl Server {
    /// How many connections the commands made. Makes one itself, which comes after all of theirs, so that none is
    /// missed.
    fn connections(&self) -> usize {
        let before = self.accepted.load(Ordering::SeqCst);
        drop(TcpStream::connect(self.environment.strip_prefix("http://").unwrap()).unwrap());
        wait_until("the connection is counted", || self.accepted.load(Ordering::SeqCst) > before);
        let own = self.own.fetch_add(1, Ordering::SeqCst) + 1;
        self.accepted.load(Ordering::SeqCst) - own
    }
}

/// A token with this issuer.
fn token(issuer: &str) -> String {
    let claims =
        json!({ "typ": "Bearer", "exp": 9_999_999_999_i64, "iss": issuer, "scope": "openid transcribe" });
    forged(&json!({ "alg": "RS256" }), &claims)
}

/// What chooses the environment and tenant, besides the URL.
enum Chosen<'a> {
    Nothing,
    Variable(&'a str),
    Flags(&'a str),
    Profile(&'a str),
}

/// Runs `command` with this choice.
fn run(chosen: &Chosen<'_>, command: &str, pasted: &str) -> Said {
    let mut world = World::new();
    let mut flags = String::new();
    match chosen {
        Chosen::Nothing => {}
        Chosen::Variable(environment) => world.set("CORTI_ENVIRONMENT", environment),
        Chosen::Flags(words) => flags.push_str(words),
        Chosen::Profile(environment) => world.write_config(&format!(
            "default-profile = \"d\"\n[profiles.d]\nenvironment = \"{environment}\"\ntenant = \"base\"\n\
             client-id = \"x\"\nstore = \"keyring\"\n"
        )),
    }
    let said = Said::by(world.run(&format!("{command} {flags}")).write_stdin(pasted));
    for text in [&said.stdout, &said.stderr] {
        assert!(!text.contains(pasted.rsplit("Bearer%20").next().unwrap()), "{text}");
    }
    said
}

#[test]
fn a_pasted_url_is_opened_only_at_its_tokens_issuer() {
    let (one, two) = (server(), server());
    let (here, there) = (one.environment.as_str(), two.environment.as_str());
    let socket = |environment: &str, query: &str| {
        format!("{}/audio-bridge/v2/transcribe?{query}", environment.replacen("http", "ws", 1))
    };
    let bearer = |issuer: &str| format!("token=Bearer%20{}", token(issuer));
    let (own, foreign) = (format!("{here}/realms/base"), format!("{there}/realms/base"));
    let other = format!("{here}/realms/other");
    let (flags, mixed) = (format!("-e {here}"), format!("-e {here} -t other"));
    let base = |token: String| format!("tenant-name=base&{token}");
    let tenants = format!("tenant-name=base&tenant-name=other&{}", bearer(&own));
    let nobody = forged(&json!({ "alg": "RS256" }), &json!({ "typ": "Bearer", "exp": 9_999_999_999_i64 }));
    let table = [
        ("of another environment", Chosen::Variable(there), here, base(bearer(&own))),
        ("of another environment, by flag", Chosen::Flags(&flags), there, base(bearer(&foreign))),
        ("of another environment, by profile", Chosen::Profile("eu"), here, base(bearer(&own))),
        ("of another tenant, by flag", Chosen::Flags(&mixed), here, base(bearer(&own))),
        ("foreign token", Chosen::Variable(here), here, base(bearer(&foreign))),
        ("foreign URL", Chosen::Variable(here), there, base(bearer(&own))),
        ("token of another tenant", Chosen::Variable(here), here, base(bearer(&other))),
        (
            "tenant-name of another",
            Chosen::Variable(here),
            here,
            format!("tenant-name=other&{}", bearer(&own)),
        ),
        ("two tenant-names", Chosen::Variable(here), here, tenants.clone()),
        ("nothing chosen, foreign token", Chosen::Nothing, here, base(bearer(&foreign))),
        (
            "nothing chosen, token of eu",
            Chosen::Nothing,
            here,
            base(bearer("https://auth.eu.corti.app/realms/base")),
        ),
        ("nothing chosen, tenant-name of another", Chosen::Nothing, here, base(bearer(&other))),
        ("nothing chosen, two tenant-names", Chosen::Nothing, here, tenants),
        ("opaque", Chosen::Nothing, here, base("token=Bearer%20canary-abcdefgh".to_owned())),
        ("no issuer", Chosen::Variable(here), here, base(format!("token=Bearer%20{nobody}"))),
        ("no token", Chosen::Variable(here), here, base("token=Bearer%20canary!of-no-form".to_owned())),
        ("an issuer with more behind it", Chosen::Variable(here), here, base(bearer(&format!("{own}/")))),
        ("an issuer elsewhere", Chosen::Variable(here), here, base(bearer(&format!("{there}/?x={own}")))),
        (
            "hidden behind &amp;",
            Chosen::Variable(here),
            here,
            format!("tenant-name=base&amp;{}", bearer(&foreign)),
        ),
        ("hidden behind a second ?", Chosen::Nothing, here, format!("tenant-name=base?{}", bearer(&foreign))),
    ];
    let mut sent = Vec::new();
    for (name, chosen, environment, query) in &table {
        let said = run(chosen, "probe --websocket-url -", &socket(environment, query));
        let requests = one.connections() + two.connections();
        if said.code != 7 || requests > 0 || !said.stderr.contains("hint: ") {
            sent.push(format!("{name}: exit {}, {requests} connections: {}", said.code, said.stderr));
        }
    }
    assert!(sent.is_empty(), "{sent:#?}");
    // More than one token is a usage error, and so is an unknown profile.
    let two_tokens = format!("{}&amp;{}", base(bearer(&own)), bearer(&foreign));
    let said = run(&Chosen::Variable(here), "probe --websocket-url -", &socket(here, &two_tokens));
    assert_eq!((said.code, one.connections()), (2, 0), "{}", said.stderr);
    assert!(said.stderr.ends_with("hint: keep one token= in the URL\n"), "{}", said.stderr);
    let said = run(&Chosen::Flags("-p nope"), "probe --websocket-url -", &socket(here, &base(bearer(&own))));
    assert_eq!((said.code, one.connections()), (3, 0), "{}", said.stderr);
    // The message names what differs.
    for (environment, query, differs) in [
        (there, base(bearer(&own)), format!("is for `{}`", there.strip_prefix("http://").unwrap())),
        (here, base(bearer(&other)), "is for another tenant".to_owned()),
    ] {
        let said = run(&Chosen::Nothing, "probe --websocket-url -", &socket(environment, &query));
        assert!(
            said.stderr.contains(&format!(", but the URL {differs}: nothing was sent\n")),
            "{}",
            said.stderr
        );
    }
    // Where everything fits, the token is sent, whether an environment is chosen or not.
    for (chosen, query) in [
        (Chosen::Nothing, base(bearer(&own))),
        (Chosen::Nothing, format!("tenant-name=other&{}", bearer(&other))),
        (Chosen::Variable(here), base(bearer(&own))),
        (Chosen::Flags(&mixed), format!("tenant-name=other&{}", bearer(&other))),
        // Malformed, but sent to its own issuer: the server answers.
        (Chosen::Variable(here), bearer(&own)),
        (Chosen::Variable(here), format!("tenant-name=base&amp;{}", bearer(&own))),
    ] {
        let before = one.connections();
        let said = run(&chosen, "probe --websocket-url -", &socket(here, &query));
        assert!(said.code == 5 && one.connections() > before, "exit {}: {}", said.code, said.stderr);
    }
    assert_eq!(two.connections(), 0);
}

#[test]
fn a_url_with_a_token_outside_its_parameter_is_not_opened() {
    let (here, mut world) = (server(), World::new());
    world.set("CORTI_ENVIRONMENT", &here.environment);
    // What a URL without a token would get.
    let own = token(&format!("{}/realms/base", here.environment));
    world.set("CORTI_ACCESS_TOKEN", &own);
    let socket = here.environment.replacen("http", "ws", 1) + "/audio-bridge/v2";
    let mut sent = Vec::new();
    for place in [
        "/transcribe?tenant-name=base&token%3DBearer%20FOREIGN",
        "/transcribe?tenant-name=base%26token=Bearer%20FOREIGN",
        "/transcribe?tenant-name%3Dbase%26token%3DBearer%2520FOREIGN",
        "/transcribe?tenant-name=base&TOKEN=Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&token%20=Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&+token=Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&token[]=Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&token:Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&access_token=Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&authorization=Bearer%20FOREIGN",
        "/transcribe?tenant-name=base&jwt=FOREIGN",
        "/transcribe?tenant-name=base&jwt=ENCODED",
        "/transcribe?tenant-name=base&FOREIGN=x",
        "/transcribe?tenant-name=FOREIGN",
        "/transcribe?FOREIGN",
        "/transcribe/FOREIGN?tenant-name=base",
        "/FOREIGN/transcribe?tenant-name=base",
        "/ENCODED/transcribe?tenant-name=base",
        // A second token in its proper place changes nothing.
        "/transcribe?tenant-name=base&token=Bearer%20OWN&jwt=FOREIGN",
        "/FOREIGN/transcribe?tenant-name=base&token=Bearer%20OWN",
        "/transcribe?tenant-name=base&token=&x=FOREIGN",
    ] {
        let foreign = token("https://auth.eu.corti.app/realms/base");
        // Encoded so often that no decoding succeeds by chance.
        let encoded = foreign.replace('e', &format!("%{}65", "25".repeat(20)));
        let url = place.replace("FOREIGN", &foreign).replace("ENCODED", &encoded).replace("OWN", &own);
        for command in ["probe transcribe --websocket-url - -v", "probe transcribe --websocket-url - --json"]
        {
            let said = Said::by(world.run(command).write_stdin(format!("{socket}{url}")));
            let (connections, printed) = (here.connections(), said.stdout + &said.stderr);
            let is_printed = [&foreign, &encoded, &own].iter().any(|token| printed.contains(token.as_str()));
            let is_told = printed.contains("outside of `token=`") && printed.contains("nothing was sent");
            if said.code != 2 || connections > 0 || is_printed || !is_told {
                sent.push(format!(
                    "{place}: exit {}, {connections} connections, printed: {is_printed}",
                    said.code
                ));
            }
        }
    }
    assert!(sent.is_empty(), "{sent:#?}");
}

#[test]
fn a_url_of_another_tenant_gets_no_token_of_this_client() {
    let (here, mut world) = (server(), World::new());
    world.set("CORTI_ENVIRONMENT", &here.environment);
    world.set("CORTI_ACCESS_TOKEN", &token(&format!("{}/realms/base", here.environment)));
    let socket = here.environment.replacen("http", "ws", 1) + "/audio-bridge/v2/transcribe";
    for query in ["tenant-name=canary", "tenant-name=base&tenant-name=canary"] {
        let said = Said::by(world.run("probe --websocket-url -").write_stdin(format!("{socket}?{query}")));
        assert_eq!((said.code, here.connections()), (3, 0), "{query}: {}", said.stderr);
        assert!(said.stderr.contains("tenant `base`: nothing was sent"), "{}", said.stderr);
        assert!(said.stderr.contains("hint: ") && !said.stderr.contains("canary"), "{}", said.stderr);
    }
    let said =
        Said::by(world.run("probe --websocket-url -").write_stdin(format!("{socket}?tenant-name=base")));
    assert!(said.code == 5 && here.connections() > 0, "exit {}: {}", said.code, said.stderr);
}

#[test]
fn a_token_in_a_file_is_checked_only_at_its_issuer() {
    let server = server();
    let here = server.environment.as_str();
    let own = format!("{here}/realms/base");
    let (flags, tenant) = (format!("-e {here}"), format!("-e {here} -t other"));
    for (chosen, token) in [
        (Chosen::Variable(here), token("https://auth.eu.corti.app/realms/base")),
        (Chosen::Variable(here), token(&format!("{here}/realms/other"))),
        // Not even with `--environment` or `--tenant`.
        (Chosen::Flags(&flags), token("https://auth.eu.corti.app/realms/base")),
        (Chosen::Flags(&tenant), token(&own)),
        (Chosen::Variable(here), token("https://login.example/me")),
        (Chosen::Variable(here), "canary.of.nobody".to_owned()),
    ] {
        let said = run(&chosen, "check -", &token);
        assert_eq!((said.code, server.connections()), (7, 0), "{}", said.stderr);
        assert!(said.stdout.is_empty() && said.stderr.contains("hint: "), "{}", said.stderr);
    }
    let said = run(&Chosen::Flags(&flags), "check -", &token(&own));
    assert!(said.code == 5 && server.connections() > 0, "{}", said.stderr);
}
