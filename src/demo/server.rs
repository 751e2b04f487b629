//! A provider's HTTP server.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::LOOPBACK;
use super::provider::{Call, Limits, Provider, Tally};

/// A listening server; it runs as long as the runtime that started it.
#[derive(Debug)]
pub(super) struct Server {
    provider: Provider,
    address: SocketAddr,
    host: Arc<str>,
    limits: Arc<Mutex<Limits>>,
}

impl Server {
    /// Listens on a free port of loopback.
    pub(super) async fn start(provider: Provider, window_scale: f64) -> std::io::Result<Self> {
        let listener = TcpListener::bind((LOOPBACK, 0)).await?;
        let address = listener.local_addr()?;
        let limits = Arc::new(Mutex::new(Limits::new(provider, window_scale)));
        tokio::spawn(accept(listener, Arc::clone(&limits)));
        let host = format!("{}.localhost:{}", provider.name(), address.port()).into();
        Ok(Self { provider, address, host, limits })
    }

    pub(super) const fn provider(&self) -> Provider {
        self.provider
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn host(&self) -> Arc<str> {
        Arc::clone(&self.host)
    }

    pub(super) fn tally(&self) -> Tally {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).tally.clone()
    }
}

async fn accept(listener: TcpListener, limits: Arc<Mutex<Limits>>) {
    // An error here is a client that gave up before it was accepted.
    loop {
        if let Ok((stream, peer)) = listener.accept().await {
            tokio::spawn(serve(stream, peer.ip(), Arc::clone(&limits)));
        }
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, limits: Arc<Mutex<Limits>>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let response = respond(&request, peer, &limits);
        async move { Ok::<_, Infallible>(response) }
    });
    // A connection that breaks is the client's affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

fn respond(request: &Request<Incoming>, peer: IpAddr, limits: &Mutex<Limits>) -> Response<Full<Bytes>> {
    let credential = request
        .headers()
        .get(AUTHORIZATION)
        .or_else(|| request.headers().get("x-api-key"))
        .and_then(|value| value.to_str().ok())
        .map(|value| value.trim_start_matches("Bearer "));
    let call = Call { method: request.method().as_str(), path: request.uri().path(), credential, peer };
    let unix_now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let answer = limits.lock().unwrap_or_else(PoisonError::into_inner).answer(&call, Instant::now(), unix_now);
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.fields {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
