//! Live capture through libpcap. It only listens: nothing here can send a frame.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Device, Precision};

use super::SourceError;
use super::batch::FrameBatch;
use crate::model::{Frame, LinkType, Timestamp};

/// Frames of one batch at most: about 1.5 MB of full Ethernet frames.
const BATCH: usize = 1024;

/// How to capture.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// The interface's name, `any` or `lo` too.
    pub interface: String,
    /// A filter in libpcap's language; see its manual page `pcap-filter`.
    pub filter: Option<String>,
    /// The kernel's buffer: what comes while nobody reads must fit in it.
    pub buffer_octets: usize,
    /// Hand each frame over at once instead of in blocks: less delay, more work.
    pub immediate: bool,
    /// Octets kept of each frame. Headers and refusals lie at the start of a message, but a message may start anywhere.
    pub snaplen: usize,
    /// Also take frames that are for other hosts.
    pub promiscuous: bool,
    /// How long [`LiveCapture::next_batch`] waits for the first frame.
    pub timeout: Duration,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            interface: "any".into(),
            filter: None,
            // A second of a saturated gigabit link takes 125 MB; 16 MiB bridge 130 ms of it, and minutes of API traffic.
            buffer_octets: 16 << 20,
            immediate: false,
            snaplen: 262_144,
            promiscuous: false,
            timeout: Duration::from_millis(100),
        }
    }
}

/// An open capture on one interface.
pub struct LiveCapture {
    interface: Arc<str>,
    capture: Capture<Active>,
    link: LinkType,
    timeout: PollTimeout,
    statistics: LiveStatistics,
    /// libpcap's counters as last read: 32 bits, which wrap.
    last: (u32, u32, u32),
}

/// What libpcap counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveStatistics {
    /// Frames that passed the filter. The kernel counts each of them twice on a loopback interface, going out and coming in,
    /// of which only one is handed over.
    pub received: u64,
    /// Frames that did not fit in the kernel's buffer.
    pub dropped: u64,
    /// Frames that the interface or its driver dropped.
    pub interface_dropped: u64,
}

/// An interface that can be captured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What it is, in the system's words.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Whether it is up.
    pub up: bool,
    /// Whether it only reaches this host.
    pub loopback: bool,
}

/// The interfaces that libpcap knows.
///
/// # Errors
/// In libpcap's words, where it cannot list them.
pub fn interfaces() -> Result<Vec<Interface>, SourceError> {
    let devices = Device::list()
        .map_err(|error| SourceError::Capture { interface: "the list of interfaces".into(), reason: words(&error) })?;
    let interface = |device: Device| Interface {
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        up: device.flags.is_up(),
        loopback: device.flags.is_loopback(),
        name: device.name,
        description: device.desc,
    };
    Ok(devices.into_iter().map(interface).collect())
}

impl LiveCapture {
    /// Starts to capture.
    ///
    /// # Errors
    /// Without the right to, without such an interface, or with a filter that does not compile.
    pub fn open(options: &LiveOptions) -> Result<Self, SourceError> {
        let name = options.interface.as_str();
        let failed = |error: pcap::Error| classify(name, &error);
        let bounded = |octets: usize| i32::try_from(octets).unwrap_or(i32::MAX);
        let timeout = i32::try_from(options.timeout.as_millis()).unwrap_or(i32::MAX).max(1);
        let mut capture = Capture::from_device(name)
            .map_err(failed)?
            .promisc(options.promiscuous)
            .snaplen(bounded(options.snaplen))
            .buffer_size(bounded(options.buffer_octets))
            .immediate_mode(options.immediate)
            .timeout(timeout)
            .precision(Precision::Nano)
            .open()
            .map_err(failed)?;
        if let Some(filter) = &options.filter {
            capture.filter(filter, true).map_err(|error| SourceError::Filter {
                interface: name.into(),
                filter: filter.clone(),
                reason: words(&error),
            })?;
        }
        let link = LinkType(u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX));
        Ok(Self {
            interface: name.into(),
            // Waiting is done outside of libpcap, whose own wait has no end on a silent interface.
            capture: capture.setnonblock().map_err(failed)?,
            link,
            timeout: PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX),
            statistics: LiveStatistics::default(),
            last: (0, 0, 0),
        })
    }

    /// The interface's name.
    pub fn interface(&self) -> &Arc<str> {
        &self.interface
    }

    /// Empties `batch` and fills it with what came; waits for the first frame for as long as the options say. 0: none came.
    ///
    /// # Errors
    /// Where the capture ended by itself: the interface is gone.
    pub fn next_batch(&mut self, batch: &mut FrameBatch) -> Result<usize, SourceError> {
        batch.clear();
        if self.dispatch(batch)? == 0 {
            let mut ready = [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, self.timeout) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(0),
                Ok(_) => {}
                Err(error) => return Err(self.ended(error.to_string())),
            }
            self.dispatch(batch)?;
        }
        Ok(batch.len())
    }

    /// What libpcap counted since the start.
    ///
    /// # Errors
    /// Where the interface is gone.
    pub fn statistics(&mut self) -> Result<LiveStatistics, SourceError> {
        let now = self.capture.stats().map_err(|error| self.ended(words(&error)))?;
        let grow = |total: &mut u64, last: &mut u32, now: u32| {
            *total = total.saturating_add(u64::from(now.wrapping_sub(*last)));
            *last = now;
        };
        grow(&mut self.statistics.received, &mut self.last.0, now.received);
        grow(&mut self.statistics.dropped, &mut self.last.1, now.dropped);
        grow(&mut self.statistics.interface_dropped, &mut self.last.2, now.if_dropped);
        Ok(self.statistics)
    }

    fn dispatch(&mut self, batch: &mut FrameBatch) -> Result<usize, SourceError> {
        let link = self.link;
        let outcome = self.capture.dispatch(Some(BATCH), |packet| {
            let seconds = Timestamp::from_secs(packet.header.ts.tv_sec);
            // With nanosecond precision the field of microseconds holds nanoseconds.
            let nanos = Duration::from_nanos(u64::try_from(packet.header.ts.tv_usec).unwrap_or(0));
            batch.push(&Frame { at: seconds.after(nanos), link, octets: packet.data, original_len: packet.header.len });
        });
        match outcome {
            Ok(count) => Ok(count),
            Err(pcap::Error::TimeoutExpired | pcap::Error::NoMorePackets) => Ok(0),
            Err(error) => Err(self.ended(words(&error))),
        }
    }

    fn ended(&self, reason: String) -> SourceError {
        SourceError::Capture { interface: self.interface.to_string(), reason }
    }
}

/// What libpcap says, without the crate's own words around it.
fn words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.clone(),
        error => error.to_string(),
    }
}

/// Which error it is: libpcap only has words for it.
fn classify(name: &str, error: &pcap::Error) -> SourceError {
    let reason = words(error);
    let known = interfaces().unwrap_or_default();
    if !known.is_empty() && !known.iter().any(|interface| interface.name == name) {
        let known: Vec<String> = known.into_iter().map(|interface| interface.name).collect();
        return SourceError::NoInterface { interface: name.into(), known: known.join(", ") };
    }
    if reason.contains("permission") || reason.contains("not permitted") {
        return SourceError::NotAllowed { interface: name.into() };
    }
    SourceError::Capture { interface: name.into(), reason }
}
