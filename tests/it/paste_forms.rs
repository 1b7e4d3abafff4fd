//! What people paste, form by form: the token that `inspect` reads from it and what it says of the place, or why it reads none.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::common::{Said, Sandbox, World};

/// What `inspect` does with a text.
enum Expected<'a> {
    /// It reads this token, and says this.
    One(&'a str, &'a str),
    /// It lists these.
    Several(Vec<&'a str>),
    /// It reads none, and says this.
    Nothing(&'a str),
}

use Expected::{Nothing, One, Several};

/// A token as an issuer makes it: with the signature's length of its algorithm.
fn token(algorithm: &str, claims: &Value) -> String {
    let length = match algorithm {
        "RS256" => 256,
        "HS256" => 32,
        "none" => 0,
        _ => 64,
    };
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": "0BRdv7-r-1bpMZ6I8WZbGkbBYGwTP7iVk3aT4A" });
    let parts = [header.to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let mut signature = Vec::new();
    for round in 0_u8.. {
        if signature.len() >= length {
            break;
        }
        signature.extend(Sha256::digest([parts.concat().as_bytes(), &[round]].concat()));
    }
    signature.truncate(length);
    format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(signature))
}

/// Claims as Keycloak's, 1.2 KB of token with them.
fn claims(client: &str) -> Value {
    json!({
        "exp": 9_999_999_999_i64, "iat": 1_764_492_000, "jti": format!("trrtcc:{client}-4f3a-9d6c-2e1b5a7c8d90"),
        "iss": "https://auth.eu.corti.app/realms/base", "aud": "account", "typ": "Bearer", "azp": client,
        "sub": "c0ffee00-1111-4222-8333-944455556666", "acr": "1", "allowed-origins": ["/*"],
        "realm_access": { "roles": ["default-roles-base", "offline_access", "uma_authorization"] },
        "resource_access": { "account": { "roles": ["manage-account", "manage-account-links", "view-profile"] } },
        "scope": "openid profile email transcribe", "clientHost": "10.0.12.34", "email_verified": false,
        "preferred_username": format!("service-account-{client}"), "clientAddress": "10.0.12.34", "client_id": client,
    })
}

fn fingerprint(token: &str) -> String {
    let digest = Sha256::digest(token);
    digest.iter().take(4).fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The text in lines of this width, each after `mark`.
fn wrapped(text: &str, width: usize, end: &str, mark: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let lines = characters.chunks(width).map(|line| line.iter().collect::<String>());
    format!("{mark}{}", lines.collect::<Vec<_>>().join(&format!("{end}\n{mark}")))
}

/// A string of JSON in a string of JSON, and so on.
fn nested(value: &Value, depth: usize) -> String {
    let text = value.to_string();
    if depth == 0 { text } else { nested(&json!({ "message": text, "level": "error" }), depth - 1) }
}

fn har(token: &str, answer: &str) -> Value {
    json!({ "log": { "version": "1.2", "creator": { "name": "WebInspector", "version": "537.36" }, "entries": [{
        "startedDateTime": "2026-11-30T08:00:00.000Z", "time": 31.4,
        "request": { "method": "GET", "url": "https://api.eu.corti.app/v2/languages/", "httpVersion": "http/2.0",
            "headers": [{ "name": "accept", "value": "*/*" }, { "name": "authorization", "value": format!("Bearer {token}") },
                { "name": "tenant-name", "value": "base" }],
            "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 0 },
        "response": { "status": 403, "statusText": "", "headers": [{ "name": "content-type", "value": "application/json" }],
            "content": { "size": 10, "mimeType": "application/json", "text": answer } }
    }] } })
}

/// Runs `inspect` on a text. Gives what is wrong.
fn check(name: &str, text: &[u8], expected: &Expected<'_>) -> Option<String> {
    let said = Said::by(World::new().run("inspect --field fingerprint").write_stdin(text));
    let (is_right, wanted) = match expected {
        One(token, sentence) => {
            let note = if sentence.is_empty() { String::new() } else { format!("{sentence}\n") };
            (
                said.code == 0 && said.stdout.trim() == fingerprint(token) && said.stderr == note,
                format!("{} {note}", fingerprint(token)),
            )
        }
        Several(tokens) => {
            let rows: Vec<&str> =
                said.stderr.lines().filter(|line| line.starts_with("hint: --nth ")).collect();
            let named = (1..).zip(tokens).zip(&rows).all(|((number, token), row)| {
                row.starts_with(&format!("hint: --nth {number}  {}", fingerprint(token)))
            });
            (
                said.code == 2 && said.stdout.is_empty() && rows.len() == tokens.len() && named,
                format!(
                    "{} tokens: {:?}",
                    tokens.len(),
                    tokens.iter().map(|it| fingerprint(it)).collect::<Vec<_>>()
                ),
            )
        }
        Nothing(words) => (
            said.code == 7
                && said.stdout.is_empty()
                && said.stderr.contains(words)
                && said.stderr.contains("hint: "),
            (*words).to_owned(),
        ),
    };
    (!is_right)
        .then(|| format!("{name}\n  exit {} {}{}\n  wanted: {wanted}", said.code, said.stdout, said.stderr))
}

#[test]
fn whatever_surrounds_a_token_it_is_found_and_its_place_is_named() {
    let (a, b) = (&token("RS256", &claims("acme")), &token("RS256", &claims("other")));
    let (es, ed) = (&token("ES256", &claims("es")), &token("EdDSA", &claims("ed")));
    let hs = &token("HS512", &json!({ "exp": 9_999_999_999_i64, "typ": "Refresh", "azp": "acme" }));
    let id = &token("RS256", &json!({ "exp": 9_999_999_999_i64, "typ": "ID", "azp": "acme" }));
    let parts: Vec<&str> = a.split('.').collect();
    let grant = json!({ "access_token": a, "expires_in": 300, "refresh_token": hs, "token_type": "Bearer", "id_token": id });
    let only_access =
        json!({ "access_token": a, "expires_in": 300, "token_type": "Bearer", "scope": "openid" });
    let half = a.len() / 2;
    let (start, rest) = a.split_at(half);
    let coloured = format!("\x1b[1;32m{start}\x1b[0m\x1b[K{rest}\x1b[0m");
    let spans: String = parts
        .iter()
        .map(|part| format!("<span class=\"hljs-string\">{part}</span>"))
        .collect::<Vec<_>>()
        .join(".");
    let qp = |text: &str| wrapped(&text.replace('=', "=3D"), 75, "=", "");
    let jwe_header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let jwe = format!("{jwe_header}.{0}.{0}.{0}.{0}", "c2ln".repeat(20));
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let escaped = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
    let postman = json!({ "info": { "name": "Corti", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json" },
        "item": [{ "name": "languages", "request": { "method": "GET",
            "auth": { "type": "bearer", "bearer": [{ "key": "token", "value": a, "type": "string" }] }, "header": [] } }] });
    let postman_header = json!({ "info": { "_postman_id": "1", "name": "Corti" }, "item": [{ "request": {
        "header": [{ "key": "Authorization", "value": format!("Bearer {a}"), "type": "text" }] } }] });
    let insomnia = json!({ "_type": "export", "__export_format": 4, "__export_source": "insomnia.desktop.app:v9", "resources": [
        { "_type": "request", "authentication": { "type": "bearer", "token": a }, "url": "https://api.eu.corti.app/v2/x" }] });
    let trailing = format!("{a}\n");
    let glued = &format!("{a}abcdef");
    // With so many letters the signature would be as long as that of a key with 3072 bits.
    let prose = format!("{}ab", "word ".repeat(42));
    let (cut, last) = a.split_at(a.len() - 62);

    let table: Vec<(&str, String, Expected<'_>)> = vec![
        // Alone.
        ("alone", a.clone(), One(a, "")),
        ("with blank lines", format!("\n\n  {a}  \r\n\n"), One(a, "")),
        ("ES256", es.clone(), One(es, "")),
        ("EdDSA", ed.clone(), One(ed, "")),
        ("a byte order mark", format!("\u{feff}{a}"), One(a, "")),
        // Chats and mails.
        ("words before", format!("hi, is this one right? {a}"), One(a, "read from: between other words")),
        ("words behind", format!("{a} please look"), One(a, "read from: between other words")),
        ("a line behind", format!("{a}\nplease look"), One(a, "read from: between other words, line 1")),
        ("a chat", format!("[09:12] ann: token\n[09:13] bob: {a}\n[09:13] bob: thx"), One(a, "read from: the text after a label, line 2")),
        ("a sentence", format!("The token is {a}. It fails."), One(a, "read from: between other words")),
        ("in brackets", format!("(see {a})"), One(a, "read from: between other words")),
        ("twice", format!("{a}\n\nagain: {a}\n"), One(a, "read from: between other words, line 1")),
        ("a mail at 76", wrapped(a, 76, "", ""), One(a, "read from line 1, rejoined from 17 lines")),
        ("a mail at 72 with words", format!("Hi,\n\n{}\n\nBest, Ann", wrapped(a, 72, "", "")), One(a, "read from: between other words, line 3, rejoined from 18 lines")),
        ("a quoted mail", format!("> Hi,\n>\n{}\n>\n> Best", wrapped(a, 72, "", "> ")), One(a, "read from: between other words, line 3, rejoined from 18 lines")),
        ("a mail quoted twice", format!(">> Hi,\n{}\n>> Best\n> ok", wrapped(a, 70, "", ">> ")), One(a, "read from: between other words, line 2, rejoined from 19 lines")),
        ("quoted with spaces", format!("> > Hi,\n{}\n> > Best", wrapped(a, 70, "", "> > ")), One(a, "read from: between other words, line 2, rejoined from 19 lines")),
        ("a mail from Windows", wrapped(a, 76, "\r", ""), One(a, "read from line 1, rejoined from 17 lines")),
        ("format=flowed", wrapped(a, 66, " ", ""), One(a, "read from line 1, rejoined from 20 lines")),
        ("double-spaced", wrapped(a, 100, "\n", ""), One(a, "read from line 1, rejoined from 13 lines")),
        ("in short lines", wrapped(a, 20, "", ""), One(a, "read from line 1, rejoined from 64 lines")),
        ("in very short lines", wrapped(a, 7, "", "    "), One(a, "read from line 1, rejoined from 181 lines")),
        ("broken in its first letters", format!("Authorization: Bearer ey\n{}", wrapped(a.split_at(2).1, 80, "", "")), One(a, "read from: an Authorization header, line 1, rejoined from 17 lines")),
        ("a wrapped header", wrapped(&format!("Authorization: Bearer {a}"), 80, "", ""), One(a, "read from: an Authorization header, line 1, rejoined from 17 lines")),
        ("line breaks become spaces", wrapped(a, 80, "", "").replace('\n', " "), One(a, "read, rejoined from 16 pieces")),
        ("in parts", parts.join(".\n"), One(a, "read from line 1, rejoined from 3 lines")),
        ("quoted-printable", format!("Content-Transfer-Encoding: quoted-printable\n\n{}", qp(&format!("token={a} thanks"))), One(a, "read from: the variable token, line 3, rejoined from 17 lines, quoted-printable decoded")),
        ("quoted-printable dots", a.replace('.', "=2E"), One(a, "read, quoted-printable decoded")),
        ("one wrapped, then the same", format!("{}\nor\n{a}", wrapped(a, 76, "", "")), One(a, "read from: between other words, line 1, rejoined from 17 lines")),
        ("ES256 wrapped and quoted", format!("{}\n> thanks", wrapped(es, 60, "", "> ")), One(es, "read from: between other words, line 1, rejoined from 17 lines")),
        ("EdDSA wrapped", format!("token:\n{}\nlook", wrapped(ed, 64, "", "  ")), One(ed, "read from: the line `token:`, line 2, rejoined from 16 lines")),
        // Markdown, HTML, terminals.
        ("code in markdown", format!("it is `{a}`, I think"), One(a, "read from: between other words")),
        ("a fenced block", format!("```text\n{a}\n```"), One(a, "read from: between other words, line 2")),
        ("a fenced block of JSON", format!("Here:\n```json\n{only_access}\n```\n"), One(a, "read from: the access_token in a JSON object, line 3")),
        ("bold", format!("**{a}**"), One(a, "read from: a text in quotes")),
        ("emphasis", format!("_{a}_"), One(a, "")),
        ("strong emphasis", format!("__{a}__ is it"), One(a, "read from: between other words")),
        ("emphasis of ES256", format!("_{es}_"), One(es, "")),
        ("a link", format!("[connect](wss://api.eu.corti.app/x?token=Bearer%20{a})"), One(a, "read from: the token in a URL, percent-decoded")),
        ("a table in markdown", format!("| env | token |\n|---|---|\n| eu | {a} |"), One(a, "read from: between other words, line 3")),
        ("a list in markdown", format!("- environment: eu\n- token: `{a}`\n- tenant: base"), One(a, "read from: the line `token:`, line 2")),
        ("colours", format!("\x1b[33mtoken\x1b[0m {coloured}\n"), One(a, "read from: between other words, colours removed")),
        ("colours as carets", format!("^[[32m{a}^[[0m"), One(a, "read, colours removed")),
        ("colours in a JSON log", format!(r#"{{"msg":"\u001b[32m{a}\u001b[0m"}}"#), One(a, "read from: a JSON object, backslash escapes decoded, colours removed")),
        ("a terminal's link", format!("\x1b]8;;https://h/\x1b\\{a}\x1b]8;;\x1b\\"), One(a, "read, colours removed")),
        ("HTML", format!("<!DOCTYPE html><html><body><p>Token: <code>{a}</code></p></body></html>"), One(a, "read from: HTML or XML")),
        ("HTML with breaks", format!("<div>{}</div>", wrapped(a, 60, "<br>", "")), One(a, "read from: HTML or XML, line 1, rejoined from 22 lines")),
        ("HTML with wbr", format!("<p>{}</p>", wrapped(a, 40, "<wbr>", "").replace('\n', "")), One(a, "read from: HTML or XML, rejoined from 32 pieces")),
        ("highlighted HTML", format!("<pre>{spans}</pre>"), One(a, "read from: HTML or XML, rejoined from 5 pieces")),
        ("an HTML attribute", format!("<input type=\"hidden\" name=\"token\" value=\"{a}\">"), One(a, "read from: HTML or XML")),
        ("entities", format!("&quot;{}&quot;", a.replace('.', "&#46;")), One(a, "read from: a text in quotes")),
        ("a JSON text in HTML", format!("<pre>{}</pre>", only_access.to_string().replace('"', "&quot;")), One(a, "read from: the access_token in a JSON object")),
        ("soft hyphens", wrapped(a, 30, "\u{ad}", "").replace('\n', ""), One(a, "read, invisible characters removed")),
        ("zero-width spaces", wrapped(a, 50, "\u{200b}", "").replace('\n', ""), One(a, "read, invisible characters removed")),
        ("non-breaking hyphens", format!("{} ", a.replace('-', "\u{2011}")), One(a, "read, invisible characters removed")),
        ("smart quotes", format!("\u{201c}{a}\u{201d}"), One(a, "read from: a text in quotes")),
        // Programs and their files.
        ("Bearer", format!("Bearer {a}"), One(a, "read from: the text after `Bearer`")),
        ("Bearer twice", format!("Bearer bearer {a}"), One(a, "read from: the text after `Bearer`")),
        ("a header", format!("Authorization: Bearer {a}"), One(a, "read from: an Authorization header")),
        ("a header of a proxy", format!("X-Forwarded-Authorization: Bearer {a}\nHost: h"), One(a, "read from: an Authorization header, line 1")),
        ("curl", format!("curl -sS https://api.eu.corti.app/v2/languages/ -H 'Authorization: Bearer {a}' -H 'Tenant-Name: base'"), One(a, "read from: an Authorization header")),
        ("curl in lines", format!("curl 'https://api.eu.corti.app/v2/x' \\\n  -H 'accept: */*' \\\n  -H 'authorization: Bearer {a}' \\\n  --compressed"), One(a, "read from: an Authorization header, line 3")),
        ("curl for cmd", format!("curl ^\"https://h/^\" ^\n  -H ^\"authorization: Bearer {a}^\" ^\n  --compressed"), One(a, "read from: an Authorization header, line 2")),
        ("curl -v", format!("* Connected to h\n> GET /v2/x HTTP/2\n> Host: h\n> authorization: Bearer {a}\n> accept: */*\n> \n< HTTP/2 401\n< date: x\n"), One(a, "read from: an Authorization header, line 4")),
        ("curl -i", format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: x=y\r\n\r\n{only_access}"), One(a, "read from: the access_token in a JSON object, line 5")),
        ("a shell's continuation", format!("export TOKEN={start}\\\n{rest}"), One(a, "read from: a variable, line 1, rejoined from 2 lines")),
        ("PowerShell", format!("Invoke-WebRequest -Uri \"https://h/\" -Headers @{{\n  \"authorization\"=\"Bearer {a}\"\n}}"), One(a, "read from: an Authorization header, line 2")),
        ("fetch", format!("fetch(\"https://h/\", {{ headers: {{ Authorization: `Bearer {a}` }} }});"), One(a, "read from: an Authorization header")),
        ("setRequestHeader", format!("xhr.setRequestHeader('Authorization', 'Bearer {a}');"), One(a, "read from: an Authorization header")),
        ("Python", format!("headers = {{'Authorization': 'Bearer {a}', 'Tenant-Name': 'base'}}"), One(a, "read from: an Authorization header")),
        ("bytes of Python", format!("b'{a}'"), One(a, "read from: between other words")),
        ("joined strings", wrapped(a, 80, "' +", "'").replace("\n'", "\n    '") + "';", One(a, "read from: a text in quotes, line 1, rejoined from 16 lines")),
        ("adjacent strings", format!("TOKEN = (\n{}\"\n)", wrapped(a, 80, "\"", "    \"")), One(a, "read from: a variable, line 2, rejoined from 16 lines")),
        ("dotenv", format!("# corti\nCORTI_ENVIRONMENT=eu\nCORTI_ACCESS_TOKEN={a} # of today\nCORTI_TENANT=base\n"), One(a, "read from: the variable CORTI_ACCESS_TOKEN, line 3")),
        ("dotenv, commented out", format!("A=b\n# CORTI_ACCESS_TOKEN=\"{a}\"\n"), One(a, "read from: the variable CORTI_ACCESS_TOKEN, line 2")),
        ("a shell", format!("export CORTI_ACCESS_TOKEN='{a}'"), One(a, "read from: the variable CORTI_ACCESS_TOKEN")),
        ("fish", format!("set -gx CORTI_ACCESS_TOKEN '{a}'"), One(a, "read from: the variable CORTI_ACCESS_TOKEN")),
        ("PowerShell's variable", format!("$env:CORTI_ACCESS_TOKEN = '{a}'"), One(a, "read from: the variable CORTI_ACCESS_TOKEN")),
        ("cmd's variable", format!("set CORTI_ACCESS_TOKEN={a}"), One(a, "read from: the variable CORTI_ACCESS_TOKEN")),
        ("an INI file", format!("[corti]\naccess_token = {a}\n"), One(a, "read from: the variable access_token, line 2")),
        ("YAML", format!("corti:\n  token: {a}\n  tenant: base\n"), One(a, "read from: the line `token:`, line 2")),
        ("YAML, folded", format!("corti:\n  token: >-\n{}\n  tenant: base\n", wrapped(a, 70, "", "    ")), One(a, "read from: between other words, line 3, rejoined from 19 lines")),
        ("YAML, literal", format!("token: |\n{}\nother: x", wrapped(a, 64, "", "  ")), One(a, "read from: between other words, line 2, rejoined from 20 lines")),
        ("a Kubernetes secret", format!("apiVersion: v1\nkind: Secret\ndata:\n  token: {}\n", STANDARD.encode(a)), One(a, "read from line 4, decoded from base64")),
        ("a Kubernetes secret of JSON", format!("data:\n  answer: {}\n", STANDARD.encode(only_access.to_string())), One(a, "read from: the access_token in a JSON object, line 2, decoded from base64")),
        ("base64 in lines", wrapped(&STANDARD.encode(&trailing), 76, "", ""), One(a, "read from line 1, decoded from base64")),
        ("base64 twice", STANDARD.encode(STANDARD.encode(&trailing)), One(a, "read, decoded from base64")),
        ("base64 of UTF-16", STANDARD.encode(utf16(&format!("$t='{a}'"))), One(a, "read from: a variable, decoded from base64, invisible characters removed")),
        ("a mail in base64", format!("Content-Transfer-Encoding: base64\n\n{}\n", wrapped(&STANDARD.encode(format!("Hi,\nthe token: {a}\nBest")), 76, "", "")), One(a, "read from: the line `token:`, line 3, decoded from base64")),
        ("base64url of JSON", format!("?state={}", URL_SAFE_NO_PAD.encode(only_access.to_string())), One(a, "read from: the access_token in a JSON object, decoded from base64")),
        ("Basic", format!("Authorization: Basic {}", STANDARD.encode(format!("user:{a}"))), One(a, "read from: the text after a label, decoded from base64")),
        ("a log", format!("2026-11-30T08:00:00Z INFO request{{token={a} tenant=base}}: refused"), One(a, "read from: the variable token")),
        ("logfmt", format!("level=error msg=\"bad\" authorization=\"Bearer {a}\" status=401"), One(a, "read from: an Authorization header")),
        ("CSV", format!("name,token,expires\nacme,{a},300\n"), One(a, "read from: between other words, line 2")),
        ("XML", format!("<auth>\n  <token>{a}</token>\n</auth>"), One(a, "read from: HTML or XML, line 2")),
        // JSON.
        ("a grant", only_access.to_string(), One(a, "read from: the access_token in a JSON object")),
        ("a pretty grant", serde_json::to_string_pretty(&only_access).unwrap(), One(a, "read from: the access_token in a JSON object, line 2")),
        ("a whole grant", grant.to_string(), One(a, "read from: the access_token in a JSON object (for another token: --nth 2, --nth 3)")),
        ("a grant of a library", json!({ "accessToken": a, "idToken": id, "refreshToken": hs }).to_string(), One(a, "read from: the accessToken in a JSON object (for another token: --nth 2, --nth 3)")),
        ("a grant in a string", nested(&grant, 1), One(a, "read from: the access_token in a JSON object, backslash escapes decoded (for another token: --nth 2, --nth 3)")),
        ("JSON at depth 3", nested(&only_access, 3), One(a, "read from: the access_token in a JSON object, backslash escapes decoded")),
        ("deep JSON", json!({ "a": [{ "b": { "c": [1, { "jwt": a }] } }] }).to_string(), One(a, "read from: a JSON object")),
        ("JSON with an escaped slash", format!(r#"{{"url":"wss:\/\/h\/x?token=Bearer%20{a}"}}"#), One(a, "read from: the token in a URL, percent-decoded, backslash escapes decoded")),
        ("JSON with an escaped dot", format!("{{\"token\":\"{}\"}}", a.replace('.', "\\u002e")), One(a, "read from: the token in a JSON object, backslash escapes decoded")),
        ("JSON with line breaks", format!("{{\"pem\":\"{}\"}}", escaped(&wrapped(a, 64, "", ""))), One(a, "read from: a JSON object, rejoined from 20 lines, backslash escapes decoded")),
        ("a list of JSON", json!([a]).to_string(), One(a, "read from: a text in quotes")),
        ("a JSON string", json!(a).to_string(), One(a, "read from: a text in quotes")),
        ("broken JSON", format!("{{\"access_token\": \"{a}\", \"expires_in\": 3"), One(a, "read from: the access_token in a JSON object")),
        ("a HAR", har(a, "{}").to_string(), One(a, "read from: an Authorization header in a HAR")),
        ("a pretty HAR", serde_json::to_string_pretty(&har(a, "{}")).unwrap(), One(a, "read from: an Authorization header in a HAR, line 19")),
        ("a HAR of a grant", har(a, &grant.to_string()).to_string(), One(a, "read from: an Authorization header in a HAR (for another token: --nth 2, --nth 3)")),
        ("a Postman export", postman.to_string(), One(a, "read from: the token in a JSON object in a Postman export")),
        ("a header in a Postman export", postman_header.to_string(), One(a, "read from: an Authorization header in a Postman export")),
        ("an Insomnia export", insomnia.to_string(), One(a, "read from: the token in a JSON object in an Insomnia export")),
        // URLs and cookies.
        ("a socket's URL", format!("wss://api.eu.corti.app/audio-bridge/v2/transcribe?tenant-name=base&token=Bearer%20{a}"), One(a, "read from: the token in a URL, percent-decoded")),
        ("a URL encoded twice", format!("https://h/?next=wss%3A%2F%2Fh%2Fx%3Ftoken%3DBearer%2520{a}%26x%3D1"), One(a, "read from: the token in a URL, percent-decoded")),
        ("an encoded URL", format!("https://h/?token={}", a.replace('.', "%2E")), One(a, "read from: the token in a URL, percent-decoded")),
        ("a fragment", format!("https://h/cb#access_token={a}&token_type=bearer&expires_in=300"), One(a, "read from: the access_token in a URL")),
        ("a fragment of a whole grant", format!("https://h/cb#id_token={id}&access_token={a}"), One(a, "read from: the access_token in a URL (for another token: --nth 1)")),
        ("a wrapped URL", wrapped(&format!("wss://api.eu.corti.app/x?token=Bearer%20{a}&x=y"), 76, "", "> "), One(a, "read from: the token in a URL, line 1, rejoined from 18 lines, percent-decoded")),
        ("HTML's ampersands", format!("<a href=\"wss://h/x?a=b&amp;token=Bearer%20{a}\">x</a>"), One(a, "read from: the token in a URL, percent-decoded")),
        ("a cookie", format!("Cookie: session=abc; auth={a}; theme=dark"), One(a, "read from: a cookie")),
        ("a new cookie", format!("set-cookie: KEYCLOAK_IDENTITY={hs}; Version=1; Path=/realms/base/"), One(hs, "read from: a cookie")),
        ("a WebSocket's protocol", format!("Sec-WebSocket-Protocol: corti, corti-token.{a}"), One(a, "read from: between other words")),
        // Several.
        ("two in a line", format!("{a} {b}"), Several(vec![a, b])),
        ("two with a comma", format!("{a},{b}"), Several(vec![a, b])),
        ("two with a comma and a space", format!("{a}, {b}"), Several(vec![a, b])),
        ("two without anything", format!("{a}{b}"), Several(vec![a, b])),
        ("two with a tab", format!("{es}\t{ed}"), Several(vec![es, ed])),
        ("two with words", format!("works: {a}\nfails: {b}\nwhy?"), Several(vec![a, b])),
        ("two wrapped", format!("{}\n{}", wrapped(a, 76, "", ""), wrapped(b, 76, "", "")), Several(vec![a, b])),
        ("two wrapped and quoted", format!("{}\n>\n{}", wrapped(es, 60, "", "> "), wrapped(b, 60, "", "> ")), Several(vec![es, b])),
        ("two in JSON", json!({ "a": a, "b": b }).to_string(), Several(vec![a, b])),
        ("two access tokens", json!([{ "access_token": a }, { "access_token": b }]).to_string(), Several(vec![a, b])),
        ("an ID and a refresh token", json!({ "id_token": id, "refresh_token": hs }).to_string(), Several(vec![id, hs])),
        ("one in base64", format!("{a}\ntoken: {}", STANDARD.encode(b)), Several(vec![a, b])),
        ("three, one of them twice", format!("{a}; {b}; {a}; {es}"), Several(vec![a, b, es])),
        ("two cells of a table", format!("<tr><td>{a}</td><td>{b}</td></tr>"), Several(vec![a, b])),
        // Words without a gap may belong to the token or not.
        ("a word right behind", format!("see {glued}"), Several(vec![a, glued])),
        ("a word right behind, alone", glued.to_owned(), Several(vec![a, glued])),
        ("a word that cannot belong to it", format!("see {a}and"), One(a, "read from: between other words")),
        ("prose behind that ends where a longer signature would", format!("{a} {prose} and more"), One(a, "read from: between other words")),
        ("its end cut", format!("see {cut} [...]"), Nothing("incomplete token: 2 of 3")),
        ("its end cut, then words", format!("see {cut}\nthen it failed"), Nothing("incomplete token: 2 of 3")),
        ("interrupted by marks of a comment", format!("see {cut}\n// {last}"), Nothing("incomplete token: 2 of 3")),
        // None.
        ("nothing", String::new(), Nothing("the input is empty")),
        ("words", "please look at my token".to_owned(), Nothing("no token in this text")),
        ("JSON without a token", r#"{"interactionId":"x","websocketUrl":"wss://h/x"}"#.to_owned(), Nothing("no token in this JSON")),
        ("an OAuth error", r#"{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}"#.to_owned(), Nothing("an OAuth error")),
        ("an OAuth error of curl -i", "HTTP/1.1 401 Unauthorized\r\n\r\n{\"error\":\"invalid_client\"}".to_owned(), Nothing("an OAuth error")),
        ("an HTML page", "<!DOCTYPE html>\n<html><title>502 Bad Gateway</title></html>".to_owned(), Nothing("an HTML page")),
        ("two parts", format!("{}.{}", parts[0], parts[1]), Nothing("incomplete token: 2 of 3 dot-separated parts")),
        ("two parts and words", format!("Bearer {}.{}\nsee example.com. ok?", parts[0], parts[1]), Nothing("incomplete token: 2 of 3 dot-separated parts")),
        ("two parts and a dot", format!("{}.{}.", parts[0], parts[1]), Nothing("incomplete token: 2 of 3")),
        ("one part", parts[0].to_owned(), Nothing("incomplete token: 1 of 3 dot-separated parts")),
        ("one part in words", format!("it begins {} ...", parts[0]), Nothing("incomplete token: 1 of 3 dot-separated parts")),
        ("shortened", format!("{}.{}.{}...", parts[0], parts[1], parts[2].split_at(20).0), Nothing("incomplete token: 2 of 3")),
        ("shortened in JSON", format!("{{\"access_token\":\"{}.{}.{}…\"}}", parts[0], parts[1], parts[2].split_at(20).0), Nothing("incomplete token: 2 of 3")),
        ("shortened early", format!("token={}...", parts[0].split_at(30).0), Nothing("incomplete token: 1 of 3")),
        ("encrypted", jwe.clone(), Nothing("an encrypted token (JWE)")),
        ("encrypted, in JSON", json!({ "access_token": jwe }).to_string(), Nothing("an encrypted token (JWE)")),
        ("opaque", "Authorization: Bearer b1946ac92492d2347c6235b4d2611184".to_owned(), Nothing("an opaque token")),
        ("a page's cursor", json!({ "next": URL_SAFE_NO_PAD.encode(r#"{"page":2,"size":100}"#) }).to_string(), Nothing("no token in this JSON")),
        ("a token in a truncated token", format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(json!({ "act": b }).to_string())), Nothing("incomplete token: 2 of 3")),
        ("without its beginning", a.split_at(5).1.to_owned(), Nothing("the header is not")),
    ];
    assert!(table.len() >= 90);
    let wrong: Vec<String> =
        table.iter().filter_map(|(name, text, expected)| check(name, text.as_bytes(), expected)).collect();
    assert!(wrong.is_empty(), "{} of {} forms:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

/// The only token in a text of one line or more.
fn first_in(text: &str) -> &str {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    // `Bearer%20` is a part of a URL.
    words.map(|word| word.strip_prefix("20").unwrap_or(word)).find(|word| word.starts_with("eyJ")).unwrap()
}

#[test]
fn the_output_of_every_command_of_this_tool_is_read() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let outputs = world.file("outputs", "");
    let mut wrong = Vec::new();
    for command in [
        "token --full",
        "token --scope streams --json",
        "token --scope streams --format token",
        "token --scope streams --format json",
        "token --scope streams --format header",
        "token --scope streams --format curl",
        "token --scope streams --format env",
        "token --scope streams --format env --shell fish",
        "token --scope streams --format env --shell powershell",
        "token --scope streams --format dotenv",
        "token --scope streams --format sdk",
        "token --scope streams --format github",
        "token --scope streams --format gitlab",
        "token --scope streams --format azure",
        "session streams",
        "session streams --json",
        "session transcribe --format dotenv",
        "interaction create --connect-url",
        "interaction create --connect-url --json",
    ] {
        let mut run = world.run(command);
        run.env("GITHUB_OUTPUT", &outputs).env("CI_PROJECT_DIR", world.home());
        let printed = Said::by(&mut run);
        let gitlab = std::fs::read_to_string(world.home().join("corti.env")).unwrap_or_default();
        let text = printed.stdout + &std::fs::read_to_string(&outputs).unwrap() + &gitlab;
        std::fs::write(&outputs, "").unwrap();
        let _ = std::fs::remove_file(world.home().join("corti.env"));
        let read = Said::by(World::new().run("inspect --field fingerprint").write_stdin(text.clone()));
        if printed.code != 0 || read.stdout.trim() != fingerprint(first_in(&text)) {
            wrong.push(format!(
                "{command}: {} {}\n{}{}",
                printed.code, printed.stderr, read.stdout, read.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_of_several_is_chosen_by_its_number() {
    let tokens = ["one", "two", "three"].map(|client| token("RS256", &claims(client)));
    let text = format!("works: {}\nfails: {}\nolder: {}\n", tokens[0], tokens[1], tokens[2]);
    for (index, token) in tokens.iter().enumerate() {
        let said = Said::by(
            World::new()
                .run(&format!("inspect --field fingerprint --nth {}", index + 1))
                .write_stdin(text.clone()),
        );
        assert_eq!((said.code, said.stdout.trim()), (0, fingerprint(token).as_str()));
        let others: Vec<String> =
            (1..4).filter(|nth| *nth != index + 1).map(|nth| format!("--nth {nth}")).collect();
        let note = format!(
            "read from: the text after a label, line {} (for another token: {})\n",
            index + 1,
            others.join(", ")
        );
        assert_eq!(said.stderr, note);
    }
    let said = Said::by(World::new().run("inspect --json").write_stdin(text.clone()));
    let error: Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!((said.code, error["code"].as_str(), said.stdout.as_str()), (2, Some("usage"), ""));
    let list = error["hint"].as_str().unwrap();
    let row = format!(
        "--nth 2  {}  access token of two, expires 2286-11-20T17:46:39Z, the text after a label, line 2",
        fingerprint(&tokens[1])
    );
    assert!(list.lines().any(|line| line == row), "{list}");
    assert!(tokens.iter().all(|token| !said.stderr.contains(token.split_at(40).0)), "no token is shown");
    let world = World::new();
    let (several, one) = (world.file("several", &text), world.file("one", &tokens[1]));
    for (command, code, words) in [
        (format!("inspect {several} --nth 4"), 2, "--nth 4 is too high: the text has 3 different tokens"),
        (format!("inspect {one} --nth 2"), 2, "--nth 2 is too high: the text has 1 token"),
        (format!("inspect {several} --nth 0"), 2, "a number from 1"),
        (format!("diff {several} {one}"), 2, "the text has 3 different tokens"),
        (format!("diff {several} {several} --nth 2"), 0, ""),
        (format!("check {several} -e eu"), 2, "the text has 3 different tokens"),
        (format!("check {several} -e us --nth 2"), 7, "was issued by `eu`"),
        (format!("explain --status 401 --token-file {several}"), 2, "the text has 3 different tokens"),
        (format!("explain --status 401 --token-file {several} --nth 3"), 0, ""),
    ] {
        let said = Said::by(&mut world.run(&command));
        assert_eq!(said.code, code, "{command}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{command}: {}", said.stderr);
    }
}

#[test]
fn many_different_tokens_are_counted_and_few_are_listed() {
    let tokens: Vec<String> = (0..120).map(|number| token("HS256", &claims(&number.to_string()))).collect();
    let text = format!("tokens of today:\n{}\n", tokens.join("\n"));
    let said = Said::by(World::new().run("inspect").write_stdin(text));
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("the text has 100 different tokens or more"), "{}", said.stderr);
    assert_eq!(said.stderr.lines().filter(|line| line.starts_with("hint: --nth ")).count(), 10);
    assert!(said.stderr.contains("corti-auth inspect --lines < FILE"), "{}", said.stderr);
}

#[cfg(unix)]
#[test]
fn on_a_terminal_the_person_is_asked_which_token() {
    use crate::common::shell::Shell;

    let (one, two) = (token("RS256", &claims("one")), token("RS256", &claims("two")));
    let world = World::new();
    let file = world.file("chat.txt", format!("works: {one}\nfails: {two}\n"));
    let mut shell = Shell::start(&world);
    shell.send_line(&format!("\"$CORTI_AUTH\" inspect --field client_id {file}"));
    let asked = shell.expect("Choose one:");
    assert!(asked.contains("The text has 2 different tokens."), "{asked}");
    shell.expect("access token of two");
    // Down once.
    shell.session.send("\u{1b}[B\r").unwrap();
    shell.session.flush().unwrap();
    let said = shell.expect("line 2 (for another token: --nth 1)");
    assert!(!said.contains("eyJ"), "{said}");
    shell.assert_ended("0");
}
