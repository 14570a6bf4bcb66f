//! What can happen at a call.

use std::sync::Arc;

use landfall_testing::service::{Call, Calls, Event, Fault, Then};
use tokio::sync::Notify;

use crate::cloud::ATTEMPTS;

/// Of a call by the SDK, after its first try.
const RETRIES: usize = ATTEMPTS as usize - 1;

/// What happens at a call.
///
/// "Throughout" faults outlast the SDK's four attempts, so the function itself must answer
/// them; the others strike once, and the SDK's retry meets what they left behind. Nothing is
/// retried for a refusal, which the SDK does not repeat, nor for `UpdateTable`, whose retries
/// are off in the code itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A status of 500, without effect.
    Unavailable,
    /// The same for every attempt of the SDK.
    UnavailableThroughout,
    /// Access is denied, which no retry changes.
    Denied,
    /// The call takes effect, and the connection breaks before the answer.
    ReplyLost,
    /// The same for every attempt of the SDK.
    ReplyLostThroughout,
    /// The client times out; the request arrives right before the next one of its operation.
    Late,
    /// The same for every attempt of the SDK.
    LateThroughout,
    /// The client times out; the request arrives when the batch's objects have been delivered
    /// again, after the first redelivery.
    Astray,
    /// The same for every attempt of the SDK.
    AstrayThroughout,
    /// The process dies before the call takes effect.
    DiesBefore,
    /// The process dies after the call took effect.
    DiesAfter,
    /// The call takes so long before it takes effect that Step Functions gives the execution
    /// up, and two others load its objects meanwhile. Then it goes on: a zombie.
    HeldBefore,
    /// The same between the effect and the answer.
    HeldAfter,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Unavailable,
        Self::UnavailableThroughout,
        Self::Denied,
        Self::ReplyLost,
        Self::ReplyLostThroughout,
        Self::Late,
        Self::LateThroughout,
        Self::Astray,
        Self::AstrayThroughout,
        Self::DiesBefore,
        Self::DiesAfter,
        Self::HeldBefore,
        Self::HeldAfter,
    ];

    /// Whether the function goes on after others have loaded its objects.
    pub(crate) fn holds(self) -> bool {
        matches!(self, Self::HeldBefore | Self::HeldAfter)
    }

    /// Whether the process does not live to clean up.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::DiesBefore | Self::DiesAfter)
    }

    /// Whether a request may still arrive after its sender has gone on.
    pub(crate) fn delays(self) -> bool {
        matches!(self, Self::Late | Self::LateThroughout | Self::Astray | Self::AstrayThroughout)
    }

    /// Whether the caller cannot know if the call took effect.
    pub(crate) fn loses_the_answer(self) -> bool {
        !matches!(self, Self::Denied | Self::HeldBefore | Self::HeldAfter) && !self.kills()
    }

    /// How often the SDK sends a call that this happens to, if it retries it at all.
    pub(crate) fn attempts(self) -> usize {
        match self {
            Self::Unavailable | Self::ReplyLost | Self::Late | Self::Astray => 2,
            Self::UnavailableThroughout
            | Self::ReplyLostThroughout
            | Self::LateThroughout
            | Self::AstrayThroughout => RETRIES + 1,
            Self::Denied
            | Self::DiesBefore
            | Self::DiesAfter
            | Self::HeldBefore
            | Self::HeldAfter => 1,
        }
    }

    /// Whether this can differ at such a call from the other kinds. Where a call has no effect,
    /// it does not matter whether and when it takes effect.
    pub(crate) fn matters_at(self, call: &Call) -> bool {
        let reads = call.operation.starts_with("Get") || call.operation.starts_with("Describe");
        let only_effect = matches!(
            self,
            Self::ReplyLostThroughout
                | Self::Late
                | Self::LateThroughout
                | Self::Astray
                | Self::AstrayThroughout
                | Self::DiesAfter
        );
        !(reads && only_effect)
    }

    /// Lets this happen at the `nth` call from now on, which is one to that service. `struck`
    /// is told when a caller dies or is held there, and a held one goes on after `goes_on`.
    pub(crate) fn arm(self, calls: &Calls, nth: usize, service: &str, gate: &Gate) {
        // S3 denies with a status of 403, the services with JSON protocols with 400.
        let denied = match service {
            "s3" => Fault::Refused(403, "AccessDenied"),
            _ => Fault::Refused(400, "AccessDeniedException"),
        };
        let then = match self {
            Self::Unavailable => Then::Fault(Fault::Unavailable),
            Self::UnavailableThroughout => Then::Throughout(Fault::Unavailable, RETRIES),
            Self::Denied => Then::Fault(denied),
            Self::ReplyLost => Then::Fault(Fault::ReplyLost),
            Self::ReplyLostThroughout => Then::Throughout(Fault::ReplyLost, RETRIES),
            Self::Late => Then::Fault(Fault::Late),
            Self::LateThroughout => Then::Throughout(Fault::Late, RETRIES),
            Self::Astray => Then::Fault(Fault::Astray),
            Self::AstrayThroughout => Then::Throughout(Fault::Astray, RETRIES),
            Self::DiesBefore => Then::Before(gate.never()),
            Self::DiesAfter => Then::After(gate.never()),
            Self::HeldBefore => Then::Before(gate.held()),
            Self::HeldAfter => Then::After(gate.held()),
        };
        calls.interrupt(nth, then);
    }
}

/// Where a caller is held.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    /// Told when a caller is there.
    pub(crate) struck: Arc<Notify>,
    /// Lets it go on.
    pub(crate) goes_on: Arc<Notify>,
}

impl Gate {
    /// Holds the caller until it may go on.
    pub(crate) fn held(&self) -> Event {
        let Self { struck, goes_on } = self.clone();
        Box::pin(async move {
            struck.notify_one();
            goes_on.notified().await;
        })
    }

    fn never(&self) -> Event {
        let struck = self.struck.clone();
        Box::pin(async move {
            struck.notify_one();
            std::future::pending::<()>().await;
        })
    }
}
