//! Memory for bodies that are on their way: it is counted as their bytes come, so that whoever only announces much, or
//! sends slowly, keeps nobody else's place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bytes of bodies there are at a time: of all clients, and of one address.
const MOST: usize = 512 << 20;
const MOST_OF_ONE: usize = 128 << 20;

/// What all bodies take that came and are not done with.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: BTreeMap<IpAddr, usize>,
}

impl Room {
    /// For a body that has no byte yet.
    pub(super) fn of(&self, address: IpAddr) -> Share {
        Share {
            room: self.clone(),
            address,
            bytes: 0,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body takes, until this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    address: IpAddr,
    bytes: usize,
}

impl Share {
    /// Whether there is room for so many more bytes; they are counted if there is.
    pub(super) fn grow(&mut self, more: usize) -> bool {
        let mut taken = self.room.taken();
        let of_one = taken.by.get(&self.address).copied().unwrap_or_default();
        let (all, of_one) = (taken.all.saturating_add(more), of_one.saturating_add(more));
        if all > MOST || of_one > MOST_OF_ONE {
            return false;
        }
        taken.all = all;
        taken.by.insert(self.address, of_one);
        self.bytes += more;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all = taken.all.saturating_sub(self.bytes);
        let of_one = taken.by.get(&self.address).copied().unwrap_or_default();
        match of_one.saturating_sub(self.bytes) {
            0 => taken.by.remove(&self.address),
            left => taken.by.insert(self.address, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: usize = 16 << 20;

    #[test]
    fn one_address_has_its_share_and_all_have_theirs_and_what_is_done_with_is_free_again() {
        let room = Room::default();
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let fill = |last: u8| {
            let mut share = room.of(address(last));
            let steps = (0..MOST / STEP).take_while(|_| share.grow(STEP)).count();
            (share, steps * STEP)
        };
        let (first, bytes) = fill(1);
        assert_eq!(bytes, MOST_OF_ONE);
        assert!(
            !room.of(address(1)).grow(1),
            "another body of the same address"
        );
        let others: Vec<_> = (2..=4).map(fill).collect();
        assert!(others.iter().all(|(_, bytes)| *bytes == MOST_OF_ONE));
        assert!(!room.of(address(5)).grow(1), "all of it is taken");
        drop(first);
        assert_eq!(fill(5).1, MOST_OF_ONE);
        drop(others);
        assert_eq!(fill(1).1, MOST_OF_ONE);
        assert_eq!(room.taken().all, 0);
        assert!(room.taken().by.is_empty());
    }
}
