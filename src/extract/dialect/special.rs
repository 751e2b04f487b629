//! Values whose form says what each number is: ratios, counts with windows, pairs of names and numbers.

use std::sync::Arc;

use super::name::Unit;
use super::quota::Quota;
use super::resets::Resets;
use super::words::{self, Word};
use super::{Context, forms};
use crate::extract::{plain, span};
use crate::model::Amount;

/// The lines of one quota's fields, by field.
pub(super) struct Stated<'a> {
    /// How many units there are, or a field whose name does not say what it is.
    pub(super) limit: Vec<&'a [u8]>,
    pub(super) remaining: Vec<&'a [u8]>,
    pub(super) used: Vec<&'a [u8]>,
}

/// Counts with their windows, ratios, pairs: the form says what each number is. `false` where it is none of them.
pub(super) fn read(base: &Quota, stated: &Stated<'_>, context: &mut Context<'_>, quotas: &mut Vec<Quota>) -> bool {
    let Stated { limit: stated, remaining, used } = stated;
    let Some(first) = elements(stated).chain(elements(used)).next() else {
        let mut ratios = elements(remaining).map(forms::ratio);
        let is_ratio = ratios.next().is_some_and(|first| first.is_some());
        for (left, limit) in elements(remaining).filter_map(forms::ratio).take_while(|_| is_ratio) {
            let (remaining, limit) = (Amount::new(left), Amount::new(limit));
            quotas.push(Quota { remaining, limit, family: "ratio", ..base.clone() });
        }
        return is_ratio;
    };
    if forms::ratio(first).is_some() {
        for (spent, limit) in elements(stated).chain(elements(used)).filter_map(forms::ratio) {
            let (used, limit) = (Amount::new(spent), Amount::new(limit));
            quotas.push(Quota { used, limit, family: "ratio", ..base.clone() });
        }
        return true;
    }
    if forms::count_in_window(first).is_some() {
        counts_in_windows(base, stated, used, context, quotas);
        return true;
    }
    if first.contains(&b'=') && first.first().is_some_and(u8::is_ascii_alphabetic) {
        let lines = if stated.is_empty() { used } else { stated };
        return pairs(base, lines, context, quotas);
    }
    false
}

/// The elements of the lists on all lines of a field: a list is the same on one line and on several.
fn elements<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    lines.iter().flat_map(|line| plain::split(line, b',')).take(forms::MOST_ELEMENTS)
}

/// `20:1,100:120` beside `3:1,57:120`: joined by window.
fn counts_in_windows(
    base: &Quota,
    limits: &[&[u8]],
    used: &[&[u8]],
    context: &mut Context<'_>,
    quotas: &mut Vec<Quota>,
) {
    let list = |lines: &[&[u8]]| -> Vec<(f64, f64)> { elements(lines).filter_map(forms::count_in_window).collect() };
    let mut spent = list(used);
    let mut announced: Vec<Quota> = Vec::new();
    // Two layers may both have sent the field.
    let mut said: Vec<(f64, f64)> = Vec::new();
    for limit in list(limits) {
        if !said.contains(&limit) {
            said.push(limit);
        }
    }
    for (count, window) in said {
        let place = spent.iter().position(|(_, w)| (w - window).abs() < 1e-9);
        let used = place.map(|place| spent.remove(place).0).and_then(Amount::new);
        announced.push(Quota { limit: Amount::new(count), used, window: Some(window), ..base.clone() });
    }
    announced.extend(spent.into_iter().map(|(count, window)| Quota {
        used: Amount::new(count),
        window: Some(window),
        ..base.clone()
    }));
    if announced.is_empty() {
        context.doubt("list-unreadable");
    }
    quotas.extend(announced.into_iter().map(|quota| Quota { family: "count-window-list", ..quota }));
}

/// `total=100; remaining=99; resets=41`, or `api-usage=18/5000; per-app-api-usage=17/250(appName=x)`.
fn pairs(base: &Quota, lines: &[&[u8]], context: &mut Context<'_>, quotas: &mut Vec<Quota>) -> bool {
    let mut whole = Quota { family: "vendor-triple", ..base.clone() };
    let mut reset = None;
    let mut known = false;
    for part in elements(lines).flat_map(|element| plain::split(element, b';')).take(forms::MOST_ELEMENTS) {
        let Some((key, text)) = forms::pair(part, b'=') else { continue };
        let (text, note) = match forms::pair(text, b'(') {
            Some((text, note)) => (text, note.strip_suffix(b")")),
            None => (text, None),
        };
        if let Some((spent, limit)) = forms::ratio(text) {
            let policy = plain::word(key);
            let (used, limit) = (Amount::new(spent), Amount::new(limit));
            quotas.push(Quota { policy, used, limit, family: "ratio", ..base.clone() });
            if let Some((b"appName", app)) = note.and_then(|note| forms::pair(note, b'='))
                && let Some(app) = plain::word(app)
            {
                context.scope(2, &Arc::from("app"), Some(app));
            }
            known = true;
            continue;
        }
        let number = plain::number(text);
        match words::word(&key.to_ascii_lowercase()) {
            Word::Limit | Word::Total => whole.limit = number.and_then(Amount::new),
            Word::Remaining => whole.remaining = number.and_then(Amount::new),
            Word::Used | Word::Tally => whole.used = number.and_then(Amount::new),
            Word::Window(_) => whole.window = number.or_else(|| span::seconds(text)),
            Word::Reset => reset = Some(text),
            _ => continue,
        }
        known = true;
    }
    if let Some(text) = reset {
        whole.reset = Resets::of([(Unit::Unsaid, text)], true).of_quota(&whole, context);
    }
    if whole.says_something() {
        quotas.push(whole);
    }
    known
}
