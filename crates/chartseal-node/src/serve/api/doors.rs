//! How many connections are open at a time, in all and of one address; and that they take what they are sent.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use super::limits::network;

/// How many connections are open at a time, and of one address among them: whole hospitals come from one.
pub(super) const CONNECTIONS: usize = 4_096;
pub(super) const OF_ONE: usize = 1_024;

/// For how long a client may take nothing of an answer.
const STALLED: Duration = Duration::from_secs(20);

/// Lets connections in while there is room; others are closed before a byte of them is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Doors(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    by: Mutex<BTreeMap<IpAddr, usize>>,
    refused: AtomicU64,
}

impl Doors {
    /// How many connections are open, and how many were closed at once.
    pub(super) fn count(&self) -> (u64, u64) {
        let open: usize = self.0.lock().values().sum();
        (open as u64, self.0.refused.load(Ordering::Relaxed))
    }

    fn enter(&self, from: IpAddr) -> Option<Place> {
        let from = network(from);
        let mut by = self.0.lock();
        let open: usize = by.values().sum();
        let of_one = by.get(&from).copied().unwrap_or(0);
        if open >= CONNECTIONS || of_one >= OF_ONE {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        by.insert(from, of_one + 1);
        let inside = Arc::clone(&self.0);
        Some(Place { inside, from })
    }
}

impl Inside {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
struct Place {
    inside: Arc<Inside>,
    from: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by = self.inside.lock();
        let left = by.get(&self.from).copied().unwrap_or(0).saturating_sub(1);
        if left == 0 {
            by.remove(&self.from);
        } else {
            by.insert(self.from, left);
        }
    }
}

impl<S> Accept<TcpStream, S> for Doors {
    type Stream = Pin<Box<TimeoutStream<TcpStream>>>;
    type Service = Inmate<S>;
    type Future = Ready<io::Result<(Self::Stream, Inmate<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let entered = stream.peer_addr().and_then(|from| {
            stream.set_nodelay(true)?;
            let full = || io::Error::other("too many connections");
            let place = self.enter(from.ip()).ok_or_else(full)?;
            let place = Arc::new(place);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(STALLED));
            Ok((Box::pin(stream), Inmate { service, place }))
        });
        ready(entered)
    }
}

/// What serves a connection: it goes when the connection goes.
#[derive(Clone, Debug)]
pub(super) struct Inmate<S> {
    service: S,
    #[expect(dead_code, reason = "held, not read")]
    place: Arc<Place>,
}

impl<S: Service<R>, R> Service<R> for Inmate<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_share_and_gives_it_back() {
        let doors = Doors::default();
        let first: Vec<_> = (0..OF_ONE)
            .map_while(|_| doors.enter([192, 0, 2, 1].into()))
            .collect();
        assert_eq!(first.len(), OF_ONE);
        assert!(doors.enter([192, 0, 2, 1].into()).is_none());
        let others: Vec<_> = (0..=u8::MAX)
            .flat_map(|last| (0..OF_ONE).map(move |_| last))
            .map_while(|last| doors.enter([198, 51, 100, last].into()))
            .collect();
        assert_eq!(others.len(), CONNECTIONS - OF_ONE);
        drop(others);
        drop(first);
        assert_eq!(doors.count(), (0, 2));
        assert!(doors.enter([192, 0, 2, 1].into()).is_some());
    }
}
