//! A snapshot is the state of a trusted header, or it is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::fmt::Write as _;

use chartseal_codec::{Bytes, Encoder, to_bytes};
use chartseal_ledger::store::{
    Import, Imported, MAX_CHUNK_BYTES, SnapshotError, export_snapshot, reload, replay, verify,
};
use chartseal_ledger::{Commit, LedgerStore, MemoryStore};
use chartseal_merkle::MapKey;
use chartseal_wire::{BlockHeader, Subject};
use common::*;

type State = Vec<(MapKey, Vec<u8>)>;
type StoreError = <MemoryStore as LedgerStore>::Error;

fn chain() -> Chain {
    let mut chain = Chain::populated();
    chain.ok(&actor_key(10), chain.record(20));
    chain
}

fn chunks(store: &MemoryStore) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    export_snapshot(store, |chunk| {
        chunks.push(chunk.to_vec());
        Ok::<(), StoreError>(())
    })
    .unwrap();
    chunks
}

fn import(trusted: &BlockHeader, chunks: &[Vec<u8>]) -> Result<Imported, SnapshotError> {
    let mut import = Import::new(trusted.clone());
    for chunk in chunks {
        import.chunk(chunk)?;
    }
    import.finish()
}

/// The rule that refuses these chunks.
fn refused(chain: &Chain, chunks: &[Vec<u8>]) -> &'static str {
    import(chain.head.head(), chunks).unwrap_err().rule()
}

fn chunk(tag: u64, content: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut e = Encoder::new();
    e.array(2).uint(tag);
    content(&mut e);
    e.finish()
}

/// Where the chunks of a kind are.
fn places(chunks: &[Vec<u8>], tag: u8) -> Vec<usize> {
    let all = chunks.iter().enumerate();
    all.filter(|(_, chunk)| chunk[1] == tag)
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn what_is_imported_is_what_a_store_reloads_and_the_chain_goes_on() {
    let mut chain = chain();
    let chunks = chunks(&chain.store);
    let imported = import(chain.head.head(), &chunks).unwrap();
    let reloaded = reload(&chain.store).unwrap();
    let overlay = imported.reloaded.overlay;
    assert_eq!(overlay.head(), reloaded.overlay.head());
    assert_eq!(overlay.log(), reloaded.overlay.log());
    assert_eq!(overlay.params(), reloaded.overlay.params());
    assert_eq!(overlay.committee(), reloaded.overlay.committee());
    assert!(overlay.map().iter().eq(reloaded.overlay.map().iter()));
    assert_eq!(imported.reloaded.log.root(), reloaded.log.root());
    for (height, header) in (0..).zip(&imported.headers) {
        assert_eq!(chain.store.header(height).unwrap(), Some(header.bytes()));
    }
    assert!(imported.histories.len() > 5);
    for subject in chain.store.subjects().unwrap() {
        let entries = chain.store.history(&subject, 0, usize::MAX).unwrap();
        assert_eq!(imported.histories[&subject], entries);
    }
    // Every header's place in the log is provable, as before.
    let log = &imported.reloaded.log;
    for height in 0..log.size() {
        let proof = reloaded.log.prove_inclusion(height, log.size());
        assert_eq!(log.prove_inclusion(height, log.size()), proof);
    }
    chain.head = overlay;
    chain.ok(&actor_key(10), chain.record(21));
}

#[test]
fn a_snapshot_is_the_same_for_everybody() {
    let (one, other) = (chain(), chain());
    assert_eq!(chunks(&one.store), chunks(&other.store));
    assert!(chunks(&MemoryStore::new()).is_empty());
}

#[test]
fn cs_snp_01_chunks_are_bounded() {
    let chain = chain();
    assert_eq!(
        refused(&chain, &[vec![0; MAX_CHUNK_BYTES + 1]]),
        "CS-SNP-01"
    );
}

#[test]
fn cs_snp_02_bytes_that_are_no_chunk_are_refused() {
    let chain = chain();
    for bytes in [&[][..], &[0x82, 1], &[0x82, 9, 1], &[0x82, 1, 1, 0]] {
        assert_eq!(refused(&chain, &[bytes.to_vec()]), "CS-SNP-02");
    }
}

#[test]
fn cs_snp_03_another_version_is_named() {
    let later = chunk(1, |e| {
        e.uint(2);
    });
    let error = import(chain().head.head(), &[later]).unwrap_err();
    assert_eq!(error, SnapshotError::Version(2));
    assert_eq!(error.rule(), "CS-SNP-03");
}

#[test]
fn cs_snp_04_parts_come_in_order() {
    let chain = chain();
    let good = chunks(&chain.store);
    let (headers, state) = (places(&good, 2)[0], places(&good, 3)[0]);
    let histories = places(&good, 4);
    let order = |places: &[usize]| {
        let chunks: Vec<_> = places.iter().map(|at| good[*at].clone()).collect();
        refused(&chain, &chunks)
    };
    assert_eq!(order(&[0, 0]), "CS-SNP-04");
    assert_eq!(order(&[headers]), "CS-SNP-04");
    assert_eq!(order(&[0, state]), "CS-SNP-04");
    assert_eq!(order(&[0, headers, state, state]), "CS-SNP-04");
    assert_eq!(order(&[0, headers, histories[0], state]), "CS-SNP-04");
    assert_eq!(
        order(&[0, headers, state, histories[1], histories[0]]),
        "CS-SNP-04"
    );
}

#[test]
fn cs_snp_05_headers_lead_to_the_trusted_one() {
    let mut chain = chain();
    let good = chunks(&chain.store);
    let at = places(&good, 2)[0];
    let height = chain.head.height();
    let with = |chain: &Chain, change: &dyn Fn(&mut Vec<BlockHeader>)| {
        let mut headers: Vec<_> = chain
            .blocks
            .iter()
            .map(|block| block.header.clone())
            .collect();
        change(&mut headers);
        let mut chunks = good.clone();
        chunks[at] = chunk(2, |e| {
            e.item(&headers);
        });
        refused(chain, &chunks)
    };
    assert_eq!(with(&chain, &|all| all[1].time.0 += 1), "CS-SNP-05");
    assert_eq!(with(&chain, &|all| all[1].chain.0[0] ^= 1), "CS-SNP-05");
    assert_eq!(with(&chain, &|all| all.swap(1, 2)), "CS-SNP-05");
    let head = usize::try_from(height).unwrap();
    assert_eq!(with(&chain, &|all| all[head].time.0 += 1), "CS-SNP-05");
    assert_eq!(
        with(&chain, &|all| all.push(all[head].clone())),
        "CS-SNP-05"
    );
    assert_eq!(refused(&chain, &good[..1]), "CS-SNP-05");
    // An honest snapshot of another height is not the trusted one either.
    chain.ok(&actor_key(10), chain.record(21));
    assert_eq!(refused(&chain, &good), "CS-SNP-04");
}

#[test]
fn cs_snp_06_the_state_is_the_trusted_headers() {
    let chain = chain();
    let good = chunks(&chain.store);
    let at = places(&good, 3)[0];
    let with = |change: &dyn Fn(&mut State)| {
        let mut state = chain.store.state().unwrap();
        state.sort();
        change(&mut state);
        let state: Vec<_> = state
            .into_iter()
            .map(|(key, value)| (key, Bytes(value)))
            .collect();
        let mut chunks = good.clone();
        chunks[at] = chunk(3, |e| {
            e.item(&state);
        });
        import(chain.head.head(), &chunks).map_err(|error| error.rule())
    };
    assert!(with(&|_| ()).is_ok());
    assert_eq!(with(&|all| drop(all.pop())).unwrap_err(), "CS-SNP-06");
    assert_eq!(with(&|all| all[3].1[0] ^= 1).unwrap_err(), "CS-SNP-06");
    assert_eq!(with(&|all| all[0].0.0[0] = 0).unwrap_err(), "CS-SNP-06");
    let more = |all: &mut State| all.push((MapKey([0xff; 32]), vec![1]));
    assert_eq!(with(&more).unwrap_err(), "CS-SNP-06");
}

#[test]
fn cs_snp_07_histories_are_those_of_the_state() {
    let chain = chain();
    let good = chunks(&chain.store);
    let subject = chain.store.subjects().unwrap()[0];
    let entries = chain.store.history(&subject, 0, usize::MAX).unwrap();
    let with = |subject: Subject, entries: &[Vec<u8>]| {
        let entries: Vec<_> = entries.iter().cloned().map(Bytes).collect();
        let mut chunks = good.clone();
        chunks[places(&good, 4)[0]] = chunk(4, |e| {
            e.array(2).item(&subject).item(&entries);
        });
        import(chain.head.head(), &chunks).map_err(|error| error.rule())
    };
    assert!(with(subject, &entries).is_ok());
    assert_eq!(with(subject, &[]).unwrap_err(), "CS-SNP-07");
    let cut = &entries[..entries.len() - 1];
    assert_eq!(with(subject, cut).unwrap_err(), "CS-SNP-07");
    let mut other = entries.clone();
    other[0][3] ^= 1;
    assert_eq!(with(subject, &other).unwrap_err(), "CS-SNP-07");
    let mut more = entries.clone();
    more.push(to_bytes(&subject));
    assert_eq!(with(subject, &more).unwrap_err(), "CS-SNP-07");
}

/// A snapshot of one header, whose state is these values.
fn of_one_header(change: &dyn Fn(&mut BlockHeader), state: &[(MapKey, Bytes)]) -> SnapshotError {
    let mut header = genesis().header();
    change(&mut header);
    let chunks = [
        chunk(1, |e| {
            e.uint(1);
        }),
        chunk(2, |e| {
            e.item(&vec![header.clone()]);
        }),
        chunk(3, |e| {
            e.item(&state.to_vec());
        }),
    ];
    import(&header, &chunks).unwrap_err()
}

#[test]
fn cs_snp_08_a_state_without_parameters_is_refused_though_its_root_is_right() {
    let (key, value) = (MapKey([3; 32]), vec![1, 2, 3]);
    let root = chartseal_merkle::Map::new()
        .update([(key, Some(value.clone()))].into())
        .root();
    let state = [(key, Bytes(value))];
    let error = of_one_header(&|header| header.state_root = root, &state);
    assert_eq!(error, SnapshotError::NoParameters);
    assert_eq!(error.rule(), "CS-SNP-08");
    // The same state under another root fails before.
    let error = of_one_header(&|_| (), &state);
    assert_eq!(error.rule(), "CS-SNP-06");
}

#[test]
fn cs_snp_09_a_header_of_another_version_is_named() {
    let error = of_one_header(&|header| header.version = 2, &[]);
    let expected = SnapshotError::HeaderVersion {
        height: 0,
        found: 2,
    };
    assert_eq!(error, expected);
    assert_eq!(error.rule(), "CS-SNP-09");
}

#[test]
fn cs_snp_10_no_history_is_left_out() {
    let chain = chain();
    let good = chunks(&chain.store);
    let subjects = chain.store.subjects().unwrap();
    let places = places(&good, 4);
    // Each history is one chunk here.
    let good_histories = subjects.len();
    assert_eq!(places.len(), good_histories);
    for (at, subject) in places.into_iter().zip(subjects) {
        let mut chunks = good.clone();
        chunks.remove(at);
        let error = import(chain.head.head(), &chunks).unwrap_err();
        let expected = SnapshotError::MissingHistory {
            entries: chain.store.history_len(&subject).unwrap(),
            subject: Box::new(subject),
        };
        assert_eq!(error, expected);
        assert_eq!(error.rule(), "CS-SNP-10");
        assert!(
            error.to_string().contains(&format!("{subject:?}")),
            "{error}"
        );
        // Who keeps some histories alone has the others.
        let mut import = Import::new(chain.head.head().clone());
        for chunk in &chunks {
            import.chunk(chunk).unwrap();
        }
        let partial = import.finish_partial().unwrap();
        assert!(!partial.histories.contains_key(&subject));
        assert_eq!(partial.histories.len() + 1, good_histories);
    }
}

#[test]
fn a_store_started_from_a_snapshot_goes_on_with_the_chain() {
    let mut chain = chain();
    let imported = import(chain.head.head(), &chunks(&chain.store)).unwrap();
    let mut other = MemoryStore::new();
    other.keep(&imported).unwrap();
    let from = reload(&other).unwrap().overlay;
    let height = from.height();
    for id in 21..24 {
        chain.ok(&actor_key(10), chain.record(id));
        let block = chain.blocks.last().unwrap();
        other.commit(&Commit::new(block, &chain.last)).unwrap();
    }
    let verified = verify(&other, |_| ()).unwrap();
    assert_eq!(verified.damage, []);
    assert_eq!(verified.kept.blocks_from, height + 1);
    // Its own snapshot is everybody's.
    assert_eq!(chunks(&other), chunks(&chain.store));
    // And its blocks are executed anew from there.
    let mut receipts = 0;
    let end = replay(&other, &from, height + 3, |_, executed| {
        receipts += executed.receipts.len();
    });
    assert_eq!(end.unwrap().head(), chain.head.head());
    assert_eq!(receipts, 3);
}

#[test]
fn a_cut_or_flipped_snapshot_is_never_another_state() {
    let chain = chain();
    let good = chunks(&chain.store);
    for (at, bytes) in good.iter().enumerate() {
        for place in (0..bytes.len()).step_by(7) {
            let mut chunks = good.clone();
            chunks[at][place] ^= 1 << (place % 8);
            assert!(import(chain.head.head(), &chunks).is_err(), "{at} {place}");
            chunks[at].truncate(place);
            assert!(import(chain.head.head(), &chunks).is_err(), "{at} {place}");
        }
    }
}

#[test]
fn the_chunks_of_genesis_are_frozen() {
    let chain = Chain::new();
    let mut found = String::new();
    for chunk in chunks(&chain.store) {
        for byte in chunk {
            write!(found, "{byte:02x}").unwrap();
        }
        found.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/snapshot.txt");
    if std::env::var_os("CHARTSEAL_BLESS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap());
}
