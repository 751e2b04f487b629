//! What comes again with most messages, remembered across the connections of one decoder.
//!
//! It only spares work that was done before for the same octets; what comes out never depends on it.

use super::hosts::Hosts;
use super::methods::Methods;
use super::names::Names;
use super::shapes::Shapes;

/// What comes again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) methods: Methods,
    pub(crate) names: Names,
    pub(crate) hosts: Hosts,
    pub(crate) requests: Shapes,
    pub(crate) responses: Shapes,
}
