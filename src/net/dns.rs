//! Looking hosts up.

use std::io;
use std::net::{IpAddr, SocketAddr};
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

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
}
