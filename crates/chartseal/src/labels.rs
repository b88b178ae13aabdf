//! Labels: what the chain sees of a record's categories.
//!
//! A label is `HMAC(label key, category)`. Validators compare labels and learn no category. Every
//! record bears [`Labels::COUNT`] of them, filled up with decoys, so that the number of sensitive tags
//! doesn't show.

use std::collections::BTreeMap;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};
use chartseal_fhir::{Class, Tag};
use chartseal_ledger::{Label, Labels};
use chartseal_wire::RecordId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::domain;

/// How many labels of a table stand for nothing. Records bear some of them at random, so that the
/// number of their labels is one for all, and no label is as frequent as padding would be.
const DECOYS: usize = 8;

/// A keyed hash on its way.
pub(crate) struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// A 32-byte secret: overwritten when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// The secret that `bytes` are.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A keyed hash of `bytes` for one purpose: another secret, or a blinded value.
    pub fn derive(&self, domain: &str, bytes: &[u8]) -> [u8; 32] {
        let mut hash = self.keyed(domain);
        hash.update(bytes);
        hash.finish()
    }

    /// The same of bytes that come in parts.
    pub(crate) fn keyed(&self, domain: &str) -> KeyedHash {
        // As HMAC pads a key that is shorter than SHA-256's block.
        let mut key = Zeroizing::new([0; 64]);
        key.split_at_mut(32).0.copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new((&*key).into());
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        KeyedHash(mac)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A patient's labels by category: given to authors whole, and to a grantee as far as granted. It
/// doesn't hold the key, so nobody can label what is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelTable {
    labels: BTreeMap<String, Label>,
}

impl LabelTable {
    /// Every category's label under `key`.
    pub fn of_key(key: &Secret) -> Self {
        let classes = Class::ALL.iter().map(|class| class_category(*class));
        let tags = Tag::ALL.iter().map(|tag| tag_category(*tag));
        let categories = classes.chain(tags).chain((0..DECOYS).map(decoy_category));
        Self {
            labels: categories.map(|c| (c.clone(), label(key, &c))).collect(),
        }
    }

    /// The labels that a record bears: its own and, chosen by its random id, decoys. `None`
    /// if the table lacks one.
    pub fn of_record(&self, record: RecordId, class: Class, tags: &[Tag]) -> Option<Labels> {
        let mut labels = vec![self.get(&class_category(class))?];
        for tag in tags {
            labels.push(self.get(&tag_category(*tag))?);
        }
        let mut decoys: Vec<usize> = (0..DECOYS).collect();
        for random in record.0 {
            if labels.len() < Labels::COUNT && !decoys.is_empty() {
                let decoy = decoys.swap_remove(usize::from(random) % decoys.len());
                labels.push(self.get(&decoy_category(decoy))?);
            }
        }
        labels.try_into().ok().map(Labels::new)
    }

    /// What a grant for these classes and tags must name to cover their records, sorted: decoys too,
    /// for they stand for nothing. `None` if the table lacks one.
    pub fn of_grant(&self, classes: &[Class], tags: &[Tag]) -> Option<Vec<Label>> {
        let classes = classes.iter().map(|class| class_category(*class));
        let tags = tags.iter().map(|tag| tag_category(*tag));
        let categories = classes.chain(tags).chain((0..DECOYS).map(decoy_category));
        let mut labels = categories
            .map(|c| self.get(&c))
            .collect::<Option<Vec<Label>>>()?;
        labels.sort_unstable();
        Some(labels)
    }

    /// This table as far as a grant for these classes and tags goes.
    pub fn part_for_grant(&self, classes: &[Class], tags: &[Tag]) -> Option<Self> {
        let granted = self.of_grant(classes, tags)?;
        let labels = self
            .labels
            .iter()
            .filter(|(_, label)| granted.contains(label));
        Some(Self {
            labels: labels
                .map(|(category, label)| (category.clone(), *label))
                .collect(),
        })
    }

    /// What a restriction of one class names.
    pub fn of_class(&self, class: Class) -> Option<Label> {
        self.get(&class_category(class))
    }

    /// What a restriction of one sensitive tag names.
    pub fn of_tag(&self, tag: Tag) -> Option<Label> {
        self.get(&tag_category(tag))
    }

    /// The class and tags that `labels` are, for whoever has the table. No class: not in the table.
    pub fn read(&self, labels: &[Label]) -> (Option<Class>, Vec<Tag>) {
        let bears = |category: String| {
            self.get(&category)
                .is_some_and(|label| labels.contains(&label))
        };
        let class = Class::ALL
            .iter()
            .copied()
            .find(|class| bears(class_category(*class)));
        let tags = Tag::ALL
            .iter()
            .copied()
            .filter(|tag| bears(tag_category(*tag)));
        (class, tags.collect())
    }

    fn get(&self, category: &str) -> Option<Label> {
        self.labels.get(category).copied()
    }
}

impl Encode for LabelTable {
    fn encode(&self, e: &mut Encoder) {
        e.array(self.labels.len());
        for (category, label) in &self.labels {
            e.array(2).text(category).item(label);
        }
    }
}

impl Decode for LabelTable {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let pairs: Vec<(String, Label)> = d.at("labels").list(1_024)?;
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(d.invalid("categories are sorted, none twice"));
        }
        Ok(Self {
            labels: pairs.into_iter().collect(),
        })
    }
}

fn label(key: &Secret, category: &str) -> Label {
    let [label @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        key.derive(domain::LABEL, category.as_bytes());
    Label(label)
}

fn class_category(class: Class) -> String {
    format!("class/{class}")
}

fn tag_category(tag: Tag) -> String {
    format!("tag/{}", tag.as_str())
}

fn decoy_category(at: usize) -> String {
    format!("decoy/{at}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chartseal_codec::{from_bytes, to_bytes};

    fn table() -> LabelTable {
        LabelTable::of_key(&Secret::new([7; 32]))
    }

    #[test]
    fn a_record_reads_back_under_its_table_and_bears_nothing_under_another() {
        let other = LabelTable::of_key(&Secret::new([8; 32]));
        for tags in [&[][..], &Tag::ALL[..1], &Tag::ALL[..]] {
            let labels = table()
                .of_record(RecordId([3; 16]), Class::LABORATORY, tags)
                .unwrap();
            assert_eq!(
                table().read(labels.as_slice()),
                (Some(Class::LABORATORY), tags.to_vec())
            );
            assert_eq!(other.read(labels.as_slice()), (None, vec![]));
        }
    }

    #[test]
    fn a_grant_covers_its_classes_records_whatever_decoys_they_bear_and_no_tagged_one() {
        let grant = table().of_grant(&[Class::LABORATORY], &[]).unwrap();
        let covers = |labels: Labels| labels.as_slice().iter().all(|label| grant.contains(label));
        for id in 0..=255 {
            let record = RecordId([id; 16]);
            let labels = |class, tags: &[Tag]| table().of_record(record, class, tags).unwrap();
            assert!(covers(labels(Class::LABORATORY, &[])));
            assert!(!covers(labels(Class::CONDITION, &[])));
            assert!(!covers(labels(Class::LABORATORY, &Tag::ALL[..1])));
        }
    }

    #[test]
    fn a_part_of_a_table_has_what_was_granted_and_no_more() {
        let part = table().part_for_grant(&[Class::LABORATORY], &[]).unwrap();
        assert_eq!(from_bytes::<LabelTable>(&to_bytes(&part)).unwrap(), part);
        assert!(part.of_class(Class::LABORATORY).is_some());
        assert!(part.of_class(Class::CONDITION).is_none());
    }
}
