//! TCP segments to exchanges: whatever a capture does to the packets, what comes out is true.

mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use quotascope::decode::{Flags, Segment};
use quotascope::model::{Anomaly, Exchange, Timestamp};

use traffic::{Dice, Packet, Truth, Wire, busy, decode, decoder, ends, exchange};

/// The number that an exchange carries in its quota field.
fn number(exchange: &Exchange) -> u64 {
    let value = exchange.response.fields.first(b"x-ratelimit-remaining").expect("the field is in every response");
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

/// How many exchanges were found, and how many of them contradict the truth or came twice.
fn compare(exchanges: &[Exchange], truths: &[Truth]) -> (usize, usize) {
    let truths: BTreeMap<u64, &Truth> = truths.iter().map(|truth| (truth.number, truth)).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = 0;
    for exchange in exchanges {
        let right = truths.get(&number(exchange)).is_some_and(|truth| {
            exchange.response.status == truth.status
                && seen.insert(truth.number)
                && exchange
                    .request
                    .as_ref()
                    .is_none_or(|request| *request.path == *truth.path && *request.method == *truth.method)
        });
        wrong += usize::from(!right);
    }
    (seen.len(), wrong)
}

/// What a capture does to packets.
#[derive(Debug, Clone, Copy, Default)]
struct Damage {
    /// Of ten thousand packets so many change places with the next.
    swapped: u64,
    /// So many come twice.
    duplicated: u64,
    /// So many do not come.
    lost: u64,
    /// So many of the first packets of each connection do not come.
    late: usize,
}

fn damage(packets: &[Packet], damage: Damage, seed: u64) -> Vec<Packet> {
    let mut dice = Dice(seed);
    let mut of_connection: BTreeMap<u16, usize> = BTreeMap::new();
    let mut damaged = Vec::new();
    for packet in packets {
        let seen = of_connection.entry(packet.connection).or_default();
        *seen += 1;
        if *seen <= damage.late || dice.hits(damage.lost) {
            continue;
        }
        damaged.push(packet.clone());
        if dice.hits(damage.duplicated) {
            damaged.push(packet.clone());
        }
    }
    let mut index = 0;
    while index + 1 < damaged.len() {
        if dice.hits(damage.swapped) {
            // The frames change places; the clock of the capture goes on.
            let (first, second) = (damaged[index].at, damaged[index + 1].at);
            damaged.swap(index, index + 1);
            damaged[index].at = first;
            damaged[index + 1].at = second;
            index += 1;
        }
        index += 1;
    }
    damaged
}

#[test]
fn what_is_left_of_a_damaged_capture_is_found_and_true() {
    let (packets, truths) = busy(60, 20, 7);
    let mut table = String::from("damage | heads left | found | with request | wrong\n");
    let mut faults = Vec::new();
    for (name, how, share) in [
        ("none", Damage::default(), 1.0),
        ("2 % swapped", Damage { swapped: 200, ..Damage::default() }, 1.0),
        ("2 % duplicated", Damage { duplicated: 200, ..Damage::default() }, 1.0),
        ("0.5 % lost", Damage { lost: 50, ..Damage::default() }, 0.99),
        ("5 % lost", Damage { lost: 500, ..Damage::default() }, 0.97),
        ("first 20 packets missing", Damage { late: 20, ..Damage::default() }, 1.0),
        ("5 % lost, swapped, duplicated, late", Damage { swapped: 200, duplicated: 200, lost: 500, late: 20 }, 0.95),
    ] {
        let damaged = damage(&packets, how, 11);
        let left: BTreeSet<u64> = damaged.iter().flat_map(|packet| packet.heads.iter().copied()).collect();
        let (exchanges, _) = decode(&damaged);
        let (found, wrong) = compare(&exchanges, &truths);
        let paired = exchanges.iter().filter(|exchange| exchange.request.is_some()).count();
        writeln!(table, "{name} | {} | {found} | {paired} | {wrong}", left.len()).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        if wrong > 0 || (found as f64) < share * left.len() as f64 {
            faults.push(name);
        }
    }
    println!("{table}");
    assert!(faults.is_empty(), "{faults:?}\n{table}");
}

#[test]
fn an_undamaged_capture_gives_every_exchange_with_its_request() {
    let (packets, truths) = busy(20, 15, 3);
    let (exchanges, counters) = decode(&packets);
    assert_eq!(compare(&exchanges, &truths), (truths.len(), 0));
    assert!(exchanges.iter().all(|exchange| exchange.request.is_some() && exchange.latency.is_some()));
    assert_eq!(counters.damaged, BTreeMap::new());
    assert_eq!((counters.requests, counters.responses, counters.exchanges), (300, 300, 300));
    assert_eq!(counters.connections, 20);
}
