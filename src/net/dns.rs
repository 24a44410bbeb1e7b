//! Looking hosts up, and the address that we have on the way to one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// How long the machine's resolver may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The most addresses of one name that are used.
const MAX_ADDRESSES: usize = 8;

/// The addresses of `host`, a name or an IP address, in the resolver's order and of the family of `local` alone, since
/// one socket serves one family.
///
/// # Errors
/// The name is unknown, the resolver does not answer within 5 s, or there is no address of the family.
pub async fn lookup(host: &str, port: u16, local: IpAddr) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the name server does not answer"))??;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.filter(|address| address.is_ipv4() == local.is_ipv4()) {
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let family = if local.is_ipv4() { "IPv4" } else { "IPv6" };
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("it has no {family} address")));
    }
    Ok(addresses)
}

/// The address that packets from here to `remote` carry. Sends nothing.
///
/// # Errors
/// There is no way to `remote`.
pub fn local_address_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

    #[tokio::test]
    async fn an_address_is_its_own_answer_in_its_own_family() {
        let expected = "127.0.0.1:5070".parse().expect("an address");
        assert_eq!(lookup("127.0.0.1", 5070, V4).await.expect("an answer"), vec![expected]);
        assert_eq!(lookup("127.0.0.1", 5070, V6).await.expect_err("no answer").kind(), io::ErrorKind::NotFound);
        assert_eq!(lookup("::1", 5070, V6).await.expect("an answer").len(), 1);
    }

    #[test]
    fn loopback_is_reached_from_loopback() {
        let remote = "127.0.0.1:5070".parse().expect("an address");
        assert!(local_address_towards(remote).expect("a way").is_loopback());
    }
}
