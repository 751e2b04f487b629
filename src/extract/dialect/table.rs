//! The table of names that the grammar of names would not read right, or that are no quota's numbers.
//!
//! To add a provider's field: one row, in the order of the names. Names that are built like everyone's need none.

use super::name::{Field, Name, Unit};
use super::words::Share;

/// One field name and what it means.
pub(super) struct Row {
    /// The name in lower case; a `*` at the end stands for any tail.
    pub(super) name: &'static str,
    /// What its value means.
    pub(super) means: Means,
    /// Where that is documented.
    #[cfg_attr(not(test), expect(dead_code, reason = "the source is there for people; a test reads it"))]
    pub(super) source: &'static str,
}

/// What the value of a row's field is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Means {
    /// A part of a quota.
    Part(Part),
    /// A JSON object of percentages; the policy where it names none.
    JsonUsage(&'static str),
    /// `60:error;transaction:key, 2700:default:organization`
    SentryLimits,
    /// `name;remaining, name;remaining`
    NamedRemaining,
    /// For whom or what is counted; the kind, or "" where the value is the kind.
    Scope(&'static str),
    /// Its presence says that a rate limiter refused.
    Refused,
    /// The provider's error code, its text after a colon left out.
    Code,
    /// The status of a gRPC call.
    GrpcStatus,
    /// The same as a field of that name.
    Like(&'static str),
}

/// A part of a quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Groups the rows of one quota.
    owner: &'static str,
    field: Field,
    unit: Unit,
    dimension: &'static str,
    policy: &'static str,
    /// The documented window in seconds; 0 where there is none.
    window: f64,
}

impl Part {
    /// The same as the grammar's reading of a name.
    pub(super) fn name(self) -> Name<'static> {
        let mut name = Name::of_row(self.owner, self.field);
        name.unit = self.unit;
        name.dimension = Some(self.dimension).filter(|text| !text.is_empty());
        name.policy = Some(self.policy).filter(|text| !text.is_empty());
        name.documented_window = Some(self.window).filter(|window| *window > 0.0);
        name.sealed()
    }
}

const fn part(owner: &'static str, field: Field) -> Means {
    Means::Part(Part { owner, field, unit: Unit::Unsaid, dimension: "", policy: "", window: 0.0 })
}

const fn counting(owner: &'static str, field: Field, dimension: &'static str, policy: &'static str) -> Means {
    Means::Part(Part { owner, field, unit: Unit::Unsaid, dimension, policy, window: 0.0 })
}

/// Sorted by name, for people. Those of one length are few, so that a name is found quickly.
pub(super) const ROWS: &[Row] = &[
    Row {
        name: "docker-ratelimit-source",
        means: Means::Scope("ip"),
        source: "https://docs.docker.com/docker-hub/download-rate-limit/",
    },
    Row {
        name: "grpc-retry-pushback-ms",
        means: Means::Like("retry-after-ms"),
        source: "https://github.com/grpc/proposal/blob/master/A6-client-retries.md",
    },
    Row { name: "grpc-status", means: Means::GrpcStatus, source: "https://grpc.io/docs/guides/status-codes/" },
    Row {
        name: "gw-ratelimit-limit",
        means: part("kucoin", Field::Limit),
        source: "https://www.kucoin.com/docs/basic-info/request-rate-limit/rest-api",
    },
    Row {
        name: "gw-ratelimit-remaining",
        means: part("kucoin", Field::Remaining),
        source: "https://www.kucoin.com/docs/basic-info/request-rate-limit/rest-api",
    },
    Row {
        name: "gw-ratelimit-reset",
        means: Means::Part(Part {
            owner: "kucoin",
            field: Field::Reset,
            unit: Unit::Delta(0.001),
            dimension: "",
            policy: "",
            window: 0.0,
        }),
        source: "https://www.kucoin.com/docs/basic-info/request-rate-limit/rest-api",
    },
    Row { name: "stripe-rate-limited-reason", means: Means::Scope(""), source: "https://docs.stripe.com/rate-limits" },
    Row {
        name: "twilio-concurrent-requests",
        means: counting("twilio", Field::Used, "concurrent-requests", ""),
        source: "https://www.twilio.com/docs/usage/rate-limits",
    },
    Row {
        name: "x-ad-account-usage",
        means: Means::JsonUsage("ad-account"),
        source: "https://developers.facebook.com/docs/graph-api/overview/rate-limiting",
    },
    Row {
        name: "x-amzn-errortype",
        means: Means::Code,
        source: "https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html",
    },
    Row {
        name: "x-amzn-ratelimit-limit",
        means: Means::Part(Part {
            owner: "selling-partner",
            field: Field::Limit,
            unit: Unit::Unsaid,
            dimension: "",
            policy: "",
            window: 1.0,
        }),
        source: "https://developer-docs.amazon.com/sp-api/docs/usage-plans-and-rate-limits",
    },
    Row {
        name: "x-app-usage",
        means: Means::JsonUsage("app"),
        source: "https://developers.facebook.com/docs/graph-api/overview/rate-limiting",
    },
    Row {
        name: "x-business-use-case-usage",
        means: Means::JsonUsage("business-use-case"),
        source: "https://developers.facebook.com/docs/graph-api/overview/rate-limiting",
    },
    Row {
        name: "x-endpoint-monthly-call-limit",
        means: counting("cohere", Field::Limit, "", "endpoint-monthly-call"),
        source: "https://docs.cohere.com/docs/rate-limits",
    },
    Row {
        name: "x-envoy-ratelimited",
        means: Means::Refused,
        source: "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rate_limit_filter",
    },
    Row {
        name: "x-fb-ads-insights-throttle",
        means: Means::JsonUsage("ads-insights"),
        source: "https://developers.facebook.com/docs/marketing-api/insights/best-practices",
    },
    Row {
        name: "x-mbx-order-count*",
        means: counting("binance", Field::Used, "orders", ""),
        source: "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits",
    },
    Row {
        name: "x-mbx-used-weight*",
        means: counting("binance", Field::Used, "weight", ""),
        source: "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits",
    },
    Row {
        name: "x-ms-ratelimit-remaining-resource",
        means: Means::NamedRemaining,
        source: "https://learn.microsoft.com/azure/virtual-machines/troubleshooting/troubleshooting-throttling-errors",
    },
    Row {
        name: "x-ms-throttle-limit-percentage",
        means: part("ms-throttle", Field::Utilization(Share::Ratio)),
        source: "https://learn.microsoft.com/graph/throttling",
    },
    Row {
        name: "x-ms-throttle-scope",
        means: Means::Scope(""),
        source: "https://learn.microsoft.com/graph/throttling",
    },
    Row {
        name: "x-page-usage",
        means: Means::JsonUsage("page"),
        source: "https://developers.facebook.com/docs/graph-api/overview/rate-limiting",
    },
    Row {
        name: "x-ratelimit-burst-capacity",
        means: Means::Like("x-ratelimit-limit"),
        source: "https://docs.spring.io/spring-cloud-gateway/reference/",
    },
    Row {
        name: "x-sentry-rate-limits",
        means: Means::SentryLimits,
        source: "https://develop.sentry.dev/sdk/expected-features/rate-limiting/",
    },
    Row {
        name: "x-trial-endpoint-call-limit",
        means: counting("cohere", Field::Limit, "", "trial-endpoint-call"),
        source: "https://docs.cohere.com/docs/rate-limits",
    },
    Row {
        name: "x-trial-endpoint-call-remaining",
        means: counting("cohere", Field::Remaining, "", "trial-endpoint-call"),
        source: "https://docs.cohere.com/docs/rate-limits",
    },
];

/// The row of a name in lower case, and what stands where the row has its `*`.
pub(super) fn row(name: &[u8]) -> Option<(&'static Row, &[u8])> {
    ROWS.iter().find_map(|row| match row.name.as_bytes() {
        [start @ .., b'*'] => name.strip_prefix(start).map(|tail| (row, tail)),
        whole => (whole == name).then_some((row, [].as_slice())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sorted_sourced_and_found() {
        assert!(ROWS.is_sorted_by_key(|row| row.name));
        for entry in ROWS {
            assert!(entry.source.starts_with("https://"), "{}", entry.name);
            assert_eq!(entry.name, entry.name.to_ascii_lowercase());
            let name = entry.name.replace('*', "-1m");
            let (found, tail) = row(name.as_bytes()).expect("a row finds itself");
            assert_eq!(found.name, entry.name);
            assert_eq!(tail.is_empty(), !entry.name.ends_with('*'));
        }
        assert!(row(b"x-ratelimit-limit").is_none() && row(b"").is_none() && row(b"zzz").is_none());
    }
}
