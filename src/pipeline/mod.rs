//! The wiring: sources to decoders to the engine to the edges.
//!
//! [`Engine`] is the whole judgement without a clock or a thread: observations and time in, alerts and snapshots out.
//! [`replay`](fn@replay) drives it from files, [`Live`] from interfaces and growing files; both by the same lanes and the same
//! [`Sequencer`], so that live traffic and its recording are judged alike.

mod capture_reader;
mod disorder;
mod engine;
mod feed;
mod judgement;
mod lane;
mod live;
mod observed;
mod recorder;
mod replay;
mod sequencer;
mod source_lane;
mod stage;
mod threads;
mod turns;

pub use engine::{Engine, EngineOptions, Sink};
pub use live::{Live, LiveOptions, LiveSource, Summary};
pub use recorder::Recorder;
pub use replay::{ReplayOptions, Replayed, replay};
pub use sequencer::Sequencer;
