//! What a leader's vote for a block shows of it, and what it does not.

use chartseal_consensus::engine::NOTICE;
use chartseal_consensus::{Evidence, EvidenceError, Fault, namespace};
use chartseal_ledger::{Block, Overlay, SignedTransaction, propose};
use chartseal_wire::{Hash, Time};
use commonware_codec::Encode as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Notarize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::Signer as _;
use commonware_cryptography::sha256::Digest;
use commonware_utils::ordered::Set;

use crate::sim::links::signing_key;
use crate::sim::people::{START_MS, genesis_of, next_committee};

/// What evidence shows to whoever has the state before its block.
fn checked(evidence: &Evidence, parent: &Overlay) -> Result<Fault, EvidenceError> {
    let genesis = genesis_of(5, 4);
    evidence.check(&genesis.chain_id(), genesis.committee(), Some(parent))
}

/// The vote of a view's leader for a block, with the block.
fn voted(parent: &Overlay, block: &Block, epoch: u64) -> (Vec<u8>, Vec<u8>) {
    let chain = genesis_of(5, 4).chain_id();
    let members = Set::from_iter_dedup((0..4).map(|number| signing_key(number).public_key()));
    let votes = (0..4).map(|number| {
        let scheme =
            Scheme::signer(&namespace(&chain), members.clone(), signing_key(number)).unwrap();
        let round = Round::new(Epoch::new(epoch), View::new(9));
        let proposal = Proposal::new(round, View::new(8), Digest(block.header.leaf().0));
        let vote = Notarize::sign(&scheme, proposal).unwrap();
        (vote.encode().to_vec(), block.bytes())
    });
    let is_leaders = |(vote, block): &(Vec<u8>, Vec<u8>)| {
        let (vote, block) = (vote.clone(), block.clone());
        let shown = checked(&Evidence::Refused { vote, block }, parent);
        shown != Err(EvidenceError::NotTheLeader)
    };
    votes.into_iter().find(is_leaders).unwrap()
}

/// What the vote of a view's leader for a block shows.
pub(crate) fn shows(parent: &Overlay, block: &Block, epoch: u64) -> Result<Fault, EvidenceError> {
    let (vote, block) = voted(parent, block, epoch);
    checked(&Evidence::Refused { vote, block }, parent)
}

pub(crate) fn next(parent: &Overlay, transactions: Vec<SignedTransaction>) -> (Block, Overlay) {
    let height = parent.height() + 1;
    let proposed = propose(parent, Time(START_MS + height), transactions);
    assert!(proposed.rejected.is_empty(), "{:?}", proposed.rejected);
    (proposed.block, proposed.executed.overlay)
}

/// A committee from this height on.
pub(crate) fn change(parent: &Overlay, from: u64) -> SignedTransaction {
    next_committee(parent.state(), 1_000, from).unwrap()
}

/// Whoever has an honest leader's vote and block has everything of which evidence is made.
#[test]
fn nobody_answers_for_a_body_that_another_puts_under_its_header() {
    let genesis = genesis_of(5, 4).overlay();
    let (good, _) = next(&genesis, vec![change(&genesis, 2 + NOTICE)]);
    assert_eq!(shows(&genesis, &good, 0), Err(EvidenceError::NoFault));
    let with = |alter: &dyn Fn(&mut Block)| {
        let mut block = good.clone();
        alter(&mut block);
        shows(&genesis, &block, 0)
    };
    let bodies: [&dyn Fn(&mut Block); 4] = [
        &|block| block.transactions.clear(),
        &|block| block.transactions.push(block.transactions[0].clone()),
        &|block| block.transactions[0].signature.0[0] ^= 1,
        &|block| block.transactions[0].bytes.truncate(9),
    ];
    for alter in bodies {
        assert_eq!(with(alter), Err(EvidenceError::OtherBody));
    }
    // A leader that signs a wrong root, of what it says itself, does answer for it.
    let forged = with(&|block| block.header.state_root = Hash([9; 32]));
    assert_eq!(forged.map(|fault| fault.rule), Ok("CS-LED-91"));
}

#[test]
fn no_altered_byte_makes_an_honest_leader_guilty() {
    let genesis = genesis_of(5, 4).overlay();
    let (good, _) = next(&genesis, vec![change(&genesis, 2 + NOTICE)]);
    let (vote, block) = voted(&genesis, &good, 0);
    let whole = Evidence::Refused { vote, block }.bytes();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut altered = whole.clone();
            altered[at] ^= 1 << bit;
            let shown = Evidence::from_bytes(&altered).and_then(|it| checked(&it, &genesis));
            assert!(shown.is_err(), "byte {at}, bit {bit}: {shown:?}");
        }
    }
}
