//! Documents of any size, such as images: sealed, sent, fetched and opened in parts, in constant memory.

use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use chartseal_api::{EnvelopeFront, Outline};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::{
    ContentInfo, Fault, Header, OpenError, OpenedInfo, RecordOpener, RecordSealer, RecordVersion,
    SealedStream,
};
use chartseal_vault::Outboard;
use chartseal_wire::{ActorId, OrgId, RecordId, RequestId};

use crate::clinician::Clinician;
use crate::custody::parts;
use crate::document::{Document, Filing};
use crate::error::Error;
use crate::filing::{Custodians, Filed, Parcel, Plan, Sealed, check_held};
use crate::labels::KeyedHash;
use crate::network::Network;
use crate::patient::FilingKit;
use crate::reading::{Ask, Request, Then, name_liars, still_released};

/// What is known of a record whose content was written elsewhere.
#[derive(Debug)]
pub struct StreamedRecord {
    /// By which request.
    pub request: RequestId,
    /// The record.
    pub record: RecordId,
    /// Its header, which an amendment supersedes.
    pub header: Header,
    /// Who wrote it, as the chain says.
    pub author: ActorId,
    /// Custodians that gave wrong shares, each once, by name.
    pub liars: Vec<(OrgId, Fault)>,
    info: OpenedInfo,
}

impl StreamedRecord {
    /// The content's media type.
    pub fn media_type(&self) -> &str {
        self.info.media_type()
    }

    /// How many bytes of content there are.
    pub fn content_len(&self) -> u64 {
        self.info.content_len()
    }

    /// What it was filed under; `None` if its author said nothing readable.
    pub fn filing(&self) -> Option<Filing> {
        from_bytes(self.info.attributes()).ok()
    }
}

impl Clinician {
    /// Files a document of any size, whose content `content` gives; what `about` has as its content is not looked at. The
    /// sealed body goes to `scratch`, an empty file, say, and from there to the custodians, in parts: one that was cut
    /// short goes on where it was. What `scratch` holds is ciphertext, and of no more use when this returns.
    ///
    /// A custodian that is down gets its share by [`deliver`](Self::deliver), and the body from another custodian or by
    /// [`resume`](Self::resume).
    ///
    /// ```
    /// use std::io::Cursor;
    /// # use chartseal::{Ask, Class, Document, Network, Offer, Purpose};
    /// # let mut network = Network::in_memory()?;
    /// # let hospital = network.enrol_organization()?;
    /// # let mut author = network.enrol_practitioner(&hospital, &["physician"])?;
    /// # let mut doctor = network.enrol_practitioner(&hospital, &["physician"])?;
    /// # let mut patient = network.enrol_patient(&hospital)?;
    /// # let kit = patient.filing_kit();
    /// // Files, as a rule: `File::open("scan.dcm")?`, `tempfile()?`.
    /// let (scan, scratch) = (Cursor::new(vec![7; 1_000_000]), Cursor::new(Vec::new()));
    /// let about = Document::new(Class::IMAGING, "application/dicom", b"");
    /// let filed = author.file_stream(&mut network, &kit, &about, scan, scratch)?;
    /// # let offer = Offer::of(Class::IMAGING, network.now().plus_ms(3_600_000));
    /// # patient.grant(&mut network, &doctor, &offer)?;
    ///
    /// let records = [filed.record];
    /// let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    /// let mut content = Vec::new();
    /// let read = doctor.read_stream(&mut network, &ask, &mut content)?;
    /// assert_eq!((read.media_type(), content.len()), ("application/dicom", 1_000_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotSent`] if the record is anchored, or may be, and a custodian refused or failed, or none took
    /// its body. Then `scratch` is of use still: [`resume`](Self::resume) goes on with it.
    pub fn file_stream(
        &mut self,
        network: &mut Network,
        kit: &FilingKit,
        about: &Document<'_>,
        content: impl Read,
        mut scratch: impl Read + Write + Seek,
    ) -> Result<Filed, Error> {
        let record = RecordId(chartseal_envelope::RecordId::random()?.0);
        let labels = kit.labels.of_record(record, about.class, &about.tags);
        let labels = labels.ok_or_else(|| Error::NoLabel(about.class.to_string()))?;
        let mut plan = Plan {
            document: about,
            record,
            version: RecordVersion::FIRST,
            labels,
            encounter: kit.encounter_of(about),
            fingerprint: [0; 32],
        };
        let custodians = Custodians::of(network)?;
        let attributes = to_bytes(&about.filing());
        let content_info = ContentInfo {
            media_type: about.media_type,
            attributes: &attributes,
            len: None,
        };
        let mut content = Fingerprinted {
            content,
            keyed: self.fingerprinting(kit),
        };
        let record_info = plan.info(kit, &custodians);
        let SealedStream {
            header,
            seal,
            dealer,
        } = RecordSealer::new(&record_info, &content_info, self.person.signing())?
            .seal_stream(&mut content, &mut scratch)?;
        plan.fingerprint = content.keyed.finish();
        self.take_up(network)?;
        let known =
            network.read(|state| state.fingerprint(&self.id(), &kit.patient, &plan.fingerprint))?;
        let not_sent = |record| {
            move |why| Error::NotSent {
                record,
                why: Box::new(why),
            }
        };
        if let Some(known) = known {
            let held = self.hold(network, &[known]);
            held.map_err(not_sent(known))?;
            return Ok(Filed {
                record: known,
                header: None,
            });
        }

        let front = EnvelopeFront { header, seal };
        let (now, expires) = (network.now(), network.expiry()?);
        let anchor = plan.anchor(kit, &front, now, custodians.ledger_set);
        let deals = custodians.deal(&[&dealer])?;
        let parcels = deals.into_iter().map(|(to, deal)| {
            let sealed = Sealed::Uploaded(Arc::new(front.clone()));
            Arc::new(Parcel { to, sealed, deal })
        });
        let anchored = self.anchor(network, vec![anchor], expires, parcels.collect());
        let sent = match anchored {
            Ok(()) => self.resume(network, record, scratch),
            Err(error @ (Error::Refused(_) | Error::RefusedThere(_))) => return Err(error),
            Err(error) => Err(error),
        };
        let held = sent.and_then(|_| check_held(network, &[record]));
        held.map_err(not_sent(record))?;
        Ok(Filed {
            record,
            header: Some(front.header),
        })
    }

    /// Sends a record's sealed body to the custodians that have not acknowledged it, each from where it was cut short, and
    /// their shares after it. `scratch` is what [`file_stream`](Self::file_stream) left there. Gives how many parcels are
    /// still waiting, of this record and others.
    ///
    /// # Errors
    /// [`Error`] if no custodian has the body now.
    pub fn resume(
        &mut self,
        network: &mut Network,
        record: RecordId,
        mut scratch: impl Read + Seek,
    ) -> Result<usize, Error> {
        self.take_up(network)?;
        let waiting = self
            .outbox
            .iter()
            .filter_map(|parcel| match &parcel.sealed {
                Sealed::Uploaded(front) if front.record() == record => {
                    Some((parcel.to, Arc::clone(front)))
                }
                _ => None,
            });
        let waiting: Vec<(OrgId, Arc<EnvelopeFront>)> = waiting.collect();
        let Some((_, front)) = waiting.first().cloned() else {
            return self.deliver(network);
        };
        scratch.rewind().map_err(Error::Scratch)?;
        let outboard = Outboard::of(&mut scratch).map_err(Error::Scratch)?;
        let groups = outboard.groups().to_vec();
        let outline = Outline {
            front: front.as_ref().clone(),
            groups,
        };
        let mut failure = None;
        let mut sent = false;
        for (org, _) in waiting {
            match network.upload(&org, &outline, &mut scratch) {
                Ok(()) => sent = true,
                Err(error @ Error::Scratch(_)) => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        let before = self.outbox.len();
        let delivered = self.deliver(network);
        match failure {
            // Custodians may have had the body from another one.
            Some(error) if !sent && self.outbox.len() >= before => Err(error),
            _ => delivered,
        }
    }

    /// Asks for one record and writes its content to `content`, in constant memory. **What was written before an error
    /// must be discarded**: it is a part of what somebody sealed with the record's key, but perhaps not of what the author
    /// signed.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`Error::NotOne`] if not one record is asked for.
    pub fn read_stream(
        &mut self,
        network: &mut Network,
        ask: &Ask<'_>,
        content: impl Write,
    ) -> Result<StreamedRecord, Error> {
        if ask.records.len() != 1 {
            return Err(Error::NotOne(ask.records.len()));
        }
        let request = self.person.request(network, ask, Then::Open)?;
        request.open_stream(network, content)
    }
}

impl Request {
    fn open_stream(
        &self,
        network: &mut Network,
        mut content: impl Write,
    ) -> Result<StreamedRecord, Error> {
        let mut releases = self.releases(network)?;
        let wanted = still_released(network, self, &releases)?;
        let record = *wanted.first().ok_or(Error::Denied(self.id()))?;
        let expected = self.expected(network)?.remove(&record);
        let expected = expected.ok_or(Error::NoRecord(record))?;
        let is_it = |front: &EnvelopeFront| expected.is_front(front);
        let (front, outboard) = network.outline(&self.id(), &record, is_it)?;
        let EnvelopeFront { header, seal } = front;
        let key = expected
            .author_key(&header)
            .ok_or(Error::NoRecord(record))?;
        let combined = self.unlock(network, &[&header], &mut releases)?;
        let (dealing, combined) = combined.into_iter().next().ok_or(Error::NoRecord(record))?;
        let combined = combined.map_err(|why| Error::NotCombined { record, why })?;

        let fault = |fault| match fault {
            Stopped::Open(why) => Error::NotOpened { record, why },
            Stopped::Write(why) => Error::Write { record, why },
        };
        let mut put = |some: &[u8]| content.write_all(some).map_err(Stopped::Write);
        let opener = RecordOpener::new(&header, &seal, key, &combined.key);
        let mut opener = opener.map_err(|why| Error::NotOpened { record, why })?;
        for groups in parts(&outboard) {
            let part = network.body_part(&self.id(), &record, &outboard, groups)?;
            opener.update(&part, &mut put).map_err(fault)?;
        }
        let info = opener.finish(&mut put).map_err(fault)?;
        content
            .flush()
            .map_err(|why| Error::Write { record, why })?;
        Ok(StreamedRecord {
            request: self.id(),
            record,
            header,
            author: expected.author,
            liars: name_liars(&releases, [(dealing, combined.faults)]),
            info,
        })
    }
}

/// Why content goes no further.
enum Stopped {
    Open(OpenError),
    Write(io::Error),
}

impl From<OpenError> for Stopped {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Content whose fingerprint is taken as it is read.
struct Fingerprinted<R> {
    content: R,
    keyed: KeyedHash,
}

impl<R: Read> Read for Fingerprinted<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = self.content.read(to)?;
        self.keyed.update(to.get(..len).unwrap_or_default());
        Ok(len)
    }
}
