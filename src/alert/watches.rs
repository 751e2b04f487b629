//! The quotas under watch.

use std::collections::HashMap;

use crate::track::{AsIs, QuotaId};

use super::quota_watch::QuotaWatch;

/// Watches by the quota's name, which says where the tracker keeps it: the watch is kept at the same place, so that it is found
/// without a search.
#[derive(Default)]
pub(super) struct Watches {
    at_slots: Vec<Option<(QuotaId, Box<QuotaWatch>)>>,
    /// Those of quotas that the tracker forgot, where another has their place.
    displaced: HashMap<QuotaId, Box<QuotaWatch>, AsIs>,
    count: usize,
}

impl Watches {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, id: QuotaId) -> bool {
        self.at_slot(id).is_some() || self.displaced.contains_key(&id)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: QuotaId) -> Option<&mut QuotaWatch> {
        match self.at_slots.get_mut(place_of(id)) {
            Some(Some((known, watch))) if *known == id => Some(watch),
            _ => self.displaced.get_mut(&id).map(|watch| &mut **watch),
        }
    }

    /// The watch on a quota, a new one where there is none.
    pub(super) fn get_or_begin(&mut self, id: QuotaId) -> &mut QuotaWatch {
        if !self.contains(id) {
            self.begin(id);
        }
        match self.at_slots.get_mut(place_of(id)) {
            Some(Some((known, watch))) if *known == id => watch,
            _ => self.displaced.entry(id).or_default(),
        }
    }

    pub(super) fn remove(&mut self, id: QuotaId) -> Option<Box<QuotaWatch>> {
        let at_slot = self.at_slots.get_mut(place_of(id)).and_then(|place| place.take_if(|(known, _)| *known == id));
        let removed = at_slot.map(|(_, watch)| watch).or_else(|| self.displaced.remove(&id));
        self.count = self.count.saturating_sub(usize::from(removed.is_some()));
        removed
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (QuotaId, &QuotaWatch)> {
        let at_slots = self.at_slots.iter().flatten().map(|(id, watch)| (*id, &**watch));
        at_slots.chain(self.displaced.iter().map(|(id, watch)| (*id, &**watch)))
    }

    #[cfg(test)]
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut QuotaWatch> {
        let at_slots = self.at_slots.iter_mut().flatten().map(|(_, watch)| &mut **watch);
        at_slots.chain(self.displaced.values_mut().map(|watch| &mut **watch))
    }

    fn at_slot(&self, id: QuotaId) -> Option<&QuotaWatch> {
        let (known, watch) = self.at_slots.get(place_of(id))?.as_ref()?;
        (*known == id).then_some(watch)
    }

    fn begin(&mut self, id: QuotaId) {
        if self.at_slots.len() <= place_of(id) {
            self.at_slots.resize_with(place_of(id).saturating_add(1), || None);
        }
        if let Some(place) = self.at_slots.get_mut(place_of(id)) {
            self.count = self.count.saturating_add(1);
            if let Some((before, watch)) = place.replace((id, Box::default())) {
                self.displaced.insert(before, watch);
            }
        }
    }
}

const fn place_of(id: QuotaId) -> usize {
    id.slot as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_taken_over_leaves_the_watch_before_it_to_be_found() {
        let (old, new) = (QuotaId { serial: 1, slot: 3 }, QuotaId { serial: 2, slot: 3 });
        let mut watches = Watches::default();
        watches.get_or_begin(old).codes_firing = 1;
        watches.get_or_begin(new).codes_firing = 2;
        let firing = |watches: &mut Watches, id| watches.get_mut(id).map(|watch| watch.codes_firing);
        assert_eq!((firing(&mut watches, old), firing(&mut watches, new), watches.len()), (Some(1), Some(2), 2));
        assert!(watches.contains(old) && watches.contains(new) && watches.iter().count() == 2);
        assert_eq!(watches.remove(new).map(|watch| watch.codes_firing), Some(2));
        assert_eq!(watches.get_or_begin(old).codes_firing, 1);
        assert!(watches.remove(old).is_some() && watches.remove(old).is_none() && watches.len() == 0);
    }
}
