//! Tests how a listener stops.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Reads until the connection is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    rest
}

/// Engines do not repeat a POST, so the first request of a connection is answered. A connection that waits for another request is
/// closed at once, and one that stays silent later.
#[tokio::test]
async fn after_the_stop_a_new_connection_has_time_for_its_first_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let bounds = Bounds { bodies: None, ..Bounds::default() };
    let stopped = async { stopped.await.unwrap() };
    let serving =
        tokio::spawn(serve(listener, bounds, Router::new().fallback(async || "hi"), || {}, stopped));
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hi") {
        assert_ne!(idle.read_buf(&mut answer).await.unwrap(), 0);
    }
    let [mut accepted, mut silent] =
        [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    // The listener's task runs: it accepts them.
    yield_now().await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    for stream in [&mut accepted, &mut waiting] {
        stream.write_all(REQUEST).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hi"), "{answer}");
    }
    assert_eq!(rest(&mut silent).await, "");
    serving.await.unwrap();
}
