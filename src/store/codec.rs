//! Rows packed into octets, column by column.
//!
//! A column is a list of tokens, and mostly the same token again and again: "as expected". Such a column is written as that
//! one token. So an untouched column costs two octets a chunk, whatever the number of rows.
//!
//! ```text
//! chunk    count of rows, then the columns in the order of `COLUMNS`
//! column   octets × 2 + 1, token    all rows have this token
//!          octets × 2, tokens       one token for each row
//! index    difference to the index before, less one; the first counts from `base`
//! amount   0 absent, 1 as expected, 2 then eight octets: a double as it is,
//!          3 + 2 × folded difference      in whole units,
//!          4 + 2 × folded difference      in thousandths, to the value before in this column
//! parts    0 absent, 1 as expected, 2 + folded difference to the value expected (0 if none is)
//! count    the number
//! ```
//!
//! Amounts come back bit for bit: one that is neither whole nor a whole number of thousandths is kept as a double.
//! Expected is, for a limit and a remaining amount: the one before; for the lowest: what remains; for the used one: the limit
//! less what remains; for a stated utilization: the one before; for the peak: what the amounts imply.

use super::damage::Damage;
use super::row::Row;
use super::varint::{self, Reader};
use crate::model::Amount;

/// The columns of a row.
const COLUMNS: usize = 10;

/// The most rows that a record may hold: one tick of all series. A chunk of time holds at most 360.
const MOST_ROWS: u64 = super::MAX_SERIES as u64;

const ABSENT: u64 = 0;
const EXPECTED: u64 = 1;
const DOUBLE: u64 = 2;
const WHOLE: u64 = 3;
const THOUSANDTHS: u64 = 4;

/// Packs rows one by one, in ascending order of their index.
#[derive(Debug, Clone)]
pub(super) struct Packer {
    count: u64,
    columns: [Column; COLUMNS],
    before: Before,
}

/// What the row before held, where the next one is written as a difference to it.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// One more than the index before: the next that is possible.
    next: u64,
    limit: Option<Amount>,
    remaining: Option<Amount>,
    lowest: Option<Amount>,
    used: Option<Amount>,
    stated: Option<u64>,
}

impl Before {
    const fn first(base: u32) -> Self {
        Self { next: base as u64, limit: None, remaining: None, lowest: None, used: None, stated: None }
    }

    /// After a row: an absent value leaves the one before as what later ones are compared with.
    fn step(&mut self, row: &Row) {
        *self = Self {
            next: u64::from(row.index) + 1,
            limit: row.limit.or(self.limit),
            remaining: row.remaining.or(self.remaining),
            lowest: row.lowest.or(self.lowest),
            used: row.used.or(self.used),
            stated: row.stated.or(self.stated),
        };
    }
}

/// The tokens of one column: the octets only once there are two different ones.
#[derive(Debug, Clone, Default)]
struct Column {
    same: Option<Token>,
    octets: Vec<u8>,
}

/// A number and, for a double, its eight octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token(u64, Option<[u8; 8]>);

impl Token {
    const fn number(number: u64) -> Self {
        Self(number, None)
    }

    fn write(self, out: &mut Vec<u8>) {
        varint::write(out, self.0);
        if let Some(octets) = self.1 {
            out.extend_from_slice(&octets);
        }
    }
}

impl Column {
    fn push(&mut self, token: Token, rows_before: u64) {
        if rows_before == 0 {
            self.same = Some(token);
            return;
        }
        if let Some(same) = self.same {
            if same == token {
                return;
            }
            self.same = None;
            for _ in 0..rows_before {
                same.write(&mut self.octets);
            }
        }
        token.write(&mut self.octets);
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut single = Vec::new();
        let (octets, same) = match self.same {
            Some(token) => {
                token.write(&mut single);
                (&single, 1)
            }
            None => (&self.octets, 0),
        };
        varint::write(out, (octets.len() as u64) << 1 | same);
        out.extend_from_slice(octets);
    }
}

impl Packer {
    /// An empty chunk whose indexes count from `base`.
    pub(super) fn new(base: u32) -> Self {
        Self { count: 0, columns: Default::default(), before: Before::first(base) }
    }

    /// Appends a row; `false` where its index does not come after the one before.
    #[must_use]
    pub(super) fn push(&mut self, row: &Row) -> bool {
        let Some(gap) = u64::from(row.index).checked_sub(self.before.next) else { return false };
        let before = &self.before;
        let tokens = [
            Token::number(gap),
            amount_token(row.limit, before.limit, before.limit),
            amount_token(row.remaining, before.remaining, before.remaining),
            amount_token(row.lowest, before.lowest, row.remaining),
            amount_token(row.used, before.used, expected_used(row)),
            parts_token(row.stated, before.stated),
            parts_token(row.peak, row.implied_peak()),
            Token::number(row.requests),
            Token::number(row.throttled),
            Token::number(row.samples),
        ];
        for (column, token) in self.columns.iter_mut().zip(tokens) {
            column.push(token, self.count);
        }
        self.count += 1;
        self.before.step(row);
        true
    }

    /// The chunk, without its envelope.
    pub(super) fn finish(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.columns.iter().map(|column| column.octets.len() + 4).sum::<usize>());
        varint::write(&mut out, self.count);
        if self.count > 0 {
            for column in &self.columns {
                column.write(&mut out);
            }
        }
        out
    }
}

/// Packs rows; those that do not come in ascending order are left out.
pub(super) fn pack(base: u32, rows: &[Row]) -> Vec<u8> {
    let mut packer = Packer::new(base);
    for row in rows {
        let _in_order = packer.push(row);
    }
    packer.finish()
}

/// Unpacks a chunk.
pub(super) fn unpack(base: u32, octets: &[u8]) -> Result<Vec<Row>, Damage> {
    let mut reader = Reader::new(octets);
    let count = reader.number()?;
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MOST_ROWS {
        return Err(Damage::Malformed("more rows than a record holds"));
    }
    let mut columns = [Source::NONE; COLUMNS];
    for column in &mut columns {
        *column = Source::read(&mut reader)?;
    }
    if !reader.is_empty() {
        return Err(Damage::Malformed("octets are left over"));
    }
    let [indexes, limits, remainings, lowests, useds, stateds, peaks, requests, throttleds, samples] = &mut columns;
    let mut before = Before::first(base);
    let mut rows = Vec::new();
    for _ in 0..count {
        let index = before.next.checked_add(indexes.number()?).and_then(|index| u32::try_from(index).ok());
        let mut row = Row { index: index.ok_or(Damage::Malformed("an index out of range"))?, ..Row::default() };
        row.limit = limits.amount(before.limit, before.limit)?;
        row.remaining = remainings.amount(before.remaining, before.remaining)?;
        row.lowest = lowests.amount(before.lowest, row.remaining)?;
        row.used = useds.amount(before.used, expected_used(&row))?;
        row.stated = stateds.parts(before.stated)?;
        row.peak = peaks.parts(row.implied_peak())?;
        row.requests = requests.number()?;
        row.throttled = throttleds.number()?;
        row.samples = samples.number()?;
        before.step(&row);
        rows.push(row);
    }
    if columns.iter().any(|column| !column.same && !column.reader.is_empty()) {
        return Err(Damage::Malformed("a column has more tokens than rows"));
    }
    Ok(rows)
}

/// A column that is read.
#[derive(Clone, Copy)]
struct Source<'a> {
    /// Every row has the token that is at the front.
    same: bool,
    reader: Reader<'a>,
}

impl<'a> Source<'a> {
    const NONE: Self = Self { same: false, reader: Reader::new(&[]) };

    fn read(chunk: &mut Reader<'a>) -> Result<Self, Damage> {
        let header = chunk.number()?;
        let length = usize::try_from(header >> 1).ok().ok_or(Damage::Malformed("a column of impossible length"))?;
        Ok(Self { same: header & 1 == 1, reader: Reader::new(chunk.octets(length)?) })
    }

    /// Reads one token.
    fn token<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Result<T, Damage>) -> Result<T, Damage> {
        if self.same { read(&mut { self.reader }) } else { read(&mut self.reader) }
    }

    fn number(&mut self) -> Result<u64, Damage> {
        self.token(Reader::number)
    }

    fn amount(&mut self, before: Option<Amount>, expected: Option<Amount>) -> Result<Option<Amount>, Damage> {
        self.token(|reader| {
            let value = match reader.number()? {
                ABSENT => return Ok(None),
                EXPECTED => return Ok(expected),
                DOUBLE => {
                    let octets = reader.octets(8)?.first_chunk::<8>().copied().unwrap_or_default();
                    f64::from_bits(u64::from_le_bytes(octets))
                }
                token => {
                    let scale = if (token - WHOLE) & 1 == 0 { 1.0 } else { 1000.0 };
                    let difference = varint::unfold((token - WHOLE) >> 1);
                    unscaled(scaled(before, scale).wrapping_add(difference), scale)
                }
            };
            Amount::new(value).map(Some).ok_or(Damage::Malformed("an amount that is none"))
        })
    }

    fn parts(&mut self, expected: Option<u64>) -> Result<Option<u64>, Damage> {
        Ok(match self.number()? {
            ABSENT => None,
            EXPECTED => expected,
            token => Some(expected.unwrap_or(0).wrapping_add_signed(varint::unfold(token - 2))),
        })
    }
}

/// The used amount that the limit and the remaining one imply.
fn expected_used(row: &Row) -> Option<Amount> {
    Some(row.limit?.less(row.remaining?))
}

fn amount_token(value: Option<Amount>, before: Option<Amount>, expected: Option<Amount>) -> Token {
    let Some(value) = value else { return Token::number(ABSENT) };
    if expected == Some(value) {
        return Token::number(EXPECTED);
    }
    for (scale, mark) in [(1.0, WHOLE), (1000.0, THOUSANDTHS)] {
        let units = scaled(Some(value), scale);
        if units < LARGEST_SCALED && unscaled(units, scale).to_bits() == value.value().to_bits() {
            let difference = units.wrapping_sub(scaled(before, scale));
            return Token::number((varint::fold(difference) << 1) + mark);
        }
    }
    Token(DOUBLE, Some(value.value().to_bits().to_le_bytes()))
}

fn parts_token(value: Option<u64>, expected: Option<u64>) -> Token {
    Token::number(match value {
        None => ABSENT,
        Some(_) if value == expected => EXPECTED,
        Some(value) => varint::fold(value.wrapping_sub(expected.unwrap_or(0)).cast_signed()).saturating_add(2),
    })
}

/// Above this a double no longer holds each integer. It also bounds a folded difference to 55 bits.
const LARGEST_SCALED: i64 = 1 << 53;

/// The amount in units of `1/scale`, the fraction cut off; 0 where there is none.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a double saturates, and the result is clamped")]
fn scaled(amount: Option<Amount>, scale: f64) -> i64 {
    amount.map_or(0, |amount| ((amount.value() * scale).round() as i64).min(LARGEST_SCALED))
}

#[expect(clippy::cast_precision_loss, reason = "what is written is below 2^53; anything else is damage and refused")]
fn unscaled(units: i64, scale: f64) -> f64 {
    units as f64 / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount() -> impl Strategy<Value = Option<Amount>> {
        prop_oneof![
            Just(None),
            (0u64..6000).prop_map(|count| Some(Amount::from_count(count))),
            any::<u64>().prop_map(|count| Some(Amount::from_count(count))),
            (0u32..10_000_000).prop_map(|thousandths| Amount::new(f64::from(thousandths) / 1000.0)),
            (0.0..9.0e15).prop_map(Amount::new),
            (0.0..1.0).prop_map(Amount::new),
        ]
    }

    fn row() -> impl Strategy<Value = Row> {
        let parts = || prop_oneof![Just(None), (0u64..9_000_000_000_000_000).prop_map(Some)];
        let amounts = (amount(), amount(), amount(), amount());
        (0u32..500, amounts, parts(), parts(), any::<(u64, u64, u64)>()).prop_map(
            |(index, (limit, remaining, lowest, used), stated, peak, (requests, throttled, samples))| Row {
                index,
                limit,
                remaining,
                lowest,
                used,
                stated,
                peak,
                requests,
                throttled,
                samples,
            },
        )
    }

    proptest! {
        #[test]
        fn rows_come_back(mut rows in prop::collection::vec(row(), 0..80), base in 0u32..4_000_000_000) {
            let mut index = base;
            for row in &mut rows {
                index += row.index;
                row.index = index;
                index += 1;
            }
            prop_assert_eq!(unpack(base, &pack(base, &rows)), Ok(rows));
        }

        #[test]
        fn arbitrary_octets_never_panic(base: u32, octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = unpack(base, &octets);
        }

        #[test]
        fn damaged_chunks_never_panic(rows in prop::collection::vec(row(), 1..20), at: prop::sample::Index, octet: u8) {
            let mut octets = pack(0, &rows);
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = unpack(0, &octets);
        }
    }

    #[test]
    fn a_quiet_hour_costs_two_octets_a_column() {
        let rows: Vec<Row> = (0..360)
            .map(|index| Row {
                index,
                limit: Some(Amount::from_count(5000)),
                remaining: Some(Amount::from_count(4000)),
                lowest: Some(Amount::from_count(4000)),
                used: Some(Amount::from_count(1000)),
                peak: Some(200_000),
                samples: 1,
                ..Row::default()
            })
            .collect();
        // The count takes two octets; limit and remaining are spelled out once in the first row.
        let octets = pack(0, &rows);
        assert!(octets.len() < 2 + 8 * 2 + 2 * (360 + 6), "{}", octets.len());
        assert!(super::super::envelope::seal(&octets).len() < 80);
    }
}
