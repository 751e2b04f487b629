#![doc = include_str!("ARCHITECTURE.md")]

pub mod model;

pub mod source;

pub mod decode;

pub mod extract;

pub mod track;

pub mod alert;

pub mod store;

pub mod export;

pub mod ui;

pub mod report;

pub mod config;

pub mod demo;

pub mod cli;
pub mod clock;
pub mod command;
pub mod pipeline;
pub mod privilege;
pub mod telemetry;
