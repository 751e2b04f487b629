//! What the agent knows, as JSON documents and as text.
//!
//! Everything here is a pure function of an [`Observation`](crate::model::Observation), an
//! [`Alert`](crate::model::Alert) or a [`Snapshot`](crate::model::Snapshot) into a writer. The JSON is what users script
//! against; the text is for people and may change.

mod event;
pub mod history;
mod line;
mod printable;
mod quantity;
mod summary;
mod table;
mod text;

pub use event::{ReadingLine, write_announcement, write_event};
pub use line::{alert_line, exchange_line};
pub use printable::printable;
pub use quantity::{ago, amount, duration, percent};
pub use summary::write_summary;
pub use table::Table;
pub use text::write_text;
