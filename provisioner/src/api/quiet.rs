//! Whether anything goes on in a connection: one that says nothing, or that only keeps itself alive, gives its seat to others.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request that is under way, until the last of its answer has gone.
pub(super) struct UnderWay(Arc<Pulse>);

impl Pulse {
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// Comes back when nothing has been under way for so long, or for twice as long at most.
    pub(super) async fn quiet(&self, patience: Duration) {
        let mut seen = None;
        loop {
            tokio::time::sleep(patience).await;
            let (ended, begun) = (self.ended.load(Ordering::Acquire), self.begun.load(Ordering::Acquire));
            if begun == ended && seen.unwrap_or(0) == begun {
                return;
            }
            seen = Some(begun);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

impl UnderWay {
    /// The answer's body, with which it ends.
    pub(super) fn with(self, body: Body) -> Body {
        Body::new(Answer { body, _under_way: self })
    }
}

struct Answer {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
