//! Values that are mostly few and short.

use super::few_octets::copy_few;

/// Octet strings that are appended: the first ones stand in the record itself, so that few cost no allocation.
#[derive(Clone)]
pub(super) struct ShortValues {
    room: [u8; ROOM],
    /// Where each begins, and the last ends.
    bounds: [u8; MOST + 1],
    count: u8,
    /// All of them, once they have outgrown the room.
    outgrown: Option<Box<Outgrown>>,
}

#[derive(Clone, Default)]
struct Outgrown {
    /// One behind the other.
    octets: Vec<u8>,
    ends: Vec<usize>,
}

/// The date, and three or four numbers.
const ROOM: usize = 64;
const MOST: usize = 6;

impl ShortValues {
    /// Appends one.
    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) {
        let count = usize::from(self.count);
        if self.outgrown.is_none()
            && let Some([start, end]) = self.bounds.get_mut(count..).and_then(<[u8]>::first_chunk_mut::<2>)
            && let from = usize::from(*start)
            && let to = from.saturating_add(value.len())
            && let Some(place) = self.room.get_mut(from..to)
            && let Ok(to) = u8::try_from(to)
        {
            copy_few(value, place);
            *end = to;
            self.count = self.count.saturating_add(1);
        } else {
            self.outgrow(value);
        }
    }

    #[cold]
    fn outgrow(&mut self, value: &[u8]) {
        let mut outgrown = self.outgrown.take().unwrap_or_else(|| {
            let mut outgrown = Box::<Outgrown>::default();
            (0..usize::from(self.count)).for_each(|place| outgrown.push(self.get(place)));
            outgrown
        });
        outgrown.push(value);
        self.outgrown = Some(outgrown);
    }

    /// The one at a place, from 0; empty past the last.
    #[inline]
    pub(super) fn get(&self, place: usize) -> &[u8] {
        if let Some(outgrown) = &self.outgrown {
            return outgrown.get(place);
        }
        let bounds = self.bounds.get(place..).and_then(<[u8]>::first_chunk::<2>);
        bounds.and_then(|[start, end]| self.room.get(usize::from(*start)..usize::from(*end))).unwrap_or_default()
    }

    /// The memory that they take beyond their own record, in octets.
    pub(super) fn footprint(&self) -> usize {
        self.outgrown.as_ref().map_or(0, |outgrown| {
            let ends = outgrown.ends.capacity().saturating_mul(size_of::<usize>());
            size_of::<Outgrown>().saturating_add(outgrown.octets.capacity()).saturating_add(ends)
        })
    }
}

impl Outgrown {
    fn push(&mut self, value: &[u8]) {
        self.octets.extend_from_slice(value);
        self.ends.push(self.octets.len());
    }

    fn get(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(place)).map(|(start, end)| start..*end);
        range.and_then(|range| self.octets.get(range)).unwrap_or_default()
    }
}

impl Default for ShortValues {
    fn default() -> Self {
        Self { room: [0; ROOM], bounds: [0; MOST + 1], count: 0, outgrown: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_was_appended_is_there(parts in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..40), 0..9)) {
            let mut values = ShortValues::default();
            for part in &parts {
                values.push(part);
            }
            for place in 0..parts.len() + 2 {
                proptest::prop_assert_eq!(values.get(place), parts.get(place).map_or(&[][..], |part| part));
            }
            let is_short = parts.len() <= MOST && parts.concat().len() <= ROOM;
            proptest::prop_assert_eq!(values.footprint() == 0, is_short);
        }
    }
}
