//! The codec's promise: decoding accepts exactly what encoding gives.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::panic, reason = "tests")]

use chartseal_codec::{
    Bytes, Decode, DecodeError, DecodeErrorKind, Decoder, Encoder, MAX_LIST, canonical_enum,
    canonical_struct, check, check_shape, from_bytes, to_bytes,
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
        agrees::<Body>(&bytes);
        if let Ok(read) = from_bytes::<Body>(&bytes) {
            prop_assert_eq!(to_bytes(&read), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        agrees::<Body>(&bytes);
        if let Ok(read) = from_bytes::<Body>(&bytes) {
            prop_assert_eq!(to_bytes(&read), bytes);
        }
    }
}

/// That checking in place takes what decoding takes, and that the shape says of the rest what decoding says.
fn agrees<T: Decode>(bytes: &[u8]) {
    let decoded = from_bytes::<T>(bytes).map(drop);
    assert_eq!(check::<T>(bytes), decoded.is_ok(), "{bytes:x?}");
    assert_eq!(check_shape(T::SHAPE, bytes), decoded, "{bytes:x?}");
}

#[test]
fn checking_takes_what_decoding_takes_around_every_bound() {
    for first in 0..=255u8 {
        for second in [0, 1, 23, 24, 25, 0xf4, 0xf6, 0xff] {
            for zeros in 0..26 {
                let bytes = [&[first, second][..], &vec![0; zeros]].concat();
                for length in [1, bytes.len()] {
                    let bytes = &bytes[..length];
                    agrees::<u16>(bytes);
                    agrees::<u32>(bytes);
                    agrees::<u64>(bytes);
                    agrees::<bool>(bytes);
                    agrees::<[u8; 4]>(bytes);
                    agrees::<[u8; 24]>(bytes);
                    agrees::<String>(bytes);
                    agrees::<Bytes>(bytes);
                    agrees::<Vec<u64>>(bytes);
                    agrees::<Option<Box<u16>>>(bytes);
                    agrees::<(bool, u64)>(bytes);
                }
            }
        }
    }
    for text in [&[0x62, 0xc3, 0xa4][..], &[0x62, 0xc3, 0x28]] {
        agrees::<String>(text);
    }
    // The longest list, and one item more.
    for len in [MAX_LIST, MAX_LIST + 1] {
        let long = to_bytes(&vec![true; len]);
        agrees::<Vec<bool>>(&long);
        assert_eq!(check::<Vec<bool>>(&long), len == MAX_LIST);
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
        assert!(!check::<u64>(bytes));
    }
    assert!(!check::<Bytes>(&[0x58, 1, 0]) && !check::<Vec<u16>>(&[0x98, 1, 0]));
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

/// What our subset has: integers from 0 on, byte and text strings, arrays, true, false and null.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Uint(u64),
    Bytes(Vec<u8>),
    Text(String),
    /// An array's items, each as its own bytes.
    Array(Vec<Item>),
    Bool(bool),
    Null,
}

/// Reads whichever item of the subset stands there; arrays nest so deep at most.
fn read(d: &mut Decoder<'_>, depth: u32) -> Result<Item, DecodeError> {
    type Read<'f> = &'f dyn Fn(&mut Decoder<'_>) -> Result<Item, DecodeError>;
    let list = |d: &mut Decoder<'_>| {
        let len = d.array(100)?;
        let items = (0..len).map(|_| match depth {
            0 => Err(d.invalid("too deep for this test")),
            _ => read(d, depth - 1),
        });
        items.collect::<Result<_, _>>().map(Item::Array)
    };
    let kinds: [Read<'_>; 4] = [
        &|d| d.uint().map(Item::Uint),
        &|d| d.bytes(100).map(|bytes| Item::Bytes(bytes.to_vec())),
        &|d| d.text(100).map(|text| Item::Text(text.into())),
        &list,
    ];
    for kind in kinds {
        let mut after = d.clone();
        let item = kind(&mut after);
        let is_other = item.as_ref().is_err_and(|error| {
            let wrong = matches!(error.kind, DecodeErrorKind::WrongType { .. });
            wrong && error.offset == d.position()
        });
        if !is_other {
            *d = after;
            return item;
        }
    }
    if d.null()? {
        return Ok(Item::Null);
    }
    d.bool().map(Item::Bool)
}

fn write(e: &mut Encoder, item: &Item) {
    match item {
        Item::Uint(value) => e.uint(*value),
        Item::Bytes(bytes) => e.bytes(bytes),
        Item::Text(text) => e.text(text),
        Item::Array(items) => {
            e.array(items.len());
            for item in items {
                write(e, item);
            }
            e
        }
        Item::Bool(value) => e.bool(*value),
        Item::Null => e.null(),
    };
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// RFC 8949, appendix A: what of it we write, which is what we read.
const ACCEPTED: [&str; 27] = [
    "00",
    "01",
    "0a",
    "17",
    "1818",
    "1819",
    "1864",
    "1903e8",
    "1a000f4240",
    "1b000000e8d4a51000",
    "1bffffffffffffffff",
    "f4",
    "f5",
    "f6",
    "40",
    "4401020304",
    "60",
    "6161",
    "6449455446",
    "62225c",
    "62c3bc",
    "63e6b0b4",
    "64f0908591",
    "80",
    "83010203",
    "8301820203820405",
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
];

/// The rest of it, which no type of ours has: at which byte it is refused, and what stands there. It is
/// always another kind of item than any of ours.
const REFUSED: [(&str, usize, &str); 55] = [
    ("3bffffffffffffffff", 0, "negative integer"),
    ("20", 0, "negative integer"),
    ("29", 0, "negative integer"),
    ("3863", 0, "negative integer"),
    ("3903e7", 0, "negative integer"),
    ("f90000", 0, "float"),
    ("f98000", 0, "float"),
    ("f93c00", 0, "float"),
    ("fb3ff199999999999a", 0, "float"),
    ("f93e00", 0, "float"),
    ("f97bff", 0, "float"),
    ("fa47c35000", 0, "float"),
    ("fa7f7fffff", 0, "float"),
    ("fb7e37e43c8800759c", 0, "float"),
    ("f90001", 0, "float"),
    ("f90400", 0, "float"),
    ("f9c400", 0, "float"),
    ("fbc010666666666666", 0, "float"),
    ("f97c00", 0, "float"),
    ("f97e00", 0, "float"),
    ("f9fc00", 0, "float"),
    ("fa7f800000", 0, "float"),
    ("fa7fc00000", 0, "float"),
    ("faff800000", 0, "float"),
    ("fb7ff0000000000000", 0, "float"),
    ("fb7ff8000000000000", 0, "float"),
    ("fbfff0000000000000", 0, "float"),
    ("f7", 0, "undefined"),
    ("f0", 0, "simple value"),
    ("f818", 0, "simple value"),
    ("f8ff", 0, "simple value"),
    ("c249010000000000000000", 0, "tag"),
    ("c349010000000000000000", 0, "tag"),
    ("c074323031332d30332d32315432303a30343a30305a", 0, "tag"),
    ("c11a514b67b0", 0, "tag"),
    ("c1fb41d452d9ec200000", 0, "tag"),
    ("d74401020304", 0, "tag"),
    ("d818456449455446", 0, "tag"),
    (
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        0,
        "tag",
    ),
    ("a0", 0, "map"),
    ("a201020304", 0, "map"),
    ("a26161016162820203", 0, "map"),
    ("826161a161626163", 3, "map"),
    ("a56161614161626142616361436164614461656145", 0, "map"),
    ("5f42010243030405ff", 0, "indefinite length"),
    ("7f657374726561646d696e67ff", 0, "indefinite length"),
    ("9fff", 0, "indefinite length"),
    ("9f018202039f0405ffff", 0, "indefinite length"),
    ("9f01820203820405ff", 0, "indefinite length"),
    ("83018202039f0405ff", 5, "indefinite length"),
    ("83019f0203ff820405", 2, "indefinite length"),
    (
        "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
        0,
        "indefinite length",
    ),
    ("bf61610161629f0203ffff", 0, "map"),
    ("826161bf61626163ff", 3, "map"),
    ("bf6346756ef563416d7421ff", 0, "map"),
];

#[test]
fn of_rfc8949_appendix_a_exactly_our_subset_is_accepted() {
    for hex in ACCEPTED {
        let bytes = bytes_of(hex);
        let mut d = Decoder::new(&bytes);
        let item = read(&mut d, 2).unwrap_or_else(|error| panic!("{hex}: {error}"));
        d.finish().unwrap();
        let mut e = Encoder::new();
        write(&mut e, &item);
        assert_eq!(e.finish(), bytes, "{hex} was read as {item:?}");
    }
    for (hex, at, what) in REFUSED {
        let bytes = bytes_of(hex);
        let error = read(&mut Decoder::new(&bytes), 2).unwrap_err();
        let wrong = matches!(error.kind, DecodeErrorKind::WrongType { .. });
        assert!(wrong && error.offset == at, "{what} {hex}: {error}");
    }
}
