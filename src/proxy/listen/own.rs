//! Is this an address of this machine? Asked of the kernel at each use, since interfaces come and go.
//!
//! A socket can be bound to an own address only, also to a second one of an interface. Where the kernel lets sockets bind
//! any address (`ip_nonlocal_bind`, for failover), the way to an address tells: to an own one it begins there. Nothing
//! is sent by either question.
//!
//! Facts: bind(2) (`EADDRNOTAVAIL`), ip(7); RFC 5737 and RFC 3849 (addresses that are nobody's).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Nobody's addresses.
const NOBODYS: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
/// Nothing is sent to it.
const PORT: u16 = 9;

/// Whether an address, of IPv4 where it stands for one ([`meant`](crate::proxy::connect::meant)), is one of this machine.
pub(super) fn is_own(address: IpAddr) -> bool {
    let nobodys = if address.is_ipv4() { IpAddr::V4(NOBODYS.0) } else { IpAddr::V6(NOBODYS.1) };
    (can_be_bound(address) && !can_be_bound(nobodys)) || begins_where_it_ends(address)
}

fn can_be_bound(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn begins_where_it_ends(address: IpAddr) -> bool {
    let anywhere: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let begin = UdpSocket::bind((anywhere, 0)).and_then(|socket| {
        socket.connect(SocketAddr::new(address, PORT))?;
        socket.local_addr()
    });
    begin.is_ok_and(|begin| begin.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_ours_by_both_questions_and_nobodys_address_is_not() {
        for here in ["127.0.0.1", "127.9.9.9"] {
            assert!(is_own(here.parse().unwrap()), "{here}");
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(can_be_bound(loopback) && begins_where_it_ends(loopback));
        assert!(!is_own(IpAddr::V4(NOBODYS.0)) && !begins_where_it_ends(IpAddr::V4(NOBODYS.0)));
        assert!(!is_own(IpAddr::V6(NOBODYS.1)));
    }

    #[test]
    fn the_address_from_which_others_are_reached_is_ours() {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        // Without a way to others there is loopback alone.
        let address = socket.connect((NOBODYS.0, PORT)).map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |()| socket.local_addr().unwrap().ip());
        assert!(is_own(address), "{address}");
    }
}
