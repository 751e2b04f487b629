//! How much of each host's traffic was seen whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Anomaly, Peer, Snapshot};

/// How much of a host's traffic was seen.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Coverage {
    /// The host.
    pub host: Arc<str>,
    /// Exchanges that were seen whole.
    pub exchanges: u64,
    /// Halves whose other half was lost: requests without their response, and responses without their request.
    pub halves: u64,
    /// The whole ones among all, a ratio; what was lost without a trace is not in it.
    pub coverage: Option<f64>,
}

impl Snapshot {
    /// How much was seen of the hosts whose traffic was read, by host.
    pub fn coverage(&self) -> Vec<Coverage> {
        let mut hosts: BTreeMap<&Arc<str>, (u64, u64)> = BTreeMap::new();
        for endpoint in &self.endpoints {
            let (exchanges, _) = hosts.entry(&endpoint.host).or_default();
            *exchanges = exchanges.saturating_add(endpoint.requests);
        }
        for (place, count) in self.input.lost.iter() {
            if let (Peer::Host(host), Anomaly::RequestUnmatched | Anomaly::ResponseUnmatched) =
                (&place.peer, place.cause)
            {
                let (_, halves) = hosts.entry(host).or_default();
                *halves = halves.saturating_add(count);
            }
        }
        let covered = hosts.into_iter().map(|(host, (exchanges, halves))| Coverage {
            host: Arc::clone(host),
            exchanges,
            halves,
            coverage: ratio(exchanges, exchanges.saturating_add(halves)),
        });
        covered.collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::super::{EndpointState, Place};
    use super::*;

    #[test]
    fn halves_count_against_their_host() {
        let mut snapshot = Snapshot::default();
        for (endpoint, requests) in [("GET /a", 60), ("GET /b", 30)] {
            snapshot.endpoints.push(EndpointState {
                provider: None,
                host: "api.example".into(),
                endpoint: endpoint.into(),
                requests,
                throttled: 0,
                statuses: BTreeMap::new(),
                error_codes: BTreeMap::new(),
            });
        }
        for (cause, host, times) in [
            (Anomaly::RequestUnmatched, "api.example", 7),
            (Anomaly::ResponseUnmatched, "api.example", 3),
            (Anomaly::BodyUndecodable, "api.example", 50),
            (Anomaly::RequestUnmatched, "silent.example", 2),
        ] {
            snapshot.input.count_at(Place { cause, peer: Peer::Host(host.into()), port: 80 }, times);
        }
        let told: Vec<(String, u64, u64, Option<f64>)> = snapshot
            .coverage()
            .into_iter()
            .map(|host| (host.host.to_string(), host.exchanges, host.halves, host.coverage))
            .collect();
        assert_eq!(
            told,
            [("api.example".to_owned(), 90, 10, Some(0.9)), ("silent.example".to_owned(), 0, 2, Some(0.0))]
        );
    }
}
