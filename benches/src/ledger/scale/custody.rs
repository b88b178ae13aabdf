//! A sealed record deposited with the node, and its share released, among those of all the workload's records.

use chartseal_envelope::{
    Content, CustodianSet, KemKeyPair, KemPublicKey, RecordInfo, RecordVersion, SealedRecord,
    SetId, SigningKeyPair, SubjectId, Suite, Threshold, accept_all, deal, seal,
};
use chartseal_node::{Clock, Envelope, EnvelopeFront, Node};

use super::{Growing, Result, TIMES, middle_s, take, timed};
use crate::made::{PATIENT, id16};

impl Growing {
    /// All custodians' keys.
    fn custodians(&self) -> Vec<KemPublicKey> {
        let own = [self.keys.kem.public_key().clone()];
        own.iter().chain(&self.others).cloned().collect()
    }

    /// As many bytes as a share takes in the store.
    pub(super) fn own_share(&self) -> Result<Vec<u8>> {
        let author = SigningKeyPair::generate()?;
        let sealed = self.seal(id16("share", 0), 0, &author)?;
        let deals = deal(&[&sealed.dealer], &self.custodians())?;
        let deal = deals.first().ok_or("no deal")?;
        let dealing = sealed.dealer.dealing();
        let accepted = accept_all(&self.keys.kem, deal.index(), &[dealing], deal)?;
        let share = accepted.held.first().ok_or("no share")?;
        Ok(share.to_storage_bytes().to_vec())
    }

    /// A record of 1 KiB for this network's custodians.
    fn seal(
        &self,
        record: [u8; 16],
        patient: u64,
        author: &SigningKeyPair,
    ) -> Result<SealedRecord> {
        let info = RecordInfo {
            suite: Suite::XWing,
            record_id: chartseal_envelope::RecordId(record),
            subject: SubjectId(id16(PATIENT, patient)),
            version: RecordVersion::FIRST,
            custodians: CustodianSet {
                id: SetId(self.workload.genesis.committee().hash().0),
                epoch: 0,
                threshold: Threshold::new(3, 4)?,
            },
        };
        let content = Content {
            media_type: "text/plain",
            attributes: &[],
            bytes: &[7; 1_024],
        };
        Ok(seal(&info, &content, author)?)
    }

    /// A deposit of a sealed record, and its release.
    pub(super) fn custody(&mut self, node: &mut Node, clock: &Clock) -> Result<(f64, f64)> {
        let kems = self.custodians();
        let reader = KemKeyPair::generate()?;
        let (mut deposits, mut releases) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            self.sealed += 1;
            let record = id16("sealed", self.sealed);
            let patient = self.sealed % self.workload.patients().min(100);
            let author = self.workload.author();
            let sealed = self.seal(record, patient, &author)?;
            let anchored = self.workload.anchor(node.head(), patient, &sealed)?;
            take(node, &anchored)?;
            let deals = deal(&[&sealed.dealer], &kems)?;
            let deal = deals.first().ok_or("no deal")?;
            let envelope = Envelope {
                front: EnvelopeFront {
                    header: sealed.header,
                    seal: sealed.seal,
                },
                body: sealed.body,
            };
            let (deposited, took) =
                timed(|| Ok(node.deposit(std::slice::from_ref(&envelope), deal)?))?;
            if deposited.acknowledgements.len() != 1 {
                return Err("the deposit was refused".into());
            }
            deposits.push(took);
            let reader_key = reader.key_id().0;
            let header = &envelope.front.header;
            let (block, request) = self
                .workload
                .read(node.head(), patient, header, reader_key)?;
            take(node, &block)?;
            clock.advance_ms(self.workload.now().0 - clock.now().0);
            releases.push(timed(|| Ok(node.release(&request, reader.public_key())?))?.1);
        }
        Ok((middle_s(deposits), middle_s(releases)))
    }
}
