//! Lingering close: reads on for a moment when a body is dropped before its end. Otherwise a client that is still sending loses
//! the answer (RFC 9112, section 9.6). nginx, for one, then answers 502.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

/// How long the rest of a body is read.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// How much of it, in bytes.
const LINGER_BYTES: usize = 8 << 20;

/// A body whose rest is read and thrown away when it is dropped.
struct Lingering(Body);

/// Lets a body's rest be read when it is dropped.
pub(super) fn drain_on_drop(body: Body) -> Body {
    Body::new(Lingering(body))
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let mut rest = mem::take(&mut self.0);
        if !hyper::body::Body::is_end_stream(&rest) {
            let read = async move {
                let mut left = LINGER_BYTES;
                while let Some(Ok(frame)) = rest.frame().await
                    && left > 0
                {
                    left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                }
            };
            tokio::spawn(timeout(LINGER_TIME, read));
        }
    }
}

impl hyper::body::Body for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
