use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyDataStream;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::activity::Activity;

/// An answer's body on its way, within the exchange's limits and without trailers.
pub struct AnswerBody {
    /// None once it is over, one way or the other; the connection goes with it.
    upstream: Option<reqwest::Body>,
    activity: Activity,
    alarm: Pin<Box<Sleep>>,
}

/// Why an answer broke off after its head was sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The upstream did.
    #[error("the upstream broke off")]
    Upstream(#[source] reqwest::Error),
    /// A limit was reached.
    #[error("the exchange took too long")]
    TimedOut,
}

impl AnswerBody {
    pub(crate) fn new(upstream: reqwest::Body, activity: Activity) -> Self {
        activity.moved();
        let alarm = Box::pin(sleep_until(activity.deadline()));
        Self { upstream: Some(upstream), activity, alarm }
    }

    /// Whether the deadline has passed; otherwise wakes the task when it might have.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let deadline = self.activity.deadline();
            if self.alarm.deadline() != deadline {
                self.alarm.as_mut().reset(deadline);
            }
            ready!(self.alarm.as_mut().poll(context));
            // The other direction may have moved meanwhile.
            if self.activity.deadline() <= Instant::now() {
                return Poll::Ready(());
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = loop {
            let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
            let Poll::Ready(frame) = Pin::new(upstream).poll_frame(context) else {
                ready!(self.poll_late(context));
                break Some(Err(BodyError::TimedOut));
            };
            self.activity.moved();
            break match frame {
                None => None,
                Some(Err(error)) => Some(Err(BodyError::Upstream(error))),
                Some(Ok(frame)) if !frame.is_data() => continue,
                // However steadily it comes, all of it may take only so long.
                Some(Ok(_)) if self.activity.deadline() <= Instant::now() => Some(Err(BodyError::TimedOut)),
                Some(Ok(frame)) => Some(Ok(frame)),
            };
        };
        if !matches!(frame, Some(Ok(_))) {
            self.upstream = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.as_ref().is_none_or(reqwest::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.upstream.as_ref().map_or(SizeHint::with_exact(0), reqwest::Body::size_hint)
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

/// A client's body as it goes to the upstream, without trailers.
pub(crate) fn outgoing<B>(body: B, activity: &Activity) -> reqwest::Body
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (moves, breaks) = (activity.clone(), activity.clone());
    let stream =
        BodyDataStream::new(body).inspect_ok(move |_| moves.moved()).inspect_err(move |_| breaks.broke());
    reqwest::Body::wrap_stream(stream)
}
