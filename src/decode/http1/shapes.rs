//! The shapes of heads that came before.
//!
//! A server's responses are alike but for some values. A head of a known shape is compared with it, many lines at once, without
//! asking for each name anew what it is; any difference leaves the head to the parser, and is learned. What comes out is the
//! same. Names are remembered, and values that are no secrets.

use std::sync::Arc;

use super::hosts::Host;
use super::lines::{Lines, Roles};
use super::shape::{Shape, known_lines};

/// The shapes that came before, for one kind of head.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    known: Vec<Shape>,
    /// The one that was learned or met last: what a new connection likely sends.
    last: ShapeId,
    /// Which one makes room for the next.
    oldest: usize,
}

/// Names a shape; it may have given way to another since.
pub(crate) type ShapeId = u16;

/// More shapes than this are forgotten in turn: a client has some dozens of servers, each with a handful of shapes. At their
/// longest they take half a megabyte.
const SHAPES: usize = 128;
impl Shapes {
    /// Reads the field lines of a head, from behind its first line to behind the empty one, if it is of the shape that
    /// `near` names, or of the one that came last. Puts them into `lines`, which are empty, and gives their length.
    pub(crate) fn read<'a>(&mut self, octets: &'a [u8], near: &mut ShapeId, lines: &mut Lines<'a>) -> Option<usize> {
        let mut read = |id: ShapeId| self.known.get(usize::from(id)).and_then(|shape| shape.read(octets, lines));
        if let Some(length) = read(*near) {
            self.last = *near;
            return Some(length);
        }
        *near = self.last;
        read(self.last)
    }

    /// The shape that `id` names, if all that its lines say is found by [`Shape::compare`].
    #[inline]
    pub(super) fn plain(&self, id: ShapeId) -> Option<&Shape> {
        self.known.get(usize::from(id)).filter(|shape| shape.is_plain)
    }

    /// What a new connection likely sends.
    #[inline]
    pub(super) const fn last(&self) -> ShapeId {
        self.last
    }

    /// Notes that a head was of the shape that `id` names.
    #[inline]
    pub(super) const fn met(&mut self, id: ShapeId) {
        self.last = id;
    }

    /// Remembers the shape of field lines, up to and with the empty one, if they are plain. `roles` knows what the lines of a
    /// name are good for, `host` the host that an authority names.
    #[cold]
    pub(crate) fn learn(
        &mut self,
        octets: &[u8],
        near: &mut ShapeId,
        roles: impl FnMut(&[u8]) -> Roles,
        host: impl FnOnce(&[u8]) -> Option<Arc<Host>>,
    ) {
        let Some(lines) = known_lines(octets, roles) else { return };
        let place = match self.known.iter().position(|known| known.has(&lines)) {
            Some(place) => {
                if let Some(known) = self.known.get_mut(place) {
                    known.vary(&lines, host);
                }
                place
            }
            None if self.known.len() < SHAPES => {
                self.known.push(Shape::of(lines, host));
                self.known.len().saturating_sub(1)
            }
            None => {
                let place = self.oldest;
                self.oldest = self.oldest.saturating_add(1).checked_rem(SHAPES).unwrap_or(0);
                if let Some(oldest) = self.known.get_mut(place) {
                    *oldest = Shape::of(lines, host);
                }
                place
            }
        };
        *near = ShapeId::try_from(place).unwrap_or(0);
        self.last = *near;
    }
}
