//! Clients that drive the servers: each an integration with its own pace and manners.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep, sleep_until};

use super::provider::Provider;
use super::tap::{Tap, Tapped};

/// An integration that calls one endpoint again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Actor {
    /// The method.
    pub method: &'static str,
    /// The path; `#` stands for a running number.
    pub path: &'static str,
    /// What it proves itself with, if it does.
    pub credential: Option<&'static str>,
    /// The loopback address that it calls from.
    pub from: Ipv4Addr,
    /// How fast it calls.
    pub pace: Pace,
    /// Whether it waits for `Retry-After`, or hammers on.
    pub patient: bool,
}

/// Requests a minute, phase after phase, then from the start again.
pub type Pace = &'static [Phase];

/// A while at one pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// How long.
    pub seconds: u64,
    /// Requests a minute; above 0.
    pub per_minute: u32,
}

/// A connection is given up after so many requests, so that the demo shows connections come and go.
const REQUESTS_PER_CONNECTION: u32 = 100;

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const BATCH_HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const fn phase(seconds: u64, per_minute: u32) -> Phase {
    Phase { seconds, per_minute }
}

/// Well below the limit of 300 a minute, then a campaign.
const READS: Pace = &[phase(20, 180), phase(25, 420), phase(30, 240)];
const ORDERS: Pace = &[phase(15, 50), phase(20, 110), phase(40, 40)];
const REFRESHES: Pace = &[phase(60, 14)];
const STEADY_90: Pace = &[phase(60, 90)];
const SALE: Pace = &[phase(15, 60), phase(30, 160), phase(30, 80)];
const BALANCES: Pace = &[phase(30, 220), phase(20, 500), phase(25, 150)];
const EXCHANGES: Pace = &[phase(60, 45)];
const PAYMENTS: Pace = &[phase(20, 700), phase(25, 1_400), phase(30, 800)];
const STATUS_POLLS: Pace = &[phase(60, 420)];
const REPORTS: Pace = &[phase(25, 150), phase(20, 330), phase(30, 100)];
const SETTINGS: Pace = &[phase(60, 60)];
const PROBES: Pace = &[phase(30, 70), phase(15, 240), phase(30, 40)];
const CREATIONS: Pace = &[phase(20, 75), phase(25, 190), phase(30, 60)];
const LOOKUPS: Pace = &[phase(60, 190)];
const LISTS: Pace = &[phase(60, 40)];

/// The integrations that call a provider.
pub(super) fn actors(provider: Provider) -> Vec<Actor> {
    let actor = |method, path, credential, pace| Actor { method, path, credential, from: HOME, pace, patient: true };
    match provider {
        Provider::OctopusCards => vec![
            actor("GET", "/api/v1/products/#", Some("octopus-live-7731"), READS),
            Actor { patient: false, ..actor("POST", "/api/v1/orders", Some("octopus-live-7731"), ORDERS) },
            actor("POST", "/auth/refresh", Some("octopus-live-7731"), REFRESHES),
        ],
        Provider::Centrapay => vec![
            actor("GET", "/api/payment-requests/#", Some("centrapay-live-19"), STEADY_90),
            actor("POST", "/api/payment-requests", Some("centrapay-live-19"), SALE),
        ],
        Provider::P100 => vec![
            Actor { patient: false, ..actor("GET", "/v1/users/#/balances", Some("p100-live-5"), BALANCES) },
            Actor { from: BATCH_HOST, ..actor("POST", "/v1/exchange", Some("p100-live-5"), EXCHANGES) },
        ],
        Provider::FluidNetwork => vec![
            actor("POST", "/v1/payments", Some("fluid-partner-42"), PAYMENTS),
            actor("GET", "/v1/payments/#", Some("fluid-partner-42"), STATUS_POLLS),
            Actor { patient: false, ..actor("GET", "/v1/bank/transactions", Some("fluid-bank-7"), REPORTS) },
            actor("GET", "/v1/settings", Some("fluid-partner-42"), SETTINGS),
            actor("GET", "/v1/status", None, PROBES),
        ],
        Provider::CeyPay => vec![
            Actor { patient: false, ..actor("POST", "/v1/payment", Some("merchant-9/key-a"), CREATIONS) },
            actor("GET", "/v1/payment/#", Some("merchant-9/key-b"), LOOKUPS),
            actor("GET", "/v1/payment/list", Some("merchant-9/key-a"), LISTS),
        ],
    }
}

/// Calls for as long as the runtime lives. A connection that fails is made again after a second.
pub(super) async fn act(actor: Actor, server: SocketAddr, host: Arc<str>, tap: Option<Tap>) {
    let start = Instant::now();
    let mut number = 10_000u64;
    loop {
        if let Ok(mut sender) = connect(actor.from, server, tap.clone()).await {
            for _ in 0..REQUESTS_PER_CONNECTION {
                let due = Instant::now() + interval(actor.pace, start.elapsed());
                number += 1;
                let Ok(wait) = call(&mut sender, &actor, &host, number).await else { break };
                match wait.filter(|_| actor.patient) {
                    Some(wait) => sleep(wait).await,
                    None => sleep_until(due).await,
                }
            }
        } else {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn connect(from: Ipv4Addr, server: SocketAddr, tap: Option<Tap>) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = Tapped::new(socket.connect(server).await?, tap)?;
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Makes one call; gives the wait that the server asked for, if it refused.
async fn call(
    sender: &mut SendRequest<Full<Bytes>>,
    actor: &Actor,
    host: &str,
    number: u64,
) -> Result<Option<Duration>, hyper::Error> {
    sender.ready().await?;
    let body = if actor.method == "GET" { "" } else { r#"{"amount":1250,"currency":"EUR"}"# };
    let mut request = Request::new(Full::new(Bytes::from_static(body.as_bytes())));
    *request.method_mut() = actor.method.parse().unwrap_or_default();
    *request.uri_mut() = actor.path.replace('#', &number.to_string()).parse().unwrap_or_default();
    let fields = [
        ("host", host.to_owned()),
        ("user-agent", "quotascope-demo".to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    let credential = actor.credential.map(|credential| ("authorization", format!("Bearer {credential}")));
    for (name, value) in fields.into_iter().chain(credential) {
        if let Ok(value) = value.parse() {
            request.headers_mut().insert(name, value);
        }
    }
    let response = sender.send_request(request).await?;
    let wait = (response.status() == StatusCode::TOO_MANY_REQUESTS)
        .then(|| response.headers().get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs))
        .flatten();
    response.into_body().collect().await?;
    Ok(wait)
}

/// The time between two calls at that moment of the pace.
fn interval(pace: Pace, elapsed: Duration) -> Duration {
    let cycle: u64 = pace.iter().map(|phase| phase.seconds).sum();
    let mut at = elapsed.as_secs().checked_rem(cycle).unwrap_or(0);
    for phase in pace {
        if at < phase.seconds {
            return Duration::from_mins(1) / phase.per_minute.max(1);
        }
        at -= phase.seconds;
    }
    Duration::from_secs(1)
}
