//! JSON, looked through without changing a byte.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{BundleError, Word};

/// How many arrays and objects may lie inside each other, the outermost counted.
///
/// The deepest of the Synthea and HL7 files that the tests read has 13. The bound is checked before anything recurses.
pub const MAX_NESTING: usize = 100;

/// The text of one JSON document, checked to be UTF-8, shallow and well-formed.
pub(crate) fn document(bytes: &[u8]) -> Result<&RawValue, BundleError> {
    if bytes.trim_ascii().is_empty() {
        return Err(BundleError::Empty);
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(BundleError::InvalidUtf8 { offset: 0 });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| BundleError::InvalidUtf8 {
        offset: error.valid_up_to(),
    })?;
    check_nesting(bytes)?;
    serde_json::from_str(text).map_err(|error| {
        // Nothing else of serde_json's error is repeated: its message can quote the input.
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            BundleError::Truncated { line, column }
        } else {
            BundleError::NotJson { line, column }
        }
    })
}

/// Counts brackets outside of strings; needs no well-formed JSON.
fn check_nesting(bytes: &[u8]) -> Result<(), BundleError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' if depth == MAX_NESTING => {
                return Err(BundleError::TooDeep {
                    limit: MAX_NESTING,
                    offset,
                });
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// A string, borrowed from the input where it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// The members of one object, their values still raw.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| *value)
    }

    pub(crate) fn repeated_key(&self) -> Option<Word> {
        repeated(self.0.iter().map(|(name, _)| name.as_ref()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// What of a resource is looked at: its strings and its shape. Numbers stay in the raw bytes.
pub(crate) enum Node<'a> {
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// A number, `true`, `false` or `null`.
    Other,
}

impl<'a> Node<'a> {
    /// The first of an array, or the value itself: many R4 elements differ in nothing else.
    pub(crate) fn first(&self) -> Option<&Self> {
        self.each().first()
    }

    /// An array's elements; of anything else, itself alone.
    pub(crate) fn each(&self) -> &[Self] {
        match self {
            Self::List(nodes) => nodes,
            single => std::slice::from_ref(single),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Follows keys, taking the first element of each array on the way.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |node, key| node.first()?.get(key))
    }

    pub(crate) fn text(&self) -> Option<&Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.first()?.text().map(AsRef::as_ref)
    }

    /// This node and all below it, in no particular order.
    pub(crate) fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            match node {
                Self::List(nodes) => open.extend(nodes),
                Self::Object(members) => open.extend(members.iter().map(|(_, value)| value)),
                Self::Text(_) | Self::Other => {}
            }
            Some(node)
        })
    }

    /// A key that some object in here has twice.
    pub(crate) fn repeated_key(&self) -> Option<Word> {
        self.walk().find_map(|node| match node {
            Self::Object(members) => repeated(members.iter().map(|(name, _)| name.as_ref())),
            _ => None,
        })
    }
}

fn repeated<'k>(keys: impl Iterator<Item = &'k str>) -> Option<Word> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.iter()
        .zip(keys.iter().skip(1))
        .find(|(a, b)| a == b)
        .map(|(key, _)| Word::new(key))
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            // Lists of numbers (sampled signals) would otherwise cost sixteen times their bytes.
            if !matches!(node, Node::Other) {
                nodes.push(node);
            }
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            members.push((key, map.next_value()?));
        }
        Ok(Node::Object(members))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Other)
    }
}
