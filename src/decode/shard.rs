//! Frames to workers, so that a connection never splits, not even where some of its packets come in fragments.
//!
//! A fragment shows no ports, and one of a tunnel's packet not even the addresses inside. So fragments are put together
//! before the choice of a worker: what comes out is either the frame as it was, or a packet made whole.

use super::flow_key::FlowKey;
use super::fragments::{Fragments, Whole};
use super::frame::{Carrier, Found, descend, mix};
use super::ip::Fragment;
use super::usual;
use crate::model::{Anomaly, Frame, InputCounters, Timestamp};

/// Chooses the worker of each frame; one for each capture.
#[derive(Debug, Default)]
pub struct Sharder {
    fragments: Fragments,
    /// The packet that was made whole last, for as long as it is handed on.
    whole: Option<Whole>,
}

impl Sharder {
    /// With nothing held.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frame to hand on, and a hash that is the same for all frames of a connection in both directions, however they
    /// are tagged or tunnelled. `None` for a fragment that waits for its others; it is counted here, since no decoder
    /// will see it.
    #[inline]
    pub fn route<'a>(&'a mut self, frame: &Frame<'a>, counters: &mut InputCounters) -> Option<(u64, Frame<'a>)> {
        if let Some(ends) = usual::ends(frame) {
            return Some((mix(ends.word()), *frame));
        }
        self.route_by_headers(frame, counters)
    }

    #[inline(never)]
    fn route_by_headers<'a>(&'a mut self, frame: &Frame<'a>, counters: &mut InputCounters) -> Option<(u64, Frame<'a>)> {
        match descend(frame) {
            Ok(Found::Fragment(carrier, fragment)) => {
                counters.packets = counters.packets.saturating_add(1);
                counters.bytes = counters.bytes.saturating_add(frame.octets.len() as u64);
                self.whole = Some(self.complete(&carrier, fragment, frame.at, counters)?);
                let whole = self.whole.as_ref()?.frame();
                Some((hash(&descend(&whole)), whole))
            }
            found => Some((hash(&found), *frame)),
        }
    }

    /// A packet made whole may itself be a tunnel that carries a fragment; each round lies deeper, so that this ends.
    fn complete(
        &mut self,
        carrier: &Carrier<'_>,
        fragment: Fragment,
        at: Timestamp,
        counters: &mut InputCounters,
    ) -> Option<Whole> {
        let mut whole = self.fragments.add(carrier, fragment, at, counters)?;
        while let Ok(Found::Fragment(carrier, fragment)) = descend(&whole.frame()) {
            whole = self.fragments.add(&carrier, fragment, at, counters)?;
        }
        Some(whole)
    }
}

/// Of both ends, in either order; 0 for what carries nothing that is followed.
fn hash(found: &Result<Found<'_>, Anomaly>) -> u64 {
    let Ok(Found::Tcp(carrier) | Found::Quic(carrier)) = found else { return 0 };
    let port = |at| carrier.payload.u16(at).unwrap_or(0);
    let (source, destination) = ((carrier.source, port(0)), (carrier.destination, port(2)));
    mix(FlowKey::between(source.into(), destination.into()).0.word())
}
