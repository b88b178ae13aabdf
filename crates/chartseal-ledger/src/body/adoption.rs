use alloc::vec::Vec;

use chartseal_codec::{Encoder, canonical_struct};
use chartseal_wire::domain::{ADOPTION, tagged};
use chartseal_wire::{ChainId, PatientId, RecordId, Signature};

/// Two ids are one person: the signer's goes on, the other ends. By the patient.
///
/// Records, directives and permits of the adopted id are the signer's from then on, and what happens
/// to them enters the signer's history. The adopted id's history stays, and ends with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The id that ends.
    pub adopted: PatientId,
    /// Over [`to_agree`](Self::to_agree): by the office that enrolled the adopted id, if it is
    /// provisional; else by that id's own key.
    pub agreement: Signature,
}

canonical_struct!(Adopted { adopted, agreement });

impl Adopted {
    /// The message that who speaks for the adopted id signs: the tagged `[chain, adopted, by]`.
    pub fn to_agree(chain: &ChainId, adopted: &PatientId, by: &PatientId) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(3).item(chain).item(adopted).item(by);
        tagged(ADOPTION, &e.finish())
    }
}

/// The patient says that one of their records tells what another one tells already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateOf {
    /// The repetition.
    pub record: RecordId,
    /// What it repeats: no repetition itself.
    pub of: RecordId,
}

canonical_struct!(DuplicateOf { record, of });
