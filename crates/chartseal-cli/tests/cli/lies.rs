//! Somebody in front of a node, who lets it lie: at an address of their own, or at the node's with its certificate's key.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chartseal::{Asking, Remote};
use chartseal_cluster::Cluster;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

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
            thread::spawn(move || pass(&mut stream.unwrap(), to, deed.as_ref()));
        }
    });
    url
}

/// Somebody at a node's own address, who shows its certificate. The node itself starts anew, and serves them alone.
pub(crate) fn at_the_address_of(
    cluster: &mut Cluster,
    number: usize,
    deed: impl Fn(&str, &[u8]) -> Deed + Send + Sync + 'static,
) {
    let mut config = cluster.config(number);
    let (own, shown) = (config.api.unwrap(), config.tls.take().unwrap());
    // Of this network's ports, one that nobody has.
    let behind = SocketAddr::new(own.ip(), own.port() + 4);
    config.api = Some(behind);
    cluster.kill(number);
    fs::write(cluster.config_file(number), config.text()).unwrap();
    cluster.start(number);

    let chain = CertificateDer::pem_file_iter(&shown.certificate).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&shown.key).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_no_client_auth().with_single_cert(chain, key);
    let tls = Arc::new(tls.unwrap());
    let listener = TcpListener::bind(own).unwrap();
    let deed = Arc::new(deed);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (deed, tls) = (Arc::clone(&deed), Arc::clone(&tls));
            thread::spawn(move || {
                let session = ServerConnection::new(tls).unwrap();
                let mut stream = StreamOwned::new(session, stream.unwrap());
                pass(&mut stream, behind, deed.as_ref());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
}

/// One request and its answer.
fn pass(stream: &mut (impl Read + Write), to: SocketAddr, deed: &dyn Fn(&str, &[u8]) -> Deed) {
    let (head, body) = message(stream);
    let Some((line, rest)) = head.split_once("\r\n") else {
        return;
    };
    let asked = || {
        // It may start just now: then there is no answer.
        let Ok(mut node) = TcpStream::connect(to) else {
            return (String::new(), Vec::new());
        };
        let head = format!("{line}\r\nconnection: close\r\n{rest}");
        let _ = node.write_all(&[head.as_bytes(), &body].concat());
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
fn message(stream: &mut impl Read) -> (String, Vec<u8>) {
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
