//! A line of exchange NDJSON to an exchange: what any HTTP client can write in five lines of code.
//!
//! One JSON object with at least `ts`, `method`, `url` and `status`; unknown keys are ignored, and the last of a repeated
//! key counts. Credentials are hashed here, and exist nowhere past it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use smallvec::SmallVec;

use super::json_field_lines::FieldLines;
use super::json_scalar::Scalar;
use super::url::{self, Url};
use crate::model::{Anomaly, Body, Client, Credential, Exchange, HashKey, Interest, Request, Response};

/// What is kept of a body; the model's bound.
const BODY: usize = 64 << 10;
/// Credentials kept of one request; a request has one or two.
const CREDENTIALS: usize = 8;
/// A longer name of a query parameter carries no credential.
const PARAMETER_OCTETS: usize = 64;
/// The longest name of a client that is kept.
const CLIENT: usize = 256;

/// Reads one line, without its line end.
///
/// # Errors
/// [`Anomaly::LineMalformed`] where it is no JSON object, lacks a required key, or has one that makes no sense: a status
/// outside 200 to 999, a method that is no token, an address without a host, a time out of range.
pub fn parse(line: &[u8], source: &Arc<str>, interest: &dyn Interest, key: &HashKey) -> Result<Exchange, Anomaly> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    // A log may quote octets of another encoding in some field that says nothing: they become replacement characters.
    let text = String::from_utf8_lossy(line);
    let line: Line<'_> = serde_json::from_str(&text).map_err(|_no_object| Anomaly::LineMalformed)?;
    line.exchange(source, interest, key).ok_or(Anomaly::LineMalformed)
}

/// The keys that mean something.
#[derive(Default)]
struct Line<'a> {
    ts: Option<Scalar<'a>>,
    method: Option<Scalar<'a>>,
    url: Option<Scalar<'a>>,
    status: Option<Scalar<'a>>,
    request_headers: FieldLines<'a>,
    response_headers: FieldLines<'a>,
    response_body: Option<serde_json::Value>,
    latency: Option<Scalar<'a>>,
    client: Option<Scalar<'a>>,
}

impl Line<'_> {
    fn exchange(&self, source: &Arc<str>, interest: &dyn Interest, key: &HashKey) -> Option<Exchange> {
        let at = self.ts.as_ref()?.timestamp()?;
        let status = self.status.as_ref()?.status()?;
        let method = self.method.as_ref()?.text()?;
        let Url { host, path, query } = url::parse(&self.url.as_ref()?.text()?)?;
        let is_method = !method.is_empty() && method.len() <= 32 && method.bytes().all(is_token_octet);
        let latency = self.latency.as_ref().and_then(Scalar::duration);
        let host = match host {
            Some(host) => host,
            // A request target without its host, as servers log it: the field says the host.
            None => url::host(&self.request_headers.first("host")?, None)?,
        };
        is_method.then(|| Exchange {
            source: Arc::clone(source),
            client: self.client.as_ref().and_then(Scalar::text).map_or(Client::Unknown, |name| client(&name)),
            server: None,
            request: Some(Request {
                at: latency.map(|latency| at.before(latency)),
                method: method.as_ref().into(),
                credentials: credentials(&self.request_headers, query.as_deref(), interest, key),
                host: Some(host.into()),
                path: path.into(),
            }),
            response: Response {
                at,
                status,
                fields: self.response_headers.wanted(interest),
                // A log's body was given on purpose: no status makes it uninteresting.
                body: self.response_body.as_ref().and_then(body),
            },
            latency,
        })
    }
}

/// An octet of a token, RFC 9110 section 5.6.2.
fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn client(name: &str) -> Client {
    match name.parse::<SocketAddr>() {
        Ok(address) => Client::Address(address),
        Err(_) if name.is_empty() => Client::Unknown,
        Err(_) => Client::Named(url::start(name, CLIENT).into()),
    }
}

fn body(value: &serde_json::Value) -> Option<Body> {
    let mut octets = match value {
        serde_json::Value::Null => return None,
        serde_json::Value::String(text) => text.as_bytes().to_vec(),
        value => value.to_string().into_bytes(),
    };
    let truncated = octets.len() > BODY;
    octets.truncate(BODY);
    (!octets.is_empty()).then_some(Body { octets, truncated })
}

fn credentials(
    fields: &FieldLines<'_>,
    query: Option<&str>,
    interest: &dyn Interest,
    key: &HashKey,
) -> SmallVec<[Credential; 1]> {
    let credential =
        |carrier: String, value: &str| Credential { carrier: carrier.into(), id: key.identity(value.as_bytes()) };
    let fields = fields
        .iter()
        .filter(|(name, _)| interest.credential_field(name.as_bytes()))
        .map(|(name, value)| credential(name.to_ascii_lowercase(), &value));
    let parameters = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.len() <= PARAMETER_OCTETS && name.bytes().all(|octet| octet.is_ascii_graphic()))
        .filter(|(name, _)| interest.credential_parameter(name.as_bytes()))
        .map(|(name, value)| credential(format!("?{}", name.to_ascii_lowercase()), value));
    fields.chain(parameters).take(CREDENTIALS).collect()
}

impl<'de> Deserialize<'de> for Line<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exchange")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let mut line = Line::default();
        while let Some(key) = map.next_key::<Scalar<'_>>()? {
            let Scalar::Text(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match key.as_ref() {
                "ts" => line.ts = map.next_value()?,
                "method" => line.method = map.next_value()?,
                "url" => line.url = map.next_value()?,
                "status" => line.status = map.next_value()?,
                "request_headers" => line.request_headers = map.next_value()?,
                "response_headers" => line.response_headers = map.next_value()?,
                "response_body" => line.response_body = map.next_value()?,
                "latency_s" => line.latency = map.next_value()?,
                "client" => line.client = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    struct Everything;

    impl Interest for Everything {
        fn content_of_success(&self, _: &str) -> bool {
            true
        }

        fn response_field(&self, name: &[u8]) -> bool {
            name.len() > 1
        }

        fn credential_field(&self, name: &[u8]) -> bool {
            name.eq_ignore_ascii_case(b"authorization")
        }

        fn credential_parameter(&self, name: &[u8]) -> bool {
            name.eq_ignore_ascii_case(b"api_key")
        }

        fn content(&self, _: u16, _: Option<&str>, _: Option<&str>) -> bool {
            false
        }
    }

    fn read(line: &str) -> Result<Exchange, Anomaly> {
        parse(line.as_bytes(), &"log".into(), &Everything, &HashKey::new([1; 16]))
    }

    #[test]
    fn reads_what_the_contract_shows() {
        let exchange = read(
            r#"{"ts":1763783112.5,"method":"GET","url":"HTTPS://user:pw@API.Example.com:443/v1/payment/42?x=1&API_KEY=s#f",
            "status":"429","request_headers":{"Authorization":"Bearer t","accept":["a","b"]},"more":[{"deep":{}}],
            "response_headers":[["RateLimit-Limit","100"],["RateLimit-Limit","1000;w=3600"],["Retry-After",7]],
            "response_body":{"error":{"code":1454}},"latency_s":0.0123,"client":"10.0.0.7:51234"}"#,
        )
        .expect("an exchange");
        let request = exchange.request.as_ref().expect("a request");
        assert_eq!(exchange.response.at, Timestamp::from_nanos(1_763_783_112_500_000_000));
        assert_eq!(request.at, Some(Timestamp::from_nanos(1_763_783_112_487_700_000)));
        assert_eq!(
            (&*request.method, request.host.as_deref(), &*request.path),
            ("GET", Some("api.example.com"), "/v1/payment/42")
        );
        assert_eq!(exchange.response.status, 429);
        assert_eq!(exchange.client, Client::Address("10.0.0.7:51234".parse().expect("an address")));
        assert_eq!(exchange.response.body.as_ref().expect("a body").octets, br#"{"error":{"code":1454}}"#);
        let fields: Vec<_> = exchange.response.fields.iter().collect();
        let wanted: [(&[u8], &[u8]); 3] =
            [(b"ratelimit-limit", b"100"), (b"ratelimit-limit", b"1000;w=3600"), (b"retry-after", b"7")];
        assert_eq!(fields, wanted);
        let carriers: Vec<&str> = request.credentials.iter().map(|credential| &*credential.carrier).collect();
        assert_eq!(carriers, ["authorization", "?api_key"]);
        for secret in ["Bearer", "pw", "=s"] {
            assert!(!format!("{exchange:?}").contains(secret));
        }
    }

    #[test]
    fn times_hosts_and_bodies_come_in_more_than_one_form() {
        let line = |ts: &str, url: &str, rest: &str| {
            format!(r#"{{"ts":{ts},"method":"GET","url":"{url}","status":200{rest}}}"#)
        };
        let host = |url: &str| read(&line("1", url, "")).ok()?.request?.host;
        for (url, wanted) in [
            ("http://a.example:80", Some("a.example")),
            ("http://a.example:8080/x", Some("a.example:8080")),
            ("https://[2001:DB8::1]:443/", Some("[2001:db8::1]")),
            ("http://[::1]:8080/", Some("[::1]:8080")),
            ("http:///x", None),
            ("http://a b/", None),
            ("a.example/x", None),
        ] {
            assert_eq!(host(url).as_deref(), wanted, "{url}");
        }
        let logged = line(
            "\"2026-11-22T03:45:12.5+01:00\"",
            "/v1",
            r#","request_headers":{"Host":"A.example"},"response_body":"""#,
        );
        let exchange = read(&logged).expect("an exchange");
        assert_eq!(exchange.response.at.to_string(), "2026-11-22T02:45:12.500000Z");
        assert_eq!((exchange.response.body.as_ref(), exchange.client), (None, Client::Unknown));
        let long = format!(r#","response_body":"{}","client":"worker 3","latency_s":null"#, "x".repeat(70_000));
        let exchange = read(&line("1", "http://a/", &long)).expect("an exchange");
        let body = exchange.response.body.expect("a body");
        assert_eq!((body.octets.len(), body.truncated), (BODY, true));
        assert_eq!((exchange.client, exchange.latency), (Client::Named("worker 3".into()), None));
        let odd = read(&line("1", &format!("http://a/\\u001b{}", "é".repeat(2_000)), "")).expect("an exchange");
        let path = odd.request.expect("a request").path;
        assert!(path.starts_with("/%1Bé") && path.len() <= 2048);
    }

    #[test]
    fn what_is_no_exchange_is_malformed() {
        let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        for line in [
            "",
            "[]",
            "null",
            "{}",
            &deep,
            r#"{"ts":1,"method":"GET","url":"http://a/"}"#,
            r#"{"ts":null,"method":"GET","url":"http://a/","status":200}"#,
            r#"{"ts":1e300,"method":"GET","url":"http://a/","status":200}"#,
            r#"{"ts":1,"method":"G T","url":"http://a/","status":200}"#,
            r#"{"ts":1,"method":"GET","url":"http://a/","status":99}"#,
            r#"{"ts":1,"method":"GET","url":"http://a/","status":-200}"#,
            r#"{"ts":1,"method":"GET","url":"http://a/","status":200"#,
        ] {
            assert_eq!(read(line).err(), Some(Anomaly::LineMalformed), "{}", line.get(..80).unwrap_or(line));
        }
    }
}
