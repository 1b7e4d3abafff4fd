//! Which certificates are trusted: `--ca-cert` adds to the system's, `SSL_CERT_FILE` replaces them, and an unusable
//! file is a configuration error. Tested with a real TLS server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream, StreamOwned};

use crate::common::{self, Said, Sandbox, World};

const TOKEN: &str = r#"{"access_token":"abc","expires_in":300,"token_type":"Bearer","scope":"openid"}"#;

/// A certificate authority.
pub fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The TLS settings of a server on `localhost`, with a certificate that `authority` signed.
pub fn config(authority: &CertifiedIssuer<'static, KeyPair>) -> Arc<ServerConfig> {
    config_of(&CertificateParams::new(["localhost".to_owned()]).unwrap(), authority)
}

/// The same for another certificate.
pub fn config_of(
    params: &CertificateParams,
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = params.clone().signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// A token endpoint on `https://localhost` with a certificate that `authority` signed. Returns its environment.
fn serve(authority: &CertifiedIssuer<'static, KeyPair>) -> String {
    serve_with(config(authority))
}

fn serve_with(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut connection, &mut socket);
            // A client that does not trust the certificate leaves.
            if stream.read(&mut [0; 8192]).is_ok() {
                let length = TOKEN.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{TOKEN}"
                );
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    format!("https://localhost:{port}")
}

/// TLS in front of a server without it. Returns its environment and the number of its connections with data.
fn in_front_of(
    environment: &str,
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> (String, Arc<AtomicUsize>) {
    let (config, upstream) = (config(authority), environment.trim_start_matches("http://").to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let taken = Arc::clone(&count);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            let (plain, taken) = (TcpStream::connect(&upstream).unwrap(), Arc::clone(&taken));
            std::thread::spawn(move || pass_on(tls, plain, &taken));
        }
    });
    (format!("https://localhost:{port}"), count)
}

/// Copies bytes in both directions until one side closes.
pub fn pass_on(mut tls: StreamOwned<ServerConnection, TcpStream>, mut plain: TcpStream, taken: &AtomicUsize) {
    let moment = Some(Duration::from_millis(5));
    tls.sock.set_read_timeout(moment).unwrap();
    plain.set_read_timeout(moment).unwrap();
    let mut chunk = [0; 8192];
    let mut is_new = true;
    loop {
        for way in [true, false] {
            let read = if way { tls.read(&mut chunk) } else { plain.read(&mut chunk) };
            let written = match read {
                Ok(0) => return,
                Ok(length) if way => plain.write_all(&chunk[..length]),
                Ok(length) => tls.write_all(&chunk[..length]).and_then(|()| tls.flush()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => return,
            };
            if is_new {
                taken.fetch_add(1, Ordering::SeqCst);
                is_new = false;
            }
            if written.is_err() {
                return;
            }
        }
    }
}

#[test]
fn an_authority_is_trusted_when_it_is_given() {
    let (ours, other) = (authority(), authority());
    let mut world = World::client_of(&serve(&ours));
    let (ours, other) = (world.file("ours.pem", ours.pem()), world.file("other.pem", other.pem()));
    let token = |world: &World, more: &[&str]| {
        let words = [&["token", "--full"][..], more].concat();
        Said::by(&mut world.run_words(&words))
    };

    let said = token(&world, &[]);
    assert_eq!(said.code, 8, "{}", said.stderr);
    assert!(
        said.stderr.contains("cannot connect to `localhost`") && said.stderr.contains("--ca-cert"),
        "{}",
        said.stderr
    );
    assert_eq!(token(&world, &["--ca-cert", &other]).code, 8);
    let said = token(&world, &["--ca-cert", &ours]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "abc\n"), "{}", said.stderr);

    world.set("SSL_CERT_FILE", &ours);
    assert_eq!(token(&world, &[]).code, 0);
    world.set("SSL_CERT_FILE", &other);
    assert_eq!(token(&world, &[]).code, 8, "it replaces, and the other authority is not ours");
    assert_eq!(token(&world, &["--ca-cert", &ours]).code, 0, "it is replaced, and ours is added");
}

#[test]
fn doctor_tells_an_untrusted_server_from_an_unreachable_one() {
    let ours = authority();
    let world = World::client_of(&serve(&ours));
    let ours = world.file("ours.pem", ours.pem());
    let verdicts = |more: &[&str]| {
        let said = Said::by(&mut world.run_words(&[&["doctor", "--json"][..], more].concat()));
        assert_eq!(said.code, if more.contains(&"/no/such.pem") { 3 } else { 8 }, "{}", said.stderr);
        let checks = said.json()["checks"].as_array().unwrap().clone();
        let verdict = |name: &str| {
            let check = checks.iter().find(|check| check["name"] == name).unwrap();
            format!("{} {}", check["verdict"].as_str().unwrap(), check["detail"].as_str().unwrap())
        };
        (verdict("tcp"), verdict("tls"), verdict("token"))
    };
    let (tcp, tls, mint) = verdicts(&[]);
    assert!(tcp.starts_with("ok localhost") && tls.starts_with("failed localhost"), "{tcp} {tls}");
    assert!(tls.contains("): cannot connect to `localhost`") && mint.starts_with("skipped"));
    let (_, tls, mint) = verdicts(&["--ca-cert", &ours]);
    assert!(tls.starts_with("ok localhost (auth, api, sockets): trusted, answered 200"), "{tls}");
    assert!(mint.contains("not sent"), "what answers is no realm: {mint}");
    assert!(verdicts(&["--ca-cert", "/no/such.pem"]).1.contains("cannot use the certificates"));
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_a_sentence() {
    let (ours, day) = (authority(), |year| rcgen::date_time_ymd(year, 1, 1));
    let connect = |change: fn(&mut CertificateParams), name: &str| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (day(2020), day(2100));
        change(&mut params);
        let environment = serve_with(config_of(&params, &ours));
        let world = World::client_of(&environment);
        let authority = world.file("ours.pem", ours.pem());
        let said = Said::by(&mut world.run_words(&["token", "--full", "--ca-cert", &authority]));
        assert_eq!(said.code, 8, "{}", said.stderr);
        let (_, reason) =
            said.stderr.split_once("cannot connect to `localhost`: the server's certificate ").unwrap();
        reason.lines().next().unwrap().to_owned()
    };
    let ended = connect(|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1), "localhost");
    assert_eq!(ended, "expired at 2021-01-01T00:00:00Z");
    let early = connect(|params| params.not_before = rcgen::date_time_ymd(2099, 1, 1), "localhost");
    assert_eq!(early, "is not valid before 2099-01-01T00:00:00Z");
    assert_eq!(connect(|_| {}, "other.example"), "is for another host name");
    let own = connect(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "localhost");
    assert_eq!(own, "is a CA certificate; to trust that CA: --ca-cert FILE");
    let said = Said::by(&mut World::client_of(&serve(&ours)).run("token --full"));
    let unknown = "the server's certificate is not signed by a CA that this machine trusts";
    assert!(said.stderr.contains(unknown), "{}", said.stderr);
}

#[test]
fn unusable_certificates_are_a_configuration_error() {
    let mut world = World::client_of("eu");
    let empty = world.file("empty.pem", "no certificate in here\n");
    let broken = world.file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for file in ["/no/such.pem", &empty, &broken] {
        let said = Said::by(&mut world.run_words(&["token", "--full", "--ca-cert", file]));
        assert_eq!(said.code, 3, "{file}: {}", said.stderr);
        assert!(said.stderr.contains(file) && said.stderr.contains("hint: "), "{}", said.stderr);
    }
    world.set("SSL_CERT_FILE", "/no/such.pem");
    assert_eq!(Said::by(&mut world.run("token --full")).code, 3);
}

#[test]
fn a_probe_tells_an_untrusted_certificate_from_a_refusal() {
    let ours = authority();
    let world = World::new();
    let authority = world.file("ours.pem", ours.pem());
    let environment = serve(&ours);
    let claims = serde_json::json!({ "iss": format!("{environment}/realms/base"), "scope": "transcribe" });
    let token = common::forged(&serde_json::json!({ "alg": "RS256" }), &claims);
    let socket = environment.replace("https", "wss");
    let file = world.file("url", format!("{socket}/transcribe?tenant-name=base&token=Bearer%20{token}"));
    let probe = |more: &[&str]| {
        let words = [&["probe", "--websocket-url", &file][..], more].concat();
        Said::by(&mut world.run_words(&words))
    };
    let said = probe(&[]);
    assert_eq!(said.code, 8, "{}", said.stderr);
    assert!(said.stderr.contains("FAILED   tls") && !said.stderr.contains("upgrade"), "{}", said.stderr);
    let said = probe(&["--ca-cert", &authority]);
    assert_eq!(said.code, 8, "{}", said.stderr);
    for words in ["ok       dns ", " ms  localhost: trusted", "FAILED   upgrade ", " ms  refused with 200"] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
}

#[test]
fn a_probe_uses_one_tls_connection() {
    let (ours, sandbox) = (authority(), Sandbox::start());
    let (environment, connections) = in_front_of(&sandbox.environment, &ours);
    let mut world = World::of(&sandbox);
    world.set("CORTI_ENVIRONMENT", &environment);
    let url = format!("{}/audio-bridge/v2/transcribe?tenant-name=base", environment.replace("https", "wss"));
    let (file, authority) = (world.file("url", url), world.file("ours.pem", ours.pem()));
    let audio = world.file("a.raw", [0; 1000]);
    let words = ["probe", "--websocket-url", &file, "--ca-cert", &authority, "--audio", &audio];
    let said = Said::by(&mut world.run_words(&words));
    assert_eq!((said.code, said.stdout.as_str()), (0, "[sandbox: 1000 bytes of audio]\n"), "{}", said.stderr);
    assert!(said.stderr.contains(" ms  localhost: trusted"), "{}", said.stderr);
    assert_eq!(connections.load(Ordering::SeqCst), 1, "the upgrade's time is without TLS");
}

/// An unusable file is an error for plain http too, or a broken setting would go unnoticed until https is used.
#[test]
fn unusable_certificates_are_an_error_without_tls_too() {
    let sandbox = Sandbox::start();
    let mut world = World::of(&sandbox);
    let empty = world.file("empty.pem", "no certificate in here\n");
    let ours = world.file("ours.pem", authority().pem());
    for command in ["token --full", "exec --full -- true", "interaction list", "inspect --verify"] {
        for (file, code) in [("/no/such.pem", 3), (empty.as_str(), 3), (ours.as_str(), 0)] {
            let words: Vec<&str> = ["--ca-cert", file].into_iter().chain(command.split(' ')).collect();
            let token = common::forged(&serde_json::json!({ "alg": "RS256" }), &serde_json::json!({}));
            let said = Said::by(world.run_words(&words).write_stdin(token));
            let is_unverified = code == 0 && command.starts_with("inspect");
            assert_eq!(said.code, if is_unverified { 7 } else { code }, "{command}: {}", said.stderr);
            assert!(code == 0 || said.stderr.contains(file), "{}", said.stderr);
        }
    }
    world.set("SSL_CERT_FILE", "/no/such.pem");
    assert_eq!(Said::by(&mut world.run("token --full")).code, 3);
    world.set("SSL_CERT_FILE", &ours);
    assert_eq!(Said::by(&mut world.run("token --full")).code, 0);
}
