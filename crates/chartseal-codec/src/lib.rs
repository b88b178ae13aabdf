//! Deterministic CBOR for data that is hashed and signed.
//!
//! Everything that Chartseal signs is a CBOR array of a small subset (RFC 8949 §4.2.1): unsigned
//! integers in their shortest form, byte strings, text strings, arrays, `true`, `false` and `null`,
//! all of definite length. There are no maps, floats, negative integers, tags or indefinite items.
//!
//! **The promise:** [`from_bytes`] accepts exactly the bytes that [`to_bytes`] would give. So a value
//! has one encoding, and a signature over bytes is a signature over a value.
//!
//! ```
//! use chartseal_codec::{Decode, Encode, canonical_struct, from_bytes, to_bytes};
//!
//! #[derive(Debug, PartialEq)]
//! struct Visit { patient: [u8; 4], height: u64, note: Option<String> }
//! canonical_struct!(Visit { patient, height, note });
//!
//! let visit = Visit { patient: [1, 2, 3, 4], height: 500, note: None };
//! let bytes = to_bytes(&visit);
//! assert_eq!(bytes, [0x83, 0x44, 1, 2, 3, 4, 0x19, 0x01, 0xf4, 0xf6]);
//! assert_eq!(from_bytes::<Visit>(&bytes).unwrap(), visit);
//!
//! // 500 in five bytes instead of three is not what the encoder gives.
//! let long = [0x83, 0x44, 1, 2, 3, 4, 0x1a, 0, 0, 0x01, 0xf4, 0xf6];
//! assert_eq!(
//!     from_bytes::<Visit>(&long).unwrap_err().to_string(),
//!     "height: integer is not in its shortest form (at byte 6)"
//! );
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`encoder`](Encoder) | writes items; cannot fail |
//! | [`decoder`](Decoder) | reads items; total, allocates no more than the input justifies |
//! | [`Shape`] | a type as data: one function checks the items of every type |
//! | [`walk`] | walks over items where they stand: for [`check`], and for who looks at few of many |
//! | [`canonical_struct!`], [`canonical_enum!`] | a type as an array of its fields, or `[tag, fields…]` |
//!
//! # Limits
//! Nothing here recurses on its input: a decoder sees only as deep as the types it is asked for.
//! Lists carry a cap ([`Decoder::list`]); `Vec<T>` as such has [`MAX_LIST`].
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod decoder;
mod encoder;
mod error;
mod hex;
mod impls;
mod macros;
mod shape;
pub mod walk;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::{DecodeError, DecodeErrorKind};
pub use hex::{HexError, from_hex, hex_exact, to_hex, write_hex};
pub use impls::Bytes;
pub use shape::Shape;

use alloc::vec::Vec;

/// The most items that a `Vec<T>` decodes without a cap of its own.
pub const MAX_LIST: usize = 65_536;

/// A value with one canonical encoding.
pub trait Encode {
    /// Writes the value as exactly one CBOR item.
    fn encode(&self, e: &mut Encoder);
}

/// A value that is read back from its canonical encoding, and from nothing else.
pub trait Decode: Sized {
    /// Reads exactly one CBOR item.
    ///
    /// # Errors
    /// Whatever is not the canonical encoding of a value of this type.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// What an item of this type looks like.
    const SHAPE: &'static Shape = &Shape::Own(|d| Self::decode(d).map(drop));

    /// Steps over one item where [`decode`](Self::decode) would succeed, and makes no value of it: gives
    /// what follows it in `input`, or `None` where `decode` would fail.
    fn skip(input: &[u8]) -> Option<&[u8]> {
        let mut d = Decoder::new(input);
        Self::SHAPE.check(&mut d).ok()?;
        input.get(d.position()..)
    }
}

/// Why `bytes` are not the canonical bytes of a value, if they are not: what [`from_bytes`] says, and no value is made.
///
/// # Errors
/// As [`from_bytes`].
pub fn check_shape(shape: &Shape, bytes: &[u8]) -> Result<(), DecodeError> {
    let mut d = Decoder::new(bytes);
    shape.check(&mut d)?;
    d.finish()
}

/// The canonical bytes of `value`.
pub fn to_bytes<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut e = Encoder::new();
    value.encode(&mut e);
    e.finish()
}

/// The value whose canonical bytes are `bytes`, all of them.
///
/// # Errors
/// As [`Decode::decode`], and [`DecodeErrorKind::TrailingBytes`] if the item ends early.
#[inline]
pub fn from_bytes<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut d = Decoder::new(bytes);
    let value = T::decode(&mut d)?;
    d.finish()?;
    Ok(value)
}

/// Whether [`from_bytes`] would give a value of `bytes`: faster, for it makes none and allocates nothing.
#[inline]
pub fn check<T: Decode>(bytes: &[u8]) -> bool {
    T::skip(bytes).is_some_and(<[u8]>::is_empty)
}

#[doc(hidden)]
pub mod __private {
    use crate::{Decode, Shape};

    /// The shape of a field, by how it is got: the macros know a field's name, the compiler its type.
    pub const fn shape_of_field<S, T: Decode>(_: fn(&S) -> &T) -> &'static Shape {
        T::SHAPE
    }

    /// The shape of what a variant holds, by its constructor.
    pub const fn shape_of_variant<E, T: Decode>(_: fn(T) -> E) -> &'static Shape {
        T::SHAPE
    }
}
