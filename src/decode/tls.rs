//! The server's name in a TLS client's first message: all that is read of an encrypted connection.
//!
//! Source: RFC 8446 section 4.1.2 (`ClientHello`), RFC 6066 section 3 (`server_name`).

/// What a client's first octets say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hello<'a> {
    /// The name of the server that it wants.
    Name(&'a [u8]),
    /// There is none.
    Nameless,
    /// It may still come.
    Unfinished,
    /// It is no client's first message.
    Other,
}

/// A longer first message is not waited for: with the largest key shares in use it has about 2 KiB.
const LONGEST: usize = 4096;

/// Reads the start of a TLS stream.
pub(crate) fn hello(octets: &[u8]) -> Hello<'_> {
    match octets {
        [0x16, 3, _, _, _, 1, ..] => {}
        [] | [0x16] | [0x16, 3] | [0x16, 3, _] | [0x16, 3, _, _] | [0x16, 3, _, _, _] => return Hello::Unfinished,
        _ => return Hello::Other,
    }
    let end = usize::from(u16_at(octets, 3).unwrap_or(0)).saturating_add(5);
    let whole = octets.len() >= end.min(LONGEST);
    let record = octets.get(..end).unwrap_or(octets);
    match name(record) {
        Hello::Unfinished if whole => Hello::Nameless,
        found => found,
    }
}

/// The name in a record, as far as its octets go.
fn name(record: &[u8]) -> Hello<'_> {
    let Some(mut extensions) = extensions(record) else { return Hello::Unfinished };
    while !extensions.is_empty() {
        let (Some(kind), Some(length)) = (u16_at(extensions, 0), u16_at(extensions, 2)) else { break };
        let content = extensions.get(4..).unwrap_or_default();
        if kind == 0 {
            // One name, of kind 0: a list's length, the kind, the name's length.
            let length = u16_at(content, 3).map(usize::from);
            let name = length.and_then(|length| content.get(5..)?.get(..length));
            return match name {
                Some([]) => Hello::Nameless,
                Some(name) => Hello::Name(name),
                None => Hello::Unfinished,
            };
        }
        let Some(rest) = content.get(usize::from(length)..) else { break };
        extensions = rest;
    }
    Hello::Unfinished
}

/// The extensions, as far as they are there.
fn extensions(record: &[u8]) -> Option<&[u8]> {
    // The record's and the message's heads, the version and the random.
    let rest = record.get(5 + 4 + 2 + 32..)?;
    let rest = rest.get(1..)?.get(usize::from(*rest.first()?)..)?;
    let rest = rest.get(2..)?.get(usize::from(u16_at(rest, 0)?)..)?;
    let rest = rest.get(1..)?.get(usize::from(*rest.first()?)..)?;
    rest.get(2..)
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A first message with these extensions.
    fn message(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([2, 1, 1]);
        body.extend([0, 4, 0x13, 1, 0x13, 2]);
        body.extend([1, 0]);
        let mut listed = Vec::new();
        for (kind, content) in extensions {
            listed.extend(kind.to_be_bytes());
            listed.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            listed.extend_from_slice(content);
        }
        body.extend(u16::try_from(listed.len()).unwrap().to_be_bytes());
        body.extend(listed);
        let length = u16::try_from(body.len()).unwrap();
        let mut octets = vec![0x16, 3, 1];
        octets.extend(length.saturating_add(4).to_be_bytes());
        octets.extend([1, 0]);
        octets.extend(length.to_be_bytes());
        octets.extend(body);
        octets
    }

    #[test]
    fn reads_the_name_as_soon_as_it_is_there() {
        let name = b"\0\x0e\0\0\x0bapi.example";
        let octets = message(&[(0x2b, &[2, 3, 4]), (0, name), (0x33, &[9; 1200])]);
        assert_eq!(hello(&octets), Hello::Name(b"api.example"));
        let there = octets.windows(11).take_while(|octets| *octets != b"api.example").count().saturating_add(11);
        for end in 0..octets.len() {
            let expected = if end < there { Hello::Unfinished } else { Hello::Name(b"api.example") };
            assert_eq!(hello(&octets[..end]), expected, "{end}");
        }
        let nameless = message(&[(0x2b, &[2, 3, 4])]);
        assert_eq!(hello(&nameless), Hello::Nameless);
        assert_eq!(hello(&nameless[..nameless.len() - 1]), Hello::Unfinished);
        assert_eq!(hello(b"\x16\x03\x03\x00\x7a\x02"), Hello::Other, "a server's");
        assert_eq!(hello(&[b"\x16\x03\x01\xff\xff\x01".as_slice(), &[0; 4096]].concat()), Hello::Nameless);
    }
}
