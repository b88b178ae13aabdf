//! Somebody in front of a node, who lets it lie.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chartseal::{Asking, Remote};
use chartseal_cluster::Cluster;

use crate::service::remote;

/// What somebody in front of a node does with a request.
pub(crate) enum Deed {
    /// Passes it on, and the answer back.
    Pass,
    /// Answers by themselves.
    Answer(u16, Vec<u8>),
    /// The same, after so long.
    Late(Duration),
    /// Passes it on, and something else than the answer back.
    Change(Box<dyn FnOnce(Vec<u8>) -> Vec<u8>>),
}

/// A node as somebody in front of it lets it appear, who decides by the request's first line and its body.
pub(crate) fn in_front_of(
    cluster: &Cluster,
    number: usize,
    deed: impl Fn(&str, &[u8]) -> Deed + Send + Sync + 'static,
) -> Remote {
    let url = url_in_front_of(cluster, number, deed);
    Remote::new(remote(cluster, number).org(), &url, &Asking::default()).unwrap()
}

/// The same, for a node's configuration.
pub(crate) fn url_in_front_of(
    cluster: &Cluster,
    number: usize,
    deed: impl Fn(&str, &[u8]) -> Deed + Send + Sync + 'static,
) -> String {
    let config = cluster.config(number);
    let service = config.own_service().unwrap().url.clone();
    let to: SocketAddr = service.trim_start_matches("http://").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let deed = Arc::new(deed);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let deed = Arc::clone(&deed);
            thread::spawn(move || pass(stream.unwrap(), to, deed.as_ref()));
        }
    });
    url
}

/// One request and its answer.
fn pass(mut stream: TcpStream, to: SocketAddr, deed: &dyn Fn(&str, &[u8]) -> Deed) {
    let (head, body) = message(&mut stream);
    let Some((line, rest)) = head.split_once("\r\n") else {
        return;
    };
    let asked = || {
        let mut node = TcpStream::connect(to).unwrap();
        let head = format!("{line}\r\nconnection: close\r\n{rest}");
        node.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        message(&mut node)
    };
    let (status, answer) = match deed(line, &body) {
        Deed::Answer(status, answer) => (status.to_string(), answer),
        passed => {
            let (head, answer) = asked();
            let status = head.split(' ').nth(1).unwrap_or("502").to_owned();
            match passed {
                Deed::Change(change) => (status, change(answer)),
                Deed::Late(after) => {
                    thread::sleep(after);
                    (status, answer)
                }
                _ => (status, answer),
            }
        }
    };
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), &answer].concat());
}

/// A message's head, up to its empty line, and its body.
fn message(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut some = [0; 8_192];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end + 4]).to_lowercase();
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|it| it.split("\r\n").next()?.parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                let head = String::from_utf8_lossy(&bytes[..end + 4]).into_owned();
                return (head, bytes.split_off(end + 4));
            }
        }
        match stream.read(&mut some) {
            Ok(len) if len > 0 => bytes.extend(&some[..len]),
            _ => return (String::new(), bytes),
        }
    }
}
