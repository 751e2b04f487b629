//! Patterns for paths, as profiles and the configuration write them.
//!
//! Matching is linear in the input for the patterns that people write, and never worse than the product of both lengths,
//! which are bounded: a pattern by `MAX_PATTERN`, a path by the model, its segments by [`MAX_SEGMENTS`].

use std::fmt;

use super::pattern::{MAX_PATTERN, glob};

/// The most path segments that are looked at one by one; what follows is one last segment. No API nests that deep.
pub(in crate::extract) const MAX_SEGMENTS: usize = 48;

/// A path as a pattern: `{id}`, `:id` and `*` stand for one segment, a last `*` for one or more, `**` for any number; within a
/// segment `*` and `{name}` stand for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    pub(super) literals: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// Exactly this text.
    Literal(Box<str>),
    /// Any one segment; the text is `{name}` or `*`.
    Any(Box<str>),
    /// One segment of that shape: what it is shown as, and the glob.
    Shape(Box<str>, Box<str>),
    /// Any number of segments, at least so many.
    Rest(usize),
}

impl PathPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATTERN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("its path is too long, or holds characters that a path cannot have".into());
        }
        if text == "*" || text == "/*" || text == "**" || text == "/**" {
            return Ok(Self { segments: vec![Segment::Rest(0)], literals: 0 });
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err("a path begins with \"/\"".into());
        };
        if text.contains('?') || text.contains('#') {
            return Err("a path has no query".into());
        }
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').filter(|part| !part.is_empty()).collect();
        if parts.len() > MAX_SEGMENTS {
            return Err(format!("it has more than {MAX_SEGMENTS} segments"));
        }
        let last = parts.len().saturating_sub(1);
        let segments: Vec<Segment> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| match *part {
                "**" => Segment::Rest(0),
                "*" if at == last => Segment::Rest(1),
                part => Segment::parse(part),
            })
            .collect();
        let literals = segments.iter().filter(|s| matches!(s, Segment::Literal(_) | Segment::Shape(..))).count();
        Ok(Self { segments, literals })
    }

    /// The texts that it compares segments with; a `*` in one stands for any characters.
    pub(in crate::extract) fn texts(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(text) | Segment::Shape(_, text) => Some(&**text),
            Segment::Any(_) | Segment::Rest(_) => None,
        })
    }

    /// Whether it leaves no rest open.
    pub fn is_exact(&self) -> bool {
        !self.segments.iter().any(|s| matches!(s, Segment::Rest(_)))
    }

    /// Whether a path is meant; `path` by [`segments`].
    pub fn matches(&self, path: &[&str]) -> bool {
        let (mut at, mut wanted) = (0usize, 0usize);
        // Where to go on when a segment does not match: after the last rest, having let it take one segment more.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.segments.get(wanted), path.get(at)) {
                (Some(Segment::Rest(least)), _) => {
                    let from = at.saturating_add(*least);
                    if from > path.len() {
                        return false;
                    }
                    wanted += 1;
                    at = from;
                    retry = Some((wanted, at));
                    continue;
                }
                (None, None) => return true,
                (Some(segment), Some(text)) if segment.matches(text) => {
                    at += 1;
                    wanted += 1;
                    continue;
                }
                _ => {}
            }
            match retry {
                Some((after, from)) if from < path.len() => {
                    retry = Some((after, from + 1));
                    wanted = after;
                    at = from + 1;
                }
                _ => return false,
            }
        }
    }

    /// The path that it matches without the credentials in it: `{token}` and `{secret}` stand where the pattern says so.
    /// `None` where it holds none.
    pub fn conceal(&self, path: &[&str]) -> Option<String> {
        if !self.segments.iter().any(Segment::is_secret) || self.open_before_end() {
            return None;
        }
        let shown = path.iter().enumerate().map(|(at, text)| match self.segments.get(at) {
            Some(segment @ (Segment::Any(name) | Segment::Shape(name, _))) if segment.is_secret() => &**name,
            _ => text,
        });
        Some(shown.fold(String::new(), |path, text| path + "/" + text))
    }

    /// Whether an open part stands before its end, so that its segments do not stand where the path's do.
    fn open_before_end(&self) -> bool {
        let fixed = self.segments.split_last().map_or(&[][..], |(_, fixed)| fixed);
        fixed.iter().any(|segment| matches!(segment, Segment::Rest(_)))
    }

    /// The template of a path that it matches: its own words, and `rest` for each segment that it leaves open at its end.
    ///
    /// `None` where an open part stands before its end: then it says nothing of the path's shape.
    pub fn template(&self, path: &[&str], mut rest: impl FnMut(usize, &str, &mut String)) -> Option<String> {
        let fixed = match self.segments.split_last() {
            Some((Segment::Rest(_), fixed)) => fixed,
            _ => &self.segments,
        };
        let mut out = String::new();
        for (at, segment) in fixed.iter().enumerate() {
            out.push('/');
            match segment {
                Segment::Literal(text) | Segment::Shape(text, _) => out.push_str(text),
                Segment::Any(name) if &**name != "*" => out.push_str(name),
                Segment::Any(_) => rest(at, path.get(at).copied().unwrap_or_default(), &mut out),
                Segment::Rest(_) => return None,
            }
        }
        for (at, text) in path.iter().enumerate().skip(fixed.len()) {
            out.push('/');
            rest(at, text, &mut out);
        }
        if out.is_empty() {
            out.push('/');
        }
        Some(out)
    }
}

impl Segment {
    fn parse(part: &str) -> Self {
        if part == "*" {
            return Self::Any("*".into());
        }
        if let Some(name) = part.strip_prefix(':').filter(|n| is_name(n)) {
            return Self::Any(format!("{{{name}}}").into());
        }
        if part.strip_prefix('{').and_then(|p| p.strip_suffix('}')).is_some_and(is_name) {
            return Self::Any(part.into());
        }
        let mut glob = String::new();
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((_, after)) = after.split_once('}') else { break };
            glob.push_str(before);
            glob.push('*');
            rest = after;
        }
        glob.push_str(rest);
        if glob.contains('*') { Self::Shape(part.into(), glob.into()) } else { Self::Literal(part.into()) }
    }

    /// Whether a credential stands there.
    fn is_secret(&self) -> bool {
        match self {
            Self::Any(text) | Self::Shape(text, _) => text.contains("{token}") || text.contains("{secret}"),
            Self::Literal(_) | Self::Rest(_) => false,
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Any(_) | Self::Rest(_) => true,
            Self::Shape(_, shape) => glob(shape.as_bytes(), text.as_bytes()),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.segments {
            [] => f.write_str("/"),
            [Segment::Rest(_)] => f.write_str("*"),
            segments => segments.iter().try_for_each(|segment| match segment {
                Segment::Literal(text) | Segment::Any(text) | Segment::Shape(text, _) => write!(f, "/{text}"),
                Segment::Rest(0) => f.write_str("/**"),
                Segment::Rest(_) => f.write_str("/*"),
            }),
        }
    }
}

/// A path's segments, without empty ones; at most [`MAX_SEGMENTS`], the last of which holds whatever follows.
pub fn segments(path: &str) -> Vec<&str> {
    path.splitn(MAX_SEGMENTS.saturating_add(1), '/').filter(|part| !part.is_empty()).collect()
}

/// A name of a placeholder.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
