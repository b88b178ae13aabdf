//! What the envelope sends, opened by other people's HPKE; and theirs, opened by us.
//!
//! The other side gets what `docs/envelope.md` says about each message, written out here once more:
//! `info`, `aad`, `enc`, the ciphertext, and the recipient's secret key. `cargo xtask test` installs
//! the peers; where they are missing the tests say that they did not run, and fail if `CI` is `true`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chartseal_codec::{Decoder, Encode, Encoder, from_bytes, to_bytes};
use chartseal_envelope::*;
use common::{REQUEST, World};
use serde_json::{Value, json};

/// Another implementation of HPKE with X-Wing.
struct Peer {
    program: PathBuf,
    words: Vec<PathBuf>,
    /// How many messages one of its contexts seals.
    messages: usize,
}

/// Those that are installed.
fn peers() -> Vec<Peer> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let installed = target.join("interop");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let python = Peer {
        program: installed.join("venv/bin/python"),
        words: vec![scripts.join("peer.py")],
        messages: 1,
    };
    let node = Peer {
        program: "node".into(),
        words: vec![scripts.join("peer.mjs"), installed.clone()],
        messages: usize::MAX,
    };
    let pinned = [(python, "requirements.txt"), (node, "package-lock.json")];
    let required = std::env::var_os("CI").is_some_and(|set| set == "true");
    let there = pinned.into_iter().filter_map(|(peer, pins)| {
        let wanted = std::fs::read(scripts.join(pins)).unwrap();
        let mark = std::fs::read(installed.join(format!("{pins}.installed")));
        let there = mark.is_ok_and(|mark| mark == wanted);
        assert!(
            there || !required,
            "{pins} is not installed, and CI is true"
        );
        if !there {
            eprintln!("did not run: {pins} is not installed; `cargo xtask test` does it");
        }
        there.then_some(peer)
    });
    there.collect()
}

/// One HPKE context's messages with what they are sealed under.
struct Messages {
    info: Vec<u8>,
    /// `aad` and text or ciphertext of each.
    each: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Peer {
    /// The texts.
    fn open(&self, keys: &KemKeyPair, enc: &[u8], sealed: &Messages) -> Vec<Vec<u8>> {
        self.ask(keys.expose_secret_bytes().as_slice(), Some(enc), sealed)
            .1
    }

    /// The encapsulated key and the ciphertexts.
    fn seal(&self, to: &KemPublicKey, texts: &Messages) -> (Vec<u8>, Vec<Vec<u8>>) {
        self.ask(&to.to_bytes(), None, texts)
    }

    fn ask(&self, key: &[u8], enc: Option<&[u8]>, messages: &Messages) -> (Vec<u8>, Vec<Vec<u8>>) {
        let each = messages.each.iter();
        let each: Vec<_> = each
            .map(|(aad, data)| json!({"aad": hex(aad), "data": hex(data)}))
            .collect();
        let job = json!({
            "key": hex(key), "enc": enc.map(hex), "info": hex(&messages.info), "messages": each,
        });
        let mut child = Command::new(&self.program)
            .args(&self.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(job.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", self.words[0].display());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let texts = answer["messages"].as_array().unwrap();
        let enc = answer["enc"].as_str().map(unhex).unwrap_or_default();
        (
            enc,
            texts
                .iter()
                .map(|text| unhex(text.as_str().unwrap()))
                .collect(),
        )
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// `info`: the domain string, a zero byte, the suite, the recipient's key id, the use's context.
fn info(name: &str, to: &KemPublicKey, context: &[u8]) -> Vec<u8> {
    let domain = format!("chartseal/envelope/{name}\0\x01");
    [domain.as_bytes(), to.key_id().as_bytes(), context].concat()
}

const TEXT: &[u8] = b"second opinion";

/// The text with its length before it and zeros up to 128 bytes behind it.
fn padded() -> Vec<u8> {
    let mut padded = [&[0, 0, 0, 14], TEXT].concat();
    padded.resize(128, 0);
    padded
}

#[test]
fn a_sealed_text_is_opened_by_others_and_theirs_by_us() {
    let mut world = World::new(130, 2, 3);
    let to = world.reader.public_key();
    let info = info("text/1", to, b"test/reason");
    for (peer, aad) in peers()
        .iter()
        .flat_map(|p| [(p, &b"request 7"[..]), (p, b"")])
    {
        let ours = seal_text_with_rng(to, "test/reason", aad, TEXT, &mut world.rng).unwrap();
        let bytes = to_bytes(&ours);
        let mut d = Decoder::new(&bytes);
        d.array_exact(5).unwrap();
        assert_eq!((d.uint().unwrap(), d.uint().unwrap()), (1, 1));
        assert_eq!(d.bytes(32).unwrap(), to.key_id().as_bytes());
        let enc = d.bytes(1120).unwrap();
        let sealed = Messages {
            info: info.clone(),
            each: vec![(aad.to_vec(), d.bytes(144).unwrap().to_vec())],
        };
        assert_eq!(peer.open(&world.reader, enc, &sealed), [padded()]);

        let text = Messages {
            info: info.clone(),
            each: vec![(aad.to_vec(), padded())],
        };
        let (enc, ciphertexts) = peer.seal(to, &text);
        let mut e = Encoder::new();
        e.array(5).uint(1).uint(1).item(&to.key_id());
        e.bytes(&enc).bytes(&ciphertexts[0]);
        let theirs: SealedText = from_bytes(&e.finish()).unwrap();
        let opened = open_text(&world.reader, "test/reason", aad, &theirs).unwrap();
        assert_eq!(opened.as_slice(), TEXT);
    }
}

#[test]
fn a_slot_is_opened_by_others_and_theirs_by_us() {
    let mut world = World::new(132, 2, 3);
    let record = world.seal(b"in a slot");
    let to = world.reader.public_key();
    let mut ours = Slots::new(&record.header);
    ours.add_with_rng(&record.dealer, to, &mut world.rng)
        .unwrap();
    let key = ours.open(&world.reader, &record.header).unwrap();
    let key = key.expose_bytes().to_vec();

    // [1, suite, header digest, [[recipient, enc, ciphertext]]], and `aad` = [suite, header, recipient].
    let mut start = Encoder::new();
    start.array(4).uint(1).uint(1).item(&record.header.digest());
    start.array(1).array(3).item(&to.key_id());
    let start = start.finish();
    let mut aad = Encoder::new();
    aad.array(3).uint(1).item(&record.header.digest());
    aad.item(&to.key_id());
    let aad = aad.finish();
    let messages = |data: &[u8]| Messages {
        info: info("slot/1", to, b""),
        each: vec![(aad.clone(), data.to_vec())],
    };
    for peer in peers() {
        let bytes = to_bytes(&ours);
        assert!(bytes.starts_with(&start));
        let mut d = Decoder::new(&bytes[start.len()..]);
        let enc = d.bytes(1120).unwrap();
        let sealed = messages(d.bytes(48).unwrap());
        assert_eq!(peer.open(&world.reader, enc, &sealed).concat(), key);

        let (enc, ciphertexts) = peer.seal(to, &messages(&key));
        let mut e = Encoder::new();
        e.bytes(&enc).bytes(&ciphertexts[0]);
        let theirs: Slots = from_bytes(&[start.clone(), e.finish()].concat()).unwrap();
        let key = theirs.open(&world.reader, &record.header).unwrap();
        let opened = world.open(&record, &key).unwrap();
        assert_eq!(opened.content(), b"in a slot");
    }
}

/// The parts of a deal's or a release's bytes.
struct Package {
    enc: Vec<u8>,
    ciphertexts: Vec<Vec<u8>>,
}

/// What a package is for: a deal, or a release for [`REQUEST`].
#[derive(Clone, Copy)]
struct Use<'a> {
    request: Option<RequestId>,
    index: ShareIndex,
    to: &'a KemPublicKey,
}

impl Use<'_> {
    fn info(&self) -> Vec<u8> {
        let name = self.request.map_or("deal/1", |_| "release/1");
        info(name, self.to, &to_bytes(&(self.request, self.index)))
    }

    fn aad(&self, dealing: &Dealing) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(4).item(&self.request).item(&self.index);
        e.item(&self.to.key_id()).item(dealing);
        e.finish()
    }

    fn read(&self, package: &impl Encode) -> Package {
        let bytes = to_bytes(package);
        let mut head = Encoder::new();
        head.array(7).uint(1).uint(1).item(&self.request);
        head.item(&self.index).item(&self.to.key_id());
        let head = head.finish();
        assert!(bytes.starts_with(&head));
        let mut d = Decoder::new(&bytes[head.len()..]);
        let enc = d.bytes(1120).unwrap().to_vec();
        let ciphertexts = (0..d.array(9).unwrap()).map(|_| {
            d.array_exact(3).unwrap();
            d.bytes(32).unwrap();
            d.uint().unwrap();
            d.bytes(2128).unwrap().to_vec()
        });
        let ciphertexts = ciphertexts.collect();
        Package { enc, ciphertexts }
    }

    fn write(&self, package: &Package, dealings: &[&Dealing]) -> Vec<u8> {
        let mut e = Encoder::new();
        e.array(7).uint(1).uint(1).item(&self.request);
        e.item(&self.index).item(&self.to.key_id());
        e.bytes(&package.enc).array(dealings.len());
        for (dealing, ciphertext) in dealings.iter().zip(&package.ciphertexts) {
            e.array(3).item(&dealing.header()).uint(dealing.epoch());
            e.bytes(ciphertext);
        }
        e.finish()
    }
}

/// A share as it is sealed: share, salt, commitments. A held share ends with them, in another order.
fn plaintext(held: &HeldShare) -> Vec<u8> {
    let stored = held.to_storage_bytes();
    let (rest, secrets) = stored.split_at(stored.len() - 64);
    let n = usize::from(held.dealing().custodians().threshold.total());
    let commitments = &rest[rest.len() - 2 - 32 * n..rest.len() - 2];
    [secrets, commitments].concat()
}

#[test]
fn deals_and_releases_are_opened_by_others_and_theirs_by_us() {
    let mut world = World::new(131, 2, 3);
    let mut records = Vec::new();
    for id in [1, 2] {
        let info = RecordInfo {
            record_id: RecordId([id; 16]),
            ..world.info()
        };
        records.push(world.seal_as(&info, b"one of two"));
    }
    for peer in peers() {
        let dealers: Vec<_> = records
            .iter()
            .map(|record| &record.dealer)
            .take(peer.messages)
            .collect();
        let dealings: Vec<_> = dealers.iter().map(|dealer| dealer.dealing()).collect();
        let deals = world.deal(&dealers);
        let accept = |keys: &KemKeyPair, deal: &Deal| {
            let accepted = accept_all(keys, deal.index(), &dealings, deal).unwrap();
            assert!(accepted.refused.is_empty());
            accepted.held
        };
        let first = accept(&world.custodians[0], &deals[0]);
        let held = accept(&world.custodians[1], &deals[1]);
        let first = world.release(&first.iter().collect::<Vec<_>>());
        let release = world.release(&held.iter().collect::<Vec<_>>());

        let (custodian, index) = (&world.custodians[1], deals[1].index());
        let texts: Vec<_> = held.iter().map(plaintext).collect();

        let of_deal = Use {
            request: None,
            index,
            to: custodian.public_key(),
        };
        let of_release = Use {
            request: Some(REQUEST),
            index,
            to: world.reader.public_key(),
        };
        let packages = [
            (of_deal, of_deal.read(&deals[1]), custodian),
            (of_release, of_release.read(&release), &world.reader),
        ];
        let mut theirs = Vec::new();
        for (usage, package, keys) in packages {
            let messages = |data: &[Vec<u8>]| Messages {
                info: usage.info(),
                each: dealings
                    .iter()
                    .map(|dealing| usage.aad(dealing))
                    .zip(data.to_vec())
                    .collect(),
            };
            assert_eq!(package.ciphertexts.len(), dealings.len());
            let sealed = messages(&package.ciphertexts);
            assert_eq!(peer.open(keys, &package.enc, &sealed), texts);
            let (enc, ciphertexts) = peer.seal(usage.to, &messages(&texts));
            theirs.push(usage.write(&Package { enc, ciphertexts }, &dealings));
        }

        let deal: Deal = from_bytes(&theirs[0]).unwrap();
        for (again, held) in accept(custodian, &deal).iter().zip(&held) {
            assert_eq!(again.to_storage_bytes(), held.to_storage_bytes());
        }
        let release: Release = from_bytes(&theirs[1]).unwrap();
        let combined = combine_all(&world.reader, REQUEST, &dealings, &[first, release]);
        for (record, combined) in records.iter().zip(combined) {
            let opened = world.open(record, &combined.unwrap().key).unwrap();
            assert_eq!(opened.content(), b"one of two");
        }
    }
}
