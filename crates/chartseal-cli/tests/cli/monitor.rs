//! A node's block log over HTTP, as monitors and witnesses of the C2SP family read it.

use std::io;
use std::net::SocketAddr;

use chartseal_cluster::Serves;
use chartseal_envelope::SigningKeyPair;
use chartseal_node::keys::{public, sign};
use chartseal_tiles::{Source, TileLog, Witness};
use chartseal_wire::note::KeyKind;
use chartseal_wire::{Checkpoint, VerifierKey};

use crate::parts::get;
use crate::service::{sent, serving};

/// A log's files, below `/v1` of a node.
struct Served(SocketAddr);

impl Source for Served {
    fn read(&self, path: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let (head, body) = get(self.0, &format!("/v1/{path}"), "");
        assert!(body.len() <= max);
        Ok(head.starts_with("http/1.1 200").then_some(body))
    }
}

#[test]
fn a_witness_follows_a_nodes_log_over_http() {
    let mut cluster = serving(Serves::Plain);
    let api = cluster.config(0).api.unwrap();
    let log = sent(api, "GET /v1/log-key", b"").1;
    let log = VerifierKey::parse(log.trim_end()).unwrap();
    let keys = SigningKeyPair::generate().unwrap();
    let name = "example.org/witness";
    let key = VerifierKey::new(name, KeyKind::Cosigner, public(&keys)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut witness = Witness::open(key, dir.path(), |bytes: &[u8]| sign(&keys, bytes)).unwrap();
    witness.trust(log);
    let mut size = 0;
    for height in [3, 6, 9] {
        cluster.await_height_of(&[0], height);
        // It takes only what its key signed, and what continues what it cosigned before.
        let cosigned = witness.follow(&Served(api), 1_800_000_000).unwrap();
        assert!(cosigned.size > size.max(height));
        size = cosigned.size;
        let checkpoint = Checkpoint::parse(&cosigned.note.text).unwrap();
        let mut tiles = TileLog::open(Served(api), checkpoint).unwrap();
        assert_eq!(tiles.entries(0).unwrap().len() as u64, size);
    }

    for none in [
        "tile/0/0",
        "tile/8/000",
        "tile/00/000",
        "tile/names/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/+1",
        "tile/0/x000/001",
        "tile/0/x001/x000/000.p/1/1",
    ] {
        let (status, body) = sent(api, &format!("GET /v1/{none}"), b"");
        let is_refused = status == 404 || status == 400 && body.contains("CS-API-01");
        assert!(is_refused, "{none}: {status} {body}");
    }
    for beyond in ["tile/0/999", "tile/7/000.p/1", "tile/entries/x001/x000/000"] {
        assert_eq!(sent(api, &format!("GET /v1/{beyond}"), b"").0, 404);
    }
}
