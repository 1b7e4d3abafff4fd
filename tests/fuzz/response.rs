//! Any answer of a server is parsed or refused, and the error is of bounded length.

#![no_main]

use corti_auth_fuzz::domain::explain::{diagnosis, discovery};
use corti_auth_fuzz::domain::client::environment::Environment;
use corti_auth_fuzz::domain::token::grant;
use corti_auth_fuzz::domain::client::identity::Tenant;
use corti_auth_fuzz::domain::corti::interaction;
use corti_auth_fuzz::domain::token::jwks::KeySet;
use corti_auth_fuzz::domain::corti::message::ServerMessage;
use corti_auth_fuzz::domain::text::page::printable;
use corti_auth_fuzz::domain::corti::problem::Problem;
use corti_auth_fuzz::domain::corti::request::{Response, retry_after};
use corti_auth_fuzz::domain::token::scope::{ScopeRequest, TokenClass, ScopeSet};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const STATUS: [u16; 16] = [200, 200, 201, 204, 301, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503, 200];

const HEADERS: [&str; 4] = ["content-type", "www-authenticate", "retry-after", "date"];

fuzz_target!(|data: &[u8]| {
    let [mode, data @ ..] = data else { return };
    let cut = if mode & 0x40 == 0 { 0 } else { data.iter().position(|byte| *byte == b'\n').unwrap_or(0) };
    let (header, body) = data.split_at(cut);
    let name = HEADERS[usize::from(mode >> 4) % HEADERS.len()].to_owned();
    let header = String::from_utf8_lossy(header).into_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let _ = retry_after(&header, now);
    let response = Response {
        status: STATUS[usize::from(mode & 0xf)],
        headers: vec![(name, header)],
        body: body.to_vec(),
    };
    let (environment, tenant): (Environment, _) = ("eu".parse().unwrap(), Tenant::default());
    let requested = ScopeRequest::Scopes(ScopeSet::from_wire("transcribe"));
    let mut said = Vec::new();
    match grant::parse(&response, &requested, now) {
        // A limited token was requested, so only a limited one is accepted.
        Ok(token) => assert!(token.granted.class() == TokenClass::Limited && token.expires_at > now),
        Err(error) => said.push(error.to_string()),
    }
    said.push(Problem::of(&response).to_string());
    match interaction::parse(&response, &environment, &tenant) {
        Ok(created) => assert!(environment.serves_socket(&created.websocket_url)),
        Err(error) => said.push(error.to_string()),
    }
    said.extend(discovery::check(&response, &environment, &tenant).err().map(|error| error.to_string()));
    said.extend(discovery::keys_url(&response, &environment, &tenant).err().map(|error| error.to_string()));
    let _ = (KeySet::parse(&response.body).is_ok(), diagnosis::Skew::of(&response, now, now).is_some());
    if let Ok(text) = std::str::from_utf8(&response.body) {
        let _ = ServerMessage::parse(text);
    }
    for text in said {
        let text = printable(&text);
        assert!(text.len() <= 4_000 + 24 * (data.len() + 1), "{} of {}", text.len(), data.len());
        assert!(!text.chars().any(char::is_control));
    }
});
