//! Which subtrees a proof consists of, wherever their hashes lie.

use alloc::vec::Vec;
use core::ops::Range;

use crate::hash::{Hash, empty_root, node_hash};

/// The ranges of entries whose roots lead from entry `index` to the root at `size` (RFC 9162
/// §2.1.3.1), the leaf's sibling first; `None` unless `index < size`.
///
/// [`subtree_root`] gives each one's root.
pub fn inclusion_path(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(middle..end);
            end = middle;
        } else {
            path.push(begin..middle);
            begin = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The ranges of entries whose roots show that the log at `new` begins with the log at `old` (RFC 9162
/// §2.1.4.1); `None` unless `0 < old ≤ new`. Equal sizes need none.
///
/// [`subtree_root`] gives each one's root.
pub fn consistency_path(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    if old == 0 || old > new {
        return None;
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, new);
    // Down to the subtree that ends where the old log ends.
    while end != old {
        let middle = begin + split(end - begin);
        if old <= middle {
            path.push(middle..end);
            end = middle;
        } else {
            path.push(begin..middle);
            begin = middle;
        }
    }
    // The verifier knows that subtree's hash already if it is the whole old log.
    if begin != 0 {
        path.push(begin..end);
    }
    path.reverse();
    Some(path)
}

/// The root over a range of entries: one of a path, or `0..size`. `node(height, index)` gives the root of
/// the `index`-th complete subtree of 2^`height` entries.
///
/// # Errors
/// Whatever `node` gives.
pub fn subtree_root<E>(
    entries: Range<u64>,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let mut at = entries.start;
    let mut peaks = Vec::new();
    while at < entries.end {
        let height = (entries.end - at).ilog2();
        peaks.push(node(height, at >> height)?);
        at += 1 << height;
    }
    let smallest_first = peaks.into_iter().rev();
    Ok(smallest_first
        .reduce(|right, left| node_hash(left, right))
        .unwrap_or_else(empty_root))
}

/// The largest power of two below `n`, for `n > 1`: where RFC 6962 splits `n` entries.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}
