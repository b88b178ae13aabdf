use crate::{DecodeError, Decoder};

/// What an item of a type looks like, as data: one function checks the items of every type, where each type's own
/// code would say the same again.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// An unsigned integer of at most so much.
    Uint(u64),
    /// `true` or `false`.
    Bool,
    /// A byte string of exactly so many bytes.
    Bytes(usize),
    /// `null`, or an item.
    Optional(&'static Shape),
    /// At most [`MAX_LIST`](crate::MAX_LIST) items.
    List(&'static Shape),
    /// An array of fields, each with its name.
    Struct {
        /// The type's name.
        name: &'static str,
        /// The fields, in the order in which they are written.
        fields: &'static [(&'static str, &'static Shape)],
    },
    /// `[tag]` or `[tag, item]`.
    Enum {
        /// The type's name.
        name: &'static str,
        /// Each variant's tag, name and item.
        variants: &'static [(u64, &'static str, Option<&'static Shape>)],
    },
    /// An item with rules of its own: its decoder's.
    Own(fn(&mut Decoder<'_>) -> Result<(), DecodeError>),
}

impl Shape {
    /// Reads one item of this shape, as its type's [`decode`](crate::Decode::decode) does, and makes no value of it.
    /// It nests as deep as the type does, whatever the input.
    ///
    /// # Errors
    /// Those of `decode`.
    pub fn check(&self, d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        match self {
            Self::Uint(max) => d.uint_in(0, *max).map(|_| ()),
            Self::Bool => d.bool().map(|_| ()),
            Self::Bytes(len) => d.bytes_of(*len).map(|_| ()),
            Self::Optional(item) => {
                if d.null()? {
                    return Ok(());
                }
                item.check(d)
            }
            Self::List(item) => {
                let len = d.array(crate::MAX_LIST)?;
                (0..len).try_for_each(|_| item.check(d))
            }
            Self::Struct { name, fields } => {
                d.at(name).array_exact(fields.len())?;
                let mut fields = fields.iter();
                fields.try_for_each(|(name, field)| field.check(d.at(name)))
            }
            Self::Enum { name, variants } => {
                let (tag, len) = d.at(name).variant()?;
                let is_it = |(a, _, item): &&(u64, &str, Option<_>)| {
                    *a == tag && len == 1 + usize::from(item.is_some())
                };
                let Some((_, variant, item)) = variants.iter().find(is_it) else {
                    return Err(d.no_variant());
                };
                d.at(variant);
                item.map_or(Ok(()), |item| item.check(d))
            }
            Self::Own(check) => check(d),
        }
    }
}
