//! What each of the five providers limits, and how it says so; taken from their documents.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::limiter::{Limiter, Verdict};

/// One of the five providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Rolling windows per account and endpoint class; nothing on the wire until the 429.
    OctopusCards,
    /// 200 requests a minute per account; nothing on the wire until the 429.
    Centrapay,
    /// 300 requests a minute per IP address; `X-RateLimit-*` on each response.
    P100,
    /// Limits by tier and scope; `RateLimit-*` with an epoch reset, and an error code per scope.
    FluidNetwork,
    /// Sliding windows per merchant and endpoint; `X-RateLimit-*`.
    CeyPay,
}

/// What a server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests answered.
    pub requests: u64,
    /// Of those, refused with 429.
    pub refused: u64,
    /// Refusals by the error code in the body; by `-` where the provider sends none.
    pub codes: BTreeMap<String, u64>,
}

/// What of a request a server looks at.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) credential: Option<&'a str>,
    pub(super) peer: IpAddr,
}

/// A response to be sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) body: String,
    /// The error code that a refusal carries.
    pub(super) code: Option<&'static str>,
}

/// One limit that a request counts against.
struct Limit {
    class: &'static str,
    most: usize,
    window: Duration,
    sliding: bool,
    key: String,
    code: &'static str,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

impl Provider {
    /// All five.
    pub const ALL: [Self; 5] = [Self::OctopusCards, Self::Centrapay, Self::P100, Self::FluidNetwork, Self::CeyPay];

    /// The name of the profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OctopusCards => "octopus-cards",
            Self::Centrapay => "centrapay",
            Self::P100 => "p100",
            Self::FluidNetwork => "fluid-network",
            Self::CeyPay => "ceypay",
        }
    }

    /// The limits that a request counts against; all of them must have room.
    fn limits(self, call: &Call<'_>) -> Vec<Limit> {
        let caller = call.credential.unwrap_or("anonymous").to_owned();
        let one =
            |class, most, sliding, key: String, code| vec![Limit { class, most, window: MINUTE, sliding, key, code }];
        match self {
            Self::OctopusCards => {
                let (class, limit) = octopus_class(call);
                one(class, limit, true, caller, "TOO_MANY_REQUESTS")
            }
            Self::Centrapay => one("general", 200, true, caller, "RATE_LIMIT_EXCEEDED"),
            Self::P100 => one("general", 300, false, call.peer.to_string(), "-"),
            Self::FluidNetwork => fluid_limits(call, caller),
            Self::CeyPay => {
                let (class, limit) = ceypay_class(call);
                // All keys of a merchant share a pool: the key is `merchant/key`.
                let merchant = caller.split('/').next().unwrap_or_default().to_owned();
                one(class, limit, true, merchant, "-")
            }
        }
    }

    /// How the provider answers a verdict.
    fn answer(self, limit: &Limit, verdict: &Verdict, unix_now: Duration, scale: f64) -> Answer {
        let wait = verdict.reset_in.as_secs_f64().ceil().max(1.0);
        let reset = (unix_now + verdict.reset_in).as_secs_f64().ceil();
        let mut fields = vec![("content-type", "application/json".to_owned())];
        let announced = |prefix: [&'static str; 3]| {
            let [limit_name, remaining_name, reset_name] = prefix;
            [
                (limit_name, verdict.limit.to_string()),
                (remaining_name, verdict.remaining.to_string()),
                (reset_name, format!("{reset:.0}")),
            ]
        };
        match self {
            Self::OctopusCards | Self::Centrapay => {}
            Self::P100 | Self::CeyPay => {
                fields.extend(announced(["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]));
            }
            Self::FluidNetwork => {
                fields.extend(announced(["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]));
            }
        }
        if verdict.admitted {
            return Answer { status: 200, fields, body: r#"{"status":"ok"}"#.to_owned(), code: None };
        }
        fields.push(("Retry-After", format!("{wait:.0}")));
        let (most, window) = (verdict.limit, limit.window.as_secs_f64() * scale);
        let body = match self {
            Self::OctopusCards => format!(
                r#"{{"error":{{"name":"TooManyRequestsError","code":"TOO_MANY_REQUESTS","message":"Rate limit exceeded. Retry after {wait:.0} seconds."}}}}"#
            ),
            Self::Centrapay => r#"{"statusCode":429,"message":"RATE_LIMIT_EXCEEDED"}"#.to_owned(),
            Self::P100 => format!(
                r#"{{"error":"Rate limit exceeded","message":"You have exceeded the maximum number of requests allowed ({most} requests/min). Please try again later.","retry_after":{wait:.0},"limit":{most},"window":"{window} seconds"}}"#
            ),
            Self::FluidNetwork => format!(
                r#"{{"error":{{"code":{},"message":"Rate limit exceeded for {}","category":"security","severity":"medium","details":{{"limit":{most},"window":"{window} seconds","retry_after":{wait:.0}}}}}}}"#,
                limit.code, limit.class
            ),
            Self::CeyPay => format!(
                r#"{{"statusCode":429,"message":"Rate limit exceeded. Maximum {most} requests per {window} seconds. Try again in {wait:.0} seconds.","error":"Too Many Requests","retryAfter":{wait:.0}}}"#
            ),
        };
        Answer { status: 429, fields, body, code: Some(limit.code) }
    }
}

/// One provider's counters, for as long as its server runs.
#[derive(Debug)]
pub(super) struct Limits {
    provider: Provider,
    scale: f64,
    limiters: BTreeMap<(&'static str, String), Limiter>,
    pub(super) tally: Tally,
}

impl Limits {
    pub(super) fn new(provider: Provider, scale: f64) -> Self {
        Self { provider, scale, limiters: BTreeMap::new(), tally: Tally::default() }
    }

    /// Judges and counts a request.
    pub(super) fn answer(&mut self, call: &Call<'_>, now: Instant, unix_now: Duration) -> Answer {
        let mut shown: Option<(Limit, Verdict)> = None;
        for limit in self.provider.limits(call) {
            let limiter = self
                .limiters
                .entry((limit.class, limit.key.clone()))
                .or_insert_with(|| Limiter::new(limit.most, limit.window.mul_f64(self.scale), limit.sliding));
            let verdict = limiter.admit(now);
            // The first limit is the one that the fields announce, unless a later one refuses.
            if shown.is_none() || !verdict.admitted {
                shown = Some((limit, verdict));
            }
            if !verdict.admitted {
                break;
            }
        }
        let answer = match shown {
            Some((limit, verdict)) => self.provider.answer(&limit, &verdict, unix_now, self.scale),
            None => Answer { status: 404, fields: Vec::new(), body: "{}".to_owned(), code: None },
        };
        self.tally.requests += 1;
        if let Some(code) = answer.code {
            self.tally.refused += 1;
            *self.tally.codes.entry(code.to_owned()).or_default() += 1;
        }
        answer
    }
}

/// Octopus Cards, production: requests a minute by endpoint class.
fn octopus_class(call: &Call<'_>) -> (&'static str, usize) {
    match (call.method, call.path) {
        ("POST", "/auth/login") => ("login", 10),
        ("POST", "/auth/refresh") => ("refresh", 20),
        ("POST", "/api/v1/orders") => ("orders", 60),
        ("POST", "/api/v1/topups/orders") => ("topup orders", 60),
        ("POST", "/api/v1/esim/orders") => ("esim orders", 60),
        ("POST", "/api/v1/topups/charges") => ("topup charges", 120),
        ("POST", "/api/v1/esim/charges") => ("esim charges", 120),
        ("POST", path) if path.starts_with("/api/v1/products/") && path.ends_with("/charges") => {
            ("product charges", 120)
        }
        _ => ("reads", 300),
    }
}

/// CeyPay: requests a minute by endpoint.
fn ceypay_class(call: &Call<'_>) -> (&'static str, usize) {
    match (call.method, call.path) {
        ("POST", "/v1/payment") => ("POST /v1/payment", 100),
        ("GET", "/v1/payment/list") => ("GET /v1/payment/list", 200),
        ("GET", path) if path.starts_with("/v1/payment/") => ("GET /v1/payment/:id", 300),
        ("POST", "/v1/payment-link") => ("POST /v1/payment-link", 50),
        ("GET", "/v1/payment-link/list") => ("GET /v1/payment-link/list", 100),
        ("GET", path) if path.starts_with("/v1/payment-link/") => ("GET /v1/payment-link/:id", 100),
        ("PATCH", _) => ("PATCH /v1/payment-link/:id", 50),
        ("DELETE", _) => ("DELETE /v1/payment-link/:id", 50),
        _ => ("other", 100),
    }
}

/// FLUID Network: the tier by endpoint, the scope by who is limited there; a minute's and an hour's limit.
fn fluid_limits(call: &Call<'_>, caller: String) -> Vec<Limit> {
    let pair = |class, per_minute, per_hour, key: String, code| {
        let hourly = match class {
            "payment partner" => "payment partner (hour)",
            "payment processing" => "payment processing (hour)",
            "bank account" => "bank account (hour)",
            _ => "general (hour)",
        };
        vec![
            Limit { class, most: per_minute, window: MINUTE, sliding: false, key: key.clone(), code },
            Limit { class: hourly, most: per_hour, window: HOUR, sliding: false, key, code },
        ]
    };
    if call.credential.is_none() {
        let ip = call.peer.to_string();
        return vec![Limit { class: "ip address", most: 100, window: MINUTE, sliding: false, key: ip, code: "1453" }];
    }
    match (call.method, call.path) {
        ("POST", "/v1/payments") => pair("payment processing", 1_000, 60_000, caller, "1456"),
        (_, path) if path.starts_with("/v1/payments") => pair("payment partner", 1_000, 60_000, caller, "1454"),
        (_, path) if path.starts_with("/v1/bank") => pair("bank account", 200, 12_000, caller, "1455"),
        _ => pair("general", 100, 6_000, caller, "1429"),
    }
}
