//! What attackers try against `serve`, what answers, and the test that holds it.
//!
//! | | attempt | what answers | test |
//! |--|--|--|--|
//! | A1 | own `Authorization`, `Tenant-Name`, `?token=` | the call is rebuilt from a list of headers | `serve_headers::corti_gets_one_token_and_one_tenant_which_are_the_gateways`, `serve_headers::a_websocket_has_one_token_and_one_tenant_which_are_the_gateways`, `serve_headers::two_credentials_are_refused_wherever_they_stand` |
//! | A2 | two requests in one | hyper's parser; both framings are made anew | `serve_smuggling::a_request_that_could_be_two_is_none`, `serve_smuggling::a_body_that_looks_like_a_request_is_a_body` |
//! | A3 | another spelling of a path | the table of operations | `serve_paths::no_other_spelling_of_a_path_reaches_corti`; `tests/fuzz/gateway.rs` |
//! | A4 | a path in the query or the fragment | only the path is matched; `http::Uri` drops fragments | `serve_headers::a_query_and_a_fragment_change_no_operation` |
//! | A5 | a tunnel after a failed upgrade | a verified 101, and only to an upgrade | `serve_upgrades::after_a_refused_upgrade_the_next_request_is_checked_like_any_other`, `serve_upstream::a_101_that_nobody_asked_for_is_a_502` |
//! | A6 | another site's page | `origins`, `Sec-Fetch-Site` | `serve_pages::a_page_that_is_not_listed_gets_nothing`, `serve_pages::a_page_that_hides_its_origin_is_refused` |
//! | A7 | DNS rebinding | `Host` | `serve_pages::for_development_no_other_name_reaches_the_server`, `serve_listeners::metrics_are_for_their_own_host` |
//! | A8 | a form to the broker | JSON only, no cookies | `serve_pages::a_form_gets_no_token` |
//! | A9 | a server that is made to call | every call needs a credential | `serve_pages::a_form_gets_no_token` |
//! | A10 | another host by target, `Host` or redirect | the host is the configuration's | `serve_upstream::a_caller_names_no_host_and_no_other_method`, `serve_upstream::a_redirect_is_not_followed` |
//! | A11 | a full token for a page | the grant's scope and the token's own claim | `serve_limited::a_full_token_never_reaches_a_caller` |
//! | A12 | another user's interaction | `assignedUserId` | `serve_users::what_is_another_users_or_everybodys_is_refused`, `serve_users::a_token_for_every_interaction_is_not_allowed_beside_own` |
//! | A13 | a stolen ticket | it names gateway, operation, interaction, page and end | `serve_users::a_ticket_opens_no_other_operation_of_the_table`, `serve_users::a_ticket_is_of_one_page_one_interaction_one_gateway_and_one_time`, `serve_users::a_ticket_of_a_gateway_with_the_same_key_is_for_its_replicas_only` |
//! | A14 | tokens in logs, metrics, cores | nothing of a request is written | `serve_canaries::nothing_that_is_sent_is_repeated_where_others_read`, `serve_canaries::a_realm_that_repeats_the_secret_is_not_repeated`, `serve_canaries::a_crash_of_the_server_leaves_no_core` |
//! | A15 | half-open connections | `edge/listener.rs`: the oldest is closed, heads have 60 s | `serve_pressure::half_open_connections_keep_nobody_out`; `listener_flood` |
//! | A16 | a slow reader | fixed buffers | `serve_pressure::a_slow_reader_is_not_buffered_for` |
//! | A17 | a body or a session without end | limits that count | `serve_pressure::an_upload_without_end_is_cut_off`, `serve_pressure::thousands_of_websockets_of_one_caller_are_refused_before_they_open`, `serve_users::a_session_ends` |
//! | A18 | JWTs of unknown keys | one fetch in 30 s | `serve_callers::unknown_keys_cause_one_fetch_in_30_seconds` |
//! | A19 | forged JWTs, and JWTs for something else | issuer, audience and algorithms are set; `azp` is not looked at | `serve_callers::only_the_issuers_own_signature_counts`, `serve_callers::a_token_for_another_purpose_is_refused`, `serve_callers::what_is_no_users_token_is_refused`, `serve_callers::a_token_of_keycloaks_that_is_for_itself_is_refused`, `serve_callers::a_claim_that_is_there_twice_is_refused` |
//! | A20 | all ask when a token expires | one fetch at a time, with pauses | `serve_outage::a_token_is_used_to_its_end_and_never_after_it`, `serve_outage::many_that_wait_for_the_first_token_cause_one_mint` |
//! | A21 | Corti or the realm refuses the client | one new token in 30 s | `serve_outage::a_corti_that_always_refuses_causes_one_mint_in_30_seconds`, `serve_outage::a_realm_that_refuses_the_secret_is_left_alone` |
//! | A22 | `X-Forwarded-For` | is neither read nor passed on | `serve_headers::a_forwarded_address_changes_no_limit_and_is_not_logged` |
//! | A23 | metrics in public | a listener of their own | `serve_listeners::metrics_and_calls_have_listeners_of_their_own` |
//! | A24 | a configuration for everybody | it does not start | `serve_listeners::a_configuration_that_lets_strangers_in_does_not_start`; `domain/gateway/config/tests.rs` |
//! | A25 | another user's answer from a cache | `no-store`; a list of headers | `serve_headers::an_answer_keeps_no_cookie_policy_or_challenge_of_cortis` |
//! | A26 | a broken Corti | hyper's limits | `serve_upstream::an_answer_that_is_no_http_is_a_502`, `serve_upstream::a_body_that_ends_too_early_is_no_whole_answer`, `serve_upstream::interim_answers_without_end_are_a_502` |
//! | A27 | another user of the machine | mode 0660 | `serve_listeners::another_user_does_not_reach_a_unix_socket` |
//! | A28 | another certificate | rustls, and no option to skip it | `serve_tls::nothing_goes_to_a_corti_with_another_certificate` |

use std::path::Path;

#[test]
fn the_table_names_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let rows = include_str!("serve_abuse.rs").lines().filter_map(|line| line.strip_prefix("//! | A"));
    let rows: Vec<&str> = rows.collect();
    for (number, row) in (1..).zip(&rows) {
        assert!(row.starts_with(&format!("{number} |")), "{row}");
        let named: Vec<(&str, &str)> = row.split('`').filter_map(|word| word.split_once("::")).collect();
        let tests = named.iter().filter(|(file, _)| file.starts_with("serve_"));
        assert!(tests.clone().count() > 0, "{row}");
        for (file, test) in tests {
            let text = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
            assert!(text.contains(&format!("fn {test}(")), "{file}::{test}");
        }
    }
    assert_eq!(rows.len(), 28);
}
