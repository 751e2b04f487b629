//! HTTP/1.0 and HTTP/1.1: two streams of octets to exchanges.
//!
//! Knows stream offsets and what each side had heard of the other when it spoke, but no packets and no sockets: decrypted
//! streams can feed it as well. Sources: RFC 9110, RFC 9112.

mod conversation;
mod framing;
mod head;
mod hosts;
mod lenient;
mod lines;
mod memory;
mod methods;
mod names;
mod queue;
mod reader;
mod recognize;
mod request;
mod run;
mod search;
mod shape;
mod shapes;
mod target;
mod waiting;

pub(crate) use conversation::{Context, Conversation};
pub(crate) use memory::Memory;
pub(crate) use reader::Mark;
