//! The names of a response's field lines to what their values are.
//!
//! A provider sends the same names with each response; only the values differ. All that the names say, alone and together,
//! is found here once, and may be remembered: [`Layouts`].

use std::sync::Arc;

use super::draft::Draft;
use super::grammar;
use super::name::{Field, Name, Unit};
use super::plain_numbers::Plain;
use super::table::{self, Means};
use super::{MOST_LINES, is_telling, usage, words};
use crate::extract::recent::{Hash, Recent};
use crate::extract::retry_after::Rank;
use crate::extract::wire_rules::ResetUnit;
use crate::model::{CommonFields, Fields};

/// What the field lines of a response are, by their names. A line is told by its place among the response's lines.
#[derive(Debug, Default)]
pub(in crate::extract) struct Layout {
    /// Lines of the names that it is of; absent where there is none.
    lines: Option<Arc<CommonFields>>,
    /// The lines whose names may say something of quotas.
    pub(super) telling: Vec<usize>,
    /// The quotas that are spoken of.
    pub(super) drafts: Vec<Draft>,
    /// The lines that say a part of a quota, in the order of their names.
    pub(super) claims: Vec<Claim>,
    /// Whether a value decides which drafts are one: then the claims stand as they were said.
    pub(super) joins_by_value: bool,
    /// Whether nothing is said but the numbers of one quota, and when that was.
    pub(super) is_plain: bool,
    pub(super) documents: Vec<(Means, usize)>,
    /// The lines whose names end as those do that hold objects of percentages, and which no row explains.
    pub(super) usages: Vec<usize>,
    /// The most believed first.
    pub(super) waits: Vec<(Rank, Unit, usize)>,
    /// Rank, kind and line.
    pub(super) scopes: Vec<(u8, &'static str, usize)>,
    pub(super) date: Option<usize>,
    pub(super) age: Option<usize>,
    pub(super) refused: Vec<usize>,
    pub(super) code: Option<usize>,
    pub(super) grpc_status: Option<usize>,
}

/// A field line that says a part of a quota.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// The draft that it belongs to.
    pub(super) draft: usize,
    /// The draft of its own name, before drafts were joined.
    pub(super) named: usize,
    pub(super) field: Field,
    pub(super) unit: Unit,
    pub(super) line: usize,
}

impl Layout {
    /// Whether it is that of such lines.
    fn is_of(&self, lines: Option<&Arc<CommonFields>>) -> bool {
        match (&self.lines, lines) {
            (Some(own), Some(lines)) => Arc::ptr_eq(own, lines) || own.has_names_of(lines),
            (own, lines) => own.is_none() && lines.is_none(),
        }
    }

    /// What the names of the lines say that `is_wanted`; the others are left out.
    pub(super) fn of(fields: &Fields, is_wanted: impl Fn(usize) -> bool) -> Self {
        let mut layout = Self { lines: fields.common().cloned(), ..Self::default() };
        let mut telling: Vec<(&[u8], usize)> = Vec::new();
        for (line, (name, _)) in fields.iter().enumerate() {
            // Almost every response has these two, and most of them nothing else.
            match name {
                b"date" => layout.date = layout.date.or(Some(line)),
                b"age" => layout.age = layout.age.or(Some(line)),
                _ if telling.len() < MOST_LINES && is_telling(name) => telling.push((name, line)),
                _ => {}
            }
        }
        layout.telling = telling.iter().map(|(_, line)| *line).collect();
        // The order of lines of different names says nothing; that of lines of one name does (RFC 9110 section 5.3).
        telling.sort_by_key(|(name, _)| *name);
        let mut names: Vec<Name<'_>> = Vec::new();
        for (name, line) in telling.into_iter().filter(|(_, line)| is_wanted(*line)) {
            layout.take(name, line, &mut names);
        }
        layout.waits.sort_by_key(|(rank, ..)| *rank);
        let mut joined = layout.claims.clone();
        join(&layout.drafts, &mut joined, |_, _| {
            layout.joins_by_value = true;
            false
        });
        if !layout.joins_by_value {
            layout.claims = joined;
            for (index, draft) in layout.drafts.iter_mut().enumerate() {
                draft.plain = Plain::of(layout.claims.iter().filter(|claim| claim.draft == index));
            }
        }
        layout.is_plain = layout.says_nothing_but_numbers();
        layout
    }

    fn says_nothing_but_numbers(&self) -> bool {
        let is_sure = match &*self.drafts {
            [only] => only.plain.as_ref().is_some_and(|plain| plain.is_sure(only)),
            _ => false,
        };
        is_sure
            && self.telling.len() == self.claims.len()
            && self.age.is_none()
            && self.code.is_none()
            && self.grpc_status.is_none()
    }

    /// The only quota, where nothing is said but its numbers, and when that was.
    #[inline]
    pub(super) fn only(&self) -> Option<(&Draft, &Plain)> {
        let [draft] = self.drafts.as_slice() else { return None };
        draft.plain.as_ref().filter(|_| self.is_plain).map(|plain| (draft, plain))
    }

    /// The lines of the only quota, where nothing is said but its numbers, and they say the same whenever they are read.
    pub(in crate::extract) fn timeless_lines(
        &self,
        fields: &Fields,
        reset_rule: Option<ResetUnit>,
    ) -> Option<impl Iterator<Item = usize>> {
        let (_, plain) = self.only()?;
        plain.resets_at_point(fields, reset_rule).then(|| plain.lines())
    }

    /// Whether no line says anything, but perhaps when the response was made.
    pub(in crate::extract) const fn says_nothing(&self) -> bool {
        self.telling.is_empty()
    }

    /// Whether the lines say nothing but when the response was made.
    pub(super) fn is_silent(&self) -> bool {
        self.claims.is_empty() && self.documents.is_empty() && self.waits.is_empty() && self.scopes.is_empty()
    }

    /// Takes in the next line; `names` are those of the drafts.
    fn take<'a>(&mut self, name: &'a [u8], line: usize, names: &mut Vec<Name<'a>>) {
        let Some((row, tail)) = table::row(name) else {
            if name.ends_with(usage::NAME_END) {
                self.usages.push(line);
            }
            return self.named(name, grammar::read(name), line, names);
        };
        match row.means {
            Means::GrpcStatus => self.grpc_status = Some(line),
            Means::Code => self.code = self.code.or(Some(line)),
            Means::Refused => self.refused.push(line),
            Means::Scope(kind) => self.scopes.push((0, kind, line)),
            document @ (Means::JsonUsage(_) | Means::SentryLimits | Means::NamedRemaining) => {
                self.documents.push((document, line));
            }
            Means::Like(other) => self.named(name, grammar::read(other.as_bytes()), line, names),
            Means::Part(part) => self.named(name, Some(part.name().with_span(words::span_of(tail))), line, names),
        }
    }

    fn named<'a>(&mut self, name: &[u8], meant: Option<Name<'a>>, line: usize, names: &mut Vec<Name<'a>>) {
        let Some(meant) = meant else { return };
        match meant.field {
            Field::Retry => self.waits.push((Rank::of(name, meant.unit), meant.unit, line)),
            Field::Scope(rank) => self.scopes.push((rank + 1, "", line)),
            field => {
                let place = names.iter().position(|known| known.same_quota(&meant)).unwrap_or_else(|| {
                    self.drafts.push(Draft::of(&meant, name.starts_with(b"anthropic-ratelimit-")));
                    names.push(meant);
                    names.len() - 1
                });
                if let Some(draft) = self.drafts.get_mut(place) {
                    draft.certain |= meant.certain;
                }
                self.claims.push(Claim { draft: place, named: place, field, unit: meant.unit, line });
            }
        }
    }
}

/// Lets drafts that complete each other be one: `…-limit` with `…-requests-remain`, a lone `…-reset` with its quota.
///
/// `is_exhausted` says whether one of the claims says that nothing remains of a draft.
pub(super) fn join(drafts: &[Draft], claims: &mut [Claim], mut is_exhausted: impl FnMut(&[Claim], usize) -> bool) {
    let fields = |claims: &[Claim], draft: usize| -> Vec<Field> {
        claims.iter().filter(|claim| claim.draft == draft).map(|claim| claim.field).collect()
    };
    for (plain, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.base.plain) {
        let own = fields(claims, plain);
        let lacks_counts = own.iter().all(|field| matches!(field, Field::Reset | Field::Window(_) | Field::Name));
        let lacks_limit = !own.contains(&Field::Limit) && !own.contains(&Field::Bare);
        let others: Vec<usize> = (0..drafts.len())
            .filter(|other| {
                *other != plain && drafts.get(*other).is_some_and(|other| other.base.owner == draft.base.owner)
            })
            .collect();
        let target = if lacks_counts {
            match others.as_slice() {
                [] => continue,
                [only] => Some(*only),
                // A lone reset speaks of the quota that ran out.
                several => {
                    let mut out = several.iter().filter(|other| is_exhausted(claims, **other));
                    out.next().filter(|_| out.next().is_none()).copied()
                }
            }
        } else if let ([only], true) = (others.as_slice(), lacks_limit)
            && drafts.get(*only).is_some_and(|draft| draft.is_window_only)
            && fields(claims, *only) == [Field::Limit]
        {
            // A daily limit, and what remains of it.
            Some(*only)
        } else {
            others.into_iter().find(|other| {
                let is_requests = drafts.get(*other).is_some_and(|draft| draft.is_requests_only);
                is_requests && !fields(claims, *other).iter().any(|field| own.contains(field))
            })
        };
        if let Some(target) = target {
            for claim in claims.iter_mut().filter(|claim| claim.draft == plain) {
                claim.draft = target;
            }
        }
    }
}

/// The layouts of the responses that came last.
///
/// A lane sees the responses of some dozens of servers, each of which has a few lists of names; each takes about a kilobyte.
#[derive(Debug, Clone)]
pub(super) struct Layouts {
    known: Recent<Arc<Layout>>,
    last: Arc<Layout>,
    /// The lines that it was asked for.
    last_lines: Option<Arc<CommonFields>>,
}

impl Layouts {
    /// Room for four times so many.
    pub(super) fn new(sets: usize) -> Self {
        Self { known: Recent::new(sets), last: Arc::default(), last_lines: None }
    }

    /// The layout of a response's lines.
    #[inline]
    pub(super) fn layout(&mut self, fields: &Fields) -> &Arc<Layout> {
        let is_last = match (&self.last_lines, fields.common()) {
            (Some(last), Some(lines)) => Arc::ptr_eq(last, lines),
            (last, lines) => last.is_none() && lines.is_none(),
        };
        if !is_last {
            self.last = self.find(fields);
            self.last_lines = fields.common().cloned();
        }
        &self.last
    }

    fn find(&mut self, fields: &Fields) -> Arc<Layout> {
        let lines = fields.common();
        let is_meant = |layout: &Arc<Layout>| layout.is_of(lines);
        // What several responses share is found by its place.
        let place = lines.filter(|lines| Arc::strong_count(lines) > 1).map(|lines| Hash::of_places(&[lines]));
        if let Some(known) = place.and_then(|place| self.known.known(place, is_meant)) {
            return Arc::clone(known);
        }
        let hash = Hash::of_ends(lines.into_iter().flat_map(|lines| lines.names()));
        let layout = self.known.known(hash, is_meant).cloned().unwrap_or_else(|| {
            let layout = Arc::new(Layout::of(fields, |_| true));
            self.known.keep(hash, Arc::clone(&layout));
            layout
        });
        if let Some(place) = place {
            self.known.keep(place, Arc::clone(&layout));
        }
        layout
    }
}
