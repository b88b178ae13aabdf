//! Documents of any size: filed and read as streams.

use std::io::{Cursor, Read, Write};

use chartseal::{Ask, Class, Document, Error, Offer, Purpose};
use chartseal_node::Conduct;

use crate::fixture::*;

fn image() -> Vec<u8> {
    (0..3_000_000_u32)
        .map(|at| at.to_le_bytes()[at as usize % 3])
        .collect()
}

fn about() -> Document<'static> {
    Document::new(Class::LABORATORY, "application/dicom", b"not looked at")
}

/// Content that breaks off.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let len = self.0.min(to.len());
        self.0 -= len;
        match len {
            0 => Err(std::io::Error::other("the scanner is off")),
            len => Ok(len),
        }
    }
}

/// A disk that takes so much.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, some: &[u8]) -> std::io::Result<usize> {
        if some.len() > self.0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= some.len();
        Ok(some.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_image_is_filed_and_read_while_one_custodian_lies_and_one_is_down() {
    let mut visit = Visit::new();
    let kit = visit.patient.filing_kit();
    let image = image();
    visit.network.set_conduct(3, Conduct::Stopped).unwrap();
    let mut scratch = Cursor::new(Vec::new());
    let filed = visit
        .author
        .file_stream(
            &mut visit.network,
            &kit,
            &about(),
            image.as_slice(),
            &mut scratch,
        )
        .unwrap();
    assert!(filed.header.is_some());
    visit.grant();
    let records = [filed.record];
    let patient = visit.patient.id();
    let ask = Ask::read(patient, &records, Purpose::Treat);
    let read = |visit: &mut Visit| {
        let mut content = Vec::new();
        let read = visit
            .doctor
            .read_stream(&mut visit.network, &ask, &mut content);
        read.map(|read| (read, content))
    };
    let (record, content) = read(&mut visit).unwrap();
    assert!(content == image);
    assert_eq!(
        (record.record, record.author),
        (filed.record, visit.author.id())
    );
    assert_eq!(record.filing().unwrap().class, Class::LABORATORY);
    assert_eq!(Some(&record.header), filed.header.as_ref());
    // What is read whole is the same.
    let opening = visit.doctor.read(&mut visit.network, &ask).unwrap();
    assert!(opening.records[0].content() == image);

    // Back again, it has a share and no body, until it is sent from where it waits.
    visit.network.set_conduct(3, Conduct::Honest).unwrap();
    assert_eq!(visit.author.deliver(&mut visit.network).unwrap(), 1);
    let waiting = visit
        .author
        .resume(&mut visit.network, filed.record, &mut scratch);
    assert_eq!(waiting.unwrap(), 0);
    visit
        .network
        .set_conduct(1, Conduct::LiesAboutShares)
        .unwrap();
    let (record, content) = read(&mut visit).unwrap();
    assert!(content == image);
    let liars: Vec<_> = record.liars.iter().map(|(org, _)| *org).collect();
    assert_eq!(liars, [visit.network.nodes()[1].org()]);

    // What goes wrong while it is written is said.
    let full = visit
        .doctor
        .read_stream(&mut visit.network, &ask, Full(1_000_000));
    assert!(matches!(full, Err(Error::Write { .. })), "{full:?}");
    visit
        .patient
        .erase(&mut visit.network, filed.record)
        .unwrap();
    for node in visit.network.nodes() {
        assert!(!node.holds_anything_of(&filed.record).unwrap());
    }
    assert!(read(&mut visit).is_err());
}

#[test]
fn what_is_not_sealed_leaves_nothing_and_the_same_content_is_filed_once() {
    let mut visit = Visit::new();
    let kit = visit.patient.filing_kit();
    let height = visit.network.head().unwrap().height();
    let file = |visit: &mut Visit, content: &mut dyn Read| {
        let scratch = Cursor::new(Vec::new());
        visit
            .author
            .file_stream(&mut visit.network, &kit, &about(), content, scratch)
    };
    let broken = file(&mut visit, &mut Broken(1_000_000));
    assert!(
        broken
            .unwrap_err()
            .to_string()
            .contains("the scanner is off")
    );
    assert_eq!(visit.network.head().unwrap().height(), height);

    let first = file(&mut visit, &mut image().as_slice()).unwrap();
    let again = file(&mut visit, &mut image().as_slice()).unwrap();
    assert_eq!((again.record, again.header), (first.record, None));
    // As one that was filed whole, and the other way round.
    let whole = Document {
        content: &image(),
        ..about()
    };
    let kit = visit.patient.filing_kit();
    let whole = visit
        .author
        .file(&mut visit.network, &kit, &[whole], |_| ());
    assert_eq!(whole.unwrap()[0].record, first.record);
    let empty = visit.author.file_stream(
        &mut visit.network,
        &kit,
        &about(),
        &[][..],
        Cursor::new(Vec::new()),
    );
    let empty = [empty.unwrap().record];

    let patient = visit.patient.id();
    let ask = Ask::read(patient, &empty, Purpose::Treat);
    let denied = visit
        .doctor
        .read_stream(&mut visit.network, &ask, Vec::new());
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    let offer = Offer::of(Class::LABORATORY, visit.network.now().plus_ms(60_000));
    visit
        .patient
        .grant(&mut visit.network, &visit.doctor, &offer)
        .unwrap();
    let mut content = Vec::new();
    visit
        .doctor
        .read_stream(&mut visit.network, &ask, &mut content)
        .unwrap();
    assert_eq!(content, b"");
    let two = [first.record, empty[0]];
    let two = Ask::read(patient, &two, Purpose::Treat);
    let refused = visit
        .doctor
        .read_stream(&mut visit.network, &two, Vec::new());
    assert!(matches!(refused, Err(Error::NotOne(2))), "{refused:?}");
}
