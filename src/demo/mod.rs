//! The five providers as real HTTP servers on loopback, and clients that drive them towards their limits and past them.
//!
//! Nothing here is part of the agent: it is the traffic that the agent watches, over real sockets. The servers limit as
//! the providers' documents say; [`Demo::tally`] is what they really refused, so that a test can hold the agent's
//! numbers against it.

mod client;
mod limiter;
mod provider;
mod server;
mod tap;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

pub use client::{Actor, Pace, Phase};
pub use provider::{Provider, Tally};

use crate::model::OwnedFrame;

/// How the demo runs.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoOptions {
    /// Which providers to start.
    pub providers: Vec<Provider>,
    /// What each window of the documents is multiplied by; below 1 it is shorter, which a test wants.
    pub window_scale: f64,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { providers: Provider::ALL.to_vec(), window_scale: 1.0 }
    }
}

/// A running demo; dropping it ends its servers and clients.
#[derive(Debug)]
pub struct Demo {
    runtime: Option<tokio::runtime::Runtime>,
    servers: Vec<server::Server>,
    sender: Sender<OwnedFrame>,
    frames: Receiver<OwnedFrame>,
}

/// What kept the demo from starting.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the demo's servers on loopback: {0}; is 127.0.0.1 up?")]
pub struct DemoError(#[from] std::io::Error);

impl Demo {
    /// Starts the servers.
    ///
    /// # Errors
    /// Where loopback cannot be listened on.
    pub fn start(options: &DemoOptions) -> Result<Self, DemoError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("demo")
            .enable_io()
            .enable_time()
            .build()?;
        let servers = options
            .providers
            .iter()
            .map(|&provider| runtime.block_on(server::Server::start(provider, options.window_scale)))
            .collect::<Result<Vec<_>, _>>()?;
        let (sender, frames) = crossbeam_channel::bounded(tap::QUEUE);
        Ok(Self { runtime: Some(runtime), servers, sender, frames })
    }

    /// Starts the clients. With `tap` their octets are copied into [`Demo::frames`], for a machine where loopback may not
    /// be captured.
    pub fn start_clients(&self, tap: bool) {
        let Some(runtime) = &self.runtime else { return };
        let tap = tap.then(|| tap::Tap::new(self.sender.clone()));
        for server in &self.servers {
            for actor in client::actors(server.provider()) {
                runtime.spawn(client::act(actor, server.address(), server.host(), tap.clone()));
            }
        }
    }

    /// Each server: provider, address, and the authority that its clients name in `Host`.
    pub fn servers(&self) -> impl Iterator<Item = (Provider, SocketAddr, Arc<str>)> {
        self.servers.iter().map(|s| (s.provider(), s.address(), s.host()))
    }

    /// The frames made of the clients' octets, where [`Demo::start_clients`] was asked for them.
    pub const fn frames(&self) -> &Receiver<OwnedFrame> {
        &self.frames
    }

    /// What a provider's server answered so far.
    pub fn tally(&self, provider: Provider) -> Tally {
        self.servers.iter().find(|s| s.provider() == provider).map(server::Server::tally).unwrap_or_default()
    }

    /// A capture filter that lets the demo's servers through and nothing else.
    pub fn filter(&self) -> String {
        let ports: Vec<String> = self.servers.iter().map(|s| format!("tcp port {}", s.address().port())).collect();
        ports.join(" or ")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// The address that the demo's servers listen on.
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
