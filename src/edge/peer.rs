//! Tells whether a connection on loopback comes from another user, by the kernel's tables of TCP sockets (proc(5)).

use std::net::{IpAddr, SocketAddr};

/// Whether the socket at `peer` that is connected to `own` belongs to another user than this process. False for root's sockets:
/// root can read this process's memory anyway. False if this process is root's: its program may change its user. False if
/// unknown, as on other systems than Linux.
pub(super) fn is_of_another_user(peer: SocketAddr, own: SocketAddr) -> bool {
    let me = rustix::process::geteuid();
    !me.is_root() && owner(peer, own).is_some_and(|user| user != 0 && user != me.as_raw())
}

/// The user of the socket at `local` that is connected to `remote`.
fn owner(local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    // An IPv6 socket may be connected to an IPv4 address.
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].into_iter().find_map(|path| {
        let table = std::fs::read_to_string(path).ok()?;
        let is_ipv6 = path.ends_with('6');
        find(&table, &address(local, is_ipv6), &address(remote, is_ipv6))
    })
}

/// An address as the tables write it: hexadecimal, each 32 bits in the machine's byte order.
fn address(address: SocketAddr, is_ipv6: bool) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) if is_ipv6 => ip.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_ne_bytes));
    let words: Vec<String> = words.map(|word| format!("{word:08X}")).collect();
    format!("{}:{:04X}", words.concat(), address.port())
}

/// The user in the row of these two addresses.
fn find(table: &str, local: &str, remote: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_meant = fields.next()? == local && fields.next()? == remote;
        // After the addresses: state, queues, timer, retransmissions, user.
        fields.nth(4).filter(|_| is_meant)?.parse().ok()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn rows() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0\n   \
            1: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0\n";
        let text = |place: &str, is_ipv6| address(place.parse().unwrap(), is_ipv6);
        let (peer, own) = (text("127.0.0.1:54321", false), text("127.0.0.1:8080", false));
        assert_eq!(find(table, &peer, &own), Some(1001));
        assert_eq!(find(table, &own, &peer), None);
        assert_eq!(text("127.0.0.1:8080", true), "0000000000000000FFFF00000100007F:1F90");
        assert_eq!(text("[::1]:8080", true), "00000000000000000000000001000000:1F90");
    }

    #[test]
    fn the_owner_of_a_socket_is_found() {
        let me = rustix::process::geteuid().as_raw();
        for place in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(place).unwrap();
            let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, remote) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
            assert_eq!(owner(local, remote), Some(me), "{place}");
        }
    }
}
