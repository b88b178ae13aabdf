use std::sync::Arc;

use bytes::BufMut;
use chartseal_ledger::{Block, tx_root};
use chartseal_wire::Hash;
use commonware_codec::{Buf, EncodeSize, Error, RangeCfg, Read, Write};
use commonware_consensus::types::Height;
use commonware_consensus::{Block as ConsensusBlock, BoundedBlock, Heightable};
use commonware_cryptography::Digestible;
use commonware_cryptography::sha256::Digest;

/// A block as the engine carries it: its canonical bytes behind their length. Its digest is its header's
/// leaf hash, which says nothing of the body, so decoding compares the body with the header's root.
#[derive(Clone, Debug)]
pub(crate) struct EngineBlock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    block: Arc<Block>,
    bytes: Vec<u8>,
    leaf: Hash,
}

impl EngineBlock {
    /// A block that this node made, whose body is that of its header.
    pub(crate) fn new(block: Block) -> Self {
        let (bytes, leaf) = (block.bytes(), block.header.leaf());
        let block = Arc::new(block);
        Self(Arc::new(Inner { block, bytes, leaf }))
    }

    /// A peer's block.
    fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let block = Block::from_bytes(&bytes)
            .map_err(|_| Error::Invalid("block", "not the canonical bytes of a block"))?;
        if tx_root(&block.transactions) != block.header.tx_root {
            return Err(Error::Invalid(
                "block",
                "its transactions are not those of its root",
            ));
        }
        let leaf = block.header.leaf();
        let block = Arc::new(block);
        Ok(Self(Arc::new(Inner { block, bytes, leaf })))
    }

    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.0.block
    }

    pub(crate) fn leaf(&self) -> Hash {
        self.0.leaf
    }
}

/// A leaf hash as the engine has it.
pub(crate) fn digest(leaf: Hash) -> Digest {
    Digest(leaf.0)
}

impl Write for EngineBlock {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.bytes.len().write(buf);
        buf.put_slice(&self.0.bytes);
    }
}

impl EncodeSize for EngineBlock {
    fn encode_size(&self) -> usize {
        self.0.bytes.len().encode_size() + self.0.bytes.len()
    }
}

impl Read for EngineBlock {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let length = usize::read_cfg(buf, &RangeCfg::new(1..=Block::MAX_BYTES))?;
        if buf.remaining() < length {
            return Err(Error::EndOfBuffer);
        }
        let mut bytes = vec![0; length];
        buf.copy_to_slice(&mut bytes);
        Self::from_bytes(bytes)
    }
}

impl Digestible for EngineBlock {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        digest(self.0.leaf)
    }
}

impl Heightable for EngineBlock {
    fn height(&self) -> Height {
        Height::new(self.0.block.header.height)
    }
}

impl ConsensusBlock for EngineBlock {
    fn parent(&self) -> Digest {
        digest(self.0.block.header.parent)
    }
}

impl BoundedBlock for EngineBlock {
    fn max_encode_size((): &()) -> usize {
        Block::MAX_BYTES + Block::MAX_BYTES.encode_size()
    }
}
