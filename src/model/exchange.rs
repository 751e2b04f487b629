//! One request with its response.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::{Credential, Fields, Path, Timestamp};

/// One HTTP request with its final response, as far as the input showed it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The file or interface it was seen on.
    pub source: Arc<str>,
    /// Who asked.
    pub client: Client,
    /// Whom; absent where a log does not say.
    pub server: Option<SocketAddr>,
    /// Absent where the request was not captured: the response still counts, its endpoint is unknown.
    pub request: Option<Request>,
    /// The final response.
    pub response: Response,
    /// From the request's last octet to the end of the response's head.
    pub latency: Option<Duration>,
}

/// The asking side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Client {
    /// A socket address.
    Address(SocketAddr),
    /// What a log calls it.
    Named(Arc<str>),
    /// The input does not say.
    #[default]
    Unknown,
}

/// Prints the address or the name, or nothing.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => Ok(()),
        }
    }
}

/// A request's head, without its secrets.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its last octet of the head was seen.
    pub at: Option<Timestamp>,
    /// The method as it stood; at most 32 octets, a token of RFC 9110 section 5.6.2.
    pub method: Arc<str>,
    /// The authority in lower case, with the port only where it is not the scheme's own.
    pub host: Option<Arc<str>>,
    /// The path, without query and fragment; at most 2048 octets, control octets percent-encoded.
    pub path: Path,
    /// The credentials it carried, hashed.
    pub credentials: SmallVec<[Credential; 1]>,
}

/// A final response's head, and of its body what may explain a refusal.
#[derive(Debug, Clone)]
pub struct Response {
    /// When the last octet of its head was seen.
    pub at: Timestamp,
    /// The status code: 200 to 999, or less where a status line breaks the grammar and clients read no more of it.
    pub status: u16,
    /// The field lines (trailers too) that [`Interest::response_field`] asked for.
    pub fields: Fields,
    /// The start of the content, decoded, where [`Interest::content`] asked for it.
    pub body: Option<Body>,
}

/// The start of a message's content, after content decoding.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// At most 64 KiB.
    pub octets: Vec<u8>,
    /// Whether more followed, or some of it was not captured.
    pub truncated: bool,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} octets{})", self.octets.len(), if self.truncated { ", truncated" } else { "" })
    }
}

/// What of a message is worth keeping: `decode` asks, `extract` knows.
///
/// Called for each field line of each message, so an answer must be cheap and must not allocate.
pub trait Interest: Send + Sync {
    /// Whether a response's (or trailer's) field line says something; the name comes in any case.
    fn response_field(&self, name: &[u8]) -> bool;

    /// Whether a request's field line identifies the caller, so that its hash is kept; the name comes in any case.
    fn credential_field(&self, name: &[u8]) -> bool;

    /// Whether a query parameter identifies the caller.
    fn credential_parameter(&self, name: &[u8]) -> bool;

    /// Whether the content may explain a refusal, so that its first 64 KiB are kept.
    fn content(&self, status: u16, host: Option<&str>, path: Option<&str>) -> bool;

    /// Whether [`Self::content`] may be true of a host's successes (status codes below 400) at all. Nearly no provider hides
    /// refusals there, so that the question is asked once for a host rather than for each of its responses.
    fn content_of_success(&self, host: &str) -> bool;
}
