//! A message's head, parsed in place: by the shape of a former one, else by the grammar, else as common clients read it.

use std::mem::MaybeUninit;

use httparse::Header;

use super::lines::{Lines, Roles};
use super::memory::Memory;
use super::shapes::ShapeId;
use super::{lenient, recognize};
use crate::model::Interest;

/// What a request's first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestHead<'a> {
    /// A token, see [`recognize::is_token`].
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
    /// Whether the target is known to be a path alone, of visible characters.
    pub(crate) is_path: bool,
}

/// What a response's first line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
}

/// What an attempt to parse a head came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<T> {
    /// The head, and its length with the empty line.
    Whole(T, usize),
    /// Its end is not there yet.
    Partial,
    /// More field lines than the bound.
    TooMany,
    /// No head.
    Bad,
}

/// The most field lines of which a head is parsed; [`DecodeOptions`](crate::decode::DecodeOptions) may say fewer.
const MOST_LINES: usize = 256;

/// Where the field lines of one head stand while it is parsed: on the stack, so that a head costs no allocation.
type Room<'a> = [MaybeUninit<Header<'a>>; MOST_LINES];

const fn room<'a>() -> Room<'a> {
    [const { MaybeUninit::uninit() }; MOST_LINES]
}

/// Parses a request's head of at most `bound` field lines at the start of `octets`, which are put into `lines`; `near` is the
/// shape of the former one.
#[inline]
pub(crate) fn parse_request<'a>(
    octets: &'a [u8],
    lines: &mut Lines<'a>,
    bound: usize,
    near: &mut ShapeId,
    memory: &mut Memory,
    interest: &dyn Interest,
) -> Parsed<RequestHead<'a>> {
    let first = recognize::plain_request_line(octets);
    if let Some((head, first_length)) = first
        && let Some(rest) = octets.get(first_length..)
        && let Some(length) = memory.requests.read(rest, near, lines)
    {
        return Parsed::Whole(head, first_length.saturating_add(length));
    }
    parse_new_request(octets, first, lines, bound, near, memory, interest)
}

/// The same of a head of no known shape, whose `first` line may be plain; a function of its own, since the field lines' room is
/// large.
#[cold]
fn parse_new_request<'a>(
    octets: &'a [u8],
    first: Option<(RequestHead<'a>, usize)>,
    lines: &mut Lines<'a>,
    bound: usize,
    near: &mut ShapeId,
    memory: &mut Memory,
    interest: &dyn Interest,
) -> Parsed<RequestHead<'a>> {
    let mut room = room();
    let mut request = httparse::Request::new(&mut []);
    let result = request.parse_with_uninit_headers(octets, room.get_mut(..bound).unwrap_or_default());
    let roles = |name: &[u8]| memory.names.request_roles(name, interest);
    match result {
        Ok(httparse::Status::Complete(length)) => match (request.method, request.path) {
            (Some(method), Some(target)) => {
                take_headers(request.headers, lines, roles);
                let Some((head, first_length)) = first else {
                    let head = RequestHead { method: method.as_bytes(), target: target.as_bytes(), is_path: false };
                    return Parsed::Whole(head, length);
                };
                if let Some(rest) = octets.get(first_length..length) {
                    let roles = |name: &[u8]| memory.names.request_roles(name, interest);
                    memory.requests.learn(rest, near, roles, |host| memory.hosts.host(host, false, interest));
                }
                Parsed::Whole(head, length)
            }
            _ => Parsed::Bad,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooMany,
        Err(_) => lenient::parse_request(octets, lines, bound, roles),
    }
}

/// Parses a response's head of at most `bound` field lines at the start of `octets`, which are put into `lines`; `near` is the
/// shape of the former one.
#[inline]
pub(crate) fn parse_response<'a>(
    octets: &'a [u8],
    lines: &mut Lines<'a>,
    bound: usize,
    near: &mut ShapeId,
    memory: &mut Memory,
    interest: &dyn Interest,
) -> Parsed<ResponseHead> {
    let first = recognize::plain_status_line(octets);
    if let Some((status, first_length)) = first
        && let Some(rest) = octets.get(first_length..)
        && let Some(length) = memory.responses.read(rest, near, lines)
    {
        return Parsed::Whole(ResponseHead { status }, first_length.saturating_add(length));
    }
    parse_new_response(octets, first, lines, bound, near, memory, interest)
}

/// The same of a head of no known shape.
#[cold]
fn parse_new_response<'a>(
    octets: &'a [u8],
    first: Option<(u16, usize)>,
    lines: &mut Lines<'a>,
    bound: usize,
    near: &mut ShapeId,
    memory: &mut Memory,
    interest: &dyn Interest,
) -> Parsed<ResponseHead> {
    let mut room = room();
    let mut response = httparse::Response::new(&mut []);
    let bounded = room.get_mut(..bound).unwrap_or_default();
    let result = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, octets, bounded);
    let roles = |name: &[u8]| memory.names.response_roles(name, interest);
    match result {
        Ok(httparse::Status::Complete(length)) => match response.code {
            Some(status) => {
                take_headers(response.headers, lines, roles);
                let head = ResponseHead { status };
                if let Some(rest) = first.and_then(|(_, first)| octets.get(first..length)) {
                    memory.responses.learn(rest, near, |name| memory.names.response_roles(name, interest), |_| None);
                }
                Parsed::Whole(head, length)
            }
            None => Parsed::Bad,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooMany,
        Err(_) => lenient::parse_response(octets, lines, bound, roles),
    }
}

fn take_headers<'a>(headers: &[Header<'a>], lines: &mut Lines<'a>, mut roles: impl FnMut(&[u8]) -> Roles) {
    lines.begin(None);
    for header in headers {
        let name = header.name.as_bytes();
        lines.push(name, header.value, roles(name));
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::super::target;
    use super::*;

    /// Wants everything whose name has an `x`.
    struct Wanted;

    impl Interest for Wanted {
        fn response_field(&self, name: &[u8]) -> bool {
            name.iter().any(|octet| octet.eq_ignore_ascii_case(&b'x'))
        }

        fn credential_field(&self, name: &[u8]) -> bool {
            self.response_field(name)
        }

        fn credential_parameter(&self, _: &[u8]) -> bool {
            false
        }

        fn content_of_success(&self, _: &str) -> bool {
            false
        }

        fn content(&self, _: u16, _: Option<&str>, _: Option<&str>) -> bool {
            false
        }
    }

    const NAMES: [&str; 8] =
        ["X-Limit", "x", "Host", "Content-Length", "transfer-encoding", "Server", "Trailer", "Cookie"];
    const VALUES: &str = "[ -~]{0,9}|[ 0-9]{1,3}|chunked";
    const OTHERS: Roles = Roles::CREDENTIAL.and(Roles::TRAILER);

    proptest! {
        /// What is remembered of former heads changes nothing, whatever is wrong with a head.
        #[test]
        fn a_known_shape_is_read_as_the_parser_reads_it(
            lines in prop::collection::vec((prop::sample::select(&NAMES[..]), VALUES, VALUES, 0..3), 0..6),
            first in prop::sample::select(vec!["HTTP/1.1 200 OK", "GET /a HTTP/1.1"]),
            changes in prop::collection::vec((0usize..90, prop::sample::select(b"\r\n\0\t :,axX1\x80".to_vec())), 0..4),
            cut in 0usize..200,
        ) {
            // A value stays the same in all three heads, changes with the second, or with the third.
            let head = |number: i32| {
                let value = |line: &(&str, String, String, i32)| if line.3 < number { line.1.clone() } else { line.2.clone() };
                let lines: Vec<String> = lines.iter().map(|line| format!("{}: {}\r\n", line.0, value(line))).collect();
                format!("{first}\r\n{}\r\nbody", lines.concat()).into_bytes()
            };
            let mut octets = head(2);
            for (at, octet) in changes {
                match octets.get_mut(at) {
                    Some(place) if at % 2 == 0 => *place = octet,
                    Some(_) => octets.insert(at, octet),
                    None => {}
                }
            }
            octets.truncate(cut.max(9));
            let (mut warm, mut cold) = (Memory::default(), Memory::default());
            let (mut near, mut none) = (0, 0);
            let formers = [head(0), head(1)];
            for former in &formers {
                let _ = parse_response(former, &mut Lines::default(), 8, &mut near, &mut warm, &Wanted);
                let _ = parse_request(former, &mut Lines::default(), 8, &mut near, &mut warm, &Wanted);
            }
            let host = |lines: &Lines<'_>| match &lines.host {
                Some(host) => Some(host.name.to_string()),
                None => target::host(lines.values(Roles::HOST).next()?, false).map(Cow::into_owned),
            };
            let same = |one: &Lines<'_>, other: &Lines<'_>| {
                let others = |lines: &Lines<'_>| format!("{:?}", lines.of(OTHERS).collect::<Vec<_>>());
                one.kept == other.kept
                    && one.body_end() == other.body_end()
                    && host(one) == host(other)
                    && others(one) == others(other)
            };
            let (mut lines, mut wanted) = (Lines::default(), Lines::default());
            let response = parse_response(&octets, &mut lines, 8, &mut near, &mut warm, &Wanted);
            prop_assert_eq!(&response, &parse_response(&octets, &mut wanted, 8, &mut none, &mut cold, &Wanted));
            prop_assert!(!matches!(response, Parsed::Whole(..)) || same(&lines, &wanted), "{:?} {:?}", lines, wanted);
            let request = parse_request(&octets, &mut lines, 8, &mut near, &mut warm, &Wanted);
            let whole = parse_request(&octets, &mut wanted, 8, &mut none, &mut cold, &Wanted);
            // Only of a plain first line it is known whether it names a path alone.
            let said = |parsed: &Parsed<RequestHead<'_>>| format!("{parsed:?}").replace("is_path: false", "is_path: true");
            prop_assert_eq!(said(&request), said(&whole));
            prop_assert!(!matches!(request, Parsed::Whole(..)) || same(&lines, &wanted), "{:?} {:?}", lines, wanted);
        }
    }
}
