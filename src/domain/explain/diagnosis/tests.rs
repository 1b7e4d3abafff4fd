//! Tests the hosts of an environment and the judgement of clocks.

use super::*;

fn eu() -> Environment {
    "eu".parse().unwrap()
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Response { status, headers, body: body.as_bytes().to_vec() }
}

#[test]
fn a_label_has_two_hosts_and_a_url_one() {
    let labels: Vec<_> = targets(&eu(), &Tenant::default()).iter().map(Target::label).collect();
    assert_eq!(labels, ["auth.eu.corti.app (auth)", "api.eu.corti.app (api, sockets)"]);
    let local = targets(&"http://127.0.0.1:8".parse().unwrap(), &Tenant::default());
    assert_eq!(local.len(), 1);
    assert_eq!(local[0].label(), "127.0.0.1 (auth, api, sockets)");
    assert_eq!(local[0].url.path(), "/realms/base/.well-known/openid-configuration");
}

fn skew(date: &str, age: &str, sent: &str, received: &str) -> Option<(Verdict, String)> {
    let response = response(200, &[("date", date), ("age", age)], "");
    let skew = Skew::of(&response, sent.parse().unwrap(), received.parse().unwrap())?;
    Some((skew.verdict(), skew.to_string()))
}

#[test]
fn a_clock_is_judged_by_the_date_and_the_way_it_took() {
    let noon = "Tue, 24 Nov 2026 12:00:00 GMT";
    let at = |sent: &str, received: &str| {
        skew(noon, "", &format!("2026-11-24T{sent}Z"), &format!("2026-11-24T{received}Z")).unwrap()
    };
    let agrees = "this machine's clock agrees with the server's".to_owned();
    assert_eq!(at("12:00:00.4", "12:00:00.6"), (Verdict::Ok, agrees));
    assert_eq!(at("12:00:05", "12:00:05").0, Verdict::Ok);
    let (verdict, text) = at("12:00:07", "12:00:08");
    assert_eq!(
        (verdict, text.as_str()),
        (Verdict::Warning, "this machine's clock is 7 s ahead of the server's")
    );
    let (verdict, text) = at("11:58:00.5", "11:58:00.5");
    assert_eq!(
        (verdict, text.as_str()),
        (Verdict::Failed, "this machine's clock is 120 s behind the server's")
    );
    // A slow answer is no wrong clock.
    assert_eq!(at("11:59:48", "12:00:00").0, Verdict::Ok);
    assert_eq!(skew("soon", "", "2026-11-24T12:00:00Z", "2026-11-24T12:00:00Z"), None);
    let cached = skew(noon, "600", "2026-11-24T12:10:00Z", "2026-11-24T12:10:01Z").unwrap();
    assert_eq!(cached.0, Verdict::Ok);
}
