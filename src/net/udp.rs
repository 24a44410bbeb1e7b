//! UDP sockets: binding, our own address as a peer sees the route to us, and which peers the network calls unreachable.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

/// Bytes of kernel buffer each way: room for a burst of some thousand messages. The kernel may grant less.
const BUFFER_BYTES: usize = 4 << 20;

/// Binds a socket for signalling to `listen`; port 0 takes a free one.
///
/// # Errors
/// As the operating system gives them: the address is not ours, or the port is taken. Must run inside tokio.
pub fn bind(listen: SocketAddr) -> io::Result<UdpSocket> {
    let domain = socket2::Domain::for_address(listen);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // Smaller buffers than asked for lose packets under load, which SIP mends; they are no reason not to start.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    error_queue::enable(&socket, listen);
    UdpSocket::from_std(socket.into())
}

/// The address from which packets to `peer` leave this machine. Nothing is sent.
///
/// # Errors
/// When the operating system has no route to `peer`.
pub fn local_address_towards(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = std::net::UdpSocket::bind((any, 0))?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}

/// The next peer that the network has reported unreachable (ICMP), where the operating system tells; `None` when there
/// is none left.
pub fn take_unreachable(socket: &UdpSocket) -> Option<SocketAddr> {
    error_queue::take(socket)
}

#[cfg(target_os = "linux")]
mod error_queue {
    use std::net::SocketAddr;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
    use tokio::net::UdpSocket;

    pub fn enable(socket: &socket2::Socket, listen: SocketAddr) {
        // Without it an unreachable peer shows as silence, and timers B and F find out.
        let _ = match listen {
            SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
            SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
        };
    }

    pub fn take(socket: &UdpSocket) -> Option<SocketAddr> {
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut [], None, flags).ok()?;
        let destination = message.address?;
        let v4 = destination.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
        v4.or_else(|| destination.as_sockaddr_in6().map(|a| SocketAddr::from((a.ip(), a.port()))))
    }
}

#[cfg(not(target_os = "linux"))]
mod error_queue {
    use std::net::SocketAddr;

    pub fn enable(_: &socket2::Socket, _: SocketAddr) {}

    pub fn take(_: &tokio::net::UdpSocket) -> Option<SocketAddr> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_loopback_leaves_from_loopback() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        assert_eq!(local_address_towards(peer).expect("loopback is routed"), peer.ip());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_closed_port_is_reported_with_its_address() {
        let closed = {
            let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
            taken.local_addr().expect("bound")
        };
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        assert_eq!(take_unreachable(&socket), None);
        socket.send_to(b"anyone?", closed).await.expect("loopback takes it");
        let error = socket.recv_from(&mut [0; 16]).await.expect_err("the port is closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(take_unreachable(&socket), Some(closed));
        assert_eq!(take_unreachable(&socket), None);
    }
}
