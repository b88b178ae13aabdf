//! P2, P3, P7, P10: what is signed as somebody else, and what is said twice.

use std::num::NonZeroUsize;

use chartseal_api::{Blocks, FinalBlock, Submission};
use chartseal_client::{ClientError, FollowError};
use chartseal_codec::Bytes;
use chartseal_envelope::{KemKeyPair, SigningKeyPair};
use chartseal_ledger::body::{
    AccessRequested, CommitteeChanged, Countersignature, DirectiveIssued, NextMember,
    PractitionerEnrolled, RecordAdded,
};
use chartseal_ledger::{
    Block, BlockError, Body, EMERGENCY_ROLE, SignedTransaction, TRANSACTION_VERSION, Transaction,
    propose, tx_root,
};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, NodeError};
use chartseal_policy::{Grant, Grantee, Scope, Set, Symbol, Terms, Window};
use chartseal_wire::history::Token;
use chartseal_wire::{ActorId, Hash, HeaderDigest, RecordId};

use super::blocks::newest_certified;
use super::visit::{Stolen, Visit};
use crate::service::remote;

/// A transaction under any key.
pub(super) fn signed(
    visit: &Visit,
    keys: &SigningKeyPair,
    body: impl Into<Body>,
) -> SignedTransaction {
    let head = visit.network.head().unwrap();
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: visit.network.chain(),
        actor_key: public(keys),
        seq: head.state().sequence(&public(keys)) + 100,
        expires: head.height() + 500,
        body: body.into(),
    };
    transaction.sign(|message| sign(keys, message))
}

/// The rule by which an honest node refuses a transaction that the attacker hands to it, at once or when it would be in a
/// block; `None`: it is final.
fn refused_by(visit: &mut Visit, transaction: &SignedTransaction) -> Option<&'static str> {
    let submission = Submission {
        transaction: transaction.clone(),
        texts: Vec::new(),
    };
    let said = match remote(&visit.cluster, 0).submit(&submission) {
        Ok(()) => match visit.settled(&transaction.id()) {
            Ok(()) => return None,
            Err(why) => why,
        },
        Err(ClientError::Refused { problem, .. }) => {
            assert_eq!(problem.code, "CS-POOL-01", "{}", problem.detail);
            problem.detail
        }
        Err(other) => panic!("{other}"),
    };
    // The same rule keeps it out of whatever block anybody proposes.
    let head = visit.network.head().unwrap();
    let proposed = propose(head, Clock::System.now(), [transaction.clone()]);
    let (_, why) = &proposed.rejected[0];
    assert!(said.contains(&why.to_string()), "{said}: {why}");
    Some(why.rule())
}

/// Asks to read the record, for a visit.
pub(super) fn reading(visit: &Visit, reader: &KemKeyPair) -> AccessRequested {
    AccessRequested {
        patient: visit.patient.id(),
        records: vec![visit.record],
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    }
}

/// What somebody says who is none of those that may: an attempt, an enrolment with the emergency role, which these nodes
/// countersign, a grant, and a next committee of theirs, which they approve.
fn bodies(visit: &Visit, stolen: &[Stolen], me: &SigningKeyPair, reader: &KemKeyPair) -> Vec<Body> {
    let chain = visit.network.chain();
    let by_each = |message: &[u8]| -> Vec<Countersignature> {
        let each = stolen.iter().map(|one| Countersignature {
            org: one.node.org(),
            signature: sign(&one.keys.custodian, message),
        });
        each.collect()
    };
    let mut enrolled = PractitionerEnrolled {
        actor: ActorId([0x66; 16]),
        key: public(me),
        kem: [0; 32],
        roles: Set::one(Symbol::new(EMERGENCY_ROLE).unwrap()),
        credential: Window::default(),
        countersignature: None,
    };
    let message = enrolled.to_countersign(&chain, &stolen[0].node.org());
    enrolled.countersignature = by_each(&message).pop();
    let grant = Grant {
        scope: Scope {
            to: Some(Set::one(Grantee::actor(ActorId([0x66; 16])).unwrap())),
            ..Scope::default()
        },
        ..Grant::default()
    };
    let directive = DirectiveIssued {
        patient: visit.patient.id(),
        terms: Terms::Grant(grant),
        sealed: None,
    };
    // Every seat is given to keys of the attacker's.
    let members = visit.genesis.committee().members().iter().enumerate();
    let members = members.map(|(at, member)| {
        let keys = &stolen[at % stolen.len()].keys;
        NextMember {
            org: member.org,
            validator: public(&keys.cosigner),
            custodian_kem: keys.kem.key_id().0,
        }
    });
    let mut committee = CommitteeChanged {
        epoch: 1,
        from: visit.network.head().unwrap().height() + 200,
        members: members.collect(),
        approvals: Vec::new(),
    };
    committee.approvals = by_each(&committee.to_approve(&chain));
    let asked = reading(visit, reader);
    vec![
        asked.into(),
        enrolled.into(),
        directive.into(),
        committee.into(),
    ]
}

/// Whatever the keys of these nodes sign as somebody else is refused. Gives how many attempts that left on the chain.
pub(super) fn forge(visit: &mut Visit, stolen: &[Stolen]) -> usize {
    let me = SigningKeyPair::generate().unwrap();
    let ephemeral = KemKeyPair::generate().unwrap();
    let mut attempts = 0;
    for one in stolen {
        let keys = &one.keys;
        for by in [&keys.custodian, &keys.cosigner, &keys.log, &me] {
            let is_enrolled = public(by) == public(&keys.custodian);
            for body in bodies(visit, stolen, &me, &ephemeral) {
                // An attempt by an enrolled key, a custodian's too, is on the chain: denied.
                let is_attempt = is_enrolled && matches!(body, Body::AccessRequested(_));
                let (rule, refusal) = match (is_attempt, is_enrolled) {
                    (true, _) => (None, NodeError::DENIED),
                    (false, true) => (Some("CS-LED-10"), NodeError::UNKNOWN_REQUEST),
                    (false, false) => (Some("CS-LED-06"), NodeError::UNKNOWN_REQUEST),
                };
                let forged = signed(visit, by, body);
                assert_eq!(refused_by(visit, &forged), rule);
                assert_eq!(visit.refusal(forged.id(), &ephemeral), refusal);
                attempts += usize::from(is_attempt);
            }
        }
    }
    // Another's permit, with the attacker's key in place of the reader's.
    let refused = visit.refusal(visit.request.id(), &ephemeral);
    assert_eq!(refused, NodeError::WRONG_READER);
    attempts
}

/// P10: the author's record is said again by who saw it pass, and by the author, whom somebody told that it was lost.
pub(super) fn store_twice(visit: &mut Visit, stolen: &[Stolen]) {
    let before = visit.network.head().unwrap().state().record(&visit.record);
    let blocks = visit.blocks();
    let parsed = blocks.iter().map(|it| Block::from_bytes(&it.block.0));
    let all = parsed.flat_map(|block| block.unwrap().transactions);
    let is_filing = |it: &SignedTransaction| match it.parse().unwrap().body {
        Body::RecordAdded(added) => Some(added),
        _ => None,
    };
    let mut filings = all.filter_map(|it| Some((is_filing(&it)?, it)));
    let (filed, transaction) = filings.next().unwrap();
    assert!(filings.next().is_none(), "one record");

    let author = visit.author.person().seed().signing_key();
    let changed = |change: fn(&mut RecordAdded)| {
        let mut again = filed.clone();
        change(&mut again);
        again
    };
    let other_id = |it: &mut RecordAdded| it.record = RecordId([0xd0; 16]);
    // Sealed anew, under an id and a header of its own: what is left of the first one is its fingerprint.
    let anew = |it: &mut RecordAdded| {
        it.record = RecordId([0xd0; 16]);
        it.header = HeaderDigest([0xd1; 32]);
        it.body = [0xd2; 32];
    };
    let keys = &stolen[stolen.len() - 1].keys;
    let said = [
        (transaction, "CS-LED-08"),
        (signed(visit, &author, changed(|_| ())), "CS-LED-24"),
        (signed(visit, &author, changed(other_id)), "CS-LED-31"),
        (signed(visit, &author, changed(anew)), "CS-LED-32"),
        (signed(visit, &keys.custodian, changed(anew)), "CS-LED-10"),
        (signed(visit, &keys.cosigner, changed(anew)), "CS-LED-06"),
    ];
    for (transaction, rule) in said {
        assert_eq!(refused_by(visit, &transaction), Some(rule));
        assert_eq!(refused_in_a_block(visit, &blocks, &transaction), rule);
    }
    // The author's app knows what it filed.
    let kit = visit.patient.filing_kit();
    let again = [super::visit::document()];
    let again = visit.author.file(&mut visit.network, &kit, &again, |_| ());
    let again = &again.unwrap()[0];
    assert_eq!((again.record, &again.header), (visit.record, &None));
    let after = visit.network.head().unwrap().state().record(&visit.record);
    assert_eq!(after, before);
}

/// The rule by which whoever follows the chain refuses a block that has a transaction all the same.
fn refused_in_a_block(
    visit: &Visit,
    blocks: &[FinalBlock],
    transaction: &SignedTransaction,
) -> &'static str {
    let mut follower = visit.follower(blocks, newest_certified(blocks));
    let mut block = propose(follower.head(), Clock::System.now(), []).block;
    block.transactions.push(transaction.clone());
    block.header.tx_root = tx_root(&block.transactions);
    let given = FinalBlock {
        block: Bytes(block.bytes()),
        certificate: None,
    };
    let blocks = vec![given];
    let refused = follower.take(&Blocks { blocks }, NonZeroUsize::MIN);
    let Err(FollowError::Block { why, .. }) = refused else {
        panic!("{refused:?}");
    };
    let BlockError::Transaction { source, .. } = *why else {
        panic!("{why}");
    };
    source.rule()
}
