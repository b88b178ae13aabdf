//! One of four validators is this test's own: it speaks to three processes over their real connections, under a node's keys,
//! and proposes what the ledger refuses. They keep evidence of it, by which anybody sees whose it is.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chartseal_cluster::{Cluster, Load, Setting};
use chartseal_consensus::StoreKeeper;
use chartseal_consensus::engine::{Builder, Keys, Settings};
use chartseal_consensus::validator::{Place, ValidatorError, run};
use chartseal_ledger::{MemoryStore, Overlay, Proposed, SignedTransaction, propose};
use chartseal_node::{Clock, evidence_files};
use chartseal_wire::{Hash, Time};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::accused::{check, judged};
use crate::faults::make;
use crate::service::{genesis, keys_of};

/// Proposes what everybody else would, but for the state root.
struct ForgesRoots;

impl Builder for ForgesRoots {
    fn build(
        &self,
        parent: &Overlay,
        time: Time,
        candidates: &mut dyn Iterator<Item = SignedTransaction>,
    ) -> Proposed {
        let mut proposed = propose(parent, time, candidates);
        proposed.block.header.state_root = Hash([9; 32]);
        proposed
    }
}

/// A validator in this process. It ends with the sender, if not before.
struct Liar {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ValidatorError>>,
}

impl Liar {
    /// In the place of a node that does not run.
    fn start(network: &Cluster, number: usize) -> Self {
        let config = network.config(number);
        let genesis = genesis(network);
        let seed = Zeroizing::new(*keys_of(network, number).cosigner.expose_secret_bytes());
        let keys = Keys::from_seed(&seed).unwrap();
        let mut settings = Settings::recommended(Arc::new(|| Clock::System.now()));
        settings.builder = Arc::new(ForgesRoots);
        settings.heartbeat = Duration::from_millis(config.heartbeat_ms.unwrap());
        let peers = config.validators.iter();
        let place = Place {
            listen: config.listen,
            peers: peers.map(|peer| (peer.key, peer.address)).collect(),
            files: network.place().join("liar"),
            threads: 2,
        };
        let (stop, stopped) = oneshot::channel();
        let (is_up, up) = std::sync::mpsc::channel();
        let running = thread::spawn(move || {
            let keeper = StoreKeeper::open(&genesis, MemoryStore::new()).unwrap();
            run(
                settings,
                &genesis,
                &keys,
                Box::new(keeper),
                &place,
                Box::new(move |_| is_up.send(()).unwrap()),
                Box::pin(async move {
                    let _ = stopped.await;
                }),
            )
        });
        up.recv_timeout(Duration::from_secs(60)).unwrap();
        Self { stop, running }
    }

    /// Ends it; panics if it had ended before for a reason of its own.
    fn end(self) {
        self.stop.send(()).unwrap();
        self.running.join().unwrap().unwrap();
    }
}

/// Waits until a node has kept evidence, and gives the files.
fn await_evidence(network: &Cluster, number: usize) -> Vec<PathBuf> {
    let directory = network.config(number).directory;
    for _ in 0..1_200 {
        let files = evidence_files(&directory).unwrap();
        if !files.is_empty() {
            return files;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing is kept: {}", network.log(number));
}

#[test]
fn who_proposes_a_forged_root_to_real_nodes_is_accused_by_what_each_of_them_keeps() {
    let mut network = make(&Setting {
        heartbeat_ms: 300,
        ..Setting::of(4)
    })
    .unwrap();
    let honest = [0, 1, 2];
    for number in honest {
        network.start(number);
    }
    let liar = Liar::start(&network, 3);
    let directories = honest.map(|number| network.config(number).directory);
    let pause = Duration::from_millis(50);
    let load = Load::start(directories.into(), network.authors(), 0, pause);
    load.settle(20);
    let kept = honest.map(|number| await_evidence(&network, number));
    load.settle(20);
    let (acknowledged, _) = load.end();
    liar.end();
    // Its own program goes on in its place, and has what the others made final.
    network.start(3);
    network.assert_nothing_is_lost(&acknowledged);

    let genesis = network.place().join("genesis");
    let more = ["--genesis", genesis.to_str().unwrap()];
    let culprit = network.config(3).organization.to_string();
    for (number, files) in kept.iter().enumerate() {
        // By another one's ledger: whoever it is mailed to.
        let (judge, evidence) = ((number + 1) % honest.len(), fs::read(&files[0]).unwrap());
        let (code, found) = check(&network, judge, &evidence, &more);
        assert_eq!(code, 0, "{found}");
        assert_eq!(found["organization"], culprit.as_str());
        assert_eq!(found["fault"]["rule"], "CS-LED-91");
    }
    let whole = fs::read(&kept[0][0]).unwrap();
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        let ran = judged(&network, 1, &altered, &more);
        assert!([1, 3].contains(&ran.code), "byte {at}: {}", ran.stdout);
    }
}
