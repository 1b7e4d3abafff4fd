//! `probe` with a server that follows Corti's documentation: its steps, transcripts, and the interaction that it
//! creates and deletes.

use serde_json::{Value, json};

use crate::common::fake_server::{Answer, FakeServer};
use crate::common::ready::{interactions, mint};
use crate::common::{self, Said, Sandbox, World, wait_until};

/// Silence of this length as 16-bit mono PCM at 8 kHz in WAV.
pub fn wav(milliseconds: u32) -> Vec<u8> {
    let data = vec![0; usize::try_from(milliseconds * 16).unwrap()];
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    for word in [8000_u32, 16_000, 0x0010_0002] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    bytes.extend(data);
    bytes
}

fn objects(said: &Said) -> Vec<Value> {
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The steps of a probe with their verdicts, such as `dns skipped`.
fn steps(objects: &[Value]) -> Vec<String> {
    let is_step = |object: &&Value| object["schema"] == "corti-auth/probe-step/v1";
    let name =
        |step: &Value| format!("{} {}", step["step"].as_str().unwrap(), step["verdict"].as_str().unwrap());
    objects.iter().filter(is_step).map(name).collect()
}

#[test]
fn a_dictation_goes_through_every_step() {
    let sandbox = Sandbox::start();
    let said = Said::by(&mut World::of(&sandbox).run("probe transcribe"));
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    let names: Vec<&str> = said.stderr.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let expected = ["token", "dns", "tcp", "tls", "upgrade", "configuration", "end", "usage", "opened,"];
    assert_eq!(names, expected, "{}", said.stderr);
    assert!(said.stderr.contains(" ms ") && said.stderr.contains("CONFIG_ACCEPTED"), "{}", said.stderr);
    let quiet = Said::by(&mut World::of(&sandbox).run("probe transcribe --quiet"));
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (0, "", ""));
}

#[test]
fn a_token_in_a_file_is_used_and_sent_only_to_its_issuer() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let limited = world.file("limited.txt", format!("Hi, try this: {}", mint(&world, "--scope streams")));
    let full = world.file("full.txt", mint(&world, "--full"));
    // Whatever the client's secret is now, nothing is minted.
    world.set("CORTI_CLIENT_SECRET", "wrong");
    let used = Said::by(&mut world.run(&format!("probe streams --token-file {full}")));
    assert_eq!(used.code, 0, "{}", used.stderr);
    assert!(used.stderr.contains(&format!("using the token in `{full}`")), "{}", used.stderr);
    let lacking = Said::by(&mut world.run(&format!("probe transcribe --token-file {limited}")));
    assert_eq!(lacking.code, 6, "{}", lacking.stderr);
    let creating = Said::by(&mut world.run(&format!("probe streams --token-file {limited}")));
    assert_eq!(creating.code, 2, "{}", creating.stderr);
    assert!(creating.stderr.contains("is limited and cannot create an interaction"), "{}", creating.stderr);
    let elsewhere = FakeServer::start(vec![]);
    for options in ["-t other".to_owned(), format!("-e {}", elsewhere.environment)] {
        let refused = Said::by(&mut world.run(&format!("probe transcribe --token-file {full} {options}")));
        assert_eq!((refused.code, refused.stdout.as_str()), (7, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains("and is not sent to"), "{}", refused.stderr);
    }
    assert_eq!(elsewhere.requests(), [""; 0]);
}

#[test]
fn stdout_has_the_transcript_alone() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let audio = world.file("visit.wav", wav(1000));
    for socket in ["transcribe", "streams"] {
        let said = Said::by(&mut world.run(&format!("probe {socket} --audio {audio}")));
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!(said.stdout, "[sandbox: 16000 bytes of audio]\n");
        assert!(!said.stderr.contains("[sandbox: "), "{}", said.stderr);
        let sent = "1.0 s of audio/pcm; rate=8000; channels=1; bits=16 in 4 chunks";
        assert!(said.stderr.contains(sent), "{}", said.stderr);
    }
}

#[test]
fn audio_is_sent_at_the_speed_of_speech() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let audio = world.file("visit.wav", wav(1200));
    let said = Said::by(&mut world.run(&format!("probe transcribe --audio {audio} --json")));
    let objects = objects(&said);
    let step = objects.iter().find(|object| object["step"] == "audio").unwrap();
    // A lower bound only: a machine under load takes longer.
    assert!(step["ms"].as_f64().unwrap() >= 1195.0, "{step}");
}

#[test]
fn json_has_a_line_for_each_step_and_message() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let audio = world.file("visit.raw", [1; 9000]);
    let said = Said::by(&mut world.run(&format!("probe streams --audio {audio} --language da --json")));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let objects = objects(&said);
    let expected = [
        "token ok",
        "token ok",
        "interaction ok",
        "dns skipped",
        "tcp ok",
        "tls skipped",
        "upgrade ok",
        "configuration ok",
        "audio ok",
        "flush ok",
        "end ok",
        "usage ok",
        "removal ok",
    ];
    assert_eq!(steps(&objects), expected);
    let messages: Vec<&Value> =
        objects.iter().filter(|object| object["schema"] == "corti-auth/probe-message/v1").collect();
    let types: Vec<&str> = messages.iter().map(|line| line["message"]["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["CONFIG_ACCEPTED", "transcript", "flushed", "usage", "ENDED"]);
    let configuration = &messages[0]["message"]["configuration"];
    assert_eq!(configuration["audioFormat"], "audio/pcm; rate=16000; channels=1; bits=16");
    assert_eq!(configuration["transcription"]["primaryLanguage"], "da");
    let result = objects.last().unwrap();
    assert_eq!((&result["schema"], &result["transcripts"]), (&json!("corti-auth/probe/v1"), &json!(1)));
    assert!(result["credits"].as_f64().unwrap() > 0.0 && result["error"].is_null());
    assert_eq!(result["steps"].as_array().unwrap().len(), expected.len());
    let upgrade = objects.iter().find(|object| object["step"] == "upgrade").unwrap();
    assert_eq!(upgrade["http_status"], 101);
    assert!(upgrade["headers"].to_string().contains("sec-websocket-accept"));
    assert!(!said.stdout.contains("token=") && !said.stdout.contains("eyJ"));
}

#[test]
fn the_interaction_is_deleted_unless_it_is_kept_or_given() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    world.run("probe streams").assert().success();
    assert_eq!(interactions(&world), 0);
    let kept = Said::by(&mut world.run("probe streams --keep --json"));
    let id = objects(&kept).last().unwrap()["interaction_id"].as_str().unwrap().to_owned();
    assert_eq!(interactions(&world), 1);
    // A kept interaction is named even with --quiet, and when the session fails.
    for more in ["--quiet", "--language tlh --quiet"] {
        let said = Said::by(&mut world.run(&format!("probe streams --keep {more}")));
        let hint = said.stderr.lines().find_map(|line| line.strip_prefix("hint: corti-auth ")).unwrap();
        assert_eq!(interactions(&world), 2, "{more}");
        world.run(hint).assert().success();
        assert_eq!(interactions(&world), 1, "{more}");
    }
    let given = Said::by(&mut world.run(&format!("probe streams --interaction {id}")));
    assert_eq!(given.code, 0, "{}", given.stderr);
    assert_eq!(interactions(&world), 1, "one that was given stays");
    for wrong in [
        "probe",
        "probe transcribe --keep",
        "probe streams --keep --interaction",
        "probe transcribe --interaction",
    ] {
        let id = if wrong.ends_with("--interaction") { id.as_str() } else { "" };
        world.run(&format!("{wrong} {id}")).assert().code(2).stdout("");
    }
    let denied = world.run("probe streams --language tlh").assert().code(1);
    assert!(String::from_utf8_lossy(&denied.get_output().stderr).contains("ok       removal"));
    assert_eq!(interactions(&world), 1, "a refused configuration leaves nothing behind either");
}

#[test]
fn an_interrupted_probe_deletes_its_interaction() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let audio = world.file("long.wav", wav(60_000));
    for signal in ["INT", "TERM"] {
        let mut probe = world.start(&format!("probe streams --audio {audio}"));
        wait_until("the interaction is there", || interactions(&world) == 1);
        assert!(common::signal(probe.0.id(), signal));
        assert_eq!(probe.wait(), Some(130));
        assert_eq!(interactions(&world), 0, "{signal}");
    }
}

#[test]
fn a_given_configuration_is_sent_unchanged() {
    let sandbox = Sandbox::start();
    let world = World::of(&sandbox);
    let path =
        world.file("c.json", r#"{"primaryLanguage":"en","interimResults":true,"audioFormat":"audio/x"}"#);
    let audio = world.file("a.raw", [0; 10]);
    let said =
        Said::by(&mut world.run(&format!("probe transcribe --configuration {path} --audio {audio} --json")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let objects = objects(&said);
    let accepted = objects.iter().find(|object| object["message"]["type"] == "CONFIG_ACCEPTED").unwrap();
    let accepted = &accepted["message"]["configuration"];
    assert_eq!(
        *accepted,
        json!({ "primaryLanguage": "en", "interimResults": true, "audioFormat": "audio/x" })
    );
    let path = world.file("c.json", "[1, canary]");
    let said = Said::by(&mut world.run(&format!("probe transcribe --configuration {path}")));
    assert!(said.code == 2 && !said.stderr.contains("canary"), "{}", said.stderr);
    for bytes in [&b""[..], b"RIFF\0\0\0\0WAVEfmt \0\0\0\0"] {
        let audio = world.file("bad.wav", bytes);
        world.run(&format!("probe transcribe --audio {audio}")).assert().code(2).stdout("");
    }
}

#[test]
fn a_pasted_url_is_opened_with_its_own_token() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let url = Said::by(&mut world.run("interaction create --connect-url")).stdout;
    // Nothing is minted, and no environment need be set.
    let bare = World::new();
    let file = bare.file("url", format!("\"{}\"\n", url.trim().replace('&', "\\u0026")));
    let said = Said::by(&mut bare.run(&format!("probe --websocket-url {file}")));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("using the token in the pasted URL"), "{}", said.stderr);
    let said = Said::by(bare.run("probe streams --websocket-url -").write_stdin(url.clone()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    // A URL without a token gets one of this client.
    let naked = url.split("&token=").next().unwrap().to_owned();
    let said = Said::by(world.run("probe --websocket-url -").write_stdin(naked.clone()));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("limited token (streams)"), "{}", said.stderr);
    world.set("CORTI_ENVIRONMENT", "eu");
    let said = Said::by(world.run("probe --websocket-url -").write_stdin(naked));
    assert_eq!(said.code, 3, "{}", said.stderr);
    for words in [
        "the pasted URL is for `127.0.0.1:",
        "`, but the token would be for `eu`, tenant `base`: nothing was sent",
    ] {
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
    let said = Said::by(world.run("probe --websocket-url -").write_stdin(url));
    assert!(said.code == 7 && said.stderr.contains("and is not sent to `eu`"), "{}", said.stderr);
}

#[test]
fn an_interaction_that_cannot_be_deleted_is_named() {
    let id = "6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90";
    let server = FakeServer::start_by(|environment| {
        let url = format!(
            "{}/audio-bridge/v2/interactions/{id}/streams?tenant-name=base",
            environment.replace("http", "ws")
        );
        vec![
            Answer::json(&json!({ "interactionId": id, "websocketUrl": url }).to_string()),
            // The connection that only tests TCP, and the upgrade.
            Answer::Bytes(String::new()),
            Answer::http("403 Forbidden", &[], "{}"),
            Answer::http("500 Internal Server Error", &[], "{}"),
        ]
    });
    let mut world = World::new();
    world.set("CORTI_ENVIRONMENT", &server.environment);
    world.set("CORTI_ACCESS_TOKEN", "opaque");
    let said = Said::by(&mut world.run("probe streams"));
    // The first failure decides the exit code; the interaction that is left is also named.
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains("FAILED   removal"), "{}", said.stderr);
    assert!(said.stderr.contains("which the probe created, was not deleted"), "{}", said.stderr);
    assert!(said.stderr.contains(&format!("corti-auth interaction delete {id} --yes")), "{}", said.stderr);
    // The connection without a request may be recorded late.
    common::wait_until("each connection is noticed", || server.requests().len() == 4);
    let requests = server.requests();
    assert!(requests[3].starts_with(&format!("DELETE /v2/interactions/{id} ")), "{requests:?}");
}
