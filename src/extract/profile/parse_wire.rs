//! What a profile's text says of how its provider's responses are to be read.

use super::ProfileError;
use super::document::Table;
use super::parse::word;
use crate::extract::{ResetUnit, WireRules};

const WIRE_KEYS: &[&str] = &[
    "reset",
    "code_pointers",
    "retry_pointers",
    "retry_messages",
    "throttle_statuses",
    "throttle_codes",
    "other_codes",
    "throttles_in_success",
];

pub(super) fn read_wire(table: &Table<'_>, wire: &mut WireRules) -> Result<(), ProfileError> {
    table.accept(WIRE_KEYS)?;
    let units = [
        ("delta-seconds", ResetUnit::DeltaSeconds),
        ("delta-milliseconds", ResetUnit::DeltaMilliseconds),
        ("delta-minutes", ResetUnit::DeltaMinutes),
        ("epoch-seconds", ResetUnit::EpochSeconds),
        ("epoch-milliseconds", ResetUnit::EpochMilliseconds),
    ];
    if let Some(value) = table.value("reset") {
        wire.reset = Some(word(&value, &units)?);
    }
    let pointers = |key: &str, known: &mut Vec<String>| {
        let pointers = table.strings(key)?.into_iter().map(|(text, value)| {
            let is_pointer = text.starts_with('/');
            is_pointer.then(|| text.to_owned()).ok_or_else(|| value.error("must be a JSON pointer: \"/error/code\""))
        });
        let own = pointers.collect::<Result<Vec<_>, _>>()?;
        known.splice(0..0, own);
        Ok(())
    };
    pointers("code_pointers", &mut wire.code_pointers)?;
    pointers("retry_pointers", &mut wire.retry_pointers)?;
    for (text, value) in table.strings("retry_messages")? {
        if text.matches("{n}").count() != 1 {
            return Err(value.error("must hold {n} once, where the seconds stand: \"Retry after {n} seconds\""));
        }
        wire.retry_messages.push(text.to_owned());
    }
    if let Some(value) = table.value("throttle_statuses") {
        for item in value.items().unwrap_or_else(|| vec![value.clone()]) {
            let status = item.word()?.parse::<u16>().ok().filter(|status| (200..=999).contains(status));
            wire.throttle_statuses.push(status.ok_or_else(|| item.error("must be a status code, 200 to 999"))?);
        }
    }
    for (key, list) in [("throttle_codes", &mut wire.throttle_codes), ("other_codes", &mut wire.other_codes)] {
        let Some(value) = table.value(key) else { continue };
        for item in value.items().unwrap_or_else(|| vec![value.clone()]) {
            list.push(item.word()?);
        }
    }
    if let Some(value) = table.value("throttles_in_success") {
        wire.throttles_in_success = match value.items() {
            Some(paths) => !paths.is_empty(),
            None => table.boolean("throttles_in_success")?.unwrap_or(false),
        };
    }
    Ok(())
}
