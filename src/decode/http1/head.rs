//! A message's head, parsed in place.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::Header;

use super::lenient;

/// A request's head.
#[derive(Debug)]
pub(crate) struct RequestHead<'h, 'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a [u8],
    pub(crate) lines: Lines<'h, 'a>,
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct ResponseHead<'h, 'a> {
    pub(crate) status: u16,
    pub(crate) lines: Lines<'h, 'a>,
}

/// The field lines of a head.
#[derive(Debug)]
pub(crate) struct Lines<'h, 'a>(pub(crate) Cow<'h, [Header<'a>]>);

impl<'a> Lines<'_, 'a> {
    /// Names and values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.iter().map(|header| (header.name.as_bytes(), header.value))
    }

    /// The values of the field lines of that name.
    pub(crate) fn values(&self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_ascii())
    }
}

/// Where the field lines of one head stand while it is read: on the stack, so that a head costs no allocation.
pub(crate) type Room<'a> = [MaybeUninit<Header<'a>>; MOST_LINES];

/// Empty room.
pub(crate) const fn room<'a>() -> Room<'a> {
    [const { MaybeUninit::uninit() }; MOST_LINES]
}

/// What an attempt to parse a head came to.
#[derive(Debug)]
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

/// Parses a request's head at the start of `octets`.
pub(crate) fn parse_request<'h, 'a>(
    octets: &'a [u8],
    bound: usize,
    room: &'h mut Room<'a>,
) -> Parsed<RequestHead<'h, 'a>> {
    let mut request = httparse::Request::new(&mut []);
    let result = request.parse_with_uninit_headers(octets, room.get_mut(..bound).unwrap_or_default());
    match result {
        Ok(httparse::Status::Complete(length)) => match (request.method, request.path) {
            (Some(method), Some(target)) => {
                let lines = Lines(Cow::Borrowed(request.headers));
                Parsed::Whole(RequestHead { method, target: target.as_bytes(), lines }, length)
            }
            _ => Parsed::Bad,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooMany,
        Err(_) => lenient::parse_request(octets, bound),
    }
}

/// Parses a response's head at the start of `octets`.
pub(crate) fn parse_response<'h, 'a>(
    octets: &'a [u8],
    bound: usize,
    room: &'h mut Room<'a>,
) -> Parsed<ResponseHead<'h, 'a>> {
    let mut response = httparse::Response::new(&mut []);
    let room = room.get_mut(..bound).unwrap_or_default();
    let result = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, octets, room);
    match result {
        Ok(httparse::Status::Complete(length)) => match response.code {
            Some(status) => {
                Parsed::Whole(ResponseHead { status, lines: Lines(Cow::Borrowed(response.headers)) }, length)
            }
            None => Parsed::Bad,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooMany,
        Err(_) => lenient::parse_response(octets, bound),
    }
}
