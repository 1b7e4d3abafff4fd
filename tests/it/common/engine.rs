//! The gateway alone, and with each engine that runs a recipe of `deploy/` as it is shipped. Only addresses and paths are replaced.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use super::fake_corti::FakeCorti;
use super::gateway::{BATCH, Connection, ENGINE_KEY, Gateway, HOST, config_of};
use super::idp::Idp;
use super::{Running, path, variable, wait_until};
use crate::tls;

/// The public host of the recipes.
pub const PUBLIC: &str = "gw.example.org";

/// The host of Corti's API in the recipes.
pub const API: &str = "api.eu.corti.app";

/// Who may do what. The groups `one`, `small`, `slow` and `own` are for the limits.
const RULES: &str = "[limits]\nrate = \"100000/s\"\nburst = 100000\nsockets = 1000\ntokens = \"1000/s\"\n\
    [[rule]]\ngroups = [\"batch\"]\n\
    allow = [\"languages.list\", \"recordings.create\", \"agents.message\", \"transcribe\", \"streams\", \"session.*\"]\n\
    [[rule]]\ngroups = [\"one\"]\nallow = [\"transcribe\"]\nlimits = { sockets = 1 }\n\
    [[rule]]\ngroups = [\"small\"]\nallow = [\"recordings.create\"]\nlimits = { body = \"1MiB\" }\n\
    [[rule]]\ngroups = [\"slow\"]\nallow = [\"languages.list\"]\nlimits = { rate = \"1/h\", burst = 1 }\n";

/// Who forwards requests to Corti.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The gateway alone.
    Inline,
    /// The gateway, behind an engine.
    InFront(Engine),
    /// An engine, which asks the gateway about each request.
    ForwardAuth(Engine),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Nginx,
    Haproxy,
    Caddy,
    Envoy,
}

impl Engine {
    /// The file name of its recipes.
    fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
            Self::Envoy => "envoy.yaml",
        }
    }
}

/// A recipe: its text, and its file for messages.
struct Recipe {
    text: String,
    path: String,
}

impl Recipe {
    /// The recipe of this file below `deploy/`.
    fn read(file: &str) -> Self {
        let path = format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        Self { text: std::fs::read_to_string(&path).unwrap(), path }
    }

    /// Replaces an address or a path, which the recipe must have.
    fn replace(&mut self, from: &str, to: impl AsRef<str>) {
        assert!(self.text.contains(from), "{} has no `{from}`", self.path);
        self.text = self.text.replace(from, to.as_ref());
    }
}

impl Column {
    pub fn engine(self) -> Option<Engine> {
        match self {
            Self::Inline => None,
            Self::InFront(engine) | Self::ForwardAuth(engine) => Some(engine),
        }
    }

    /// Whether the engine forwards requests to Corti itself.
    pub fn is_forward_auth(self) -> bool {
        matches!(self, Self::ForwardAuth(_))
    }
}

/// A column of the table, ready for requests.
pub struct Setup {
    pub column: Column,
    pub corti: FakeCorti,
    pub idp: Idp,
    pub gateway: Gateway,
    engine: Option<Running>,
    /// Where the column is reached.
    address: String,
    tls: Arc<ClientConfig>,
    folder: tempfile::TempDir,
}

impl Setup {
    pub fn start(column: Column) -> Self {
        let setup = Self::start_with(column, None, API, "full = true");
        let languages = get("/corti/v2/languages/", &format!("Authorization: Bearer {BATCH}\r\n"));
        wait_until("Corti can be reached", || setup.ask(&languages).0 == 200);
        setup.corti.take();
        setup
    }

    /// The same, with an authorizer of the test's own instead of the gateway, with a Corti whose certificate has another name, or
    /// with other lines of `[decide]`.
    pub fn start_with(column: Column, authorizer: Option<&str>, corti: &str, decide: &str) -> Self {
        let authority = tls::authority();
        let corti = FakeCorti::start(tls::config_of(&named(corti), &authority));
        let idp = Idp::start();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write_certificate(folder.path(), PUBLIC, &authority);
        write("engine.key", &format!("{ENGINE_KEY}\n"));
        write("engine.nginx", &format!("proxy_set_header X-Corti-Engine-Key {ENGINE_KEY};\n"));
        let world = corti.world();
        let key = world.private_file("engine.key", ENGINE_KEY);
        let rules = format!("[decide]\nengine_key_file = \"{key}\"\n{decide}\n{RULES}");
        let config =
            config_of(&idp.url, &rules).replace(&format!("http://{HOST}"), &format!("https://{PUBLIC}"));
        let gateway = Gateway::start_in(world, &config);
        let replica = authorizer.unwrap_or(&gateway.address).to_owned();
        let [address] = free_addresses();
        let engine = column.engine().map(|engine| {
            let recipe = recipe(column, folder.path(), &address, &[&replica], &corti.address);
            run(engine, folder.path(), &recipe)
        });
        let address = if engine.is_some() { address } else { replica };
        let tls = trusting(&authority);
        let setup = Self { column, corti, idp, gateway, engine, address, tls, folder };
        wait_until("the engine listens", || TcpStream::connect(&setup.address).is_ok());
        if authorizer.is_none() {
            let me = get("/broker/v1/me", &format!("Authorization: Bearer {BATCH}\r\n"));
            wait_until("the gateway can be reached", || setup.ask(&me).0 == 200);
        }
        setup
    }

    /// A connection as a client opens it.
    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        if self.engine.is_none() {
            return Connection::over(stream);
        }
        let name = ServerName::try_from(PUBLIC).unwrap();
        Connection::over(StreamOwned::new(
            ClientConnection::new(Arc::clone(&self.tls), name).unwrap(),
            stream,
        ))
    }

    /// The status, the head and the body of the answer to a request.
    pub fn ask(&self, request: &str) -> (u16, String, String) {
        self.connect().ask(request)
    }

    /// A ticket for a WebSocket of this kind, and the path of the WebSocket.
    pub fn ticket(&self, kind: &str) -> (String, String) {
        let body = json!({ "kind": kind }).to_string();
        let request = format!(
            "POST /broker/v1/sessions HTTP/1.1\r\nHost: {PUBLIC}\r\nAuthorization: Bearer {BATCH}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, _, body) = self.ask(&request);
        assert_eq!(status, 201, "{:?}: {body}", self.column);
        let session: serde_json::Value = serde_json::from_str(&body).unwrap();
        let url = session["websocketUrl"].as_str().unwrap();
        let path = url.strip_prefix(&format!("wss://{PUBLIC}")).unwrap().to_owned();
        (path, session["protocols"]["corti-ticket"].as_str().unwrap().to_owned())
    }

    /// Where the public host is reached, and who vouches for it.
    pub fn place(&self) -> (&str, String) {
        (&self.address, self.folder.path().join("ca.pem").display().to_string())
    }

    /// curl, for what this binary does not speak.
    pub fn curl(&self) -> assert_cmd::Command {
        let mut curl = assert_cmd::Command::new("curl");
        curl.env_clear().env("PATH", path()).env("HOME", self.folder.path()).timeout(Duration::from_secs(60));
        curl
    }

    /// All that the engine has written.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
            let is_log = entry.path().extension().is_some_and(|it| it == "log");
            if is_log {
                all += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
            }
        }
        all
    }
}

impl Drop for Setup {
    /// Shows what the engine said, if a test fails.
    #[expect(clippy::print_stderr, reason = "for whoever reads why the test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}: {}", self.column, self.logs());
        }
    }
}

/// What a certificate for this host says. With the authority's own subject, OpenSSL would call it self-signed.
pub fn named(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// Writes the authority, and a certificate for this host with its key, under the names that recipes get.
pub fn write_certificate(folder: &Path, host: &str, authority: &CertifiedIssuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let certificate = named(host).signed_by(&key, authority).unwrap();
    let files = [
        ("ca.pem", authority.pem()),
        ("tls.pem", certificate.pem()),
        ("tls.key", key.serialize_pem()),
        ("both.pem", certificate.pem() + &key.serialize_pem()),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// A client that trusts only this authority.
pub fn trusting(authority: &CertifiedIssuer<'static, KeyPair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(client.unwrap().with_root_certificates(roots).with_no_client_auth())
}

/// Addresses of this machine that nobody listens on.
pub fn free_addresses<const N: usize>() -> [String; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

/// The recipe for a column, with the test's addresses and paths. `address` is the engine's own.
pub fn recipe(column: Column, folder: &Path, address: &str, replicas: &[&str], corti: &str) -> String {
    let engine = column.engine().unwrap();
    let kind = if column.is_forward_auth() { "forward-auth" } else { "inline" };
    let file = |name: &str| folder.join(name).display().to_string();
    let mut recipe = Recipe::read(&format!("{kind}/{}", engine.file()));
    let (_, port) = address.rsplit_once(':').unwrap();
    let pair = |address: &str| {
        let (host, port) = address.rsplit_once(':').unwrap();
        format!("address: {host}, port_value: {port}")
    };
    // With one replica, the second address refuses connections.
    let second = replicas.get(1).unwrap_or(&"127.0.0.1:1");
    for (named, is) in [("127.0.0.1:8744", replicas[0]), ("127.0.0.1:8745", second)] {
        if engine == Engine::Envoy {
            recipe.replace(&pair(named), pair(is));
        } else {
            recipe.replace(named, is);
        }
    }
    // More of them have lines like the second's, with names of their own in HAProxy.
    for (number, replica) in replicas.iter().enumerate().skip(2) {
        let line = recipe.text.lines().find(|line| line.contains(second)).unwrap().to_owned();
        let more = line.replace(second, replica).replace("server b ", &format!("server b{number} "));
        recipe.replace(&line, format!("{line}\n{more}"));
    }
    let replaced: &[(&str, String)] = &match engine {
        Engine::Nginx => vec![
            ("listen 443 ", format!("listen {address} ")),
            ("/etc/ssl/gw.example.org.pem", file("tls.pem")),
            ("/etc/ssl/private/gw.example.org.key", file("tls.key")),
            ("/var/log/nginx/corti.log", file("access.log")),
            ("/var/log/nginx/corti.error.log", file("error.log")),
        ],
        Engine::Haproxy => vec![
            ("/dev/log local0", "stdout format raw local0".to_owned()),
            ("bind :443 ", format!("bind {address} ")),
            ("/etc/haproxy/gw.example.org.pem", file("both.pem")),
        ],
        Engine::Caddy => vec![
            ("https://gw.example.org:443", format!("https://gw.example.org:{port}")),
            ("https://:443", format!("https://:{port}")),
            ("/etc/caddy/gw.example.org.pem", file("tls.pem")),
            ("/etc/caddy/gw.example.org.key", file("tls.key")),
        ],
        Engine::Envoy => vec![
            ("address: 0.0.0.0, port_value: 443", pair(address)),
            ("/etc/envoy/gw.example.org.pem", file("tls.pem")),
            ("/etc/envoy/gw.example.org.key", file("tls.key")),
        ],
    };
    let to_corti: &[(&str, String)] = &match column {
        Column::ForwardAuth(Engine::Nginx) => vec![
            ("server api.eu.corti.app:443;", format!("server {corti};")),
            ("/etc/ssl/certs/ca-certificates.crt", file("ca.pem")),
            ("/etc/nginx/corti-engine-key", file("engine.nginx")),
        ],
        // It trusts the authorities of the system, which SSL_CERT_FILE names.
        Column::ForwardAuth(Engine::Caddy) => vec![
            ("https://api.eu.corti.app:443", format!("https://{corti}")),
            ("/etc/caddy/corti-engine-key", file("engine.key")),
        ],
        Column::ForwardAuth(Engine::Envoy) => vec![
            ("address: api.eu.corti.app, port_value: 443", pair(corti)),
            ("/etc/ssl/certs/ca-certificates.crt", file("ca.pem")),
            ("/etc/envoy/corti-engine-key", file("engine.key")),
        ],
        _ => vec![],
    };
    for (from, to) in replaced.iter().chain(to_corti) {
        recipe.replace(from, to);
    }
    // Only root may become another user.
    if engine == Engine::Haproxy && !rustix::process::geteuid().is_root() {
        recipe.replace("    user haproxy\n    group haproxy\n", "");
    }
    recipe.text
}

/// Starts an engine in a folder, with a recipe.
pub fn run(engine: Engine, folder: &Path, recipe: &str) -> Running {
    let programs = variable("ENGINES").expect("ENGINES is not set: run this by scripts/with-engines");
    let file = folder.join(engine.file()).display().to_string();
    std::fs::write(&file, recipe).unwrap();
    let (program, arguments) = match engine {
        Engine::Nginx => {
            let at = |name: &str| folder.join(name).display().to_string();
            let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let temporary = kinds.map(|kind| format!("{kind}_temp_path {};\n", at(kind))).concat();
            let main = format!(
                "daemon off;\nmaster_process off;\npid {};\nerror_log {} emerg;\nevents {{ worker_connections 4096; }}\nhttp {{\n{temporary}include {file};\n}}\n",
                at("pid"),
                at("main.log")
            );
            std::fs::write(folder.join("main.conf"), main).unwrap();
            ("nginx", vec!["-c".to_owned(), at("main.conf"), "-e".to_owned(), at("start.log")])
        }
        Engine::Haproxy => ("haproxy", vec!["-db".to_owned(), "-f".to_owned(), file]),
        Engine::Caddy => {
            let words = ["run", "--adapter", "caddyfile", "--config", &file];
            ("caddy", words.map(str::to_owned).to_vec())
        }
        Engine::Envoy => {
            let words = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning", "-c", &file];
            ("envoy", words.map(str::to_owned).to_vec())
        }
    };
    let log = || std::fs::OpenOptions::new().create(true).append(true).open(folder.join("said.log")).unwrap();
    let mut command = Command::new(format!("{programs}/{program}"));
    command.env_clear().env("PATH", path()).env("HOME", folder).env("SSL_CERT_FILE", folder.join("ca.pem"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(log()).stderr(log());
    Running(command.spawn().unwrap())
}

/// A request without a body. Each header ends with a line break.
pub fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {PUBLIC}\r\n{headers}\r\n")
}
