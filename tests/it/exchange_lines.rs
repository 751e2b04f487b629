//! Lines of exchanges, whatever is written into them.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use quotascope::decode::exchange_line;
use quotascope::extract::{ExtractOptions, Extractor, Profiles};
use quotascope::model::{Amount, HashKey};

static EXTRACTOR: LazyLock<Extractor> =
    LazyLock::new(|| Extractor::new(Profiles::built_in().unwrap(), ExtractOptions::default()).unwrap());

const LINE: &str = concat!(
    r#"{"ts":1763783112.5,"method":"POST","url":"https://api.github.com/v1/payment/42?key=a","status":429,"#,
    r#""request_headers":{"authorization":["Bearer x","y"]},"#,
    r#""response_headers":[["RateLimit-Limit","100"],["RateLimit","limit=10, remaining=1, reset=5"],["Age","1"]],"#,
    r#""response_body":"{\"error\":{\"code\":1454}}","latency_s":0.0123,"client":"10.0.0.7:51234"}"#,
);

/// What stands in a place of the line: an octet, or a piece that means something to a parser.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known =
        ["\"", "\\", "{", "[", "]", "}", ",", ":", "-", "1e999", "-0", "9".repeat(40).leak(), "null", "\u{1b}[2J"];
    prop_oneof![
        any::<u8>().prop_map(|octet| vec![octet]),
        prop::sample::select(known.map(str::as_bytes).map(<[u8]>::to_vec).to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A damaged line is read or refused; what is read of it are numbers that can be and texts that can be shown.
    #[test]
    fn a_damaged_line_says_nothing_impossible(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..4, piece()), 0..5),
    ) {
        let mut line = LINE.as_bytes().to_vec();
        for (at, replaced, piece) in changes {
            let at = at.index(line.len());
            line.splice(at..(at + replaced).min(line.len()), piece);
        }
        let source: Arc<str> = "test".into();
        let interest = EXTRACTOR.interest();
        let Ok(exchange) = exchange_line::parse(&line, &source, &*interest, &HashKey::new([7; 16])) else { return Ok(()) };
        let seen = EXTRACTOR.observe(&exchange);
        prop_assert!((200..1000).contains(&seen.status));
        for reading in &seen.readings {
            for amount in [reading.limit, reading.remaining, reading.used].into_iter().flatten().map(Amount::value) {
                prop_assert!(amount.is_finite() && amount >= 0.0, "{reading:?}");
            }
            prop_assert!(reading.utilization.is_none_or(|ratio| ratio.is_finite() && ratio >= 0.0), "{reading:?}");
        }
        for text in [&seen.error_code, &seen.endpoint].into_iter().flatten() {
            prop_assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..300)) {
        let interest = EXTRACTOR.interest();
        let _ = exchange_line::parse(&line, &"test".into(), &*interest, &HashKey::new([7; 16]));
    }
}

/// The line is one that says something, so that its damage is tried at all.
#[test]
fn the_line_is_read() {
    let interest = EXTRACTOR.interest();
    let exchange = exchange_line::parse(LINE.as_bytes(), &"test".into(), &*interest, &HashKey::new([7; 16])).unwrap();
    let seen = EXTRACTOR.observe(&exchange);
    assert_eq!(seen.error_code.as_deref(), Some("1454"));
    assert_eq!(seen.readings.len(), 2);
}
