use alloc::string::String;

use chartseal_codec::canonical_struct;
use chartseal_wire::{Checkpoint, SignedNote};

use crate::policy::TrustPolicy;
use crate::signatures;

/// Two signed checkpoints of one log, of one size, with different roots: the signers of both signed
/// two histories. Anybody can check it with [`verify`](Self::verify).
///
/// Its canonical bytes (CBOR, `[note, note]`) are for passing it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// A checkpoint with its signatures.
    pub first: String,
    /// Another one.
    pub second: String,
}

canonical_struct!(Equivocation { first, second });

impl Equivocation {
    /// Whether this proves that the log of `policy` forked: each note is signed as the policy asks,
    /// and they contradict each other.
    pub fn verify(&self, policy: &TrustPolicy) -> bool {
        match (read(&self.first, policy), read(&self.second, policy)) {
            (Some(a), Some(b)) => a.origin == b.origin && a.size == b.size && a.root != b.root,
            _ => false,
        }
    }
}

fn read(note: &str, policy: &TrustPolicy) -> Option<Checkpoint> {
    let note = SignedNote::parse(note).ok()?;
    let checkpoint = Checkpoint::parse(&note.text).ok()?;
    signatures::check(&note, &checkpoint, policy).ok()?;
    Some(checkpoint)
}
