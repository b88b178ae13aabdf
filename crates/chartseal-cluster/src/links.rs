use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// How a link is at the moment, in each direction alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Nothing comes through: what is under way waits, new connections are taken and go nowhere.
    pub cut: bool,
    /// How long everything takes from one end to the other.
    pub delay: Duration,
    /// By how much longer, at most: each piece another time, so that what two links carry is reordered.
    pub jitter: Duration,
    /// The most bytes in a second; `None`: as many as the machine can.
    pub bytes_per_second: Option<u32>,
}

/// How many bytes are taken off a connection at a time.
const PIECE: usize = 32 * 1024;
/// How many pieces may be under way in one direction of one connection.
const UNDER_WAY: usize = 256;

/// Links between nodes: for each pair, and whoever of the two dials, a listening proxy.
/// All connections end with it.
#[derive(Debug)]
pub struct Links {
    ip: IpAddr,
    runtime: Option<Runtime>,
    wires: BTreeMap<(usize, usize), watch::Sender<Link>>,
}

impl Links {
    /// No links yet; proxies will listen at this address, at ports that the system gives.
    pub fn new(ip: IpAddr) -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build()?;
        Ok(Self {
            ip,
            runtime: Some(runtime),
            wires: BTreeMap::new(),
        })
    }

    /// A proxy at which node `from` reaches node `to`, which listens at `target`.
    pub fn open(&mut self, from: usize, to: usize, target: SocketAddr) -> io::Result<SocketAddr> {
        let runtime = self.runtime.as_ref().unwrap();
        let listener = runtime.block_on(TcpListener::bind((self.ip, 0)))?;
        let address = listener.local_addr()?;
        let link = self.wires.entry((from.min(to), from.max(to)));
        let link = link.or_insert_with(|| watch::channel(Link::default()).0);
        runtime.spawn(accept(listener, target, link.subscribe()));
        Ok(address)
    }

    /// Sets the link between two nodes, whoever of them dialled.
    pub fn set(&self, one: usize, other: usize, link: Link) {
        let key = (one.min(other), one.max(other));
        self.wires[&key].send_replace(link);
    }

    /// Sets all links.
    pub fn set_all(&self, link: Link) {
        for sender in self.wires.values() {
            sender.send_replace(link);
        }
    }

    /// Cuts every link between the two sides, and mends all others.
    pub fn part(&self, side: &[usize]) {
        for ((one, other), sender) in &self.wires {
            let cut = side.contains(one) != side.contains(other);
            sender.send_replace(Link {
                cut,
                ..Link::default()
            });
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, link: watch::Receiver<Link>) {
    loop {
        let Ok((from, _)) = listener.accept().await else {
            // Out of file descriptors, say: others may end meanwhile.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        tokio::spawn(carry(from, target, link.clone()));
    }
}

/// One connection. It ends when either end does.
async fn carry(from: TcpStream, target: SocketAddr, mut link: watch::Receiver<Link>) {
    if whole(&mut link).await.is_none() {
        return;
    }
    let Ok(to) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
    tokio::select! {
        () = one_way(from_read, to_write, link.clone()) => {},
        () = one_way(to_read, from_write, link) => {},
    }
}

async fn one_way(mut from: OwnedReadHalf, to: OwnedWriteHalf, mut link: watch::Receiver<Link>) {
    let (pieces, queue) = mpsc::channel::<(Instant, Arc<[u8]>)>(UNDER_WAY);
    let mut written = pin!(write(to, queue, link.clone()));
    let read = async move {
        let mut buffer = vec![0; PIECE];
        let mut number = 0_u32;
        loop {
            let now = whole(&mut link).await?;
            let read = from.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
            number = number.wrapping_add(1);
            let due = Instant::now() + now.delay + now.jitter * (hash(number) % 1_000) / 1_000;
            pieces.send((due, buffer[..read].into())).await.ok()?;
        }
    };
    tokio::select! {
        () = &mut written => return,
        None::<()> = read => {},
    }
    // What came before the end is still on its way.
    written.await;
}

async fn write(
    mut to: OwnedWriteHalf,
    mut queue: mpsc::Receiver<(Instant, Arc<[u8]>)>,
    mut link: watch::Receiver<Link>,
) {
    while let Some((due, piece)) = queue.recv().await {
        sleep_until(due).await;
        let Some(now) = whole(&mut link).await else {
            return;
        };
        if let Some(rate) = now.bytes_per_second {
            let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            sleep(Duration::from_secs_f64(
                f64::from(bytes) / f64::from(rate.max(1)),
            ))
            .await;
        }
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// Waits until the link is not cut. `None`: it is gone.
async fn whole(link: &mut watch::Receiver<Link>) -> Option<Link> {
    link.wait_for(|link| !link.cut).await.ok().map(|link| *link)
}

/// Numbers that look like chance and are the same every time.
fn hash(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b9).rotate_left(13)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    /// A server that sends back what it gets, and a link to it.
    fn echo() -> (Links, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4];
            while stream.read_exact(&mut bytes).is_ok() {
                stream.write_all(&bytes).unwrap();
            }
        });
        let mut links = Links::new(Ipv4Addr::LOCALHOST.into()).unwrap();
        let address = links.open(0, 1, target).unwrap();
        (links, TcpStream::connect(address).unwrap())
    }

    fn ask(stream: &mut TcpStream, bytes: [u8; 4]) -> io::Result<[u8; 4]> {
        let mut back = [0; 4];
        stream.write_all(&bytes)?;
        stream.read_exact(&mut back)?;
        Ok(back)
    }

    #[test]
    fn what_goes_in_comes_out_after_the_delay_of_both_ways() {
        let (links, mut stream) = echo();
        assert_eq!(ask(&mut stream, *b"past").unwrap(), *b"past");
        let delay = Duration::from_millis(40);
        links.set(
            1,
            0,
            Link {
                delay,
                ..Link::default()
            },
        );
        // What was being waited for before counts with the delay of before.
        ask(&mut stream, *b"once").unwrap();
        let begun = Instant::now();
        assert_eq!(ask(&mut stream, *b"slow").unwrap(), *b"slow");
        assert!(begun.elapsed() >= 2 * delay);
    }

    #[test]
    fn a_cut_link_carries_nothing_and_everything_once_it_is_mended() {
        let (links, mut stream) = echo();
        ask(&mut stream, *b"past").unwrap();
        links.part(&[0]);
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        stream.write_all(b"lost").unwrap();
        let mut back = [0; 4];
        stream.read_exact(&mut back).unwrap_err();
        links.part(&[]);
        stream.set_read_timeout(None).unwrap();
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"lost");
    }
}
