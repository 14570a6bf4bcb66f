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
    /// It has no effect: the service refuses it with this status and error code.
    Refused(u16, &'static str),
}

type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

enum Then {
    Fault(Fault),
    Meanwhile(Event),
}

struct Rule {
    operation: &'static str,
    subject: String,
    /// Matching calls until it applies: 1 is the next one.
    left: usize,
    then: Then,
}

/// An operation and what it is about: a table, or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// API operation, for instance `UpdateTable`.
    pub operation: String,
    /// `database.table`, or `s3://bucket/key`.
    pub subject: String,
}

impl Call {
    fn is(&self, operation: &str, subject: &str) -> bool {
        self.operation == operation && self.subject.contains(subject)
    }
}

/// The calls a stand-in has met, and what is to happen at calls to come.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    met: Vec<Call>,
    rules: Vec<Rule>,
    /// Requests that are on their way.
    late: Vec<(Call, HttpRequest)>,
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
        self.rule(operation, subject, nth, Then::Fault(fault));
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
        self.rule(operation, subject, nth, Then::Meanwhile(Box::pin(event)));
    }

    /// How many calls of the operation there were on subjects that contain the text.
    pub fn count(&self, operation: &str, subject: &str) -> usize {
        self.book().met.iter().filter(|call| call.is(operation, subject)).count()
    }

    fn rule(&self, operation: &'static str, subject: &str, nth: usize, then: Then) {
        let rule = Rule { operation, subject: subject.to_owned(), left: nth, then };
        self.book().rules.push(rule);
    }

    /// Notes the call, and takes out what is to happen at it.
    fn meet(&self, call: &Call) -> Vec<Then> {
        let mut book = self.book();
        book.met.push(call.clone());
        for rule in book.rules.iter_mut().filter(|rule| call.is(rule.operation, &rule.subject)) {
            rule.left -= 1;
        }
        book.rules.extract_if(.., |rule| rule.left == 0).map(|rule| rule.then).collect()
    }

    /// Takes out what arrives before the call.
    fn arriving(&self, call: &Call) -> Vec<(Call, HttpRequest)> {
        let is_same = |late: &mut (Call, HttpRequest)| late.0.operation == call.operation;
        self.book().late.extract_if(.., is_same).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut fault = None;
            for then in service.calls().meet(&call) {
                match then {
                    Then::Fault(told) => fault = Some(told),
                    Then::Meanwhile(event) => event.await,
                }
            }
            for (call, request) in service.calls().arriving(&call) {
                service.answer(&call, &request);
            }
            match fault {
                None => Ok(service.answer(&call, &request)),
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
            }
        })
    }
}
