//! The network that is attacked, and what an attacker has of its nodes.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use chartseal::{
    Ask, Class, Clinician, Document, Network, Offer, Options, Patient, Purpose, RecordId, Request,
    TrustPolicy, Verdict, verify,
};
use chartseal_api::{Blocks, FinalBlock, ReleaseAsk};
use chartseal_client::Follower;
use chartseal_cluster::{Cluster, Serves};
use chartseal_codec::from_bytes;
use chartseal_consensus::Replica as _;
use chartseal_envelope::{HeldShare, KemKeyPair};
use chartseal_ledger::{Block, Genesis};
use chartseal_node::serve::TxOutcome;
use chartseal_node::{Clock, EnvelopeFront, Node, NodeKeys, Stores};
use chartseal_vault::{
    BlobId, BlobStore as _, DirBlobStore, FileSecretStore, SecretStore as _, ShareKey, SideKey,
};
use chartseal_wire::{Event, TxId};

use crate::parts::{code, people};
use crate::service::{copied, genesis, keys_of, remote, serving};

pub(super) const CONTENT: &str = "HbA1c 6.1 %, of a diabetes that nobody else shall know of";
pub(super) const REASON: &str = "follow-up, and nobody at the desk shall know";

/// A network of four with one visit.
pub(super) struct Visit {
    pub(super) cluster: Cluster,
    pub(super) network: Network,
    pub(super) genesis: Genesis,
    pub(super) author: Clinician,
    pub(super) doctor: Clinician,
    pub(super) patient: Patient,
    pub(super) record: RecordId,
    /// Permitted, and opened.
    pub(super) request: Request,
    pub(super) grant: TxId,
}

impl Visit {
    pub(super) fn new() -> Self {
        let cluster = serving(Serves::Encrypted);
        let genesis = genesis(&cluster);
        let mut network = Network::connect(&cluster.place()).unwrap();
        let (mut author, mut doctor, mut patient) = people(&mut network);
        let kit = patient.filing_kit();
        let filed = author.file(&mut network, &kit, &[document()], |_| ());
        let record = filed.unwrap()[0].record;
        let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
        let grant = patient.grant(&mut network, &doctor, &offer).unwrap().grant;
        let records = [record];
        let ask = Ask::read(patient.id(), &records, Purpose::Treat).because("visit", REASON);
        let request = doctor.request(&mut network, &ask).unwrap();
        doctor.open(&mut network, &request).unwrap();
        Self {
            cluster,
            network,
            genesis,
            author,
            doctor,
            patient,
            record,
            request,
            grant,
        }
    }

    /// Takes a node's disk and keys. It goes on running, as the attacker wishes.
    pub(super) fn steal(&mut self, number: usize, to: &Path) -> Stolen {
        let config = self.cluster.config(number);
        self.cluster.kill(number);
        let place = to.join(number.to_string());
        copied(&config.directory, &place);
        self.cluster.start(number);
        self.cluster.await_height_of(&[number], 1);
        let keys = self.keys(number);
        let shares = FileSecretStore::<ShareKey>::open(place.join("shares"), &keys.store);
        let side = FileSecretStore::<SideKey>::open(place.join("side"), &keys.store).unwrap();
        let shares = shares.unwrap();
        let (mut held, mut plain) = (Vec::new(), Vec::new());
        for key in shares.keys().unwrap() {
            let share = shares.get(&key).unwrap().unwrap();
            plain.extend_from_slice(share.expose());
            held.push(HeldShare::from_storage_bytes(share.expose()).unwrap());
        }
        let mut fronts = Vec::new();
        for key in side.keys().unwrap() {
            let row = side.get(&key).unwrap().unwrap();
            plain.extend_from_slice(row.expose());
            fronts.extend(from_bytes::<EnvelopeFront>(row.expose()));
        }
        let blobs = DirBlobStore::open(place.join("blobs")).unwrap();
        let body = |front: &EnvelopeFront| blobs.get(&BlobId(front.seal.body_digest().0)).unwrap();
        let records = fronts.iter().map(|it| (it.clone(), body(it).unwrap()));
        let records = records.collect();
        drop((shares, side, blobs));
        let stores = Stores::open(&place, &keys.store).unwrap();
        let org = config.organization;
        let node = Node::open(&self.genesis, org, keys, stores, Clock::System).unwrap();
        Stolen {
            keys: self.keys(number),
            node,
            held,
            records,
            plain,
        }
    }

    /// A node's keys, as they are in its memory.
    pub(super) fn keys(&self, number: usize) -> NodeKeys {
        keys_of(&self.cluster, number)
    }

    /// The chain's first blocks, as an honest node gives them: here, all.
    pub(super) fn blocks(&self) -> Vec<FinalBlock> {
        let blocks = remote(&self.cluster, 0).blocks(1, Duration::ZERO);
        blocks.unwrap().blocks
    }

    /// Who follows the chain, and has so many of these blocks.
    pub(super) fn follower(&self, blocks: &[FinalBlock], height: u64) -> Follower {
        let count = usize::try_from(height).unwrap();
        let mut follower = Follower::new(&self.genesis);
        let blocks = blocks[..count].to_vec();
        follower
            .take(&Blocks { blocks }, NonZeroUsize::MIN)
            .unwrap();
        follower
    }

    /// Brings the attacker's nodes to one block: copies are made one after the other.
    pub(super) fn level(&self, stolen: &mut [Stolen]) {
        let heights = stolen.iter().map(|it| it.node.head().height());
        let newest = heights.max().unwrap();
        let blocks = self.blocks();
        for one in stolen {
            while one.node.head().height() < newest {
                let next = usize::try_from(one.node.head().height()).unwrap();
                let block = Block::from_bytes(&blocks[next].block.0).unwrap();
                one.node.execute(&block).unwrap();
                one.node.commit(block.header.leaf()).unwrap();
            }
        }
    }

    /// What an honest node says to a question for shares: the code of its refusal.
    pub(super) fn refusal(&self, request: TxId, reader: &KemKeyPair) -> String {
        let reader = reader.public_key().clone();
        let ask = ReleaseAsk { request, reader };
        code(remote(&self.cluster, 0).release(&ask, 0, Duration::ZERO))
    }

    /// Waits until a transaction that an honest node took is final, or refused for a reason.
    pub(super) fn settled(&mut self, id: &TxId) -> Result<(), String> {
        let node = remote(&self.cluster, 0);
        for _ in 0..1_200 {
            match node.outcome(id).unwrap() {
                // The network may be told by another node, which has not got so far.
                TxOutcome::Final(height) if self.network.head().unwrap().height() >= height => {
                    return Ok(());
                }
                TxOutcome::Final(_) => self.network.refresh().unwrap(),
                TxOutcome::Refused(why) => return Err(why),
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("neither final nor refused");
    }

    pub(super) fn judged(&self, export: &str) -> Verdict {
        let policy = TrustPolicy::parse(&self.network.trust_policy()).unwrap();
        verify(export, &policy, None, &Options::default())
    }

    /// How many attempts the patient finds in their history.
    pub(super) fn attempts(&self) -> usize {
        let export = self.patient.export(&self.network, None).unwrap();
        accesses(self.judged(&export))
    }
}

/// What the author files.
pub(super) fn document() -> Document<'static> {
    Document::new(Class::LABORATORY, "text/plain", CONTENT.as_bytes())
}

/// How many attempts a history has that is proved.
pub(super) fn accesses(verdict: Verdict) -> usize {
    let Verdict::Proved(report) = verdict else {
        panic!("{verdict}");
    };
    let entries = report.histories[0].entries.iter();
    entries
        .filter(|entry| matches!(entry.event, Event::Access(_)))
        .count()
}

/// All that an attacker has of a node.
pub(super) struct Stolen {
    pub(super) keys: NodeKeys,
    /// The node, run by the attacker on what was its disk.
    pub(super) node: Node,
    pub(super) held: Vec<HeldShare>,
    pub(super) records: Vec<(EnvelopeFront, Vec<u8>)>,
    /// Every row of the encrypted stores, decrypted with its key.
    pub(super) plain: Vec<u8>,
}
