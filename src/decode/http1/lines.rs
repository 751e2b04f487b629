//! The field lines of a head that say something to the decoder or to whom it serves.

use std::sync::Arc;

use smallvec::SmallVec;

use super::framing::BodyEnd;
use super::hosts::Host;
use crate::model::{CommonFields, Fields};

/// What a field line is good for; a set. One that is good for nothing is left out of [`Lines`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Roles(u8);

impl Roles {
    /// Kept with the exchange, see [`Interest::response_field`](crate::model::Interest::response_field).
    pub(crate) const KEPT: Self = Self(1);
    /// Identifies the caller, see [`Interest::credential_field`](crate::model::Interest::credential_field).
    pub(crate) const CREDENTIAL: Self = Self(1 << 1);
    /// `Host`. Source: RFC 9110 section 7.2.
    pub(crate) const HOST: Self = Self(1 << 2);
    /// `Content-Length`. Source: RFC 9110 section 8.6.
    pub(crate) const CONTENT_LENGTH: Self = Self(1 << 3);
    /// `Transfer-Encoding`. Source: RFC 9112 section 6.1.
    pub(crate) const TRANSFER_ENCODING: Self = Self(1 << 4);
    /// `Content-Encoding`. Source: RFC 9110 section 8.4.
    pub(crate) const CONTENT_ENCODING: Self = Self(1 << 5);
    /// `Trailer`. Source: RFC 9110 section 6.6.2.
    pub(crate) const TRAILER: Self = Self(1 << 6);
    /// Those that say where the body ends.
    pub(super) const BODY_END: Self = Self::CONTENT_LENGTH.and(Self::TRANSFER_ENCODING);

    /// What the name alone says, in any case.
    pub(crate) fn of_name(name: &[u8]) -> Self {
        const NAMES: [(&[u8], Roles); 5] = [
            (b"host", Roles::HOST),
            (b"content-length", Roles::CONTENT_LENGTH),
            (b"transfer-encoding", Roles::TRANSFER_ENCODING),
            (b"content-encoding", Roles::CONTENT_ENCODING),
            (b"trailer", Roles::TRAILER),
        ];
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, roles)| *roles).unwrap_or_default()
    }

    /// These and others.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without others.
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether they say something to the decoder.
    pub(super) const fn are_for_decoder(self) -> bool {
        !self.without(Self::KEPT).is_empty()
    }

    /// Whether one of the others is among them.
    #[inline]
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// As it stood.
    pub(crate) name: &'a [u8],
    /// Without the blanks around it.
    pub(crate) value: &'a [u8],
    pub(crate) roles: Roles,
}

/// The field lines of a head that are good for something, in their order.
#[derive(Debug, Default)]
pub(crate) struct Lines<'a> {
    /// Those that say something to the decoder: few, mostly.
    asked_for: SmallVec<[Line<'a>; 4]>,
    /// The roles of all.
    roles: Roles,
    /// What they say of where the body ends, where that is known without those of [`Roles::BODY_END`]: then they are not
    /// among these.
    pub(super) body_end: Option<BodyEnd>,
    /// The host that they name, where it is known without those of [`Roles::HOST`]: then they are not among these either.
    pub(super) host: Option<Arc<Host>>,
    /// Those that are kept with the exchange.
    pub(crate) kept: Fields,
}

impl<'a> Lines<'a> {
    /// Appends a line, if it is good for something.
    pub(crate) fn push(&mut self, name: &'a [u8], value: &'a [u8], roles: Roles) {
        if roles.has(Roles::KEPT) {
            self.kept.push(name, value);
        }
        self.push_for_decoder(name, value.trim_ascii(), roles);
    }

    /// Appends a line of a known shape whose value varies, and has no blanks around it; see [`Self::begin`].
    #[inline]
    pub(super) fn push_varying(&mut self, name: &'a [u8], value: &'a [u8], roles: Roles) {
        if roles.has(Roles::KEPT) {
            self.kept.push_value(value);
        }
        self.push_for_decoder(name, value, roles);
    }

    /// Appends a line for the decoder alone.
    #[inline]
    pub(super) fn push_for_decoder(&mut self, name: &'a [u8], value: &'a [u8], roles: Roles) {
        if roles.are_for_decoder() {
            self.ask_for(Line { name, value, roles });
        }
    }

    /// Few lines come here, once those are settled that say where the body ends: not worth its room in each caller.
    #[inline(never)]
    fn ask_for(&mut self, line: Line<'a>) {
        self.roles = self.roles.and(line.roles);
        self.asked_for.push(line);
    }

    /// Forgets all. The lines that will be kept have what former heads had in common, where that is given.
    #[inline]
    pub(super) fn begin(&mut self, kept: Option<&Arc<CommonFields>>) {
        let Self { asked_for, roles: _, body_end, host, kept: lines } = &*self;
        if !asked_for.is_empty() || body_end.is_some() || host.is_some() || lines.common().is_some() {
            self.clear();
        }
        if let Some(common) = kept {
            self.kept.begin(common);
        }
    }

    #[cold]
    fn clear(&mut self) {
        *self = Self::default();
    }

    /// What they say of where the body ends.
    #[inline]
    pub(crate) fn body_end(&self) -> BodyEnd {
        let say = || BodyEnd::of(self.values(Roles::TRANSFER_ENCODING), self.values(Roles::CONTENT_LENGTH));
        self.body_end.unwrap_or_else(say)
    }

    /// The lines of a role.
    #[inline]
    pub(crate) fn of(&self, roles: Roles) -> impl Iterator<Item = &Line<'a>> + Clone {
        let lines = if self.roles.has(roles) { self.asked_for.as_slice() } else { &[] };
        lines.iter().filter(move |line| line.roles.has(roles))
    }

    /// The values of the lines of a role.
    pub(crate) fn values(&self, roles: Roles) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.of(roles).map(|line| line.value)
    }
}
