//! What only a person may ask, or who speaks for them: histories as they stand, as they grow, and with their proofs. A node
//! that hangs, or gives something else, is passed over.

use std::time::{Duration, Instant};

use chartseal_api::{ExportAsk, HistoryAsk, Section, Signed};
use chartseal_client::{ClientError, Remote};
use chartseal_codec::Encode;
use chartseal_envelope::RecordId as RandomId;
use chartseal_merkle::Frontier;
use chartseal_node::ExportRequest;
use chartseal_wire::{Checkpoint, Entry, Hash, SignedNote, Subject, Time};

use super::{PATIENCE, There, last, level, lock};
use crate::error::Error;
use crate::person::Person;
use crate::several::{Answers, GRACE, LONG_GRACE, ask_in_turn, ask_within};
use crate::watch::Watch;

/// A node, and a question that is signed for it.
type Asked<T> = (Remote, Signed<T>);

impl There {
    /// A history's entries up to the state that is known here, which says whether they are all.
    pub(crate) fn history(
        &self,
        person: &Person,
        subject: &Subject,
        now: Time,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let frontier = self.read(|state| state.frontier(subject))?;
        // It only grows: what was right once is its beginning.
        let known = lock(&self.histories).get(subject).cloned();
        let known = known.unwrap_or_default();
        if root(&known) == frontier.root() {
            return Ok(known);
        }
        let mut failed = None;
        let mut first = self.first_asked();
        for _ in 0..self.nodes.len() {
            let from = known.clone();
            match self.history_from(&mut first, person, subject, now, (from, frontier.size())) {
                Ok(entries) if root(&entries) == frontier.root() => {
                    lock(&self.histories).insert(*subject, entries.clone());
                    return Ok(entries);
                }
                Ok(_) => failed = Some(Error::Malformed("a history")),
                Err(error) => failed = Some(error),
            }
            first += 1;
        }
        Err(failed.unwrap_or(Error::NobodyThere))
    }

    /// So many entries with those that are known, of nodes from the one at `first` on; `first` is then the place of the one
    /// that gave the last.
    fn history_from(
        &self,
        first: &mut usize,
        person: &Person,
        subject: &Subject,
        now: Time,
        (mut entries, size): (Vec<Vec<u8>>, u64),
    ) -> Result<Vec<Vec<u8>>, Error> {
        let height = self.height();
        while (entries.len() as u64) < size {
            let ask = HistoryAsk {
                subject: *subject,
                from: entries.len() as u64,
            };
            let asked = self.signed_for_all(person, now, &ask)?;
            let some = ask_in_turn(
                &asked,
                *first % asked.len().max(1),
                GRACE,
                move |(node, ask): &Asked<HistoryAsk>| {
                    level(node, height)?;
                    node.history(ask)
                },
            );
            let (place, some) = some.map_err(last)?;
            *first = place;
            if some.entries.is_empty() {
                break;
            }
            entries.extend(some.entries.into_iter().map(|entry| entry.0));
        }
        entries.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(entries)
    }

    /// A history as it grows, told by the first node that does.
    pub(crate) fn watch(
        &self,
        person: &Person,
        subject: &Subject,
        from: u64,
        now: Time,
    ) -> Result<Watch, Error> {
        let height = self.height();
        let ask = HistoryAsk {
            subject: *subject,
            from,
        };
        let asked = self.signed_for_all(person, now, &ask)?;
        let watched = ask_in_turn(
            &asked,
            self.first_asked(),
            GRACE,
            move |(node, ask): &Asked<HistoryAsk>| {
                level(node, height)?;
                node.watch(ask)
            },
        );
        let (_, entries) = watched.map_err(last)?;
        Ok(Watch::of(entries))
    }

    /// An export under a checkpoint that so many validators have cosigned, the first ones of those that answer.
    pub(crate) fn export(
        &self,
        person: &Person,
        request: &ExportRequest,
        now: Time,
        cosigners: usize,
    ) -> Result<String, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            let (mut failed, mut silent) = (None, Vec::new());
            for node in &self.nodes {
                match self.export_of(node, person, request, now, cosigners) {
                    Ok(export) => return Ok(export),
                    Err(Error::Client(why @ ClientError::Unreachable { .. })) => silent.push(why),
                    Err(error) => failed = Some(error),
                }
            }
            if silent.len() == self.nodes.len() {
                return Err(last(silent));
            }
            // The newest block has no certificate yet, or another one came in between.
            if Instant::now() >= end {
                return Err(failed.unwrap_or(Error::NobodyThere));
            }
            self.go_on()?;
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn export_of(
        &self,
        node: &Remote,
        person: &Person,
        request: &ExportRequest,
        now: Time,
        cosigners: usize,
    ) -> Result<String, Error> {
        let height = self.height();
        let issued = ask_within(node, LONG_GRACE, move |node| {
            level(node, height)?;
            node.checkpoint()
        });
        let issued = issued.ok_or(Error::NobodyThere)??;
        let mut signed_note =
            SignedNote::parse(&issued).map_err(|_| Error::Malformed("a checkpoint"))?;
        check_is_newest(&signed_note, height)?;
        // One that has not got so far, or is down, does not sign.
        let text = signed_note.text.clone();
        let asked = if cosigners == 0 { &[] } else { &self.nodes[..] };
        let lines = Answers::of(asked, {
            let text = text.clone();
            move |node| node.cosign(&text)
        });
        let lines = lines
            .with_grace(Duration::ZERO)
            .gather(|came| came.iter().filter(|(_, line)| line.is_ok()).count() >= cosigners);
        let signed = lines.into_iter().filter_map(|(_, line)| {
            let signed = SignedNote::parse(&format!("{text}\n{}", line.ok()?)).ok()?;
            (signed.text == text).then_some(signed.signatures)
        });
        let signatures: Vec<_> = signed.flatten().take(cosigners).collect();
        if signatures.len() < cosigners {
            return Err(Error::TooFewSigners {
                needed: cosigners,
                found: signatures.len(),
            });
        }
        signed_note.signatures.extend(signatures);
        let sections = request.histories.iter();
        let sections = sections.map(|(subject, first)| Section {
            subject: *subject,
            first: *first,
        });
        let ask = ExportAsk {
            sections: sections.collect(),
            log_size: request.log_size,
            note: signed_note.to_string(),
        };
        let asked = self.signed(node, person, now, ask)?;
        Ok(node.export(&asked)?)
    }

    /// The same question, signed for each node.
    fn signed_for_all<T: Encode + Clone>(
        &self,
        person: &Person,
        now: Time,
        ask: &T,
    ) -> Result<Vec<Asked<T>>, Error> {
        let asked = self.nodes.iter().map(|node| {
            let asked = self.signed(node, person, now, ask.clone())?;
            Ok((node.clone(), asked))
        });
        asked.collect()
    }

    fn signed<T: Encode>(
        &self,
        node: &Remote,
        person: &Person,
        now: Time,
        ask: T,
    ) -> Result<Signed<T>, Error> {
        let nonce = RandomId::random()?.0;
        let sign = |message: &[u8]| person.sign(message);
        let key = person.public_key();
        Ok(Signed::new(
            (&self.id, &node.org()),
            key,
            now,
            nonce,
            ask,
            sign,
        ))
    }
}

/// A checkpoint of blocks up to one below that which is final as far as is known here would hide the rest from the verifier.
fn check_is_newest(note: &SignedNote, known: u64) -> Result<(), Error> {
    let checkpoint = Checkpoint::parse(&note.text);
    let size = checkpoint
        .map_err(|_| Error::Malformed("a checkpoint"))?
        .size;
    if size > known {
        return Ok(());
    }
    Err(Error::OldCheckpoint {
        blocks: size,
        known: known.saturating_add(1),
    })
}

/// The root of a history of these entries.
fn root(entries: &[Vec<u8>]) -> Hash {
    let mut log = Frontier::new();
    Entry::append(&mut log, entries);
    log.root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_below_what_is_known_to_be_final_is_refused() {
        let of = |size| SignedNote {
            text: Checkpoint {
                origin: "chartseal/test".into(),
                size,
                root: Hash([7; 32]),
            }
            .to_string(),
            signatures: Vec::new(),
        };
        // Block 9 is the tenth.
        assert!(check_is_newest(&of(10), 9).is_ok());
        assert!(check_is_newest(&of(11), 9).is_ok());
        let refused = check_is_newest(&of(9), 9).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a node's checkpoint is of 9 blocks, and 10 are final: it hides the newest"
        );
        assert!(check_is_newest(&of(0), 0).is_err());
    }
}
