//! RFC 9162 §2.1.3.2 and §2.1.4.2: what a verifier does with a log's proofs.

use thiserror::Error;

use crate::hash::{Hash, node_hash};

/// The most hashes that a proof of a log of up to 2⁶⁴ − 1 entries has, for caps before reading.
pub const MAX_PROOF: usize = 65;

/// Why a log's proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The entry's index is not below the tree's size, or the old size is zero or above the new.
    #[error("the index or size is outside the tree")]
    OutOfTree,
    /// The number of hashes is not the one that these sizes need.
    #[error("the proof has {found} hashes, not the number that these sizes need")]
    WrongLength {
        /// How many hashes came.
        found: usize,
    },
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    RootMismatch,
}

/// Checks that the log of `size` entries with root `root` has `leaf` at `index`.
///
/// # Errors
/// [`ProofError`]; nothing is proved then.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion(leaf, index, size, proof)? == root {
        return Ok(());
    }
    Err(ProofError::RootMismatch)
}

/// The root to which an inclusion proof leads: for formats in which the root is implied.
///
/// # Errors
/// [`ProofError`] if the proof is not one for this index and size.
pub fn root_from_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfTree);
    }
    let wrong_length = ProofError::WrongLength { found: proof.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut root = leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            root = node_hash(*sibling, root);
            // A last node without a sibling moves up alone until it has one.
            let alone = if node & 1 == 1 {
                0
            } else {
                node.trailing_zeros()
            };
            node >>= alone;
            last >>= alone;
        } else {
            root = node_hash(root, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 {
        Ok(root)
    } else {
        Err(wrong_length)
    }
}

/// Checks that the log of `new_size` entries begins with the log of `old_size` entries.
///
/// # Errors
/// [`ProofError`]. An `old_size` of zero proves nothing and is refused.
pub fn verify_consistency(
    old_size: u64,
    old_root: Hash,
    new_size: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size == 0 || old_size > new_size {
        return Err(ProofError::OutOfTree);
    }
    let wrong_length = ProofError::WrongLength { found: proof.len() };
    if old_size == new_size {
        return match (proof.is_empty(), old_root == new_root) {
            (false, _) => Err(wrong_length),
            (true, false) => Err(ProofError::RootMismatch),
            (true, true) => Ok(()),
        };
    }
    // If the old log is one complete subtree, its root is where the proof starts.
    let implied = old_size.is_power_of_two().then_some(old_root);
    let mut hashes = implied.into_iter().chain(proof.iter().copied());
    let start = hashes.next().ok_or(wrong_length)?;
    let complete = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> complete, (new_size - 1) >> complete);
    let (mut old, mut new) = (start, start);
    for sibling in hashes {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, old);
            new = node_hash(sibling, new);
            let alone = if node & 1 == 1 {
                0
            } else {
                node.trailing_zeros()
            };
            node >>= alone;
            last >>= alone;
        } else {
            new = node_hash(new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if old == old_root && new == new_root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}
