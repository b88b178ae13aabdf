//! Encodings of the standard types that formats are made of.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Decode, DecodeError, Decoder, Encode, Encoder, MAX_LIST, Shape, walk};

macro_rules! uints {
    ($($uint:ty),*) => {$(
        impl Encode for $uint {
            fn encode(&self, e: &mut Encoder) {
                e.uint(u64::from(*self));
            }
        }

        impl Decode for $uint {
            #[inline]
            fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let value = d.uint_in(0, u64::from(<$uint>::MAX))?;
                <$uint>::try_from(value).map_err(|_| d.invalid("integer is too large"))
            }

            #[allow(clippy::cast_lossless, reason = "no function of a trait is const")]
            const SHAPE: &'static Shape = &Shape::Uint(<$uint>::MAX as u64);

            #[inline]
            fn skip(input: &[u8]) -> Option<&[u8]> {
                let (value, rest) = walk::uint(input)?;
                <$uint>::try_from(value).ok().map(|_| rest)
            }
        }
    )*};
}

// `u8` is left out: `Vec<u8>` and `[u8; N]` are byte strings, never arrays of integers.
uints!(u16, u32, u64);

impl Encode for bool {
    fn encode(&self, e: &mut Encoder) {
        e.bool(*self);
    }
}

impl Decode for bool {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.bool()
    }

    const SHAPE: &'static Shape = &Shape::Bool;

    #[inline]
    fn skip(input: &[u8]) -> Option<&[u8]> {
        walk::bool(input).map(|(_, rest)| rest)
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.bytes_exact()
    }

    const SHAPE: &'static Shape = &Shape::Bytes(N);

    #[inline]
    fn skip(input: &[u8]) -> Option<&[u8]> {
        walk::bytes_exact::<N>(input).map(|(_, rest)| rest)
    }
}

impl Encode for str {
    fn encode(&self, e: &mut Encoder) {
        e.text(self);
    }
}

impl Encode for String {
    fn encode(&self, e: &mut Encoder) {
        e.text(self);
    }
}

impl Decode for String {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.text(usize::MAX).map(Self::from)
    }

    #[inline]
    fn skip(input: &[u8]) -> Option<&[u8]> {
        let (text, rest) = walk::text(input)?;
        core::str::from_utf8(text).is_ok().then_some(rest)
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, e: &mut Encoder) {
        e.array(self.len());
        for item in self {
            item.encode(e);
        }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, e: &mut Encoder) {
        self.as_slice().encode(e);
    }
}

impl<T: Decode> Decode for Vec<T> {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.list(MAX_LIST)
    }

    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, e: &mut Encoder) {
        match self {
            Some(value) => value.encode(e),
            None => {
                e.null();
            }
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if d.null()? {
            Ok(None)
        } else {
            T::decode(d).map(Some)
        }
    }

    const SHAPE: &'static Shape = &Shape::Optional(T::SHAPE);

    #[inline]
    fn skip(input: &[u8]) -> Option<&[u8]> {
        walk::null(input).or_else(|| T::skip(input))
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, e: &mut Encoder) {
        (**self).encode(e);
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    fn encode(&self, e: &mut Encoder) {
        (**self).encode(e);
    }
}

impl<T: Decode> Decode for Box<T> {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        T::decode(d).map(Self::new)
    }

    const SHAPE: &'static Shape = T::SHAPE;
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, e: &mut Encoder) {
        e.array(2).item(&self.0).item(&self.1);
    }
}

impl<A: Decode, B: Decode> Decode for (A, B) {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.array_exact(2)?;
        Ok((A::decode(d)?, B::decode(d)?))
    }
}

/// A byte string of any length: `Vec<u8>` would be an array of integers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Encode for Bytes {
    fn encode(&self, e: &mut Encoder) {
        e.bytes(&self.0);
    }
}

impl Decode for Bytes {
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.bytes(usize::MAX).map(|bytes| Self(bytes.into()))
    }

    #[inline]
    fn skip(input: &[u8]) -> Option<&[u8]> {
        walk::bytes(input).map(|(_, rest)| rest)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
