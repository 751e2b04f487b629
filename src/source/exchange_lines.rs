//! Whether an input is exchange NDJSON: one JSON object a line, with at least `ts`, `method`, `url` and `status`.

/// What makes an object an exchange.
const KEYS: [&str; 4] = ["ts", "method", "url", "status"];
/// Lines looked at: the first may be damaged, and the others tell still.
const LINES: usize = 16;

/// Whether a stream that starts so holds exchanges.
pub(super) fn is_exchange_lines(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let lines = start.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.take(LINES).any(is_exchange)
}

/// Whether a line is an exchange; of a line that is longer than what was looked at, the keys in what is there count.
fn is_exchange(line: &[u8]) -> bool {
    if !line.starts_with(b"{") {
        return false;
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) {
        Ok(object) => KEYS.iter().all(|key| object.contains_key(*key)),
        Err(error) if error.is_eof() => KEYS.iter().all(|key| {
            let quoted = format!("\"{key}\"");
            line.windows(quoted.len()).any(|octets| octets == quoted.as_bytes())
        }),
        Err(_) => false,
    }
}
