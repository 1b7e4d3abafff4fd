//! `serve` sends Corti its own token and tenant, once, whatever headers and query a caller adds; and what an answer of Corti's
//! says about Corti's own server stays with the gateway.

use std::collections::BTreeSet;

use crate::common::Sandbox;
use crate::common::gateway::{BATCH, Gateway, ORIGIN, UPGRADE, config, get};
use crate::common::recorder::{Recorder, answer_with, target, values};

const RULES: &str = "[limits]\nrate = \"10000/s\"\nburst = 10000\nsockets = 1000\n\
    [[rule]]\ngroups = [\"batch\"]\nallow = [\"languages.list\", \"transcribe\", \"token.transcribe\"]\n";
const LANGUAGES: &str = "/corti/v2/languages/";
const TRANSCRIBE: &str = "/corti/audio-bridge/v2/transcribe";

/// In everything that must not reach Corti.
pub const CANARY: &str = "canary-4711";

/// Headers that a proxy might take for its own, merge with its own, or pass on.
pub const HEADERS: [&str; 34] = [
    "authorization_",
    "authorization-",
    "x-authorization",
    "http_authorization",
    "proxy-authorization",
    "tenant-name",
    "tenant_name",
    "tenant.name",
    "x-tenant-name",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "x-http-method-override",
    "x-corti-target",
    "via",
    "te",
    "trailer",
    "keep-alive",
    "expect-ct",
    "max-forwards",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-fetch-mode",
    "if-range",
    "referer",
    "corti-ticket",
    "token",
    "x-request-id",
];

/// What `Connection` may name, so that a proxy drops it as hop-by-hop.
pub const NAMED: [&str; 5] =
    ["Authorization", "Tenant-Name", "Authorization, Tenant-Name", "Host", "close, Sec-WebSocket-Key"];

/// Parameters that name a caller or a tenant, as they may be spelled.
const PARAMETERS: [&str; 12] = [
    "tenant-name",
    "tenant%2dname",
    "tenant%2Dname",
    "TENANT-NAME",
    "%74enant-name",
    "access_token",
    "access%5ftoken",
    "token",
    "%74oken",
    "%74%6f%6b%65%6e",
    "corti-ticket",
    "corti%2Dticket",
];

/// The headers of ours and of a caller's that Corti gets, and no others.
const ALLOWED: [&str; 14] = [
    "accept",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "host",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "tenant-name",
    "upgrade",
    "user-agent",
    "x-corti-analytics",
    "range",
];

/// Numbers that look random, the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn cased(&mut self, name: &str) -> String {
        name.chars().map(|it| if self.below(2) == 0 { it.to_ascii_uppercase() } else { it }).collect()
    }

    fn headers(&mut self) -> String {
        let mut lines = Vec::new();
        for _ in 0..self.below(8) {
            let name = self.pick(&HEADERS);
            lines.push(format!("{}: {CANARY}\r\n", self.cased(name)));
        }
        for _ in 0..self.below(3) {
            lines.push(format!("{}: {}\r\n", self.cased("connection"), self.pick(&NAMED)));
        }
        lines.concat()
    }

    /// A query, and what of it Corti may see.
    fn query(&mut self, parameters: &[&str]) -> (String, String) {
        let (mut sent, mut kept) = (Vec::new(), Vec::new());
        for place in 0..self.below(6) {
            if self.below(2) == 0 {
                sent.push(format!("{}={CANARY}", self.pick(parameters)));
            } else {
                sent.push(format!("a{place}=1"));
                kept.push(format!("a{place}=1"));
            }
        }
        (sent.join("&"), kept.join("&"))
    }
}

fn start() -> (Recorder, Sandbox, Gateway) {
    let (corti, idp) = (Recorder::start(), Sandbox::start());
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    (corti, idp, gateway)
}

/// The only request that Corti got.
fn only(corti: &Recorder, sent: &str) -> String {
    let mut requests = corti.take();
    assert_eq!(requests.len(), 1, "{sent}: {requests:?}");
    let request = requests.remove(0);
    assert!(!request.contains(CANARY) && !request.contains(BATCH), "{sent}\n{request}");
    let names = request.split("\r\n\r\n").next().unwrap().split("\r\n").skip(1);
    let names: BTreeSet<String> =
        names.map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect();
    assert!(names.iter().all(|name| ALLOWED.contains(&name.as_str())), "{sent}\n{request}");
    let host = corti.environment.trim_start_matches("http://");
    assert_eq!(values(&request, "host"), [host], "{sent}\n{request}");
    request
}

/// Abuse case 1, for REST.
#[tokio::test]
async fn corti_gets_one_token_and_one_tenant_which_are_the_gateways() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    let mut random = Random(1);
    let mut bearer = None;
    for _ in 0..400 {
        let (query, kept) = random.query(&PARAMETERS);
        let authorization = random.cased("authorization");
        let headers = format!("{}{authorization}: Bearer {BATCH}\r\n{}", random.headers(), random.headers());
        let sent = get(&format!("{LANGUAGES}?{query}"), &headers);
        let (status, ..) = gateway.connect().ask(&sent);
        assert_eq!(status, 200, "{sent}");
        let request = only(&corti, &sent);
        let separator = if kept.is_empty() { "" } else { "?" };
        assert_eq!(target(&request), format!("/v2/languages/{separator}{kept}"), "{sent}");
        let [authorization] = values(&request, "authorization")[..] else { panic!("{sent}\n{request}") };
        assert!(authorization.starts_with("Bearer eyJ"), "{request}");
        assert_eq!(bearer.get_or_insert_with(|| authorization.to_owned()), authorization, "{sent}");
        assert_eq!(values(&request, "tenant-name"), ["base"], "{sent}\n{request}");
    }
}

/// Abuse case 1, for WebSockets, whose token and tenant are in the query.
#[tokio::test]
async fn a_websocket_has_one_token_and_one_tenant_which_are_the_gateways() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    let mut random = Random(2);
    let mut bearer = None;
    // The last four are a credential's place: a second credential is refused below.
    let harmless = &PARAMETERS[..7];
    for _ in 0..200 {
        let (query, kept) = random.query(harmless);
        let headers =
            format!("{}Authorization: Bearer {BATCH}\r\n{UPGRADE}{}", random.headers(), random.headers());
        let sent = get(&format!("{TRANSCRIBE}?{query}"), &headers);
        let (status, ..) = gateway.connect().ask(&sent);
        assert_eq!(status, 101, "{sent}");
        let request = only(&corti, &sent);
        assert!(values(&request, "authorization").is_empty(), "{request}");
        let asked = format!("http://x{}", target(&request)).parse::<reqwest::Url>().unwrap();
        assert_eq!(asked.path(), "/audio-bridge/v2/transcribe");
        let pairs: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
        let named = |name: &str| {
            let found = pairs.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let tokens = named("token");
        let [token] = &tokens[..] else { panic!("{sent}\n{request}") };
        assert!(token.starts_with("Bearer eyJ"), "{request}");
        assert_eq!(bearer.get_or_insert_with(|| token.clone()), token, "{sent}");
        assert_eq!(named("tenant-name"), ["base"], "{sent}\n{request}");
        assert_eq!(pairs.len(), kept.split('&').filter(|it| !it.is_empty()).count() + 2, "{request}");
    }
}

/// One of two credentials may be an attacker's, so neither is taken.
#[tokio::test]
async fn two_credentials_are_refused_wherever_they_stand() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    let ours = format!("Authorization: Bearer {BATCH}\r\n");
    let rest = [
        format!("{ours}Authorization: Bearer x\r\n"),
        format!("Authorization: Bearer x\r\n{ours}"),
        format!("{ours}AUTHORIZATION: Bearer {BATCH}x\r\n"),
        format!("Authorization: Bearer x, Bearer {BATCH}\r\n"),
        format!("Authorization: Bearer x\r\n Bearer {BATCH}\r\n"),
        format!("Authorization : Bearer {BATCH}\r\n"),
        format!("Authorization: Bearer {BATCH}\u{e9}\r\n"),
    ];
    for headers in rest {
        let raw = gateway.raw_until_answer(get(LANGUAGES, &headers).as_bytes());
        assert!(["HTTP/1.1 400", "HTTP/1.1 401"].iter().any(|it| raw.starts_with(it)), "{headers}: {raw}");
    }
    let protocol = format!("Sec-WebSocket-Protocol: corti-ticket, {CANARY}\r\n");
    let sockets = [
        ("", format!("{ours}Authorization: Bearer x\r\n")),
        ("?token=Bearer%20x", ours.clone()),
        ("?%74oken=Bearer%20x", ours.clone()),
        ("?corti-ticket=x", ours.clone()),
        ("?corti%2Dticket=x", ours.clone()),
        ("?token=Bearer%20x&token=Bearer%20y", String::new()),
        ("?token=Bearer%20x&corti-ticket=x", String::new()),
        ("", format!("{ours}{protocol}")),
        ("", format!("{protocol}Sec-WebSocket-Protocol: corti-ticket, y\r\n")),
        ("?corti-ticket=x", protocol.clone()),
        ("", format!("{ours}Sec-WebSocket-Protocol: Authorization, Bearer%20{BATCH}x\r\n")),
        ("", format!("{ours}Sec-WebSocket-Protocol: authorization, Bearer%20x\r\n")),
    ];
    for (query, headers) in sockets {
        let sent = get(&format!("{TRANSCRIBE}{query}"), &format!("{headers}{UPGRADE}"));
        let (status, _, body) = gateway.connect().ask(&sent);
        assert_eq!(status, 400, "{sent}");
        assert!(body.contains("credential_repeated"), "{sent}: {body}");
    }
    // In a REST request, a query holds no credential.
    for query in ["token=Bearer%20", "token=", "corti-ticket=", "access_token="] {
        let (status, ..) = gateway.connect().ask(&get(&format!("{LANGUAGES}?{query}{BATCH}"), ""));
        assert_eq!(status, 401, "{query}");
    }
    assert_eq!(corti.take(), Vec::<String>::new());
    // The same one twice is one, as the SDK sends it in Node, and Corti does not get it.
    let doubled =
        get(&format!("{TRANSCRIBE}?token=Bearer%20{BATCH}&tenant-name=x"), &format!("{ours}{UPGRADE}"));
    assert_eq!(gateway.connect().ask(&doubled).0, 101);
    let request = only(&corti, &doubled);
    assert_eq!(target(&request).matches("token=").count(), 1, "{request}");
    assert!(target(&request).contains("tenant-name=base") && target(&request).contains("token=Bearer%20eyJ"));
}

/// A4: what decides is the path alone.
#[tokio::test]
async fn a_query_and_a_fragment_change_no_operation() {
    let (corti, _idp, gateway) = start();
    gateway.ready().await;
    let authorization = format!("Authorization: Bearer {BATCH}\r\n");
    for (path, status) in [
        ("/corti/v2/interactions/?x=/corti/v2/languages/", 403),
        ("/corti/v2/interactions/?/corti/v2/languages/", 403),
        ("/corti/v2/interactions/?x=%2Fcorti%2Fv2%2Flanguages%2F", 403),
        ("/corti/v2/interactions/#/corti/v2/languages/", 403),
        ("/corti/v2/nothing?/../languages/", 404),
        ("/corti/v2/nothing/?x=1&/corti/v2/languages/", 404),
        ("/corti/v2/languages?/", 404),
        ("/?/corti/v2/languages/", 404),
        ("/broker/v1/nothing?/corti/v2/languages/", 404),
    ] {
        assert_eq!(gateway.connect().ask(&get(path, &authorization)).0, status, "{path}");
        assert_eq!(corti.take(), Vec::<String>::new(), "{path}");
    }
    for (path, sent) in [
        ("/corti/v2/languages/?/../interactions/", "/v2/languages/?%2F..%2Finteractions%2F="),
        ("/corti/v2/languages/?x=/v2/interactions/", "/v2/languages/?x=%2Fv2%2Finteractions%2F"),
        ("/corti/v2/languages/#/../interactions/", "/v2/languages/"),
        ("/corti/v2/languages/?a=1#&token=x", "/v2/languages/?a=1"),
    ] {
        assert_eq!(gateway.connect().ask(&get(path, &authorization)).0, 200, "{path}");
        assert_eq!(target(&only(&corti, path)), sent, "{path}");
    }
}

/// A22: no header makes one caller many.
#[tokio::test]
async fn a_forwarded_address_changes_no_limit_and_is_not_logged() {
    let (corti, idp) = (Recorder::start(), Sandbox::start());
    let rules = RULES.replace("10000/s", "1/h").replace("10000", "2");
    let gateway = Gateway::start_in(corti.world(), &config(&idp, &rules));
    let mut connection = gateway.connect();
    let mut statuses = Vec::new();
    for number in 0..5 {
        let address = format!("10.0.0.{number}");
        let headers = format!(
            "Authorization: Bearer {BATCH}\r\nX-Forwarded-For: {address}\r\nX-Real-IP: {address}\r\n\
             Forwarded: for={address}\r\n"
        );
        let (status, head, _) = connection.ask(&get(LANGUAGES, &headers));
        assert_eq!(head.contains("retry-after: "), status == 429, "{head}");
        statuses.push(status);
        assert!(!gateway.line().to_string().contains("10.0.0."), "the log names an address");
    }
    assert_eq!(statuses, [200, 200, 429, 429, 429]);
}

/// A25: what belongs to Corti's own server, or would be kept by a browser for the gateway's.
#[tokio::test]
async fn an_answer_keeps_no_cookie_policy_or_challenge_of_cortis() {
    let corti = Recorder::answering(|_, stream| {
        let headers = "Content-Type: application/json\r\nETag: \"1\"\r\nSet-Cookie: a=canary\r\n\
            Set-Cookie: b=canary\r\nServer: canary\r\nAlt-Svc: h3=\"canary\"\r\n\
            Strict-Transport-Security: max-age=canary\r\nWWW-Authenticate: Basic realm=\"canary\"\r\n\
            Proxy-Authenticate: Basic\r\nKeep-Alive: timeout=5\r\nAuthorization: canary\r\n\
            Tenant-Name: canary\r\nUpgrade: canary\r\nAccess-Control-Allow-Origin: *\r\n\
            Access-Control-Allow-Credentials: true\r\nTrailer: canary\r\nLocation: https://canary\r\n";
        answer_with("200 OK", headers, "{}", stream);
    });
    let idp = Sandbox::start();
    let gateway = Gateway::start_in(corti.world(), &config(&idp, RULES));
    let ask = |path: &str, headers: &str| {
        let (status, head, body) = gateway.connect().ask(&get(path, headers));
        assert!(!head.contains("canary"), "{head}");
        let mut names: Vec<&str> =
            head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        names.sort_unstable();
        (status, names.join(" "), head, body)
    };
    let bearer = format!("Authorization: Bearer {BATCH}\r\n");
    let page = format!("{bearer}Origin: {ORIGIN}\r\n");
    let (status, names, head, body) = ask(LANGUAGES, &page);
    assert_eq!((status, body.as_str()), (200, "{}"), "{head}");
    let shown = "access-control-expose-headers";
    let of_corti = "content-length content-type date etag vary x-request-id";
    assert_eq!(names, format!("access-control-allow-origin {shown} {of_corti}"), "{head}");
    assert!(head.contains("access-control-allow-origin: https://app."), "{head}");
    // Whatever the gateway answers itself is for nobody's cache.
    let own = format!("{shown} cache-control content-length content-type date vary");
    for (path, headers, answer, more) in [
        ("/broker/v1/me", &bearer, 200, ""),
        ("/corti/v2/nothing", &bearer, 404, ""),
        (TRANSCRIBE, &bearer, 400, ""),
        (LANGUAGES, &String::new(), 401, "www-authenticate "),
    ] {
        let (status, names, head, _) = ask(path, headers);
        assert_eq!((status, names), (answer, format!("{own} {more}x-request-id")), "{head}");
        assert!(head.contains("cache-control: no-store\r\n") && head.contains("vary: origin"), "{head}");
    }
}
