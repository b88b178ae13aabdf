//! What vouches for a ledger's newest block: its header, the certificate of each epoch's last block, and its own.
//!
//! From the genesis's committee on, each certificate is of the committee that the one before it brought into office.
//! A newcomer's program checks that on a snapshot of the ledger, and then goes on from there. As a file:
//!
//! ```text
//! chartseal vouchers 1
//! header HEX
//! certificate HEIGHT HEX    one line for each, by height
//! ```

use chartseal_codec::{from_bytes, from_hex, to_hex};
use chartseal_consensus::{CertificateError, verified_certificate};
use chartseal_ledger::store::{Imported, LedgerStore as _};
use chartseal_ledger::{Committee, Genesis, State};
use chartseal_wire::{BlockHeader, Certificate};
use thiserror::Error;

use crate::ledger_store::{LedgerStoreError, RedbLedger};

/// The first line.
const MAGIC: &str = "chartseal vouchers 1";
/// The most certificates: one an epoch.
const MAX: usize = 65_536;

/// What vouches for a ledger's newest block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouchers {
    /// The newest block's.
    pub header: BlockHeader,
    /// By height: of each epoch's last block, and of the newest one.
    pub certificates: Vec<(u64, Certificate)>,
}

/// Why nothing vouches for a snapshot.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VoucherError {
    /// `CS-JOIN-01`: not a file of vouchers.
    #[error("line {line}: {why}")]
    Malformed {
        /// Which, from 1.
        line: usize,
        /// What should be there.
        why: &'static str,
    },
    /// `CS-JOIN-02`: another genesis.
    #[error("the snapshot is of another network than this node's genesis starts")]
    OtherChain,
    /// `CS-JOIN-03`: no certificate.
    #[error("nobody vouches for block {height}: its certificate is missing")]
    Uncertified {
        /// Whose certificate is missing.
        height: u64,
    },
    /// `CS-JOIN-04`: a certificate that is none of the block's committee.
    #[error("the certificate of block {height} does not vouch for it: {why}")]
    Certificate {
        /// Of which block.
        height: u64,
        /// What is wrong.
        why: CertificateError,
    },
    /// `CS-JOIN-05`: a certificate of another block.
    #[error("the certificate of block {height} is of another block")]
    OtherBlock {
        /// Of which block it should be.
        height: u64,
    },
    /// `CS-JOIN-06`: a committee that the epoch before did not name.
    #[error("the snapshot has another committee for epoch {epoch} than the certified header names")]
    Committee {
        /// The epoch.
        epoch: u64,
    },
}

impl VoucherError {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "CS-JOIN-01",
            Self::OtherChain => "CS-JOIN-02",
            Self::Uncertified { .. } => "CS-JOIN-03",
            Self::Certificate { .. } => "CS-JOIN-04",
            Self::OtherBlock { .. } => "CS-JOIN-05",
            Self::Committee { .. } => "CS-JOIN-06",
        }
    }
}

/// The file's text.
impl std::fmt::Display for Vouchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = to_hex(&self.header.bytes());
        writeln!(f, "{MAGIC}\nheader {header}")?;
        for (height, certificate) in &self.certificates {
            let certificate = to_hex(&certificate.bytes());
            writeln!(f, "certificate {height} {certificate}")?;
        }
        Ok(())
    }
}

impl Vouchers {
    /// Those of a stored ledger; `None` if it is empty, or lacks its newest block's certificate.
    ///
    /// # Errors
    /// [`LedgerStoreError`].
    pub fn of(ledger: &RedbLedger) -> Result<Option<Self>, LedgerStoreError> {
        let Some(header) = ledger.head()? else {
            return Ok(None);
        };
        let mut certificates = Vec::new();
        for (height, certificate) in ledger.certificates()? {
            // Those of the newest block and of each epoch's last one: others vouch for nothing more.
            let next = ledger.header(height + 1)?;
            let next = next.and_then(|bytes| from_bytes::<BlockHeader>(&bytes).ok());
            if next.is_none_or(|next| next.epoch > certificate.epoch) {
                certificates.push((height, certificate));
            }
        }
        let is_certified = certificates.last().is_some_and(|(height, newest)| {
            *height == header.height && newest.block == header.leaf()
        });
        Ok(is_certified.then_some(Self {
            header,
            certificates,
        }))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`VoucherError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, VoucherError> {
        let wrong = |line, why| VoucherError::Malformed { line, why };
        let mut lines = (1..).zip(text.lines());
        let (_, first) = lines.next().unwrap_or((1, ""));
        if first != MAGIC {
            return Err(wrong(1, "not `chartseal vouchers 1`"));
        }
        let header = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix("header "));
        let header = header
            .and_then(|hex| from_hex(hex).ok())
            .and_then(|bytes| from_bytes(&bytes).ok());
        let header = header.ok_or_else(|| wrong(2, "not `header` and a block's header in hex"))?;
        let mut certificates = Vec::new();
        for (at, line) in lines {
            let bad = || wrong(at, "not `certificate`, a height and a certificate in hex");
            let rest = line.strip_prefix("certificate ").ok_or_else(bad)?;
            let (height, bytes) = rest.split_once(' ').ok_or_else(bad)?;
            let height = height.parse().map_err(|_| bad())?;
            let certificate = from_hex(bytes)
                .ok()
                .and_then(|bytes| Certificate::parse(&bytes).ok());
            certificates.push((height, certificate.ok_or_else(bad)?));
            if certificates.len() > MAX {
                return Err(wrong(at, "more certificates than 65536"));
            }
        }
        if !certificates.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(wrong(3, "certificates not by height"));
        }
        let vouchers = Self {
            header,
            certificates,
        };
        // One file, one text: no sign before a height, no other end of a line.
        if vouchers.to_string() == text {
            Ok(vouchers)
        } else {
            Err(wrong(1, "not as this program writes it"))
        }
    }

    /// Whether the committees of a chain, from its genesis's on, vouch for a snapshot. Its headers, state and histories
    /// lead to the vouchers' header: importing it has shown that.
    ///
    /// # Errors
    /// [`VoucherError`].
    pub fn check(&self, snapshot: &Imported, genesis: &Genesis) -> Result<(), VoucherError> {
        let headers = &snapshot.headers;
        if headers.first() != Some(&genesis.header()) {
            return Err(VoucherError::OtherChain);
        }
        let state = snapshot.reloaded.overlay.state();
        let ends = headers.windows(2).filter_map(|pair| match pair {
            [last, next] if next.epoch != last.epoch => Some(last),
            _ => None,
        });
        self.check_epochs(genesis, &state, ends).map(drop)
    }

    /// The same for whoever has the chain in another form: `ends` are the last headers of the epochs that are over, in
    /// order, and `state` is that after the vouchers' header. Gives the committee that certified this header.
    ///
    /// # Errors
    /// [`VoucherError`].
    pub fn check_epochs<'a>(
        &self,
        genesis: &Genesis,
        state: &State<'_>,
        ends: impl IntoIterator<Item = &'a BlockHeader>,
    ) -> Result<Committee, VoucherError> {
        let mut committee = genesis.committee().clone();
        for last in ends {
            self.check_block(last, &committee)?;
            let epoch = last.epoch.saturating_add(1);
            let named = state.committee_of(epoch);
            committee = named
                .filter(|named| named.hash() == last.next_committee)
                .ok_or(VoucherError::Committee { epoch })?;
        }
        self.check_block(&self.header, &committee)?;
        Ok(committee)
    }

    fn check_block(&self, header: &BlockHeader, committee: &Committee) -> Result<(), VoucherError> {
        let height = header.height;
        let found = self.certificates.iter().find(|(at, _)| *at == height);
        let (_, certificate) = found.ok_or(VoucherError::Uncertified { height })?;
        if certificate.block != header.leaf() {
            return Err(VoucherError::OtherBlock { height });
        }
        verified_certificate(&certificate.bytes(), &header.chain, committee)
            .map(drop)
            .map_err(|why| VoucherError::Certificate { height, why })
    }
}
