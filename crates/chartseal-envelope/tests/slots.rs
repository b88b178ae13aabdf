//! The content key, sealed straight to a recipient beside the record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{World, refusal, replace, rng, rule};

/// A record and the keys of two people.
struct Case {
    world: World,
    record: SealedRecord,
    patient: KemKeyPair,
    other: KemKeyPair,
}

impl Case {
    fn new() -> Self {
        let mut world = World::new(140, 2, 3);
        let record = world.seal(b"text");
        let mut keys = || KemKeyPair::generate_with_rng(Suite::default(), &mut world.rng);
        let (patient, other) = (keys(), keys());
        Self {
            world,
            record,
            patient,
            other,
        }
    }

    /// One slot, of the patient.
    fn slots(&mut self) -> Slots {
        let mut slots = Slots::new(&self.record.header);
        let (dealer, to) = (&self.record.dealer, self.patient.public_key());
        slots.add_with_rng(dealer, to, &mut self.world.rng).unwrap();
        slots
    }

    fn open(&self, slots: &Slots, keys: &KemKeyPair) -> Result<Opened, SlotError> {
        let key = slots.open(keys, &self.record.header)?;
        Ok(self.world.open(&self.record, &key).unwrap())
    }
}

#[test]
fn a_slot_opens_the_record_without_any_custodian() {
    let mut case = Case::new();
    let slots = case.slots();
    let again: Slots = from_bytes(&to_bytes(&slots)).unwrap();
    assert_eq!(again, slots);
    let opened = case.open(&again, &case.patient).unwrap();
    assert_eq!(opened.content(), b"text");
    assert_eq!(
        rule(case.open(&slots, &case.other).unwrap_err()),
        "CS-ENV-76"
    );
}

#[test]
fn whoever_has_the_key_adds_a_slot() {
    let mut case = Case::new();
    let slots = case.slots();
    let opened = case.open(&slots, &case.patient).unwrap();
    let key = slots.open(&case.patient, &case.record.header).unwrap();
    let (to, rng) = (case.other.public_key(), &mut case.world.rng);
    let mut by_opened = slots.clone();
    by_opened.add_with_rng(&opened, to, rng).unwrap();
    let mut by_key = slots.clone();
    by_key.add_with_rng(&key, to, rng).unwrap();
    for slots in [by_opened, by_key] {
        assert!(slots.recipients().is_sorted());
        assert_eq!(slots.recipients().len(), 2);
        for keys in [&case.patient, &case.other] {
            assert_eq!(case.open(&slots, keys).unwrap().content(), b"text");
        }
    }
}

#[test]
fn a_removed_slot_is_gone_and_nothing_else_moved() {
    let mut case = Case::new();
    let before = case.slots();
    let mut slots = before.clone();
    let (dealer, to) = (&case.record.dealer, case.other.public_key());
    slots.add_with_rng(dealer, to, &mut case.world.rng).unwrap();
    assert!(slots.remove(to.key_id()));
    assert!(!slots.remove(to.key_id()));
    assert_eq!(slots, before);
    assert_eq!(
        rule(case.open(&slots, &case.other).unwrap_err()),
        "CS-ENV-76"
    );
}

#[test]
fn a_recipients_new_key_takes_the_place_of_the_old_one() {
    let mut case = Case::new();
    let mut slots = case.slots();
    let (old, new) = (&case.patient, &case.other);
    let header = &case.record.header;
    let rng = &mut case.world.rng;
    slots
        .rotate_with_rng(old, new.public_key(), header, rng)
        .unwrap();
    assert_eq!(slots.recipients().collect::<Vec<_>>(), [new.key_id()]);
    assert_eq!(case.open(&slots, new).unwrap().content(), b"text");
    // The old key has no slot to rotate any more, and nothing changes.
    let before = slots.clone();
    let error = slots.rotate_with_rng(old, old.public_key(), header, &mut rng_of(1));
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-76");
    assert_eq!(slots, before);
    // To itself: sealed anew.
    slots
        .rotate_with_rng(new, new.public_key(), header, &mut rng_of(2))
        .unwrap();
    assert_ne!(slots, before);
    assert_eq!(case.open(&slots, new).unwrap().content(), b"text");
}

fn rng_of(seed: u8) -> impl rand_core::CryptoRng {
    rng(seed)
}

#[test]
fn slots_under_another_header_are_refused() {
    let mut case = Case::new();
    let slots = case.slots();
    let info = RecordInfo {
        record_id: RecordId([9; 16]),
        ..case.world.info()
    };
    let other = case.world.seal_as(&info, b"text");
    assert_eq!(
        rule(slots.open(&case.patient, &other.header).unwrap_err()),
        "CS-ENV-75"
    );
    // Relabelled as the other record's, the slot doesn't open.
    let (from, to) = (case.record.header.digest(), other.header.digest());
    let moved = replace(&to_bytes(&slots), from.as_bytes(), to.as_bytes());
    let mut moved: Slots = from_bytes(&moved).unwrap();
    assert_eq!(
        rule(moved.open(&case.patient, &other.header).unwrap_err()),
        "CS-ENV-77"
    );
    // Nor does the first record's key get into the other's slots.
    let to = case.other.public_key();
    let error = moved.add_with_rng(&case.record.dealer, to, &mut case.world.rng);
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-75");
}

#[test]
fn a_slot_of_another_recipient_is_refused() {
    let mut case = Case::new();
    let slots = case.slots();
    let (from, to) = (case.patient.key_id(), case.other.key_id());
    let moved = replace(&to_bytes(&slots), from.as_bytes(), to.as_bytes());
    let moved: Slots = from_bytes(&moved).unwrap();
    assert_eq!(
        rule(case.open(&moved, &case.other).unwrap_err()),
        "CS-ENV-77"
    );
    assert_eq!(
        rule(case.open(&moved, &case.patient).unwrap_err()),
        "CS-ENV-76"
    );
}

#[test]
fn a_slot_whose_encapsulated_key_is_zero_or_of_small_order_is_refused() {
    let mut case = Case::new();
    let bytes = to_bytes(&case.slots());
    // Of the one slot: its recipient, and 1120 bytes of which the last 32 are a point.
    let enc = 3 + 34 + 1 + 1 + 34 + 3;
    assert_eq!(bytes[enc - 3..enc], [0x59, 0x04, 0x60]);
    for from in [enc, enc + 1088] {
        let mut zero = bytes.clone();
        zero[from..enc + 1120].fill(0);
        let zero: Slots = from_bytes(&zero).unwrap();
        let error = case.open(&zero, &case.patient).unwrap_err();
        assert_eq!(rule(error), "CS-ENV-77");
    }
}

#[test]
fn a_forged_slot_gives_a_key_that_the_body_refuses() {
    let mut case = Case::new();
    let mut slots = Slots::new(&case.record.header);
    let (forged, to) = (ContentKey::from_bytes([5; 32]), case.patient.public_key());
    slots
        .add_with_rng(&forged, to, &mut case.world.rng)
        .unwrap();
    let key = slots.open(&case.patient, &case.record.header).unwrap();
    let error = case.world.open(&case.record, &key).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-20");
}

#[test]
fn a_recipient_has_one_slot_and_slots_have_one_order() {
    let mut case = Case::new();
    let mut slots = case.slots();
    let to = case.patient.public_key();
    let error = slots.add_with_rng(&case.record.dealer, to, &mut case.world.rng);
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-78");
    let to = case.other.public_key();
    slots
        .add_with_rng(&case.record.dealer, to, &mut case.world.rng)
        .unwrap();

    let bytes = to_bytes(&slots);
    let list = 3 + 34;
    assert_eq!(bytes[list], 0x82);
    let (head, slot) = (&bytes[..=list], (bytes.len() - list - 1) / 2);
    let (one, two) = bytes[list + 1..].split_at(slot);
    assert_eq!([head, one, two].concat(), bytes);
    for wrong in [[head, two, one], [head, one, one]] {
        assert_eq!(refusal::<Slots>(&wrong.concat()), "CS-ENV-74");
    }
    // An encapsulated key of another length.
    let short = [
        head,
        one,
        &two[..35],
        &[0x58, 32],
        &[0; 32],
        &two[two.len() - 50..],
    ];
    assert_eq!(refusal::<Slots>(&short.concat()), "CS-ENV-07");
    for (place, rule) in [(1, "CS-ENV-01"), (2, "CS-ENV-02")] {
        let mut bytes = bytes.clone();
        bytes[place] = 0x17;
        assert_eq!(refusal::<Slots>(&bytes), rule);
    }
}

#[test]
fn there_are_64_slots_at_most() {
    let mut case = Case::new();
    let mut slots = Slots::new(&case.record.header);
    for _ in 0..MAX_SLOTS {
        let keys = KemKeyPair::generate_with_rng(Suite::default(), &mut case.world.rng);
        let to = keys.public_key();
        slots
            .add_with_rng(&case.record.dealer, to, &mut case.world.rng)
            .unwrap();
    }
    let to = case.patient.public_key();
    let error = slots.add_with_rng(&case.record.dealer, to, &mut case.world.rng);
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-79");
    assert_eq!(from_bytes::<Slots>(&to_bytes(&slots)).unwrap(), slots);
    // 65 are not decoded either.
    let mut bytes = to_bytes(&slots);
    let list = 3 + 34;
    assert_eq!(bytes[list..list + 2], [0x98, 64]);
    bytes[list + 1] = 65;
    assert!(from_bytes::<Slots>(&bytes).is_err());
}

#[cfg(feature = "hazmat")]
#[test]
fn slots_of_another_suite_are_refused() {
    let mut case = Case::new();
    let mut weak = World::of_suite(Suite::X25519, 141, 2, 2);
    let mut slots = case.slots();
    let to = weak.reader.public_key();
    let error = slots.add_with_rng(&case.record.dealer, to, &mut weak.rng);
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-06");
    let (patient, header) = (&case.patient, &case.record.header);
    let error = slots.rotate_with_rng(patient, to, header, &mut weak.rng);
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-06");
    let error = slots.open(&weak.reader, header).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-06");
    assert!(case.open(&slots, &case.patient).is_ok());
}
