//! Records that are sealed and opened piece by piece.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    clippy::similar_names,
    clippy::unit_arg,
    reason = "a test's helper fails its test"
)]

mod common;

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use chartseal_envelope::cobblestone::{self, CHUNK_LEN, PREFIX_LEN, TAG_LEN};
use chartseal_envelope::*;
use common::{REQUEST, World, rule};

const BATCH: usize = 16 * CHUNK_LEN;
const SEALED_CHUNK: usize = CHUNK_LEN + TAG_LEN;

struct Sealed {
    record: SealedStream,
    body: Vec<u8>,
    key: ContentKey,
}

fn info(len: Option<usize>) -> ContentInfo<'static> {
    ContentInfo {
        media_type: "text/plain",
        attributes: b"notes",
        len: len.map(|len| len as u64),
    }
}

fn seal_stream(world: &mut World, content: &[u8], len: Option<usize>) -> Sealed {
    let record = world.info();
    let sealer =
        RecordSealer::new_with_rng(&record, &info(len), &world.author, &mut world.rng).unwrap();
    let mut body = Vec::new();
    let record = sealer.seal_stream(content, &mut body).unwrap();
    assert_eq!(record.seal.body_len(), body.len() as u64);
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let combined = combine(&world.reader, REQUEST, record.dealer.dealing(), &releases);
    let key = combined.unwrap().key;
    Sealed { record, body, key }
}

fn opener(world: &World, sealed: &Sealed) -> Result<RecordOpener, OpenError> {
    let (header, seal) = (&sealed.record.header, &sealed.record.seal);
    RecordOpener::new(header, seal, &world.author.verifying_key(), &sealed.key)
}

/// What was written, and how it ended.
fn open_stream(
    world: &World,
    sealed: &Sealed,
    body: impl Read,
) -> (Vec<u8>, Result<OpenedInfo, OpenStreamError>) {
    let mut content = Vec::new();
    let opened = opener(world, sealed)
        .unwrap()
        .open_stream(body, &mut content);
    (content, opened)
}

fn text(len: usize) -> Vec<u8> {
    (1..=250).cycle().take(len).collect()
}

/// Lengths around every border: of chunks, of batches, with the prefix and the tail.
fn lengths() -> impl Iterator<Item = usize> {
    let borders = [
        0,
        64,
        CHUNK_LEN,
        2 * CHUNK_LEN,
        BATCH,
        BATCH + CHUNK_LEN,
        2 * BATCH,
    ];
    borders
        .into_iter()
        .flat_map(|border| [-71_i64, -61, -60, -1, 0, 1].map(|by| border as i64 + by))
        .filter_map(|len| usize::try_from(len).ok())
}

#[test]
fn a_stream_opens_at_once_and_piece_by_piece_whether_its_length_was_known_or_not() {
    let mut world = World::new(201, 2, 2);
    for len in lengths() {
        let content = text(len);
        for known in [Some(len), None] {
            let sealed = seal_stream(&mut world, &content, known);
            let author = world.author.verifying_key();
            let (header, seal) = (&sealed.record.header, &sealed.record.seal);
            let opened = open(header, &sealed.body, seal, &author, &sealed.key).unwrap();
            assert!(opened.content() == content, "{len} {known:?}");
            assert_eq!(opened.media_type(), "text/plain");

            let (written, opened) = open_stream(&world, &sealed, &*sealed.body);
            let opened = opened.unwrap();
            assert!(written == content, "{len} {known:?}");
            assert_eq!(opened.content_len(), len as u64);
            assert_eq!(
                (opened.media_type(), opened.attributes()),
                ("text/plain", &b"notes"[..])
            );
            assert_eq!(
                audit_deal(&opened, sealed.record.dealer.dealing()),
                DealVerdict::Honest
            );
        }
    }
}

#[test]
fn a_stream_of_known_length_is_the_body_that_is_sealed_at_once() {
    for len in [0, 100, CHUNK_LEN, BATCH + 5] {
        let content = text(len);
        let (mut one, mut two) = (World::new(202, 2, 2), World::new(202, 2, 2));
        let at_once = one.seal(&content);
        let streamed = seal_stream(&mut two, &content, Some(len));
        assert_eq!(at_once.header, streamed.record.header);
        assert!(at_once.body == streamed.body);
        assert_eq!(at_once.seal, streamed.record.seal);
    }
}

#[test]
fn zeros_in_the_content_are_told_from_zeros_of_the_padding() {
    let mut world = World::new(203, 2, 2);
    let mut contents = vec![vec![0; 1], vec![0; 8], vec![0; 100], vec![0; BATCH + 77]];
    for zeros in [1, 7, 8, 9, CHUNK_LEN, BATCH] {
        contents.push([text(10), vec![0; zeros]].concat());
        contents.push([vec![0; zeros], text(10), vec![0; zeros]].concat());
    }
    for content in contents {
        let sealed = seal_stream(&mut world, &content, None);
        let (written, opened) = open_stream(&world, &sealed, &*sealed.body);
        assert_eq!(opened.unwrap().content_len(), content.len() as u64);
        assert!(written == content, "{} bytes", content.len());
    }
}

/// Gives a byte, or a few, at a time, and is interrupted now and then.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = (self.1 % 7 * 300 + 1).min(to.len());
        self.0.read(&mut to[..len])
    }
}

#[test]
fn how_the_pieces_come_makes_no_difference() {
    let content = text(BATCH + 3 * CHUNK_LEN + 10);
    let mut world = World::new(204, 2, 2);
    let sealed = seal_stream(&mut world, &content, None);
    let (written, opened) = open_stream(&world, &sealed, Slow(&sealed.body, 0));
    opened.unwrap();
    assert!(written == content);

    let mut world = World::new(204, 2, 2);
    let record = world.info();
    let sealer = RecordSealer::new_with_rng(&record, &info(None), &world.author, &mut world.rng);
    let mut body = Vec::new();
    let slow = sealer.unwrap().seal_stream(Slow(&content, 0), &mut body);
    assert_eq!(slow.unwrap().seal, sealed.record.seal);
    assert!(body == sealed.body);

    for step in [1, 57, CHUNK_LEN, body.len()] {
        let mut opener = opener(&world, &sealed).unwrap();
        let mut written = Vec::new();
        let mut put = |some: &[u8]| Ok::<(), OpenError>(written.extend_from_slice(some));
        assert_eq!(opener.media_type(), None);
        for piece in body.chunks(step) {
            opener.update(piece, &mut put).unwrap();
        }
        assert_eq!(opener.media_type(), Some("text/plain"));
        opener.finish(&mut put).unwrap();
        assert!(written == content, "{step}");
    }
}

#[test]
fn content_of_another_length_than_announced_is_refused() {
    let mut world = World::new(205, 2, 2);
    for (announced, given) in [
        (10, 9),
        (10, 11),
        (0, 1),
        (BATCH, BATCH - 1),
        (BATCH, BATCH + 1),
    ] {
        let record = world.info();
        let sealer = RecordSealer::new_with_rng(
            &record,
            &info(Some(announced)),
            &world.author,
            &mut world.rng,
        );
        let content = text(given);
        let error = sealer
            .unwrap()
            .seal_stream(&*content, io::sink())
            .unwrap_err();
        assert_eq!(rule(&error), "CS-ENV-37");
        let given = given as u64;
        let expected = ContentError::Length {
            announced: announced as u64,
            given,
        };
        assert!(matches!(error, SealStreamError::Content(error) if error == expected));
    }
    // Too long for any body, before a byte is read.
    for len in [u64::MAX, 1 << 52] {
        let content = ContentInfo {
            len: Some(len),
            ..info(None)
        };
        let record = world.info();
        let error = RecordSealer::new_with_rng(&record, &content, &world.author, &mut world.rng);
        assert_eq!(rule(error.err().unwrap()), "CS-ENV-24");
    }
}

#[test]
fn a_sealer_or_opener_that_failed_does_not_go_on() {
    let mut world = World::new(206, 2, 2);
    let sealed = seal_stream(&mut world, &text(3 * BATCH), None);
    let record = world.info();
    let mut sealer =
        RecordSealer::new_with_rng(&record, &info(None), &world.author, &mut world.rng).unwrap();
    let full =
        |_: &[u8]| Err::<(), SealStreamError>(SealStreamError::Write(io::ErrorKind::Other.into()));
    let fine = |_: &[u8]| Ok::<(), SealStreamError>(());
    sealer.update(&text(BATCH + 1), full).unwrap_err();
    assert_eq!(
        rule(sealer.update(&text(BATCH), fine).unwrap_err()),
        "CS-ENV-38"
    );
    assert_eq!(rule(sealer.finish(fine).unwrap_err()), "CS-ENV-38");

    let fine = |_: &[u8]| Ok::<(), StreamFault>(());
    let mut opener = opener(&world, &sealed).unwrap();
    let mut damaged = sealed.body.clone();
    damaged[1000] ^= 1;
    assert_eq!(
        rule(opener.update(&damaged, fine).unwrap_err()),
        "CS-ENV-21"
    );
    assert_eq!(
        rule(opener.update(&damaged, fine).unwrap_err()),
        "CS-ENV-38"
    );
    assert_eq!(rule(opener.finish(fine).unwrap_err()), "CS-ENV-38");
}

/// What is written before an error is a beginning of the content, and no more than comes before the damage.
fn refused(world: &World, sealed: &Sealed, content: &[u8], body: &[u8], intact: usize) -> String {
    let (written, opened) = open_stream(world, sealed, body);
    let error = opened.unwrap_err();
    assert_eq!(error.written(), written.len() as u64);
    assert!(content.starts_with(&written));
    assert!(written.len() <= intact, "{} of {intact}", written.len());
    let text = error.to_string();
    let end = if written.is_empty() {
        "nothing was written"
    } else {
        "must be discarded"
    };
    assert!(text.ends_with(end), "{text}");
    rule(error)
}

#[test]
fn a_stream_that_is_cut_at_any_chunks_border_is_refused() {
    let mut world = World::new(207, 2, 2);
    let content = text(2 * BATCH + 3 * CHUNK_LEN + 5);
    let sealed = seal_stream(&mut world, &content, None);
    let borders = (PREFIX_LEN..sealed.body.len()).step_by(SEALED_CHUNK);
    for border in borders.flat_map(|at| [at, at + 1, at - 1]) {
        let intact = border / SEALED_CHUNK * CHUNK_LEN;
        let rule = refused(&world, &sealed, &content, &sealed.body[..border], intact);
        assert_eq!(rule, "CS-ENV-22", "{border}");
    }
    assert_eq!(refused(&world, &sealed, &content, &[], 0), "CS-ENV-22");
    // Piece by piece, too.
    for border in (PREFIX_LEN..sealed.body.len()).step_by(SEALED_CHUNK) {
        let mut opener = opener(&world, &sealed).unwrap();
        let fine = |_: &[u8]| Ok::<(), OpenError>(());
        opener.update(&sealed.body[..border], fine).unwrap();
        assert_eq!(
            rule(opener.finish(fine).unwrap_err()),
            "CS-ENV-22",
            "{border}"
        );
    }
}

/// The bytes that `docs/envelope.md` says, where the length was not known.
#[test]
fn the_plaintext_of_a_stream_of_unknown_length_is_the_documented_one() {
    let mut world = World::new(226, 2, 2);
    let sealed = seal_stream(&mut world, b"\0stream\0", None);
    let context = sealed.record.header.digest();
    let plain = cobblestone::open(&sealed.key, context.as_bytes(), &sealed.body).unwrap();
    let head = [
        &[0x84, 0xf6, 0x6a][..],
        b"text/plain",
        &[0x45],
        b"notes",
        &[0x58, 32],
    ]
    .concat();
    assert!(plain.starts_with(&head));
    let content = &plain[head.len() + 32..];
    // 53 + 8 + 8 bytes are padded to 72.
    assert_eq!(plain.len(), 72);
    assert_eq!(content, b"\0stream\0\0\0\0\0\0\0\0\0\0\0\x08");
}

#[test]
fn a_stream_that_is_longer_is_refused_before_its_end_is_written() {
    let mut world = World::new(208, 2, 2);
    for len in [5, BATCH + 5] {
        let content = text(len);
        let sealed = seal_stream(&mut world, &content, Some(len));
        for more in [1, TAG_LEN, SEALED_CHUNK] {
            let longer = [&sealed.body[..], &vec![0; more]].concat();
            let intact = len / BATCH * BATCH;
            assert_eq!(
                refused(&world, &sealed, &content, &longer, intact),
                "CS-ENV-32"
            );
            let mut opener = opener(&world, &sealed).unwrap();
            let fine = |_: &[u8]| Ok::<(), OpenError>(());
            assert_eq!(rule(opener.update(&longer, fine).unwrap_err()), "CS-ENV-32");
        }
    }
}

#[test]
fn chunks_of_a_stream_that_change_places_are_refused() {
    let mut world = World::new(209, 2, 2);
    let content = text(2 * BATCH + 5);
    let sealed = seal_stream(&mut world, &content, None);
    for (one, other) in [(0, 1), (1, 17), (15, 16), (20, 21)] {
        let mut body = sealed.body.clone();
        let (start, end) = (
            PREFIX_LEN + one * SEALED_CHUNK,
            PREFIX_LEN + other * SEALED_CHUNK,
        );
        let (front, back) = body.split_at_mut(end);
        front[start..start + SEALED_CHUNK].swap_with_slice(&mut back[..SEALED_CHUNK]);
        let rule = refused(&world, &sealed, &content, &body, one * CHUNK_LEN);
        assert_eq!(rule, "CS-ENV-21");
    }
}

#[test]
fn a_flipped_bit_in_any_chunk_of_a_stream_is_refused_before_the_chunk_is_written() {
    let mut world = World::new(210, 2, 2);
    let content = text(2 * BATCH + 5);
    let sealed = seal_stream(&mut world, &content, Some(content.len()));
    for place in (0..sealed.body.len()).step_by(4099).chain([0, 24, 55, 56]) {
        let mut body = sealed.body.clone();
        body[place] ^= 0x10;
        let chunk = place.saturating_sub(PREFIX_LEN) / SEALED_CHUNK;
        let rule = refused(&world, &sealed, &content, &body, chunk * CHUNK_LEN);
        let last_batch = chunk >= 32;
        let expected = if place < PREFIX_LEN {
            "CS-ENV-20"
        } else if last_batch {
            "CS-ENV-32"
        } else {
            "CS-ENV-21"
        };
        assert_eq!(rule, expected, "{place}");
    }
}

#[test]
fn a_body_that_another_holder_of_the_key_made_is_refused_before_its_end_is_written() {
    // Every chunk of it is authentic; only the author's signature is not over it.
    let mut world = World::new(211, 2, 2);
    for len in [100, BATCH + 100] {
        let sealed = seal_stream(&mut world, &text(len), Some(len));
        let context = sealed.record.header.digest();
        let plain = cobblestone::open(&sealed.key, context.as_bytes(), &sealed.body).unwrap();
        let mut forged = plain.to_vec();
        let at = forged.len() - 50;
        forged[at] ^= 1;
        let rng = &mut world.rng;
        let forged = cobblestone::seal_with_rng(&sealed.key, context.as_bytes(), &[&forged], rng);
        assert_eq!(forged.len(), sealed.body.len());
        let (written, opened) = open_stream(&world, &sealed, &*forged);
        assert_eq!(rule(opened.unwrap_err()), "CS-ENV-32");
        assert!(written.len() <= len / BATCH * BATCH, "{}", written.len());
    }
}

#[test]
fn a_stream_does_not_open_with_two_keys() {
    let mut world = World::new(212, 2, 2);
    let mut sealed = seal_stream(&mut world, &text(100), None);
    let context = sealed.record.header.digest();
    let mine = ContentKey::from_bytes([0x3c; 32]);
    let rng = &mut world.rng;
    let own = cobblestone::seal_with_rng(&mine, context.as_bytes(), &[b"text"], rng);
    let spliced = [&own[..PREFIX_LEN], &sealed.body[PREFIX_LEN..]].concat();
    assert_eq!(
        refused(&world, &sealed, &text(100), &spliced, 0),
        "CS-ENV-20"
    );
    sealed.key = mine;
    assert_eq!(
        refused(&world, &sealed, &text(100), &spliced, 0),
        "CS-ENV-32"
    );
    let body = sealed.body.clone();
    assert_eq!(refused(&world, &sealed, &text(100), &body, 0), "CS-ENV-20");
}

#[test]
fn nothing_is_opened_under_a_seal_that_is_not_the_authors() {
    let mut world = World::new(213, 2, 2);
    let sealed = seal_stream(&mut world, &text(100), None);
    let other = World::new(214, 2, 2).author.verifying_key();
    let (header, seal) = (&sealed.record.header, &sealed.record.seal);
    let error = RecordOpener::new(header, seal, &other, &sealed.key).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-30");
    let second = seal_stream(&mut world, &text(100), None);
    let error = RecordOpener::new(
        header,
        &second.record.seal,
        &world.author.verifying_key(),
        &sealed.key,
    );
    assert_eq!(rule(error.unwrap_err()), "CS-ENV-31");
}

#[test]
fn a_broken_reader_or_writer_is_named() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("cable out"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut world = World::new(215, 2, 2);
    let sealed = seal_stream(&mut world, &text(100), None);
    let (_, opened) = open_stream(&world, &sealed, Broken);
    let error = opened.unwrap_err().to_string();
    assert_eq!(
        error,
        "body could not be read: cable out; nothing was written"
    );
    let opened = opener(&world, &sealed)
        .unwrap()
        .open_stream(&*sealed.body, Broken);
    let error = opened.unwrap_err().to_string();
    assert_eq!(
        error,
        "content could not be written: disk full; the 100 bytes that were written must be discarded"
    );
    let record = world.info();
    let sealer = || {
        let rng = common::rng(9);
        RecordSealer::new_with_rng(&record, &info(None), &world.author, rng).unwrap()
    };
    let error = sealer()
        .seal_stream(Broken, io::sink())
        .unwrap_err()
        .to_string();
    assert_eq!(error, "content could not be read: cable out");
    let error = sealer()
        .seal_stream(&b"a"[..], Broken)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "body could not be written: disk full");
}

fn body_reader(
    world: &World,
    sealed: &Sealed,
    body: Vec<u8>,
) -> Result<BodyReader<Watched>, StreamFault> {
    let (header, seal) = (&sealed.record.header, &sealed.record.seal);
    let author = world.author.verifying_key();
    BodyReader::new(
        header,
        seal,
        &author,
        &sealed.key,
        Watched(Cursor::new(body), 0),
    )
}

/// Counts what is read.
struct Watched(Cursor<Vec<u8>>, usize);

impl Read for Watched {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(to)?;
        self.1 += len;
        Ok(len)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn any_range_of_the_content_is_read() {
    let mut world = World::new(220, 2, 2);
    for len in lengths() {
        let content = text(len);
        for known in [Some(len), None] {
            let sealed = seal_stream(&mut world, &content, known);
            let mut reader = body_reader(&world, &sealed, sealed.body.clone()).unwrap();
            assert_eq!(reader.info().content_len(), len as u64);
            assert_eq!(reader.info().media_type(), "text/plain");
            for (from, to) in [
                (0, len),
                (len / 3, len / 2),
                (len, len),
                (len.saturating_sub(9), len),
            ] {
                let mut range = vec![0; to - from];
                reader.seek(SeekFrom::Start(from as u64)).unwrap();
                reader.read_exact(&mut range).unwrap();
                assert!(range == content[from..to], "{from}..{to} of {len}");
            }
            reader.verify().unwrap();
            let mut whole = Vec::new();
            reader.rewind().unwrap();
            reader.read_to_end(&mut whole).unwrap();
            assert!(whole == content, "{len}");
        }
    }
}

#[test]
fn a_range_reads_its_own_chunks_only() {
    let mut world = World::new(221, 2, 2);
    let content = text(100 * CHUNK_LEN);
    for known in [Some(content.len()), None] {
        let sealed = seal_stream(&mut world, &content, known);
        let watched = Watched(Cursor::new(sealed.body.clone()), 0);
        let (header, seal) = (&sealed.record.header, &sealed.record.seal);
        let author = world.author.verifying_key();
        let mut watched = watched;
        let mut range = vec![0; 1000];
        let mut reader =
            BodyReader::new(header, seal, &author, &sealed.key, ByRef(&mut watched)).unwrap();
        reader.seek(SeekFrom::End(-50_000)).unwrap();
        reader.read_exact(&mut range).unwrap();
        assert!(range == content[content.len() - 50_000..][..1000]);
        drop(reader);
        // The first chunk, the last two at most, the range's two at most.
        assert!(
            watched.1 <= PREFIX_LEN + 5 * SEALED_CHUNK,
            "{} bytes",
            watched.1
        );
    }
}

struct ByRef<'a>(&'a mut Watched);

impl Read for ByRef<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Seek for ByRef<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn seeking_goes_behind_the_end_and_not_before_the_start() {
    let mut world = World::new(222, 2, 2);
    let sealed = seal_stream(&mut world, b"0123456789", Some(10));
    let mut reader = body_reader(&world, &sealed, sealed.body.clone()).unwrap();
    let mut some = [0; 4];
    assert_eq!(reader.seek(SeekFrom::End(5)).unwrap(), 15);
    assert_eq!(reader.read(&mut some).unwrap(), 0);
    assert_eq!(reader.seek(SeekFrom::Current(-8)).unwrap(), 7);
    assert_eq!(reader.read(&mut some).unwrap(), 3);
    assert_eq!(some, *b"789\0");
    for before in [SeekFrom::End(-11), SeekFrom::Current(-11)] {
        assert_eq!(
            reader.seek(before).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
    assert_eq!(reader.stream_position().unwrap(), 10);
    reader.seek(SeekFrom::Start(u64::MAX)).unwrap();
    assert_eq!(reader.read(&mut some).unwrap(), 0);
}

#[test]
fn a_body_that_was_cut_or_made_longer_has_no_random_access() {
    let mut world = World::new(223, 2, 2);
    let sealed = seal_stream(&mut world, &text(2 * CHUNK_LEN + 5), None);
    let body = &sealed.body;
    let borders = (PREFIX_LEN..body.len()).step_by(SEALED_CHUNK);
    for border in borders.chain([0, body.len() - 1]) {
        let error = body_reader(&world, &sealed, body[..border].to_vec()).unwrap_err();
        assert_eq!(rule(error), "CS-ENV-22", "{border}");
    }
    let longer = [&body[..], &[0]].concat();
    let error = body_reader(&world, &sealed, longer).unwrap_err();
    assert_eq!(rule(error), "CS-ENV-32");
}

#[test]
fn a_range_of_damaged_swapped_or_foreign_chunks_is_refused_and_the_others_are_read() {
    let mut world = World::new(224, 2, 2);
    let content = text(5 * CHUNK_LEN);
    let sealed = seal_stream(&mut world, &content, Some(content.len()));
    let chunk =
        |place: usize| PREFIX_LEN + place * SEALED_CHUNK..PREFIX_LEN + (place + 1) * SEALED_CHUNK;
    let mut damaged = sealed.body.clone();
    damaged[chunk(2).start] ^= 1;
    let mut swapped = sealed.body.clone();
    swapped[chunk(2)].copy_from_slice(&sealed.body[chunk(3)]);
    let other = seal_stream(&mut world, &content, Some(content.len()));
    let mut foreign = sealed.body.clone();
    foreign[chunk(2)].copy_from_slice(&other.body[chunk(2)]);
    for body in [damaged, swapped, foreign] {
        let mut reader = body_reader(&world, &sealed, body).unwrap();
        let mut byte = [0];
        for place in [1_usize, 2, 3, 2, 4] {
            let at = place * CHUNK_LEN + 100;
            reader.seek(SeekFrom::Start(at as u64)).unwrap();
            match (place, reader.read_exact(&mut byte)) {
                (2, Err(error)) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    assert_eq!(rule(error), "CS-ENV-21");
                }
                (2, Ok(())) => panic!(),
                (_, read) => {
                    read.unwrap();
                    assert_eq!(byte[0], content[at]);
                }
            }
        }
        assert_eq!(rule(reader.verify().unwrap_err()), "CS-ENV-32");
    }
    // The first chunk and the last are opened at once.
    for place in [0, 5] {
        let mut body = sealed.body.clone();
        body[chunk(place).start] ^= 1;
        assert_eq!(
            rule(body_reader(&world, &sealed, body).unwrap_err()),
            "CS-ENV-21"
        );
    }
}

#[test]
fn random_access_opens_with_the_committed_key_only_and_tells_a_forged_body_when_asked() {
    let mut world = World::new(225, 2, 2);
    let mut sealed = seal_stream(&mut world, &text(100), None);
    let context = sealed.record.header.digest();
    // Whoever has the key can make chunks that are authentic, but not the author's signature.
    let plain = cobblestone::open(&sealed.key, context.as_bytes(), &sealed.body).unwrap();
    let mut forged = plain.to_vec();
    let first = forged
        .windows(3)
        .position(|some| some == [1, 2, 3])
        .unwrap();
    forged[first] = 99;
    let forged =
        cobblestone::seal_with_rng(&sealed.key, context.as_bytes(), &[&forged], &mut world.rng);
    let mut reader = body_reader(&world, &sealed, forged).unwrap();
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [99]);
    assert_eq!(rule(reader.verify().unwrap_err()), "CS-ENV-32");

    let mine = ContentKey::from_bytes([0x3c; 32]);
    let own = cobblestone::seal_with_rng(&mine, context.as_bytes(), &[b"text"], &mut world.rng);
    let spliced = [&own[..PREFIX_LEN], &sealed.body[PREFIX_LEN..]].concat();
    assert_eq!(
        rule(body_reader(&world, &sealed, spliced.clone()).unwrap_err()),
        "CS-ENV-20"
    );
    sealed.key = mine;
    assert_eq!(
        rule(body_reader(&world, &sealed, sealed.body.clone()).unwrap_err()),
        "CS-ENV-20"
    );
    assert_eq!(
        rule(body_reader(&world, &sealed, spliced).unwrap_err()),
        "CS-ENV-21"
    );
}

#[cfg(feature = "parallel")]
mod parallel {
    use std::num::NonZeroUsize;

    use super::*;

    fn seal_parallel(
        world: &mut World,
        threads: usize,
        content: &[u8],
        len: Option<usize>,
    ) -> (SealedStream, Vec<u8>) {
        let record = world.info();
        let sealer = RecordSealer::new_with_rng(&record, &info(len), &world.author, &mut world.rng);
        let (threads, mut body) = (NonZeroUsize::new(threads).unwrap(), Vec::new());
        let sealed = sealer
            .unwrap()
            .seal_stream_parallel(threads, content, &mut body);
        (sealed.unwrap(), body)
    }

    #[test]
    fn several_threads_seal_and_open_the_same_bytes() {
        let lengths = [0, 100, CHUNK_LEN, BATCH, 5 * BATCH, 9 * BATCH + 12_345];
        for (len, threads) in lengths.into_iter().zip([1, 2, 3, 2, 3, 8]) {
            let content = text(len);
            for known in [Some(len), None] {
                let (mut one, mut two) = (World::new(240, 2, 2), World::new(240, 2, 2));
                let sealed = seal_stream(&mut one, &content, known);
                let (record, body) = seal_parallel(&mut two, threads, &content, known);
                assert!(body == sealed.body, "{len} {threads}");
                assert_eq!(record.seal, sealed.record.seal);
                let (mut written, threads) = (Vec::new(), NonZeroUsize::new(threads).unwrap());
                let opener = opener(&one, &sealed).unwrap();
                let opened = opener
                    .open_stream_parallel(threads, &*body, &mut written)
                    .unwrap();
                assert_eq!(opened.content_len(), len as u64);
                assert!(written == content, "{len} {threads}");
            }
        }
    }

    #[test]
    fn several_threads_refuse_what_one_refuses() {
        let mut world = World::new(241, 2, 2);
        let content = text(6 * BATCH + 5);
        let sealed = seal_stream(&mut world, &content, None);
        let intact = sealed.body.clone();
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut body = intact.clone();
            change(&mut body);
            body
        };
        let bodies = [
            with(&|body| body.clear()),
            with(&|body| body.truncate(PREFIX_LEN - 1)),
            with(&|body| body.truncate(PREFIX_LEN + 40 * SEALED_CHUNK)),
            with(&|body| body.truncate(intact.len() - 1)),
            with(&|body| body.push(0)),
            with(&|body| body[3] ^= 1),
            with(&|body| body[PREFIX_LEN + 50 * SEALED_CHUNK] ^= 1),
            with(&|body| *body.last_mut().unwrap() ^= 1),
            with(&|body| body[PREFIX_LEN..].rotate_left(SEALED_CHUNK)),
        ];
        for body in bodies {
            let (one, error) = open_stream(&world, &sealed, &*body);
            let error = error.unwrap_err();
            let mut several = Vec::new();
            let opener = opener(&world, &sealed).unwrap();
            let threads = NonZeroUsize::new(3).unwrap();
            let same = opener
                .open_stream_parallel(threads, &*body, &mut several)
                .unwrap_err();
            assert_eq!(rule(same.why()), rule(error.why()));
            assert_eq!(same.written(), several.len() as u64);
            assert!(one == several);
        }
    }

    #[test]
    fn a_writer_that_fails_ends_all_threads() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, some: &[u8]) -> io::Result<usize> {
                self.0 = self
                    .0
                    .checked_sub(some.len())
                    .ok_or(io::ErrorKind::StorageFull)?;
                Ok(some.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut world = World::new(242, 2, 2);
        let content = text(6 * BATCH);
        let threads = NonZeroUsize::new(3).unwrap();
        let sealed = seal_stream(&mut world, &content, None);
        for room in [0, 2 * BATCH] {
            let opened = opener(&world, &sealed).unwrap();
            let error = opened.open_stream_parallel(threads, &*sealed.body, Full(room));
            assert!(matches!(error.unwrap_err().why(), StreamFault::Write(_)));
            let record = world.info();
            let rng = common::rng(1);
            let sealer = RecordSealer::new_with_rng(&record, &info(None), &world.author, rng);
            let error = sealer
                .unwrap()
                .seal_stream_parallel(threads, &*content, Full(room));
            assert!(matches!(error.unwrap_err(), SealStreamError::Write(_)));
        }
    }

    /// The thread with the next batch waits for its turn at that very moment.
    #[test]
    fn nothing_is_written_after_a_write_that_failed() {
        /// So many writes succeed, the next does not.
        struct FailsOnce(Option<u32>);
        impl Write for FailsOnce {
            fn write(&mut self, some: &[u8]) -> io::Result<usize> {
                let good = self.0.expect("written after a write that failed");
                self.0 = good.checked_sub(1);
                if self.0.is_some() {
                    return Ok(some.len());
                }
                let begun = std::time::Instant::now();
                while begun.elapsed().as_micros() < 100 {
                    std::hint::spin_loop();
                }
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut world = World::new(244, 2, 2);
        let record = world.info();
        let content = text(3 * BATCH);
        let threads = NonZeroUsize::new(3).unwrap();
        let sealed = seal_stream(&mut world, &content, None);
        for good in (1..4).cycle().take(150) {
            let rng = common::rng(1);
            let sealer = RecordSealer::new_with_rng(&record, &info(None), &world.author, rng);
            let done =
                sealer
                    .unwrap()
                    .seal_stream_parallel(threads, &*content, FailsOnce(Some(good)));
            assert!(matches!(done, Err(SealStreamError::Write(_))), "{good}");
            let opened = opener(&world, &sealed).unwrap();
            let done =
                opened.open_stream_parallel(threads, &*sealed.body, FailsOnce(Some(good - 1)));
            assert!(matches!(done.unwrap_err().why(), StreamFault::Write(_)));
        }
    }

    #[test]
    fn a_reader_that_panics_ends_all_threads() {
        struct Broken(u32);
        impl Read for Broken {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                assert!(self.0 < 100, "broken");
                to.fill(7);
                Ok(to.len())
            }
        }
        let mut world = World::new(243, 2, 2);
        let record = world.info();
        let sealer =
            RecordSealer::new_with_rng(&record, &info(None), &world.author, &mut world.rng);
        let sealer = sealer.unwrap();
        let threads = NonZeroUsize::new(3).unwrap();
        let sealed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            sealer.seal_stream_parallel(threads, Broken(0), io::sink())
        }));
        assert!(sealed.is_err());
    }
}
