//! The power fails at every step of a scripted run, and the file is damaged: what is read back then.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::collections::BTreeSet;

use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::PatientEnrolled;
use chartseal_ledger::store::{
    Commit, Import, Imported, LedgerStore, MemoryStore, Refused, export_snapshot, reload, verify,
};
use chartseal_ledger::{
    Block, Executed, Genesis, Params, SignedTransaction, TRANSACTION_VERSION, Transaction, propose,
};
use chartseal_merkle::MapKey;
use chartseal_wire::{Certificate, ChainId, OrgId, PatientId, Signature, Subject, Time, TxId};

use super::content::Whole;
use super::faulty_disk::{Fault, FaultyDisk};
use super::{LedgerStoreError, RedbLedger};
use crate::keys::{NodeKeys, public, sign};

pub(super) type Chain = Vec<(Block, Executed)>;

/// Genesis, and blocks that enrol so many patients each.
pub(super) fn chain(enrolments: &[u8]) -> Chain {
    let key = |seed| SigningKeyPair::from_secret_bytes(&[seed; 32]);
    let mut org = NodeKeys::generate()
        .unwrap()
        .organization(OrgId([255; 16]), public(&key(1)));
    org.validator = public(&validator());
    let genesis = Genesis::new(
        Time(1_000),
        [9; 32],
        Params::default(),
        vec![org],
        &[org.id],
    );
    let genesis = genesis.unwrap();
    let (mut seq, mut time) = (0_u8, 1_000);
    let mut chain = vec![(genesis.block(), genesis.executed())];
    for count in enrolments {
        let mut transactions = Vec::new();
        for _ in 0..*count {
            seq += 1;
            transactions.push(enrolment(genesis.chain_id(), seq, &key(1), &key(seq + 1)));
        }
        time += 1;
        let parent = &chain.last().unwrap().1.overlay;
        let next = propose(parent, Time(time), transactions);
        assert!(next.rejected.is_empty(), "{:?}", next.rejected);
        chain.push((next.block, next.executed));
    }
    chain
}

/// Who certifies the blocks of [`chain`].
fn validator() -> SigningKeyPair {
    SigningKeyPair::from_secret_bytes(&[254; 32])
}

/// A block's certificate; genesis has none.
pub(super) fn certificate(block: &Block) -> Option<Certificate> {
    let header = &block.header;
    let views = (header.epoch, header.height, header.height.checked_sub(1)?);
    let with = |signature| Certificate::new(views, header.leaf(), 1, &[(0, signature)]).unwrap();
    let message = with(Signature([0; 64])).message(&header.chain);
    Some(with(sign(&validator(), &message)))
}

fn enrolment(
    chain: ChainId,
    seq: u8,
    office: &SigningKeyPair,
    patient: &SigningKeyPair,
) -> SignedTransaction {
    let mut enrolment = PatientEnrolled {
        patient: PatientId([seq; 16]),
        key: public(patient),
        kem: [seq; 32],
        history_salt: [seq; 32],
        agreement: None,
        adult_from: Time(0),
        minor_consent_from: None,
    };
    enrolment.agreement = Some(sign(patient, &enrolment.to_agree(&chain)));
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain,
        actor_key: public(office),
        seq: u64::from(seq),
        expires: 1_000,
        body: enrolment.into(),
    };
    transaction.sign(|message| sign(office, message))
}

pub(super) fn open(disk: &FaultyDisk) -> Result<RedbLedger, LedgerStoreError> {
    RedbLedger::over(disk.clone())
}

/// Commits what the store has not; gives how many blocks it acknowledges to have.
fn go_on(disk: &FaultyDisk, chain: &Chain) -> Result<usize, LedgerStoreError> {
    let mut ledger = open(disk)?;
    let mut kept = ledger.head()?.map_or(0, |head| head.height as usize + 1);
    for (block, executed) in &chain[kept..] {
        // Whoever is refused may ask again.
        let commit = Commit::new(block, executed);
        let certificate = certificate(block);
        let mut keep = || ledger.commit_certified(&commit, certificate.as_ref());
        if keep().is_err() && keep().is_err() {
            break;
        }
        kept += 1;
    }
    Ok(kept)
}

/// Everything that a store answers.
#[derive(Debug, PartialEq)]
struct Content {
    blocks: Vec<Block>,
    state: Vec<(MapKey, Vec<u8>)>,
    histories: Vec<(Subject, Vec<Vec<u8>>)>,
    transactions: Vec<(TxId, u64, u32)>,
    certificates: Vec<(u64, Certificate)>,
}

impl Content {
    /// What is read back, in all the places where `chain` wrote; damage is an error.
    fn of(ledger: &RedbLedger, chain: &Chain) -> Result<Self, Box<dyn std::error::Error>> {
        let reloaded = reload(ledger)?;
        let mut blocks = Vec::new();
        for height in 0..=reloaded.overlay.height() {
            blocks.push(ledger.block(height)?.ok_or("a block is missing")?);
        }
        let subjects = chain.iter().flat_map(|(_, executed)| &executed.entries);
        let subjects: BTreeSet<Subject> = subjects.map(|(subject, ..)| *subject).collect();
        let mut histories = Vec::new();
        for subject in subjects {
            histories.push((subject, ledger.history(&subject, 0, usize::MAX)?));
        }
        let mut transactions = Vec::new();
        for transaction in chain.iter().flat_map(|(block, _)| &block.transactions) {
            let id = transaction.id();
            if let Some(place) = ledger.transaction(&id)? {
                transactions.push((id, place.height, place.index));
            }
        }
        Ok(Self {
            blocks,
            state: ledger.state()?,
            histories,
            transactions,
            certificates: ledger.certificates()?,
        })
    }
}

/// Content after each number of blocks, from 1.
fn contents(chain: &Chain) -> Vec<Content> {
    let mut ledger = RedbLedger::in_memory().unwrap();
    let mut contents = Vec::new();
    for (block, executed) in chain {
        let commit = Commit::new(block, executed);
        let certificate = certificate(block);
        ledger
            .commit_certified(&commit, certificate.as_ref())
            .unwrap();
        contents.push(Content::of(&ledger, chain).unwrap());
    }
    contents
}

/// A file with no block, and one with the whole chain.
pub(super) fn files(chain: &Chain) -> (Vec<u8>, Vec<u8>) {
    let disk = FaultyDisk::new(Vec::new());
    drop(open(&disk).unwrap());
    let empty = disk.content();
    assert_eq!(go_on(&disk, chain).unwrap(), chain.len());
    (empty, disk.content())
}

/// The store holds the acknowledged blocks, or one more that was on its way, and goes on to the end.
fn check_after(image: Vec<u8>, acknowledged: usize, chain: &Chain, expected: &[Content], of: &str) {
    let disk = FaultyDisk::new(image);
    let ledger = open(&disk).unwrap_or_else(|error| panic!("{of}: {error}"));
    let kept = ledger
        .head()
        .unwrap()
        .map_or(0, |head| head.height as usize + 1);
    assert!(
        (acknowledged..=acknowledged + 1).contains(&kept),
        "{of}: {kept} blocks of {acknowledged}"
    );
    if kept > 0 {
        let content = Content::of(&ledger, chain).unwrap_or_else(|error| panic!("{of}: {error}"));
        assert!(content == expected[kept - 1], "{of}: other content");
    }
    drop(ledger);
    assert_eq!(go_on(&disk, chain).unwrap(), chain.len(), "{of}");
    let ledger = open(&disk).unwrap();
    let content = Content::of(&ledger, chain).unwrap();
    assert!(content == expected[chain.len() - 1], "{of}: another end");
}

/// Fails at each step of opening `image`, committing what is missing, and closing.
fn fail_at_every_step(image: &[u8], chain: &Chain, expected: &[Content], faults: &[Fault]) -> u64 {
    let mut kept = 0;
    let disk = FaultyDisk::new(image.to_vec());
    if let Some(head) = open(&disk).unwrap().head().unwrap() {
        kept = head.height as usize + 1;
    }
    let disk = FaultyDisk::new(image.to_vec());
    assert_eq!(go_on(&disk, chain).unwrap(), chain.len());
    let steps = disk.steps();
    for at in 0..steps {
        for fault in faults {
            let disk = FaultyDisk::failing(image.to_vec(), at, *fault);
            let acknowledged = go_on(&disk, chain).unwrap_or(kept);
            let of = format!("{fault:?} at step {at} of {steps}");
            check_after(disk.content(), acknowledged, chain, expected, &of);
        }
    }
    steps
}

#[test]
fn a_failure_at_any_step_leaves_the_last_block_or_the_one_before_and_the_chain_goes_on() {
    let chain = chain(&[1, 3, 0, 40, 2]);
    let expected = contents(&chain);
    let (empty, _) = files(&chain);
    let steps = fail_at_every_step(&empty, &chain, &expected, &Fault::ALL);
    assert!(steps > 50, "{steps}");
}

#[test]
fn a_failure_while_recovering_from_one_does_no_more_harm() {
    let chain = chain(&[2, 2]);
    let expected = contents(&chain);
    let (empty, _) = files(&chain);
    let disk = FaultyDisk::new(empty.clone());
    go_on(&disk, &chain).unwrap();
    let mut recovered = 0;
    for at in (0..disk.steps()).step_by(3) {
        let disk = FaultyDisk::failing(empty.clone(), at, Fault::Scattered(at));
        let _ = go_on(&disk, &chain);
        let faults = [Fault::Lost, Fault::Scattered(at + 1)];
        recovered += fail_at_every_step(&disk.content(), &chain, &expected, &faults);
    }
    assert!(recovered > 50, "{recovered}");
}

#[test]
fn damage_to_the_file_is_found_or_harmless() {
    let chain = chain(&[1, 3, 20]);
    let expected = contents(&chain).pop().unwrap();
    let (_, file) = files(&chain);
    let (mut found, mut harmless) = (0, 0);
    let mut check = |damaged: Vec<u8>, of: String| {
        let read = open(&FaultyDisk::new(damaged))
            .map_err(Into::into)
            .and_then(|ledger| Content::of(&ledger, &chain));
        match read {
            Err(_) => found += 1,
            Ok(content) => {
                assert!(content == expected, "{of}");
                harmless += 1;
            }
        }
    };
    let flip = |at: usize| {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        damaged
    };
    for at in 0..512 {
        check(flip(at), format!("a bit of byte {at}"));
    }
    for (page, bytes) in file.chunks(4_096).enumerate().skip(1) {
        if bytes.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = page * 4_096;
        for at in (start..start + bytes.len()).step_by(509) {
            check(flip(at), format!("a bit of byte {at}"));
        }
        let mut zeros = file.clone();
        zeros[start..start + bytes.len()].fill(0);
        check(zeros, format!("page {page} of zeros"));
    }
    for keep in (0..file.len()).step_by(file.len() / 50).skip(1) {
        check(file[..keep].to_vec(), format!("cut at {keep}"));
    }
    assert!(found > 100 && harmless > 0, "{found} {harmless}");
}

type Change = fn(&mut RedbLedger) -> Result<(), LedgerStoreError>;

/// Fails at each step of opening `image`, changing it, and closing: what is read back is the whole before
/// the change or the whole after it, and the same change then succeeds. Gives how often it was the old one.
fn all_or_nothing(image: &[u8], change: Change) -> (u64, u64) {
    let disk = FaultyDisk::new(image.to_vec());
    let mut ledger = open(&disk).unwrap();
    let before = Whole::of(&ledger);
    change(&mut ledger).unwrap();
    let after = Whole::of(&ledger);
    drop(ledger);
    let (steps, mut old) = (disk.steps(), 0);
    for at in 0..steps {
        for fault in Fault::ALL {
            let of = format!("{fault:?} at step {at} of {steps}");
            let disk = FaultyDisk::failing(image.to_vec(), at, fault);
            let changed = open(&disk).and_then(|mut ledger| change(&mut ledger));
            let disk = FaultyDisk::new(disk.content());
            let mut ledger = open(&disk).unwrap_or_else(|error| panic!("{of}: {error}"));
            let found = Whole::of(&ledger);
            if found == before && before != after {
                assert!(changed.is_err(), "{of}: acknowledged, and lost");
                old += 1;
                change(&mut ledger).unwrap();
            }
            assert!(Whole::of(&ledger) == after, "{of}: neither old nor new");
        }
    }
    (steps, old)
}

#[test]
fn a_failure_while_pruning_leaves_all_or_nothing_pruned() {
    let chain = chain(&[1, 3, 0, 40, 2]);
    let (_, file) = files(&chain);
    let (steps, old) = all_or_nothing(&file, |ledger| ledger.prune(5).map(|_| ()));
    assert!(steps > 10 && old > 10, "{steps} {old}");
}

#[test]
fn a_failure_while_compacting_loses_nothing() {
    let chain = chain(&[1, 40, 40, 40, 2]);
    let (_, file) = files(&chain);
    let disk = FaultyDisk::new(file);
    open(&disk).unwrap().prune(5).unwrap();
    let (steps, old) = all_or_nothing(&disk.content(), |ledger| ledger.compact().map(|_| ()));
    assert!(steps > 10 && old == 0, "{steps} {old}");
}

/// The first blocks of [`chain`], as a snapshot, with the certificate of its newest one.
fn snapshot() -> (Imported, [(u64, Certificate); 1]) {
    let mut store = MemoryStore::new();
    let chain = chain_of_snapshot();
    for (block, executed) in &chain[..4] {
        store.commit(&Commit::new(block, executed)).unwrap();
    }
    let mut import = Import::new(chain[3].0.header.clone());
    export_snapshot(&store, |chunk| {
        import.chunk(chunk).unwrap();
        Ok::<(), Refused>(())
    })
    .unwrap();
    let certificate = certificate(&chain[3].0).unwrap();
    (import.finish().unwrap(), [(3, certificate)])
}

fn keep_snapshot(ledger: &mut RedbLedger) -> Result<(), LedgerStoreError> {
    let (snapshot, certificates) = snapshot();
    ledger.keep_certified(&snapshot, &certificates)
}

thread_local! {
    /// Keys are made anew each time, so there is one chain a thread.
    static CHAIN: Chain = chain(&[1, 3, 20, 2]);
}

fn chain_of_snapshot() -> Chain {
    CHAIN.with(Chain::clone)
}

#[test]
fn a_failure_while_keeping_a_snapshot_leaves_all_or_nothing_of_it_and_the_chain_goes_on() {
    let empty = FaultyDisk::new(Vec::new());
    drop(open(&empty).unwrap());
    let (steps, old) = all_or_nothing(&empty.content(), keep_snapshot);
    assert!(steps > 5 && old > 5, "{steps} {old}");
    let mut ledger = open(&empty).unwrap();
    keep_snapshot(&mut ledger).unwrap();
    let (block, executed) = chain_of_snapshot().swap_remove(4);
    let newest = certificate(&block);
    ledger
        .commit_certified(&Commit::new(&block, &executed), newest.as_ref())
        .unwrap();
    assert_eq!(ledger.certificate(4).unwrap(), newest);
    assert_eq!(verify(&ledger, |_| ()).unwrap().damage, []);
    assert_eq!(reload(&ledger).unwrap().overlay.head(), &block.header);
}

/// Blocks of [`chain`] behind the first two, kept with one commit.
fn keep_at_once(ledger: &mut RedbLedger, which: &[usize]) -> Result<(), LedgerStoreError> {
    let chain = chain_of_snapshot();
    let commits = which.iter().map(|at| &chain[*at]);
    let commits = commits.map(|(block, executed)| {
        let commit = Commit::new(block, executed);
        (commit, certificate(block))
    });
    let commits: Vec<_> = commits.collect();
    let commits = commits.iter();
    let commits = commits.map(|(commit, certificate)| (*commit, certificate.as_ref()));
    ledger.commit_all(&commits.collect::<Vec<_>>())
}

#[test]
fn a_failure_while_several_blocks_are_kept_at_once_leaves_all_or_none_of_them() {
    let chain = chain_of_snapshot();
    let (_, image) = files(&chain[..2].to_vec());
    let (steps, old) = all_or_nothing(&image, |ledger| keep_at_once(ledger, &[2, 3, 4]));
    assert!(steps > 5 && old > 5, "{steps} {old}");

    let mut ledger = open(&FaultyDisk::new(image)).unwrap();
    let before = Whole::of(&ledger);
    let refused = keep_at_once(&mut ledger, &[2, 4]).unwrap_err();
    assert_eq!(refused.rule(), "CS-STO-01");
    assert_eq!(Whole::of(&ledger), before);
    keep_at_once(&mut ledger, &[2, 3, 4]).unwrap();
    // The newest once more, as blocks are delivered at least once.
    keep_at_once(&mut ledger, &[4]).unwrap();
    let (_, one_by_one) = files(&chain);
    let one_by_one = open(&FaultyDisk::new(one_by_one)).unwrap();
    assert_eq!(Whole::of(&ledger), Whole::of(&one_by_one));
}

/// The kept files of earlier versions.
const OLD: [&[u8]; 2] = [
    include_bytes!("../../tests/directories/v1/ledger.redb"),
    include_bytes!("../../tests/directories/v2/ledger.redb"),
];

#[test]
fn a_failure_while_an_earlier_file_is_brought_up_leaves_it_old_or_new() {
    for old in OLD {
        // Opening is the change: whatever is read back was brought up then, if not before.
        let (steps, _) = all_or_nothing(old, |_| Ok(()));
        assert!(steps > 10, "{steps}");
    }
}
