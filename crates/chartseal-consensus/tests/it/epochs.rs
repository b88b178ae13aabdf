//! The rules by which blocks around a change of the committee are refused, as evidence that anybody checks.

use chartseal_consensus::engine::NOTICE;
use chartseal_consensus::{Evidence, EvidenceError, Fault, Limits, Pool, namespace};
use chartseal_ledger::{Block, Overlay, SignedTransaction, propose};
use chartseal_wire::{PublicKey, Time};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Notarize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_cryptography::sha256::Digest;
use commonware_utils::ordered::Set;

use crate::sim::people::{START_MS, genesis_of, next_committee};

fn key(number: u8) -> PrivateKey {
    let mut seed = [0xc0; 32];
    seed[0] = number;
    PrivateKey::decode(Copying(seed.as_slice())).unwrap()
}

/// What the vote of a view's leader for a block shows, to whoever has the state before it.
fn shows(parent: &Overlay, block: &Block, epoch: u64) -> Result<Fault, EvidenceError> {
    let genesis = genesis_of(5, 4);
    let chain = genesis.chain_id();
    let members = Set::from_iter_dedup((0..4).map(|number| key(number).public_key()));
    let checked = (0..4).map(|number| {
        let scheme = Scheme::signer(&namespace(&chain), members.clone(), key(number)).unwrap();
        let round = Round::new(Epoch::new(epoch), View::new(9));
        let proposal = Proposal::new(round, View::new(8), Digest(block.header.leaf().0));
        let vote = Notarize::sign(&scheme, proposal).unwrap().encode().to_vec();
        let block = block.bytes();
        let evidence = Evidence::Refused { vote, block };
        evidence.check(&chain, genesis.committee(), Some(parent))
    });
    let mut by_leader = checked.filter(|shown| *shown != Err(EvidenceError::NotTheLeader));
    by_leader.next().unwrap()
}

fn next(parent: &Overlay, transactions: Vec<SignedTransaction>) -> (Block, Overlay) {
    let height = parent.height() + 1;
    let proposed = propose(parent, Time(START_MS + height), transactions);
    assert!(proposed.rejected.is_empty(), "{:?}", proposed.rejected);
    (proposed.block, proposed.executed.overlay)
}

fn change(parent: &Overlay, from: u64) -> SignedTransaction {
    next_committee(parent.state(), 1_000, from).unwrap()
}

#[test]
fn a_change_of_the_committee_without_notice_is_its_proposers_fault() {
    let genesis = genesis_of(5, 4).overlay();
    let with = |from| next(&genesis, vec![change(&genesis, from)]).0;
    let rule = |from| shows(&genesis, &with(from), 0).map(|fault| fault.rule);
    // In the very next block; and one too early.
    assert_eq!(rule(2), Ok("CS-BFT-11"));
    assert_eq!(rule(1 + NOTICE), Ok("CS-BFT-11"));
    assert_eq!(rule(2 + NOTICE), Err(EvidenceError::NoFault));
}

#[test]
fn a_change_that_is_decided_does_not_make_the_blocks_after_it_faulty() {
    let genesis = genesis_of(5, 4).overlay();
    let from = 2 + NOTICE;
    let (_, mut parent) = next(&genesis, vec![change(&genesis, from)]);
    while parent.height() < from - 1 {
        let (block, after) = next(&parent, Vec::new());
        assert_eq!(shows(&parent, &block, 0), Err(EvidenceError::NoFault));
        parent = after;
    }
    // The next epoch's block is none for a view of this one, whoever votes for it.
    let (block, _) = next(&parent, Vec::new());
    assert_eq!(block.header.epoch, 1);
    let fault = shows(&parent, &block, 0).unwrap();
    assert_eq!(fault.rule, "CS-BFT-12");
    let leader =
        (0..4).map(|number| PublicKey(key(number).public_key().as_ref().try_into().unwrap()));
    assert!(leader.into_iter().any(|key| key == fault.validator));
}

#[test]
fn the_pool_takes_no_change_that_comes_too_late_for_its_notice() {
    let genesis = genesis_of(5, 4).overlay();
    let mut pool = Pool::new(Limits::default());
    let sudden = pool.insert(change(&genesis, 1 + NOTICE), &genesis, true);
    assert_eq!(sudden.unwrap_err().rule(), "CS-POOL-06");
    pool.insert(change(&genesis, 2 + NOTICE), &genesis, true)
        .unwrap();
}
