//! Objects as files: their first line, their parts, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use std::io::{Cursor, Read, Seek, SeekFrom};

use chartseal_envelope::file::{self, FileError, Kind, Record, RecordFile};
use chartseal_envelope::*;
use common::{World, rule};

fn record() -> (World, SealedRecord, Vec<u8>) {
    let mut world = World::new(150, 2, 3);
    let sealed = world.seal(b"in a file");
    let record = Record {
        header: sealed.header.clone(),
        body: &sealed.body,
        seal: sealed.seal.clone(),
    };
    let bytes = record.to_bytes();
    (world, sealed, bytes)
}

#[test]
fn a_record_comes_out_of_its_file_as_it_went_in() {
    let (_, sealed, bytes) = record();
    assert!(bytes.starts_with(b"chartseal/record/1\n"));
    assert_eq!(Kind::of(&bytes), Some(Kind::Record));
    let record = Record::from_bytes(&bytes).unwrap();
    assert_eq!(
        (&record.header, &record.seal),
        (&sealed.header, &sealed.seal)
    );
    assert_eq!(record.body, sealed.body);

    let mut file = RecordFile::new(Cursor::new(&bytes)).unwrap();
    assert_eq!((file.header(), file.seal()), (&sealed.header, &sealed.seal));
    assert_eq!(file.body_len(), sealed.body.len() as u64);
    let mut body = Vec::new();
    file.read_to_end(&mut body).unwrap();
    assert_eq!(body, sealed.body);
    body.clear();
    file.seek(SeekFrom::End(-5)).unwrap();
    file.read_to_end(&mut body).unwrap();
    assert_eq!(body, sealed.body[sealed.body.len() - 5..]);
    assert!(file.seek(SeekFrom::Current(-1000)).is_err());
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let (_, sealed, bytes) = record();
    let slots = file::to_bytes(&Slots::new(&sealed.header));
    assert_eq!(
        file::from_bytes::<Slots>(&slots).unwrap(),
        Slots::new(&sealed.header)
    );
    let error = file::from_bytes::<Slots>(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "first line should be chartseal/slots/1 (CS-ENV-90)"
    );
    assert_eq!(
        Record::from_bytes(&slots).unwrap_err(),
        FileError::Kind("record")
    );
    assert_eq!(
        rule(RecordFile::new(Cursor::new(&slots)).unwrap_err()),
        "CS-ENV-90"
    );
    assert_eq!(Kind::of(b"chartseal/record/2\n"), None);
}

/// A file that is cut may still be taken apart if what lies at its end looks like a seal; it never verifies.
#[test]
fn a_cut_record_file_is_refused() {
    let (world, _, bytes) = record();
    for len in 0..bytes.len() {
        let cut = &bytes[..len];
        let whole = Record::from_bytes(cut);
        let streamed = RecordFile::new(Cursor::new(cut));
        assert_eq!(whole.is_ok(), streamed.is_ok(), "{len}");
        if let Ok(record) = whole {
            let author = world.author.verifying_key();
            assert!(
                record
                    .seal
                    .verify(&record.header, record.body, &author)
                    .is_err(),
                "{len}"
            );
        }
    }
    let short = &bytes[..30];
    assert_eq!(rule(Record::from_bytes(short).unwrap_err()), "CS-ENV-91");
}
