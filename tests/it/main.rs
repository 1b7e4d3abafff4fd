//! Tests of what the tool does, from outside: one module per behaviour. They form one binary, which is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(unreachable_pub, reason = "the modules are this binary's own")]

#[cfg(target_os = "linux")]
mod cache;
#[cfg(target_os = "linux")]
mod cache_keys;
#[cfg(target_os = "linux")]
mod cache_places;
#[cfg(target_os = "linux")]
mod cache_quota;
#[cfg(target_os = "linux")]
mod cache_stored;
mod check;
mod common;
#[cfg(unix)]
mod completions;
#[cfg(unix)]
mod config_lock;
#[cfg(target_os = "linux")]
mod config_trust;
mod contract;
#[cfg(unix)]
mod crash;
#[cfg(unix)]
mod crash_files;
#[cfg(target_os = "linux")]
mod crash_secrets;
mod demo;
#[cfg(target_os = "linux")]
mod deploy;
#[cfg(target_os = "linux")]
mod deploy_limits;
mod diff;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(unix)]
mod docs_ci;
#[cfg(unix)]
mod doctor;
mod doctor_network;
#[cfg(unix)]
mod doctor_test_entry;
#[cfg(unix)]
mod documents;
mod encodings;
#[cfg(target_os = "linux")]
#[macro_use]
mod engines;
#[cfg(target_os = "linux")]
mod engines_smoke;
#[cfg(unix)]
mod exec;
mod explain;
mod explain_answer;
mod explain_curl;
mod explain_redirects;
mod explain_token;
mod explain_without_reason;
mod field;
mod flood;
#[cfg(unix)]
mod help;
mod hidden_characters;
mod hostile_tokens;
mod import;
mod inspect;
mod inspect_claims;
mod inspect_jwks;
mod inspect_many;
mod inspect_paste;
mod inspect_verify;
mod inspect_weak;
mod interaction;
#[cfg(unix)]
mod interaction_list;
mod keycloak_commands;
mod keycloak_explain;
mod keycloak_serve;
#[cfg(target_os = "linux")]
mod keyring_lost;
#[cfg(target_os = "linux")]
mod keyring_session;
mod keyring_states;
#[cfg(target_os = "linux")]
mod keyring_unlock;
mod keyring_values;
mod layers;
mod leaks;
#[cfg(target_os = "linux")]
mod leaks_process;
#[cfg(target_os = "linux")]
mod listener_flood;
#[cfg(unix)]
mod load_model;
#[cfg(target_os = "linux")]
mod localhost;
#[cfg(unix)]
mod login;
#[cfg(target_os = "linux")]
mod login_next;
#[cfg(target_os = "linux")]
mod login_refused;
mod logout;
#[cfg(target_os = "linux")]
mod min_ttl;
#[cfg(target_os = "linux")]
mod mounted;
mod network;
#[cfg(target_os = "linux")]
mod one_mint;
mod paste_forms;
#[cfg(target_os = "linux")]
mod paste_prompt;
mod pasted_token;
#[cfg(unix)]
mod pipes;
mod probe;
mod probe_messages;
mod probe_refused;
#[cfg(unix)]
mod profile;
#[cfg(target_os = "linux")]
mod profile_race;
#[cfg(unix)]
mod prompts;
#[cfg(target_os = "linux")]
mod refresh_peer;
#[cfg(unix)]
mod refresh_signals;
#[cfg(target_os = "linux")]
mod refresh_url;
#[cfg(target_os = "linux")]
mod relayed_signals;
mod rename;
mod repeated_secrets;
#[cfg(target_os = "linux")]
mod replicas;
mod rfc_examples;
mod rotate;
mod sandbox;
mod sandbox_configuration;
mod sandbox_control;
mod sandbox_faults;
mod sandbox_flood;
mod sandbox_lists;
#[cfg(unix)]
mod sandbox_process;
#[cfg(unix)]
mod sandbox_program;
mod sandbox_realm;
mod sandbox_rest;
mod sandbox_sockets;
#[cfg(unix)]
mod sandbox_start;
#[cfg(target_os = "linux")]
mod screens;
mod sdk;
mod secret_destination;
mod serve;
mod serve_abuse;
#[cfg(unix)]
mod serve_browser;
mod serve_callers;
mod serve_canaries;
mod serve_decide;
#[cfg(unix)]
mod serve_drain;
mod serve_headers;
mod serve_limited;
mod serve_listeners;
#[cfg(target_os = "linux")]
mod serve_load;
mod serve_outage;
mod serve_pages;
mod serve_paths;
#[cfg(target_os = "linux")]
mod serve_pressure;
mod serve_sdk;
#[cfg(target_os = "linux")]
mod serve_service;
mod serve_smuggling;
mod serve_sockets;
mod serve_tls;
mod serve_upgrades;
mod serve_upstream;
mod serve_users;
mod session;
#[cfg(target_os = "linux")]
mod size_limits;
mod status;
mod store_command;
#[cfg(unix)]
mod store_file;
#[cfg(target_os = "linux")]
mod surroundings;
mod tls;
mod token;
#[cfg(unix)]
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
    // A module may have a folder beside it.
    found.dedup();
    assert_eq!(found, declared);
}
