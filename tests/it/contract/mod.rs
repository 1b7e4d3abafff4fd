//! Compares the sandbox with Keycloak. The table has Keycloak's answers. The sandbox gives the same, or another one
//! that the table lists with a reason. What clients cannot observe is listed as out of scope. A listed difference
//! must exist.

mod document;
mod fact;
mod request;
mod server;
mod table;

use std::fmt::Write as _;

use fact::{Facts, differences};
use jsonwebtoken::errors::ErrorKind;
use server::Server;
use table::{Case, Sandbox};

/// Adds the differences between an answer and the expected one to `wrong`.
fn compare(wrong: &mut String, who: &str, case: &Case, found: &Facts, expected: &Facts) {
    for line in differences(expected, found) {
        writeln!(wrong, "{who}, {}: {line}", case.name).unwrap();
    }
}

/// Compares the sandbox's answer with the table.
async fn compare_sandbox(wrong: &mut String, server: &Server, case: &Case) {
    match &case.sandbox {
        Sandbox::Same => compare(wrong, "sandbox", case, &server.answer(case).await, &case.expected.facts()),
        Sandbox::Differs(is, _) => compare(wrong, "sandbox", case, &server.answer(case).await, &is.facts()),
        Sandbox::OutOfScope(_) => {}
    }
}

#[tokio::test]
async fn the_sandbox_answers_as_the_table_says() {
    let (server, mut wrong) = (Server::sandbox(), String::new());
    for case in table::cases() {
        compare_sandbox(&mut wrong, &server, &case).await;
    }
    assert!(wrong.is_empty(), "expected / found\n{wrong}");
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn keycloak_answers_as_the_table_says() {
    let (server, mut wrong) = (Server::keycloak(), String::new());
    for case in table::cases() {
        compare(&mut wrong, "keycloak", &case, &server.answer(&case).await, &case.expected.facts());
    }
    assert!(wrong.is_empty(), "expected / found\n{wrong}");
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn each_server_signs_with_the_key_that_it_publishes() {
    let (keycloak, sandbox) = (Server::keycloak(), Server::sandbox());
    for (server, other) in [(&keycloak, &sandbox), (&sandbox, &keycloak)] {
        let token = server.token().await;
        document::verify(server, &token).await.unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (foreign, own) = (other.token().await, signature.len());
        let foreign = foreign.rsplit('.').next().unwrap();
        assert_eq!(foreign.len(), own, "both have RSA keys of 2048 bits");
        let error = document::verify(server, &format!("{signed}.{foreign}")).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidSignature);
    }
}

#[test]
fn the_table_is_complete_and_its_listed_differences_differ() {
    let cases = table::cases();
    let token_endpoint = cases.iter().filter(|case| case.request.path.contains("/token")).count();
    assert!(token_endpoint >= 120, "{token_endpoint} cases");
    for case in &cases {
        assert_eq!(cases.iter().filter(|other| other.name == case.name).count(), 1, "{}", case.name);
        if let Sandbox::Differs(is, _) = &case.sandbox {
            assert!(
                !differences(&case.expected.facts(), &is.facts()).is_empty(),
                "{}: no difference",
                case.name
            );
        }
    }
}

#[tokio::test]
#[ignore = "needs a Keycloak: scripts/with-keycloak"]
async fn both_servers_differ_only_where_it_is_listed() {
    let (keycloak, sandbox) = (Server::keycloak(), Server::sandbox());
    let (mut wrong, mut listed) = (String::new(), String::new());
    let (mut alike, mut apart, mut out_of_scope) = (0, 0, 0);
    for case in table::cases() {
        if let Sandbox::OutOfScope(reason) = &case.sandbox {
            out_of_scope += 1;
            writeln!(listed, "  {}: out of scope: {reason}", case.name).unwrap();
            continue;
        }
        let (theirs, ours) = (keycloak.answer(&case).await, sandbox.answer(&case).await);
        let apart_in = differences(&theirs, &ours);
        match (&case.sandbox, apart_in.is_empty()) {
            (Sandbox::Same, true) => alike += 1,
            (Sandbox::Same, false) => writeln!(wrong, "{}: {}", case.name, apart_in.join("; ")).unwrap(),
            (_, true) => writeln!(wrong, "{}: listed, and no difference any more", case.name).unwrap(),
            (_, false) => {
                apart += 1;
                writeln!(listed, "  {}: {}", case.name, case.reason()).unwrap();
                for line in apart_in.iter().filter(|line| !is_of_missing_token(line)) {
                    writeln!(listed, "    {line}").unwrap();
                }
            }
        }
    }
    document::compare(&keycloak, &sandbox, &mut wrong).await;
    say(&format!(
        "\nKeycloak and the sandbox: {alike} cases alike, {apart} listed as different, \
         {out_of_scope} out of scope\n(Keycloak / sandbox)\n{listed}"
    ));
    assert!(wrong.is_empty(), "Keycloak / sandbox\n{wrong}");
}

/// Whether the line is about the contents of a token that the other answer lacks, which is listed already.
fn is_of_missing_token(line: &str) -> bool {
    let is_of_token = line.starts_with("access_token") || line.starts_with("id_token");
    is_of_token && (line.ends_with(" / none") || line.contains(": none / "))
}

#[expect(clippy::print_stderr, reason = "for whoever runs the tests")]
fn say(text: &str) {
    eprintln!("{text}");
}
