//! Strangers at a node's port, and a peer's machine gone bad: ten thousand connections, garbage, frames that are too
//! large, peers that are slow on purpose. They are dropped within limits, memory stays bounded, and honest traffic is served.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use chartseal_cluster::{Cluster, Load};

use crate::net::network;

/// By how much the floods of one test may make a node's memory grow. Ten thousand buffers of a message's size would be gigabytes.
const MOST_GROWTH: u64 = 64 << 20;

/// Connects, and gives up at once if the node's queue of connections is full.
fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .ok()?;
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .ok()?;
    Some(stream)
}

/// How many files this process may have open at a time.
fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let mut lines = limits.lines();
    let line = lines.find(|line| line.starts_with("Max open files"));
    let soft = line.unwrap().split_whitespace().nth(3).unwrap();
    soft.parse().unwrap_or(usize::MAX)
}

/// A network under load whose node 0 is the target, and what that node has in memory before.
fn target() -> (Cluster, Load, SocketAddr, u64) {
    let mut cluster = network(300);
    cluster.up();
    let load = cluster.load();
    load.settle(40);
    let address = cluster.config(0).listen;
    let before = cluster.usage(0).resident;
    (cluster, load, address, before)
}

/// Clients were served meanwhile; memory is bounded; nothing is lost.
fn assert_unharmed(mut cluster: Cluster, load: Load, before: u64) {
    load.settle(40);
    let usage = cluster.usage(0);
    println!(
        "resident before {before}, now {}, at most {} bytes",
        usage.resident, usage.peak
    );
    assert!(
        usage.peak <= before + MOST_GROWTH,
        "{before} bytes before, {} at most",
        usage.peak
    );
    let (acknowledged, _) = load.end();
    // A node that was killed meets its peers again, whatever strangers still hold open.
    cluster.kill(0);
    cluster.start(0);
    cluster.assert_nothing_is_lost(&acknowledged);
}

#[test]
fn ten_thousand_connections_are_dropped_and_honest_traffic_is_served() {
    let (cluster, load, address, before) = target();
    let progress = load.acknowledged();
    // A file of this process each; where it may have fewer, those that came first make room.
    let most = open_files().saturating_sub(200).clamp(400, 10_000);
    let (mut open, mut made) = (Vec::new(), 0);
    for _ in 0..10_000 {
        let connected = connect(address);
        made += u32::from(connected.is_some());
        open.extend(connected);
        if open.len() >= most {
            open.drain(..most / 2);
        }
    }
    println!("{made} connections, at most {most} of them at a time");
    assert!(made > 8_000, "{made}");
    assert!(
        load.acknowledged() > progress,
        "clients were served meanwhile"
    );
    assert_unharmed(cluster, load, before);
    drop(open);
}

#[test]
fn garbage_and_frames_that_are_too_large_are_dropped_and_honest_traffic_is_served() {
    let (cluster, load, address, before) = target();
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut garbage = |length: usize| -> Vec<u8> {
        let bytes = (0..length).map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()[0]
        });
        bytes.collect()
    };
    let mut closed = 0;
    for round in 0..400_usize {
        let Some(mut stream) = connect(address) else {
            continue;
        };
        let frame = match round % 4 {
            0 => garbage(1 + round),
            // Lengths that the handshake has no use for, in every notation that a length may have.
            1 => [&[0xff; 9][..], &garbage(64)].concat(),
            2 => [&u32::MAX.to_be_bytes()[..], &garbage(256 * 1_024)].concat(),
            _ => vec![0; 4_096],
        };
        let _ = stream.write_all(&frame);
        let mut rest = [0; 64];
        // The end, or a reset: no more than that comes back.
        closed += usize::from(!matches!(stream.read(&mut rest), Ok(1..)));
    }
    assert!(closed > 0, "connections are dropped");
    assert_unharmed(cluster, load, before);
}

#[test]
fn peers_that_are_slow_on_purpose_hold_nobody_up() {
    let (cluster, load, address, before) = target();
    let mut slow: Vec<_> = (0..200).filter_map(|_| connect(address)).collect();
    let progress = load.acknowledged();
    for _ in 0..20 {
        // A byte of a handshake now and then.
        slow.retain_mut(|stream| stream.write_all(&[1]).is_ok());
        thread::sleep(Duration::from_millis(200));
    }
    assert!(
        load.acknowledged() > progress,
        "clients were served meanwhile"
    );
    // A handshake may take 5 s, however its bytes come.
    thread::sleep(Duration::from_secs(3));
    for stream in &mut slow {
        let mut rest = [0; 64];
        let ended = stream.read(&mut rest);
        let open = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!open, "a handshake that does not end is ended");
    }
    assert_unharmed(cluster, load, before);
}
