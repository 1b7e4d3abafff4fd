//! What `deploy/` has: its files fit each other and the program, and the program accepts what Compose and Kubernetes mount.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use crate::common::cached::become_user;
use crate::common::control::client;
use crate::common::{Running, Said, Sandbox, World, chmod, variable};

const KUBERNETES: &str = include_str!("../../deploy/kubernetes.yaml");
const COMPOSE: &str = include_str!("../../deploy/compose.yml");
const COMPOSE_CONFIG: &str = include_str!("../../deploy/serve.toml");
const HAPROXY: &str = include_str!("../../deploy/limits/haproxy-limits.cfg");
const RATELIMIT: &str = include_str!("../../deploy/limits/ratelimit.yaml");

/// Recipes, and the same with limits.
const LIMITED: [(&str, &str); 2] = [
    (include_str!("../../deploy/inline/haproxy.cfg"), HAPROXY),
    (
        include_str!("../../deploy/inline/envoy.yaml"),
        include_str!("../../deploy/limits/envoy-ratelimit.yaml"),
    ),
];

/// Where the headers are listed that Corti gets.
const FORWARD: &str = include_str!("../../src/gateway/forward.rs");
const NGINX_DECIDE: &str = include_str!("../../deploy/forward-auth/nginx.conf");
const ENVOY_DECIDE: &str = include_str!("../../deploy/forward-auth/envoy.yaml");

/// Whom the image runs as.
const USER: u32 = 65_534;

/// Where it is said how long the last requests may take, after the drain.
const GATEWAY: &str = include_str!("../../src/gateway/mod.rs");

/// `serve.toml` in the manifest.
fn kubernetes_config() -> String {
    let block = KUBERNETES.split_once("  serve.toml: |\n").unwrap().1;
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.flat_map(|line| [line.trim_start(), "\n"]).collect()
}

/// What follows `before` in `text`, up to one of `ends`.
fn after<'a>(text: &'a str, before: &str, ends: &[char]) -> &'a str {
    text.split_once(before).unwrap_or_else(|| panic!("no {before}: {text}")).1.split(ends).next().unwrap()
}

/// The seconds of a setting such as `delay = "5s"`.
fn seconds(text: &str, before: &str) -> u64 {
    after(text, before, &['s', '\n']).parse().unwrap()
}

#[test]
fn serve_accepts_the_configurations() {
    for config in [&kubernetes_config(), COMPOSE_CONFIG] {
        let world = World::new();
        let file = world.private_file("serve.toml", config);
        let said = Said::by(&mut world.run_words(&["serve", "--check", "--config", &file]));
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{config}");
        assert!(said.stdout.starts_with("clinician\n  own only"), "{}", said.stdout);
    }
}

/// Each engine parses its own file. Without the parser of the system's Python nothing is checked here, and CI fails.
#[test]
fn what_compose_and_kubernetes_read_is_yaml() {
    const PYTHON: &str = "/usr/bin/python3";
    if !Process::new(PYTHON).args(["-c", "import yaml"]).output().is_ok_and(|output| output.status.success())
    {
        assert_ne!(variable("CI").as_deref(), Some("true"), "install python3-yaml");
        return;
    }
    let count = "import sys, yaml; print(sum(isinstance(it, dict) for it in yaml.safe_load_all(sys.stdin)))";
    for (text, documents) in [(COMPOSE, 1), (KUBERNETES, 5), (RATELIMIT, 1)] {
        let said = Said::by(assert_cmd::Command::new(PYTHON).args(["-c", count]).write_stdin(text));
        assert_eq!((said.stdout, said.stderr), (format!("{documents}\n"), String::new()));
    }
}

#[test]
fn they_are_killed_only_after_the_drain() {
    let last = after(GATEWAY, "const LAST_REQUESTS: Duration = Duration::from_secs(", &[')'])
        .parse::<u64>()
        .unwrap();
    let drain = |config: &str| seconds(config, "delay = \"") + seconds(config, "spread = \"") + last;
    let grace: u64 = after(KUBERNETES, "terminationGracePeriodSeconds: ", &['\n']).parse().unwrap();
    assert!(grace > drain(&kubernetes_config()), "{grace}");
    // HAProxy, too, and at the same time as the replicas.
    let all = COMPOSE.split_once("\nx-serve:").unwrap().0;
    let grace = seconds(all, "stop_grace_period: ");
    assert!(grace > drain(COMPOSE_CONFIG), "{grace}");
    assert!(!COMPOSE.contains("\n    depends_on:"));
}

#[test]
fn the_manifest_names_the_ports_of_its_configuration() {
    let config = kubernetes_config();
    let port = after(&config, "listen = [\"0.0.0.0:", &['"']);
    let metrics = after(&config, "metrics = \"0.0.0.0:", &['"']);
    for text in [
        format!("{{ name: http, containerPort: {port} }}"),
        format!("{{ name: metrics, containerPort: {metrics} }}"),
        format!("ports: [{{ protocol: TCP, port: {port} }}]"),
        format!("ports: [{{ protocol: TCP, port: {metrics} }}]"),
        "{ name: http, port: 80, targetPort: http }".to_owned(),
    ] {
        assert_eq!(KUBERNETES.matches(&text).count(), 1, "{text}");
    }
    assert_eq!(KUBERNETES.matches(", port: http }").count(), 3, "all probes ask the same port");
    assert_eq!(after(KUBERNETES, "runAsUser: ", &['\n']), USER.to_string());
    assert_eq!(after(KUBERNETES, "fsGroup: ", &[' ', '\n']), USER.to_string());
}

#[test]
fn compose_confines_every_container_and_mounts_what_is_read() {
    let services = after(COMPOSE, "\nservices:", &[]).split("\nnetworks:").next().unwrap();
    let images = COMPOSE.matches("image: ").count();
    assert_eq!((images, services.matches("    <<: *").count()), (2, 3));
    assert_eq!(
        COMPOSE.matches("<<: *confined\n  image").count()
            + COMPOSE.matches("<<: *confined\n    image").count(),
        images
    );
    for text in ["read_only: true", "cap_drop: [ALL]", "security_opt: [\"no-new-privileges:true\"]"] {
        assert_eq!(COMPOSE.matches(text).count(), 1, "{text}");
    }
    for file in [
        after(COMPOSE, "CORTI_CLIENT_SECRET_FILE: ", &['\n']),
        after(COMPOSE_CONFIG, "key_file = \"", &['"']),
    ] {
        let name = file.strip_prefix("/run/secrets/").unwrap();
        assert!(COMPOSE.contains(&format!("\n  {name}: {{ file: /etc/corti-auth/{name} }}\n")), "{name}");
    }
    // HAProxy's file names what Compose mounts, and where the replicas are.
    let port = after(COMPOSE_CONFIG, "listen = [\"0.0.0.0:", &['"']);
    assert!(HAPROXY.contains(after(COMPOSE, "gw.example.org.pem:", &[':'])));
    for address in COMPOSE.split("ipv4_address: ").skip(2).map(|rest| rest.split(' ').next().unwrap()) {
        assert!(HAPROXY.contains(&format!(" {address}:{port}\n")), "{address}");
    }
}

#[test]
fn a_recipe_with_limits_has_all_of_the_recipe_without() {
    for (plain, limited) in LIMITED {
        let mut lines = limited.lines();
        for line in plain.lines() {
            let is_address = line.contains("127.0.0.1") || line.contains("/dev/log");
            let is_own = is_address || line.is_empty() || line.starts_with('#');
            assert!(is_own || lines.any(|other| other == line), "not in this order: {line}");
        }
    }
}

/// Caddy cannot pass on only the headers of a list.
#[test]
fn forward_auth_passes_on_what_the_gateway_forwards() {
    let list = FORWARD.split_once("const FORWARDED: [&str;").unwrap().1.split_once("= [").unwrap().1;
    let names: Vec<&str> = list.split("];").next().unwrap().split('"').skip(1).step_by(2).collect();
    assert!(names.contains(&"accept"), "{names:?}");
    let envoy = after(ENVOY_DECIDE, "in ([[", &[']']).split_whitespace().collect::<Vec<_>>();
    let nginx: Vec<String> = NGINX_DECIDE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("proxy_set_header ")?.strip_suffix(';'))
        .map(str::to_ascii_lowercase)
        .collect();
    for name in names {
        assert!(envoy.contains(&name), "Envoy does not pass on {name}");
        // nginx sets the length of a body itself.
        let line = format!("{name} $http_{}", name.replace('-', "_"));
        assert!(name == "content-length" || nginx.contains(&line), "nginx does not pass on {name}");
    }
}

/// The volumes of a pod, as the kubelet makes them: root's, with links, and readable by the pod's group.
struct Volumes {
    world: World,
    is_root: bool,
}

impl Volumes {
    fn new() -> Self {
        let world = World::new();
        chmod(world.home(), 0o755);
        Self { world, is_root: rustix::process::geteuid().is_root() }
    }

    /// A volume with this file, and the modes that Kubernetes gives them.
    fn mount(&self, volume: &str, name: &str, text: &str, mode: u32) -> String {
        let root = self.world.home().join(volume);
        let real = root.join("..2026_11_30_12_00_00.1234567890");
        std::fs::create_dir_all(&real).unwrap();
        let file = real.join(name);
        std::fs::write(&file, text).unwrap();
        let data = root.join("..data");
        if !data.exists() {
            symlink(real.file_name().unwrap(), &data).unwrap();
        }
        let link = root.join(name);
        symlink(Path::new("..data").join(name), &link).unwrap();
        if self.is_root {
            for path in [&real, &file] {
                chown(path, Some(0), Some(USER)).unwrap();
            }
            lchown(&link, Some(0), Some(0)).unwrap();
        }
        chmod(&file, mode);
        chmod(&real, 0o2755);
        // The kubelet lets everybody write to it. The container sees it read-only.
        chmod(&root, 0o1777);
        link.display().to_string()
    }
}

#[tokio::test]
async fn a_pod_reads_its_volumes_and_answers_its_probes() {
    let (corti, volumes) = (Sandbox::start(), Volumes::new());
    let mode = |volume: &str| {
        let line = KUBERNETES.lines().find(|line| line.trim().starts_with(volume)).unwrap();
        u32::from_str_radix(after(line, "defaultMode: ", &[' ']), 8).unwrap()
    };
    let (of_config, of_secret) = (mode("configMap: "), mode("secret: "));
    let client_secret = volumes.mount("secret", "client-secret", &corti.client_secret, of_secret);
    volumes.mount("secret", "ticket.key", "0123456789abcdef0123456789abcdef", of_secret);
    let folder = volumes.world.home().join("secret").display().to_string();
    let config = kubernetes_config()
        .replace("/etc/corti-auth-secret", &folder)
        .replace(":8744\"", ":0\"")
        .replace(":9464\"", ":0\"")
        .replace("https://idp.example.org/realms/clinic", &format!("{}/realms/base", corti.environment));

    // A mounted `ConfigMap` is a folder that everybody may write to.
    let whole = volumes.mount("config", "serve.toml", &config, of_config);
    let (words, binary) = become_user(&volumes.world, USER);
    let serve = |config: &str, more: &[&str]| {
        let mut command = Process::new(&words[0]);
        command.args(&words[1..]).args([&binary, "serve", "--config", config]).args(more).env_clear();
        command
    };
    let refused = serve(&whole, &["--check"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(3) && said.contains("everybody can write to it"), "{said}");

    // Hence one file of it, as `subPath` mounts it.
    assert!(KUBERNETES.contains("mountPath: /etc/corti-auth/serve.toml, subPath: serve.toml,"));
    let etc = volumes.world.home().join("etc");
    std::fs::create_dir(&etc).unwrap();
    let file = etc.join("serve.toml");
    std::fs::write(&file, &config).unwrap();
    chmod(&file, of_config);
    let mut command = serve(file.to_str().unwrap(), &[]);
    command.env("CORTI_CLIENT_SECRET_FILE", client_secret);
    for (name, value) in corti.variables().into_iter().filter(|(name, _)| *name != "CORTI_CLIENT_SECRET") {
        command.env(name, value);
        assert!(KUBERNETES.contains(&format!("{{ name: {name}, value: ")), "{name}");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    errors.read_line(&mut first).unwrap();
    let _service = Running(child);
    if !volumes.is_root {
        // The links are this user's, not root's.
        assert!(first.contains("it is a symbolic link"), "{first}");
        return;
    }
    let ports = first.split("0.0.0.0:").skip(1).map(|rest| rest.split([',', ';']).next().unwrap());
    let [port, metrics] = ports.collect::<Vec<_>>()[..] else { panic!("{first}") };
    let status = async |port: &str, path: &str| {
        let answer = client().get(format!("http://127.0.0.1:{port}{path}")).send().await;
        answer.unwrap().status().as_u16()
    };
    for probe in KUBERNETES.split("httpGet: { path: ").skip(1) {
        let path = probe.split(',').next().unwrap();
        let started = std::time::Instant::now();
        while status(port, path).await != 200 {
            assert!(started.elapsed() < Duration::from_secs(20), "{path} never answers 200");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(status(metrics, "/metrics").await, 200);
}
