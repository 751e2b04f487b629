//! A message's head, parsed in place.

use std::mem::MaybeUninit;

use super::lenient;

/// A field line: name and value as they stood, untrimmed.
pub(crate) type FieldLine<'a> = (&'a [u8], &'a [u8]);

/// A request's head.
#[derive(Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a [u8],
    pub(crate) lines: Lines<'a>,
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct ResponseHead<'a> {
    pub(crate) status: u16,
    pub(crate) lines: Lines<'a>,
}

/// The field lines of a head.
#[derive(Debug)]
pub(crate) struct Lines<'a>(pub(crate) Vec<FieldLine<'a>>);

impl<'a> Lines<'a> {
    /// The values of the field lines of that name.
    pub(crate) fn values(&self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_ascii())
    }
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
pub(crate) fn parse_request(octets: &[u8], bound: usize) -> Parsed<RequestHead<'_>> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_LINES];
    let mut request = httparse::Request::new(&mut []);
    let result = request.parse_with_uninit_headers(octets, headers.get_mut(..bound).unwrap_or_default());
    match result {
        Ok(httparse::Status::Complete(length)) => match (request.method, request.path) {
            (Some(method), Some(target)) => Parsed::Whole(
                RequestHead { method, target: target.as_bytes(), lines: collect(request.headers) },
                length,
            ),
            _ => Parsed::Bad,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooMany,
        Err(_) => lenient::parse_request(octets, bound),
    }
}

/// Parses a response's head at the start of `octets`.
pub(crate) fn parse_response(octets: &[u8], bound: usize) -> Parsed<ResponseHead<'_>> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_LINES];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let result =
        config.parse_response_with_uninit_headers(&mut response, octets, headers.get_mut(..bound).unwrap_or_default());
    match result {
        Ok(httparse::Status::Complete(length)) => match response.code {
            Some(status) => Parsed::Whole(ResponseHead { status, lines: collect(response.headers) }, length),
            None => Parsed::Bad,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooMany,
        Err(_) => lenient::parse_response(octets, bound),
    }
}

fn collect<'a>(headers: &[httparse::Header<'a>]) -> Lines<'a> {
    Lines(headers.iter().map(|header| (header.name.as_bytes(), header.value)).collect())
}
