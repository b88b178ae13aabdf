/// Encodes a struct as the array of its fields, in the order given.
///
/// The order is the wire format: it does not follow the declaration.
///
/// ```
/// struct Window { from: u64, until: Option<u64> }
/// chartseal_codec::canonical_struct!(Window { from, until });
/// ```
#[macro_export]
macro_rules! canonical_struct {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::Encode for $name {
            fn encode(&self, e: &mut $crate::Encoder) {
                e.array([$(stringify!($field)),+].len());
                $($crate::Encode::encode(&self.$field, e);)+
            }
        }

        impl $crate::Decode for $name {
            #[inline]
            fn decode(d: &mut $crate::Decoder<'_>) -> Result<Self, $crate::DecodeError> {
                d.at(stringify!($name)).array_exact([$(stringify!($field)),+].len())?;
                $(let $field = $crate::Decode::decode(d.at(stringify!($field)))?;)+
                Ok(Self { $($field),+ })
            }

            const SHAPE: &'static $crate::Shape = &$crate::Shape::Struct {
                name: stringify!($name),
                fields: &[$((
                    stringify!($field),
                    $crate::__private::shape_of_field(|it: &Self| &it.$field),
                )),+],
            };
        }
    };
}

/// Encodes an enum of one-field or empty variants as `[tag, field]` or `[tag]`.
///
/// ```
/// # struct Grant { until: u64 }
/// # chartseal_codec::canonical_struct!(Grant { until });
/// enum Body { Granted(Grant), Closed }
/// chartseal_codec::canonical_enum!(Body { 1 => Granted(_), 2 => Closed });
/// ```
#[macro_export]
macro_rules! canonical_enum {
    ($name:ident { $($tag:literal => $variant:ident $(($hole:tt))?),+ $(,)? }) => {
        impl $crate::Encode for $name {
            fn encode(&self, e: &mut $crate::Encoder) {
                match self {
                    $($crate::canonical_enum!(@pattern $name $variant $(($hole) value)?) => {
                        e.array($crate::canonical_enum!(@len $($hole)?)).uint($tag);
                        $($crate::canonical_enum!(@encode $hole value e);)?
                    })+
                }
            }
        }

        impl $crate::Decode for $name {
            // Not inline: with many variants it is long, and would be in each crate that uses it.
            fn decode(d: &mut $crate::Decoder<'_>) -> Result<Self, $crate::DecodeError> {
                match d.at(stringify!($name)).variant()? {
                    $(($tag, $crate::canonical_enum!(@len $($hole)?)) => {
                        d.at(stringify!($variant));
                        Ok($crate::canonical_enum!(@decode $name $variant d $($hole)?))
                    })+
                    _ => Err(d.no_variant()),
                }
            }

            const SHAPE: &'static $crate::Shape = &$crate::Shape::Enum {
                name: stringify!($name),
                variants: &[$((
                    $tag,
                    stringify!($variant),
                    $crate::canonical_enum!(@shape $name $variant $(($hole))?),
                )),+],
            };
        }
    };
    (@len) => { 1 };
    (@len $hole:tt) => { 2 };
    (@pattern $name:ident $variant:ident) => { $name::$variant };
    (@pattern $name:ident $variant:ident ($hole:tt) $value:ident) => { $name::$variant($value) };
    (@encode $hole:tt $value:ident $e:ident) => { $crate::Encode::encode($value, $e) };
    (@decode $name:ident $variant:ident $d:ident) => { $name::$variant };
    (@decode $name:ident $variant:ident $d:ident $hole:tt) => {
        $name::$variant($crate::Decode::decode($d)?)
    };
    (@shape $name:ident $variant:ident) => { None };
    (@shape $name:ident $variant:ident ($hole:tt)) => {
        Some($crate::__private::shape_of_variant($name::$variant))
    };
}

/// A newtype over `[u8; N]`: an id, a digest, a public key. `Debug` and `Display` show hex.
#[macro_export]
macro_rules! byte_newtype {
    ($(#[$meta:meta])* $vis:vis struct $name:ident([u8; $len:literal]);) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub [u8; $len]);

        impl $name {
            /// Its length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::write_hex(f, &self.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::HexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::hex_exact(text).map(Self)
            }
        }

        impl $crate::Encode for $name {
            fn encode(&self, e: &mut $crate::Encoder) {
                e.bytes(&self.0);
            }
        }

        impl $crate::Decode for $name {
            #[inline]
            fn decode(d: &mut $crate::Decoder<'_>) -> Result<Self, $crate::DecodeError> {
                d.bytes_exact().map(Self)
            }

            const SHAPE: &'static $crate::Shape = &$crate::Shape::Bytes($len);

            #[inline]
            fn skip(input: &[u8]) -> Option<&[u8]> {
                $crate::walk::bytes_exact::<$len>(input).map(|(_, rest)| rest)
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}
