//! What a Byzantine validator overhears: blocks and certificates, to make lies and floods of. And how requests look on the
//! engine's channels.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use chartseal_ledger::Block;
use commonware_codec::varint::UInt;
use commonware_codec::{Copying, Decode as _, Encode as _, RangeCfg};
use commonware_consensus::marshal::resolver::handler::Key;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types;
use commonware_cryptography::sha256::Digest;
use commonware_p2p::utils::mux;
use commonware_runtime::IoBuf;

use super::links;

pub type Certificate = types::Certificate<Scheme, Digest>;
/// How often a Byzantine validator did what only the simulation can count.
pub type Deeds = Arc<Mutex<BTreeMap<String, u64>>>;

/// What is final on its validator's disk at a height.
pub type Library = Box<dyn Fn(u64) -> Option<(Block, Option<chartseal_wire::Certificate>)> + Send>;
type Finalization = types::Finalization<Scheme, Digest>;

/// How many blocks and certificates are remembered, of each the newest.
const KEPT: usize = 64;

pub struct Heard {
    /// Of how many validators a committee is.
    members: usize,
    pub blocks: VecDeque<Block>,
    /// With the epoch of the part of the channel that each came on.
    pub certificates: VecDeque<(u64, Certificate)>,
    /// What is final, up to a height.
    kept: Vec<Known>,
    read: u64,
}

impl Heard {
    pub fn new(members: usize) -> Self {
        Self {
            members,
            blocks: VecDeque::new(),
            certificates: VecDeque::new(),
            kept: Vec::new(),
            read: 0,
        }
    }

    /// Takes a message of the channels of blocks and certificates; of others nothing.
    pub fn note(&mut self, channel: u64, message: &IoBuf) {
        match channel {
            links::BLOCKS => self.blocks.extend(read_block(message.as_ref())),
            links::CERTIFICATES => {
                let Ok((epoch, bytes)) = mux::parse(message.clone()) else {
                    return;
                };
                let read = Certificate::decode_cfg(Copying(bytes.as_ref()), &self.members);
                self.certificates
                    .extend(read.ok().map(|certificate| (epoch, certificate)));
            }
            _ => {}
        }
        self.blocks.drain(..self.blocks.len().saturating_sub(KEPT));
        let old = self.certificates.len().saturating_sub(KEPT);
        self.certificates.drain(..old);
    }

    /// Everything that could be answered to a request for a block.
    pub fn known(&self) -> Vec<Known> {
        let alone = self.blocks.iter().map(|block| Known {
            certificate: None,
            block: Arc::new(block.clone()),
        });
        let certified = self.certificates.iter().filter_map(|(_, certificate)| {
            let payload = match certificate {
                Certificate::Notarization(of) => of.proposal.payload,
                Certificate::Finalization(of) => of.proposal.payload,
                Certificate::Nullification(_) => return None,
            };
            let mut blocks = self.blocks.iter();
            let block = blocks.find(|block| block.header.leaf().0 == payload.0)?;
            Some(Known {
                certificate: Some(certificate.clone()),
                block: Arc::new(block.clone()),
            })
        });
        alone
            .chain(certified)
            .chain(self.kept.iter().cloned())
            .collect()
    }

    /// Takes what became final on its validator's disk since the last time.
    pub fn read(&mut self, library: &Library) {
        while let Some((block, certificate)) = library(self.read + 1) {
            self.read += 1;
            let block = Arc::new(block);
            let certificate = certificate.and_then(|it| {
                let bytes = it.bytes();
                let of = Finalization::decode_cfg(Copying(bytes.as_slice()), &self.members);
                of.ok().map(Certificate::Finalization)
            });
            for certificate in [None, certificate] {
                self.kept.push(Known {
                    certificate,
                    block: Arc::clone(&block),
                });
            }
        }
    }

    /// The newest height.
    pub fn height(&self) -> u64 {
        let heights = self.blocks.iter().map(|block| block.header.height);
        heights.max().unwrap_or_default()
    }

    /// The newest epoch of which there is a certificate.
    pub fn epoch(&self) -> u64 {
        let epochs = self.certificates.iter().map(|(epoch, _)| *epoch);
        epochs.max().unwrap_or_default()
    }
}

/// A block, and the certificate that is sent with it.
#[derive(Clone)]
pub struct Known {
    pub certificate: Option<Certificate>,
    pub block: Arc<Block>,
}

impl Known {
    /// Whether an answer to a request is of this form.
    pub fn is_like(&self, key: &Key<Digest>) -> bool {
        matches!(
            (key, &self.certificate),
            (Key::Block(_), None)
                | (Key::Finalized { .. }, Some(Certificate::Finalization(_)))
                | (Key::Notarized { .. }, Some(Certificate::Notarization(_)))
        )
    }

    /// Whether it is what was asked for.
    pub fn answers(&self, key: &Key<Digest>) -> bool {
        let is_it = match (key, &self.certificate) {
            (Key::Block(digest), _) => self.block.header.leaf().0 == digest.0,
            (Key::Finalized { height }, _) => self.block.header.height == height.get(),
            (Key::Notarized { round }, Some(Certificate::Notarization(of))) => of.round() == *round,
            (Key::Notarized { .. }, _) => false,
        };
        is_it && self.is_like(key)
    }

    /// As marshal answers it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = match &self.certificate {
            Some(Certificate::Notarization(of)) => of.encode().to_vec(),
            Some(Certificate::Finalization(of)) => of.encode().to_vec(),
            _ => Vec::new(),
        };
        bytes.extend_from_slice(&carried(&self.block));
        bytes
    }
}

/// A block as the engine carries it.
pub fn carried(block: &Block) -> Vec<u8> {
    block.bytes().encode().to_vec()
}

fn read_block(bytes: &[u8]) -> Option<Block> {
    let range = (RangeCfg::new(1..=Block::MAX_BYTES), ());
    let bytes = Vec::<u8>::decode_cfg(Copying(bytes), &range).ok()?;
    Block::from_bytes(&bytes).ok()
}

/// A request on a resolver's channel: its number and what is asked for. An answer is none.
pub fn request(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (number, rest) = message.split_at_checked(8)?;
    let (kind, key) = rest.split_first()?;
    (*kind == 0).then_some((number, key))
}

/// An answer to the request of a number, or the word that there is none.
pub fn answer(number: &[u8], value: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = number.to_vec();
    match value {
        Some(value) => {
            bytes.push(1);
            bytes.extend_from_slice(&value.encode());
        }
        None => bytes.push(2),
    }
    bytes
}

/// A request.
pub fn ask(number: u64, key: &[u8]) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(key);
    bytes
}

/// A message on an epoch's part of a channel.
pub fn of_epoch(epoch: u64, bytes: &[u8]) -> Vec<u8> {
    let mut message = UInt(epoch).encode().to_vec();
    message.extend_from_slice(bytes);
    message
}
