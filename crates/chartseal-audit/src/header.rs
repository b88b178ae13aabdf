use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use chartseal_merkle::{Hash, MapKey, MapProof, ProofError, verify_inclusion};
use chartseal_wire::{BlockHeader, PublicKey, Time};

use crate::policy::{Quorum, TrustPolicy};
use crate::report::{Certified, Cosigner, assumptions};
use crate::signatures::Signed;
use crate::verdict::{Stop, Verdict};
use crate::verify::{Head, Options, check_freshness, judged};

/// A block's header that the network agreed on: it fixes the state after the block, the block's
/// transactions, and every block before it. So one header and one proof show one fact.
///
/// ```
/// use chartseal_audit::{Options, TrustPolicy, Verdict, verify_header};
///
/// # let file = include_str!("../tests/vectors/visit.tlog-proof");
/// # let policy = TrustPolicy::parse(include_str!("../tests/vectors/trust.policy"))?;
/// # let export = chartseal_wire::ProofFile::parse(file)?.extra;
/// # let export: chartseal_wire::Export = chartseal_codec::from_bytes(&export).unwrap();
/// # let section = &export.histories[0];
/// # let (key, value, proof) = (section.subject.slot(), chartseal_codec::to_bytes(&section.log), &section.proof);
/// let Verdict::Proved(head) = verify_header(file, &policy, &Options::default()) else {
///     panic!("not this network's, or not checkable");
/// };
/// // Of a state that no node can change afterwards: this key has this value, and no other.
/// assert!(head.value(&key, Some(&value), proof).is_ok());
/// assert!(head.value(&key, None, proof).is_err());
/// # Ok::<(), chartseal_wire::FormatError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvedHeader {
    /// The header.
    pub header: BlockHeader,
    /// The chain's log, as the policy names it.
    pub origin: String,
    /// The proposer's key that signed the checkpoint.
    pub log_key: PublicKey,
    /// The witnesses that cosigned it, in the policy's order.
    pub witnesses: Vec<Cosigner>,
    /// The committee's certificate, if the policy names the committee and the file has one.
    pub certified: Option<Certified>,
    /// How they meet the policy's quorum.
    pub quorum: Quorum,
    /// Up to when nothing that the network agreed on is newer, as [`Report::fresh_as_of`](crate::Report::fresh_as_of).
    pub fresh_as_of: Time,
    /// On what this rests, in sentences.
    pub assumptions: Vec<String>,
}

/// Verifies the header of an export file, and nothing else in it: histories may be missing, and those that
/// are there are not judged. The signatures, the certificate and the inclusion are, by the rules of
/// [`verify`](crate::verify).
///
/// Nothing is remembered: who must not be shown an older header than before compares
/// heights, or asks for freshness.
pub fn verify_header(file: &str, policy: &TrustPolicy, options: &Options) -> Verdict<ProvedHeader> {
    judged(prove_header(file, policy, options))
}

fn prove_header(file: &str, policy: &TrustPolicy, options: &Options) -> Result<ProvedHeader, Stop> {
    let head = Head::read(file, policy, None, &mut Vec::new())?;
    let signed = head.signed.as_ref();
    let (_, _, quorum) = signed.map_err(|doubt| Stop::Doubt(doubt.clone()))?;
    let fresh_as_of = head.fresh_as_of(quorum);
    check_freshness(fresh_as_of, options)?;
    let (
        Signed {
            log_key, witnesses, ..
        },
        certified,
        quorum,
    ) = head.signed.map_err(Stop::Doubt)?;
    let rests_on = assumptions(&quorum, certified.as_ref(), &witnesses, policy);
    Ok(ProvedHeader {
        header: head.export.header,
        origin: head.checkpoint.origin,
        log_key,
        witnesses,
        fresh_as_of,
        assumptions: rests_on.collect(),
        certified,
        quorum,
    })
}

impl ProvedHeader {
    /// Whether, after the block, the state has `value` under `key`; `None`: it has nothing there. Keys and
    /// values are those of `docs/ledger.md`.
    ///
    /// # Errors
    /// [`ProofError`]: the proof does not show that.
    pub fn value(
        &self,
        key: &MapKey,
        value: Option<&[u8]>,
        proof: &MapProof,
    ) -> Result<(), ProofError> {
        proof.verify(self.header.state_root, key, value)
    }

    /// Whether the block has a transaction, by its leaf (`SignedTransaction::leaf` of `chartseal-ledger`). Where in
    /// the block it stands is what the proof says: the root does not fix how many there are.
    ///
    /// # Errors
    /// [`ProofError`]: the proof does not show that.
    pub fn transaction(
        &self,
        leaf: Hash,
        index: u64,
        transactions: u64,
        proof: &[Hash],
    ) -> Result<(), ProofError> {
        verify_inclusion(leaf, index, transactions, proof, self.header.tx_root)
    }

    /// Whether another header is that of an earlier block of the chain.
    ///
    /// # Errors
    /// [`ProofError`]: the proof does not show that.
    pub fn earlier(&self, other: &BlockHeader, proof: &[Hash]) -> Result<(), ProofError> {
        let (size, root) = (self.header.log_size, self.header.log_root);
        verify_inclusion(other.leaf(), other.height, size, proof, root)
    }
}

impl fmt::Display for ProvedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, time) = (self.header.height, self.header.time);
        writeln!(f, "Proved: block {height} is the network's.")?;
        writeln!(f, "  chain      {}", self.origin)?;
        let Quorum {
            name,
            signed,
            needed,
            of,
            ..
        } = &self.quorum;
        writeln!(
            f,
            "  quorum     {signed} of {of} of \"{name}\", {needed} needed"
        )?;
        writeln!(f, "  time       {time}, fresh as of {}", self.fresh_as_of)?;
        for line in &self.assumptions {
            writeln!(f, "  assumed    {line}")?;
        }
        Ok(())
    }
}
