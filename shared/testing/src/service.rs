//! Services in memory behind the real clients' HTTP layer, and how they are told to misbehave.
//!
//! The client builds, signs, retries and reads as it does in a function; only the network is
//! replaced. A call that a stand-in does not know panics and says which.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;

/// What a call comes to instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has no effect, and the answer is a status of 500.
    Unavailable,
    /// It takes effect, and the connection breaks before the answer.
    ReplyLost,
    /// The connection breaks, and the request arrives right before the next one of the same
    /// operation.
    Late,
    /// The connection breaks, and the request arrives when the stand-in's `deliver` says so.
    Astray,
    /// It has no effect: the service refuses it with this status and error code.
    Refused(u16, &'static str),
}

/// What happens beside a call.
pub type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is to happen at a call. One that never ends, [`Then::Before`] or [`Then::After`], holds
/// the caller there for as long as it lives: dropped then, it has died at that call.
pub enum Then {
    /// The call comes to this.
    Fault(Fault),
    /// The call, and as many repetitions of it that follow at once, come to this: a client that
    /// tries again so often gives up.
    Throughout(Fault, usize),
    /// This happens after the call was sent and before it takes effect.
    Before(Event),
    /// This happens after the call took effect and before its answer comes.
    After(Event),
}

struct Rule {
    /// Every call matches when there is none.
    of: Option<(&'static str, String)>,
    /// Matching calls until it applies: 1 is the next one.
    left: usize,
    then: Then,
}

impl Rule {
    fn matches(&self, call: &Call) -> bool {
        self.of.as_ref().is_none_or(|(operation, subject)| call.is(operation, subject))
    }
}

/// An operation and what it is about: a table, an object, an item or an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `s3`, `glue`, `dynamodb` or `states`.
    pub service: &'static str,
    /// API operation, for instance `UpdateTable`.
    pub operation: String,
    /// `database.table`, `s3://bucket/key`, path and version of an item, or an ARN.
    pub subject: String,
}

impl Call {
    fn is(&self, operation: &str, subject: &str) -> bool {
        self.operation == operation && self.subject.contains(subject)
    }
}

/// The calls that stand-ins have met, and what is to happen at calls to come. Stand-ins that
/// share one number their calls together.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    met: Vec<Call>,
    rules: Vec<Rule>,
    /// What each repetition of the last call comes to, and how many of them.
    throughout: Option<(Call, Fault, usize)>,
    /// Requests that are on their way, and arrive before the next of the same operation.
    late: Vec<(Call, HttpRequest)>,
    /// Requests that arrive when they are told to.
    astray: Vec<(Call, HttpRequest)>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Calls").field(&self.book().met).finish()
    }
}

impl Calls {
    /// Lets the `nth` call from now on (1 is the next) of the operation, on a subject that
    /// contains the text, come to this.
    pub fn fail(&self, operation: &'static str, subject: &str, nth: usize, fault: Fault) {
        self.rule(Some((operation, subject.to_owned())), nth, Then::Fault(fault));
    }

    /// Lets something happen after such a call was sent and before it takes effect: what
    /// another writer does in between.
    pub fn meanwhile(
        &self,
        operation: &'static str,
        subject: &str,
        nth: usize,
        event: impl Future<Output = ()> + Send + 'static,
    ) {
        self.rule(Some((operation, subject.to_owned())), nth, Then::Before(Box::pin(event)));
    }

    /// Lets this happen at the `nth` call from now on, whatever it is and to whichever service.
    pub fn interrupt(&self, nth: usize, then: Then) {
        self.rule(None, nth, then);
    }

    /// The calls there were, the first one first.
    pub fn met(&self) -> Vec<Call> {
        self.book().met.clone()
    }

    /// Forgets everything: also what has not happened yet, and requests on their way.
    pub fn clear(&self) {
        *self.book() = Book::default();
    }

    /// How many calls of the operation there were on subjects that contain the text.
    pub fn count(&self, operation: &str, subject: &str) -> usize {
        self.book().met.iter().filter(|call| call.is(operation, subject)).count()
    }

    fn rule(&self, of: Option<(&'static str, String)>, nth: usize, then: Then) {
        self.book().rules.push(Rule { of, left: nth, then });
    }

    /// Notes the call, and takes out what is to happen at it.
    fn meet(&self, call: &Call) -> Vec<Then> {
        let mut book = self.book();
        book.met.push(call.clone());
        let mut happening = Vec::new();
        match &mut book.throughout {
            Some((first, fault, left)) if first == call && *left > 0 => {
                *left -= 1;
                happening.push(Then::Fault(*fault));
            }
            _ => book.throughout = None,
        }
        for rule in book.rules.iter_mut().filter(|rule| rule.matches(call)) {
            rule.left -= 1;
        }
        for rule in book.rules.extract_if(.., |rule| rule.left == 0).collect::<Vec<_>>() {
            if let Then::Throughout(fault, repetitions) = rule.then {
                book.throughout = Some((call.clone(), fault, repetitions));
            }
            happening.push(rule.then);
        }
        happening
    }

    /// Takes out what arrives before the call.
    fn arriving(&self, call: &Call) -> Vec<(Call, HttpRequest)> {
        let is_same = |(late, _): &mut (Call, HttpRequest)| {
            (late.service, &late.operation) == (call.service, &call.operation)
        };
        self.book().late.extract_if(.., is_same).collect()
    }

    /// Takes out what went astray on its way to the service.
    fn astray(&self, service: &str) -> Vec<(Call, HttpRequest)> {
        self.book().astray.extract_if(.., |(call, _)| call.service == service).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the requests arrive that went astray on their way to the service.
pub(crate) fn deliver(service: &impl Service, name: &str) {
    for (call, request) in service.calls().astray(name) {
        service.answer(&call, &request);
    }
}

/// A service as its stand-in sees it.
pub(crate) trait Service: fmt::Debug + Clone + Send + Sync + 'static {
    fn calls(&self) -> &Calls;
    fn call_of(&self, request: &HttpRequest) -> Call;
    /// Takes effect and answers.
    fn answer(&self, call: &Call, request: &HttpRequest) -> HttpResponse;
    fn error(status: u16, code: &str) -> HttpResponse;
}

/// An HTTP client that reaches this service only.
pub(crate) fn http_client(service: impl Service) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(service));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector<S>(S);

impl<S: Service> HttpConnector for Connector<S> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let service = self.0.clone();
        HttpConnectorFuture::new(async move {
            let call = service.call_of(&request);
            let (mut fault, mut after) = (None, None);
            for then in service.calls().meet(&call) {
                match then {
                    Then::Fault(told) | Then::Throughout(told, _) => fault = Some(told),
                    Then::Before(event) => event.await,
                    Then::After(event) => after = Some(event),
                }
            }
            for (call, request) in service.calls().arriving(&call) {
                service.answer(&call, &request);
            }
            match fault {
                None => {
                    let answer = service.answer(&call, &request);
                    if let Some(event) = after {
                        event.await;
                    }
                    Ok(answer)
                }
                Some(Fault::Unavailable) => Ok(S::error(500, "InternalError")),
                Some(Fault::Refused(status, code)) => Ok(S::error(status, code)),
                Some(Fault::ReplyLost) => {
                    service.answer(&call, &request);
                    Err(ConnectorError::io("the connection broke".into()))
                }
                Some(Fault::Late) => {
                    service.calls().book().late.push((call, request));
                    Err(ConnectorError::timeout("no answer came".into()))
                }
                Some(Fault::Astray) => {
                    service.calls().book().astray.push((call, request));
                    Err(ConnectorError::timeout("no answer came".into()))
                }
            }
        })
    }
}
