//! The listener: bounded connections, bounded time for a head and for being idle, and a shutdown that lets running
//! requests end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at a time; at the bound, new ones wait in the operating system's queue.
    pub connections: usize,
    /// For a request's head to arrive, and for a kept connection to stay idle.
    pub head_timeout: Duration,
    /// For running requests after the stop; then their connections are closed.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits { connections: 2048, head_timeout: Duration::from_secs(10), drain: Duration::from_secs(5) }
    }
}

/// The largest head of a request in bytes; hyper answers 431 beyond it.
const MAX_HEAD: usize = 32 * 1024;

/// Pause after the operating system refused to accept (no descriptors left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `stop` ends, then for at most `limits.drain` longer.
pub async fn serve(listener: TcpListener, router: Router, limits: ServerLimits, stop: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, slot)) => {
                let connection = connection(stream, router.clone(), limits, stopped.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all).await.is_err() {
        tracing::warn!("HTTP requests were still running at the end of the drain; their connections are closed");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, router: Router, limits: ServerLimits, mut stopped: watch::Receiver<bool>) {
    // Answers are small and whole: waiting to fill a segment would only delay them.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    // What goes wrong on a connection is its client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;

    use super::*;

    /// Beyond any wait of these tests: they end by events, and this only ends a test that fails.
    const FAR: Duration = Duration::from_secs(20);

    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    }

    async fn start(router: Router, limits: ServerLimits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, router, limits, async {
            let _ = stopped.await;
        }));
        Running { address, stop, task }
    }

    fn hello() -> Router {
        Router::new().route("/", get(|| async { "hello" }))
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    async fn open(address: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Reads until the text ends with `end`, or the connection does.
    async fn read_until(stream: &mut TcpStream, end: &str) -> String {
        let mut text = String::new();
        let reading = async {
            let mut buffer = [0; 1024];
            while !text.ends_with(end) {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                }
            }
        };
        tokio::time::timeout(FAR, reading).await.expect("neither the text nor the end came");
        text
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_closes_its_connection() {
        let limits = ServerLimits { head_timeout: Duration::from_millis(50), ..ServerLimits::default() };
        let running = start(hello(), limits).await;
        let mut slow = open(running.address, b"GET / HTTP/1.1\r\nHost: loc").await;
        let text = read_until(&mut slow, "never").await;
        assert!(!text.contains("hello"), "{text}");
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let running = start(hello(), ServerLimits::default()).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD));
        // The server may close before all of it is written.
        let _ = stream.write_all(long.as_bytes()).await;
        assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn at_the_cap_a_connection_waits_until_another_ends() {
        let limits = ServerLimits { connections: 1, ..ServerLimits::default() };
        let running = start(hello(), limits).await;
        let mut first = open(running.address, REQUEST).await;
        assert!(read_until(&mut first, "hello").await.ends_with("hello"));
        let mut second = open(running.address, REQUEST).await;
        let early = tokio::time::timeout(Duration::from_millis(100), second.readable()).await;
        assert!(early.is_err(), "the second connection is served beside the first");
        drop(first);
        assert!(read_until(&mut second, "hello").await.ends_with("hello"));
    }

    #[tokio::test]
    async fn at_the_stop_running_requests_end_and_idle_connections_close() {
        let [entered, released] = [(); 2].map(|()| Arc::new(Notify::new()));
        let (inside, gate) = (entered.clone(), released.clone());
        let slow = get(move || async move {
            inside.notify_one();
            gate.notified().await;
            "done"
        });
        let running = start(hello().route("/slow", slow), ServerLimits { drain: FAR, ..ServerLimits::default() }).await;
        let mut idle = open(running.address, REQUEST).await;
        read_until(&mut idle, "hello").await;
        let mut busy = open(running.address, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        entered.notified().await;

        running.stop.send(()).unwrap();
        assert_eq!(read_until(&mut idle, "never").await, "");
        assert!(TcpStream::connect(running.address).await.is_err(), "it still listens");
        released.notify_one();
        assert!(read_until(&mut busy, "done").await.ends_with("done"));
        tokio::time::timeout(FAR, running.task).await.expect("it does not end").unwrap();
    }

    #[tokio::test]
    async fn the_drain_has_an_end() {
        let entered = Arc::new(Notify::new());
        let inside = entered.clone();
        let endless = get(move || async move {
            inside.notify_one();
            std::future::pending::<()>().await;
        });
        let limits = ServerLimits { drain: Duration::from_millis(50), ..ServerLimits::default() };
        let running = start(Router::new().route("/", endless), limits).await;
        let mut stuck = open(running.address, REQUEST).await;
        entered.notified().await;
        running.stop.send(()).unwrap();
        tokio::time::timeout(FAR, running.task).await.expect("it does not end").unwrap();
        assert_eq!(read_until(&mut stuck, "never").await, "");
    }
}
