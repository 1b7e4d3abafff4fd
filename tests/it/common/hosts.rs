//! Other hosts for replicas: network namespaces of Linux, which need root.

use std::process::{Command, Stdio};

use super::engine::API;

/// How many there are.
const COUNT: usize = 3;

/// Hosts that reach this one, and each other. This host has the engine, and Corti's realm and API.
pub struct Hosts(u32);

/// For measurements between networks (RFC 2544), so nobody's.
const NETWORK: &str = "198.18.77";

/// The addresses of Corti's realm and API.
pub const REALM: &str = "198.18.77.2";
pub const API_ADDRESS: &str = "198.18.77.3";

/// Runs `ip`, and returns whether it could.
fn ip(arguments: &str) -> bool {
    let mut ip = Command::new("ip");
    ip.args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    ip.status().is_ok_and(|status| status.success())
}

impl Hosts {
    /// `None` if this system or user cannot have them.
    pub fn start() -> Option<Self> {
        let hosts = Self(std::process::id());
        let bridge = hosts.bridge();
        if !ip(&format!("link add {bridge} type bridge")) || !ip(&format!("netns add {}", hosts.name(0))) {
            return None;
        }
        for last in 1..=3 {
            assert!(ip(&format!("addr add {NETWORK}.{last}/24 dev {bridge}")));
        }
        assert!(ip(&format!("link set {bridge} up")));
        for number in 0..COUNT {
            let (name, link) = (hosts.name(number), format!("{bridge}{number}"));
            assert!(number == 0 || ip(&format!("netns add {name}")));
            assert!(ip(&format!("link add {link} type veth peer name eth0 netns {name}")));
            assert!(ip(&format!("link set {link} master {bridge} up")));
            assert!(ip(&format!("-n {name} addr add {}/24 dev eth0", Self::address(number))));
            assert!(ip(&format!("-n {name} link set eth0 up")) && ip(&format!("-n {name} link set lo up")));
            // `ip netns exec` puts it over /etc/hosts.
            std::fs::create_dir_all(hosts.folder(number)).unwrap();
            let names = format!("{REALM} auth.eu.corti.app\n{API_ADDRESS} {API}\n");
            std::fs::write(hosts.folder(number) + "/hosts", names).unwrap();
        }
        Some(hosts)
    }

    fn bridge(&self) -> String {
        format!("ca{}b", self.0)
    }

    pub fn name(&self, number: usize) -> String {
        format!("corti-auth-{}-{number}", self.0)
    }

    fn folder(&self, number: usize) -> String {
        format!("/etc/netns/{}", self.name(number))
    }

    pub fn address(number: usize) -> String {
        format!("{NETWORK}.{}", 11 + number)
    }

    /// Takes the way to the realm away from a host.
    pub fn cut_off(&self, number: usize) {
        self.route("add", number);
    }

    /// Gives it back.
    pub fn reconnect(&self, number: usize) {
        self.route("del", number);
    }

    fn route(&self, what: &str, number: usize) {
        assert!(ip(&format!("-n {} route {what} unreachable {REALM}/32", self.name(number))));
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for number in 0..COUNT {
            ip(&format!("netns del {}", self.name(number)));
            let _ = std::fs::remove_dir_all(self.folder(number));
        }
        ip(&format!("link del {}", self.bridge()));
    }
}
