//! Entries read in place: what is taken, refused and seen is what decoding takes, refuses and gives.

use chartseal_codec::{check, from_bytes, to_bytes};
use chartseal_wire::history::{Access, EntryView, EventView, Released, Token};
use chartseal_wire::{ActorId, Entry, Event, OrgId, Time, TxId};
use proptest::prelude::*;

use crate::binary::{changed, entry};
use crate::sample;

/// Whether both take these bytes, and see the same in them; or refuse them for the same reason.
fn agrees(bytes: &[u8]) -> bool {
    let (view, entry) = (EntryView::read(bytes), from_bytes::<Entry>(bytes));
    let is_same = match (view, &entry) {
        (Ok(view), Ok(entry)) => view == *entry,
        (Err(view), Err(entry)) => view == *entry,
        _ => false,
    };
    is_same && check::<Entry>(bytes) == entry.is_ok()
}

/// An entry of each kind.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |event| Entry {
        height: 300,
        time: Time(1_795_305_600_000),
        tx: TxId([0x77; 32]),
        actor: ActorId([0xd1; 16]),
        org: OrgId([0x0e; 16]),
        event,
    };
    let events = sample::events().into_iter();
    events
        .map(|(name, event)| (name, to_bytes(&entry(event))))
        .collect()
}

#[test]
fn every_kind_of_entry_is_read_in_place_as_it_is_decoded() {
    let samples = samples();
    assert_eq!(samples.len(), 32);
    for (name, bytes) in samples {
        assert!(EntryView::read(&bytes).is_ok() && agrees(&bytes), "{name}");
        assert!(agrees(&[&bytes[..], &[0]].concat()), "{name}, and a byte");
        for at in 0..bytes.len() {
            assert!(agrees(&bytes[..at]), "{name}, cut at {at}");
            let mut one = bytes.clone();
            for byte in 0..=255 {
                one[at] = byte;
                assert!(agrees(&one), "{name}, {byte:#x} at {at}");
            }
            // Another item of the same length, and a longer and a shorter one.
            for item in [&[0xf6][..], &[0x18, 24], &[0x80], &[0x61, b' '], &[]] {
                let other = [&bytes[..at], item, &bytes[at + 1..]].concat();
                assert!(agrees(&other), "{name}, {item:x?} at {at}");
            }
        }
    }
}

#[test]
fn a_view_is_of_its_own_entry_alone() {
    let samples = samples();
    for (one, bytes) in &samples {
        for (other, entry) in &samples {
            let (view, entry) = (EntryView::read(bytes), from_bytes::<Entry>(entry));
            let is_same = view.unwrap() == entry.unwrap();
            assert_eq!(is_same, one == other, "{one} and {other}");
        }
    }
}

#[test]
fn what_a_verifier_looks_at_is_seen_and_the_rest_left_as_bytes() {
    for (name, bytes) in samples() {
        let view = EntryView::read(&bytes).unwrap();
        let is_seen = match (view.event, from_bytes::<Entry>(&bytes).unwrap().event) {
            (EventView::Access(_), Event::Access(_))
            | (EventView::Released(_), Event::Released(_))
            | (EventView::RecordAdded(_), Event::RecordAdded(_)) => true,
            (EventView::Other(bytes), event) => {
                assert_eq!(bytes, to_bytes(&event), "{name}");
                false
            }
            _ => panic!("{name} is seen as something else"),
        };
        let looked_at = ["access", "released", "record_added"];
        assert_eq!(is_seen, looked_at.contains(&name), "{name}");
    }
}

/// Entries that differ from one in a single thing that a view of it sees.
fn others(entry: &Entry) -> Vec<Entry> {
    let mut others = vec![entry.clone(); 4];
    others[0].height += 1;
    others[1].time.0 += 1;
    others[2].tx.0[31] ^= 1;
    others[3].actor.0[0] ^= 1;
    let with = |event| Entry {
        event,
        ..entry.clone()
    };
    match &entry.event {
        Event::Access(access) => {
            let changes: [fn(&mut Access); 9] = [
                |access| access.reason.0[0] ^= 1,
                |access| access.foreign_claim ^= true,
                |access| access.release_until = None,
                |access| drop(access.records.pop()),
                |access| access.records[0].record.0[0] ^= 1,
                |access| access.records[0].permitted ^= true,
                |access| access.records[0].code = Token::new("another").unwrap(),
                |access| drop(access.records[0].basis.pop()),
                |access| access.records[0].basis.push(Token::new("more").unwrap()),
            ];
            others.extend(changes.map(|change| {
                let mut access = access.clone();
                change(&mut access);
                with(Event::Access(access))
            }));
        }
        Event::Released(released) => {
            let changes: [fn(&mut Released); 3] = [
                |released| released.request.0[0] ^= 1,
                |released| released.custodian += 1,
                |released| released.records[0].0[0] ^= 1,
            ];
            others.extend(changes.map(|change| {
                let mut released = released.clone();
                change(&mut released);
                with(Event::Released(released))
            }));
        }
        Event::RecordAdded(added) => {
            let mut added = added.clone();
            added.header.0[0] ^= 1;
            others.push(with(Event::RecordAdded(added)));
        }
        _ => {}
    }
    others
}

#[test]
fn a_view_of_an_entry_is_of_none_that_differs_in_one_thing() {
    for (name, bytes) in samples() {
        let (view, entry) = (
            EntryView::read(&bytes).unwrap(),
            from_bytes(&bytes).unwrap(),
        );
        for (at, other) in others(&entry).iter().enumerate() {
            assert_ne!(entry, *other, "{name}, {at}: nothing was changed");
            assert!(view != *other, "{name}, {at}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_read_in_place_is_what_is_decoded(
        entry in entry(),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 0..4),
    ) {
        let bytes = to_bytes(&entry);
        prop_assert!(EntryView::read(&bytes).unwrap() == entry);
        prop_assert!(agrees(&changed(bytes, &changes)));
    }
}
