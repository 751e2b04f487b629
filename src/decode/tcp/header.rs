//! The header of a segment, at its fixed places. Source: RFC 9293 section 3.1.

use crate::decode::ip;
use crate::decode::part::Part;
use crate::model::Anomaly;

/// A TCP header without its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a>(&'a [u8; 20]);

impl<'a> Header<'a> {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const ACK: u8 = 0x10;

    /// A segment's header and payload.
    ///
    /// A header whose options the capture cut off still says where the payload was: all of it is missing then.
    #[inline]
    pub(in crate::decode) fn split(part: Part<'a>) -> Result<(Self, Part<'a>), Anomaly> {
        let octets: &[u8; 20] = part.octets.first_chunk().ok_or_else(|| ip::too_short(part))?;
        let header = Self(octets);
        let length = header.length();
        if length < octets.len() {
            return Err(Anomaly::HeaderMalformed);
        }
        if let Some(payload) = part.skip(length) {
            return Ok((header, payload));
        }
        let beyond = u32::try_from(length.saturating_sub(part.octets.len())).unwrap_or(u32::MAX);
        let cut = part.cut.checked_sub(beyond).ok_or(Anomaly::HeaderMalformed)?;
        Ok((header, Part { octets: &[], cut }))
    }

    /// The header in these octets.
    #[inline]
    pub(in crate::decode) const fn of(octets: &'a [u8; 20]) -> Self {
        Self(octets)
    }

    /// Its length with its options, as far as that is to be believed: at least 20 octets.
    #[inline]
    pub(crate) fn length(self) -> usize {
        usize::from(self.0[12] >> 4).saturating_mul(4)
    }

    #[inline]
    pub(crate) fn source_port(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    #[inline]
    pub(crate) fn destination_port(self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    #[inline]
    pub(crate) fn sequence(self) -> u32 {
        u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]])
    }

    /// The acknowledgment number, which means nothing without [`Self::ACK`].
    #[inline]
    pub(crate) fn acknowledgment(self) -> u32 {
        u32::from_be_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    /// Those of these flags that are set.
    #[inline]
    pub(crate) fn flags(self, of: u8) -> u8 {
        self.0[13] & of
    }
}
