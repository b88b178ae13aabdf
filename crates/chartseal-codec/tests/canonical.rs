//! The codec's promise: decoding accepts exactly what encoding gives.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_codec::{
    Bytes, Decode, DecodeError, DecodeErrorKind, Decoder, Encoder, canonical_enum,
    canonical_struct, from_bytes, to_bytes,
};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
struct Leaf {
    id: [u8; 3],
    height: u64,
    flag: bool,
    name: String,
    note: Option<Bytes>,
    list: Vec<u16>,
}
canonical_struct!(Leaf {
    id,
    height,
    flag,
    name,
    note,
    list
});

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Leaf(Leaf),
    Closed,
}
canonical_enum!(Body { 1 => Leaf(_), 7 => Closed });

fn body() -> impl Strategy<Value = Body> {
    let leaf = (
        any::<[u8; 3]>(),
        any::<u64>(),
        any::<bool>(),
        ".{0,40}",
        any::<Option<Vec<u8>>>(),
        any::<Vec<u16>>(),
    );
    prop_oneof![
        leaf.prop_map(|(id, height, flag, name, note, list)| {
            Body::Leaf(Leaf {
                id,
                height,
                flag,
                name,
                note: note.map(Bytes),
                list,
            })
        }),
        Just(Body::Closed),
    ]
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(body in body()) {
        prop_assert_eq!(from_bytes::<Body>(&to_bytes(&body)).unwrap(), body);
    }

    /// Changing, cutting or extending bytes never gives another encoding of anything.
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        body in body(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        tail in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = to_bytes(&body);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if tail.len() == 2 {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(tail);
        if let Ok(read) = from_bytes::<Body>(&bytes) {
            prop_assert_eq!(to_bytes(&read), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(read) = from_bytes::<Body>(&bytes) {
            prop_assert_eq!(to_bytes(&read), bytes);
        }
    }
}

fn kind<T: Decode + std::fmt::Debug>(bytes: &[u8]) -> DecodeErrorKind {
    from_bytes::<T>(bytes).unwrap_err().kind
}

#[test]
fn every_longer_form_of_an_integer_is_refused() {
    for bytes in [
        &[0x18, 23][..],
        &[0x19, 0, 255],
        &[0x1a, 0, 0, 255, 255],
        &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
    ] {
        assert_eq!(kind::<u64>(bytes), DecodeErrorKind::NotShortest);
    }
    assert_eq!(kind::<Bytes>(&[0x58, 1, 0]), DecodeErrorKind::NotShortest);
    assert_eq!(
        kind::<Vec<u16>>(&[0x98, 1, 0]),
        DecodeErrorKind::NotShortest
    );
}

#[test]
fn what_the_subset_leaves_out_is_refused() {
    // Negative, map, tag, float, undefined, indefinite array, bytes and text, break.
    for first in [0x20, 0xa0, 0xc0, 0xf9, 0xf7, 0x9f, 0x5f, 0x7f, 0xff, 0xf8] {
        let bytes = [first, 0, 0, 0];
        let wrong = |kind| matches!(kind, DecodeErrorKind::WrongType { .. });
        assert!(wrong(kind::<u64>(&bytes)), "{first:#x} as an integer");
        assert!(wrong(kind::<Bytes>(&bytes)), "{first:#x} as bytes");
        assert!(wrong(kind::<String>(&bytes)), "{first:#x} as text");
        assert!(wrong(kind::<Vec<u16>>(&bytes)), "{first:#x} as an array");
        assert!(wrong(kind::<bool>(&bytes)), "{first:#x} as a bool");
    }
}

#[test]
fn a_count_that_the_input_cannot_hold_allocates_nothing() {
    let claims_four_billion = [0x9a, 0xff, 0xff, 0xff, 0xff];
    let mut d = Decoder::new(&claims_four_billion);
    assert_eq!(
        d.list::<u64>(usize::MAX).unwrap_err().kind,
        DecodeErrorKind::UnexpectedEnd
    );
    let claims_exabytes = [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(
        kind::<Bytes>(&claims_exabytes),
        DecodeErrorKind::UnexpectedEnd
    );
}

#[test]
fn errors_name_the_field_the_place_and_the_bound() {
    let error: DecodeError = from_bytes::<Leaf>(&[0x86, 0x43, 1, 2, 3, 0x61, b'x']).unwrap_err();
    assert_eq!(
        error.to_string(),
        "height: expected an unsigned integer (at byte 5)"
    );
    let error = from_bytes::<u16>(&[0x1a, 0, 1, 0, 0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "item: 65536 is outside 0..=65535 (at byte 0)"
    );
    assert_eq!(
        kind::<Body>(&[0x81, 0x01]),
        DecodeErrorKind::Invalid("no such tag, or another number of items than it has")
    );
    assert_eq!(kind::<String>(&[0x61, 0xff]), DecodeErrorKind::InvalidUtf8);
    assert_eq!(kind::<u64>(&[0, 0]), DecodeErrorKind::TrailingBytes);
}

/// RFC 8949, appendix A: the integers, strings and arrays that our subset has.
#[test]
fn rfc8949_appendix_a() {
    let mut e = Encoder::new();
    for value in [
        0,
        1,
        10,
        23,
        24,
        25,
        100,
        1000,
        1_000_000,
        1_000_000_000_000,
        u64::MAX,
    ] {
        e.uint(value);
    }
    let expected = "00010a1718181819186419 03e81a000f42401b000000e8d4a510001bffffffffffffffff";
    let hex = e
        .finish()
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(hex, expected.replace(' ', ""));
    assert_eq!(to_bytes("\u{6c34}"), [0x63, 0xe6, 0xb0, 0xb4]);
    assert_eq!(to_bytes(&vec![1u64, 2, 3]), [0x83, 1, 2, 3]);
    let mut e = Encoder::new();
    e.array(0).bool(false).bool(true).null();
    assert_eq!(e.finish(), [0x80, 0xf4, 0xf5, 0xf6]);
}
