//! Tests of what the tool does, from outside: one module per behaviour. They form one binary, which is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(unreachable_pub, reason = "the modules are this binary's own")]

mod cache;
mod cache_keys;
mod cache_places;
mod cache_quota;
mod cache_stored;
mod check;
mod common;
mod completions;
mod config_lock;
mod config_trust;
mod contract;
mod crash;
mod crash_files;
mod crash_secrets;
mod demo;
mod diff;
mod disk;
mod docs_ci;
mod doctor;
mod doctor_network;
mod doctor_test_entry;
mod documents;
mod exec;
mod explain;
mod explain_answer;
mod explain_curl;
mod explain_redirects;
mod explain_token;
mod explain_without_reason;
mod flood;
mod help;
mod hidden_characters;
mod hostile_tokens;
mod import;
mod inspect;
mod inspect_jwks;
mod inspect_many;
mod inspect_paste;
mod inspect_verify;
mod inspect_weak;
mod interaction;
mod interaction_list;
mod keycloak_commands;
mod keycloak_explain;
mod keyring_lost;
mod keyring_session;
mod keyring_states;
mod keyring_unlock;
mod keyring_values;
mod layers;
mod leaks;
mod leaks_process;
mod listener_flood;
mod localhost;
mod login;
mod login_next;
mod login_refused;
mod logout;
mod min_ttl;
mod mounted;
mod network;
mod one_mint;
mod pasted_token;
mod pipes;
mod probe;
mod probe_messages;
mod probe_refused;
mod profile;
mod profile_race;
mod prompts;
mod refresh_peer;
mod refresh_signals;
mod refresh_url;
mod relayed_signals;
mod rename;
mod repeated_secrets;
mod rfc_examples;
mod rotate;
mod sandbox;
mod sandbox_configuration;
mod sandbox_control;
mod sandbox_faults;
mod sandbox_flood;
mod sandbox_lists;
mod sandbox_process;
mod sandbox_realm;
mod sandbox_rest;
mod sandbox_sockets;
mod sandbox_start;
mod sdk;
mod secret_destination;
mod session;
mod size_limits;
mod status;
mod store_command;
mod store_file;
mod tls;
mod token;
mod token_formats;
mod websocket_url;

/// An undeclared file is not compiled, so its tests would never run.
#[test]
fn every_file_is_declared() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let declared: Vec<&str> = include_str!("main.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "main")
        .collect();
    found.sort();
    assert_eq!(found, declared);
}
