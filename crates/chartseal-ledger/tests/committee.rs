//! The next committee: who decides on it, when it is in force, and what custodians do across epochs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use chartseal_ledger::body::{
    CommitteeChanged, Countersignature, CustodianReplaced, CustodianSet, DepositAcknowledged,
    Destroyed, Erased, KeyRotated, NextMember, Organization, OrganizationEnrolled,
    RedealAcknowledged, Redealt, Released, SlotAdded,
};
use chartseal_ledger::store::reload;
use chartseal_ledger::{BlockError, Genesis, execute, propose, releasable};
use chartseal_wire::{Event, Hash, OrgId, RequestId, Subject, Time};
use common::*;

/// Organization 4 leaves, 5 joins at the end; approved by these.
fn change(chain: &Chain, from: u64, approving: &[u8]) -> CommitteeChanged {
    let member = |id: u8| NextMember {
        org: org(id),
        validator: Key::new(&format!("validator {id}, next")).public(),
        custodian_kem: [0x50 | id; 32],
    };
    let mut body = CommitteeChanged {
        epoch: chain.head.committee().epoch() + 1,
        from,
        members: [1, 2, 3, 5].map(member).to_vec(),
        approvals: vec![],
    };
    approve(chain, &mut body, approving);
    body
}

fn approve(chain: &Chain, body: &mut CommitteeChanged, approving: &[u8]) {
    let message = body.to_approve(&chain.head.head().chain);
    let approvals = approving.iter().map(|by| Countersignature {
        org: org(*by),
        signature: office(*by).sign(&message),
    });
    body.approvals = approvals.collect();
}

fn next(chain: &Chain) -> u64 {
    chain.head.height() + 1
}

#[test]
fn cs_led_100_a_next_committee_is_of_enrolled_organizations_and_comes() {
    let mut chain = Chain::populated();
    let good = change(&chain, next(&chain) + 3, &[1, 2, 3]);
    let spoils: [fn(&mut CommitteeChanged); 7] = [
        |body| body.epoch = 2,
        |body| body.epoch = 0,
        |body| body.from -= 3,
        |body| body.from += 200_000,
        |body| body.members[0].org = org(9),
        |body| body.members[1] = body.members[0],
        |body| body.members.truncate(3),
    ];
    for spoil in spoils {
        let mut bad = good.clone();
        spoil(&mut bad);
        approve(&chain, &mut bad, &[1, 2, 3]);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-100");
    }
    assert_eq!(chain.refused(&office(5), good.clone()), "CS-LED-14");
    chain.ok(&office(1), good);
    let second = change(&chain, next(&chain) + 9, &[1, 2, 3]);
    assert_eq!(chain.refused(&office(1), second), "CS-LED-100");
}

/// Organization 2's custodian has another KEM key from now on.
fn rekeyed(chain: &Chain, name: &str, kem: u8) -> CustodianReplaced {
    let key = Key::new(name);
    let message = KeyRotated::to_possess(&chain.head.head().chain, &org(2).into(), &key.public());
    let (key, possession) = (key.public(), key.sign(&message));
    let kem = Some([kem; 32]);
    CustodianReplaced {
        rotation: KeyRotated {
            key,
            kem,
            possession,
        },
    }
}

/// A stolen KEM key that was replaced is not restored by a committee that was agreed on before.
#[test]
fn an_epoch_brings_no_kem_key_back_that_was_given_up() {
    let kem = |chain: &Chain| chain.head.state().org(&org(2)).unwrap().custodian_kem;
    // Decided on, then replaced.
    let mut chain = Chain::populated();
    let body = change(&chain, next(&chain) + 3, &[1, 2, 3]);
    chain.ok(&office(1), body);
    let new = rekeyed(&chain, "after", 0x72);
    chain.ok(&office(2), new);
    while chain.head.committee().epoch() == 0 {
        chain.block(vec![]);
    }
    assert_eq!(kem(&chain), [0x72; 32]);

    // Agreed on, then replaced, then handed in.
    // The one that it has then, and a new one, are good.
    for good in [[0x72; 32], [0x73; 32]] {
        let mut chain = Chain::populated();
        let mut body = change(&chain, next(&chain) + 3, &[]);
        body.members[1].custodian_kem = kem(&chain);
        approve(&chain, &mut body, &[1, 2, 3]);
        let new = rekeyed(&chain, "before", 0x72);
        chain.ok(&office(2), new);
        assert_eq!(chain.refused(&office(1), body.clone()), "CS-LED-100");
        body.members[1].custodian_kem = good;
        approve(&chain, &mut body, &[1, 2, 3]);
        chain.ok(&office(1), body);
    }
}

#[test]
fn cs_led_13_a_validators_key_is_its_organizations_and_nobody_elses() {
    let mut chain = Chain::populated();
    let validator = |id: u8| organization(id).validator;
    let with = |chain: &Chain, at: usize, key| {
        let mut body = change(chain, next(chain) + 1, &[]);
        body.members[at].validator = key;
        approve(chain, &mut body, &[1, 2, 3]);
        body
    };
    // Of another member, of one that leaves, of one that is in no committee, of an office, a custodian, a doctor.
    let taken = [
        (0, validator(2)),
        (0, validator(4)),
        (0, validator(5)),
        (3, office(5).public()),
        (3, custodian(2).public()),
        (3, actor_key(10).public()),
    ];
    for (at, key) in taken {
        let bad = with(&chain, at, key);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-13", "{at} {key:?}");
    }
    // Its own one may stay.
    let good = with(&chain, 0, validator(1));
    chain.ok(&office(1), good);
    // The keys of a committee that is over are nobody else's, and its members may have theirs back.
    for taken in [validator(4), validator(2)] {
        let mut organization = organization(9);
        organization.validator = taken;
        let body = OrganizationEnrolled { organization };
        assert_eq!(chain.refused(&office(1), body), "CS-LED-13");
    }
    let bad = with(&chain, 3, validator(2));
    assert_eq!(chain.refused(&office(1), bad), "CS-LED-13");
    let good = with(&chain, 1, validator(2));
    chain.ok(&office(1), good);
    assert_eq!(chain.head.committee().epoch(), 2);
}

#[test]
fn cs_led_101_a_quorum_of_the_present_committee_decides() {
    let mut chain = Chain::populated();
    let from = next(&chain) + 1;
    for too_few in [&[1, 2][..], &[1, 2, 2], &[1, 2, 5]] {
        let bad = change(&chain, from, too_few);
        assert_eq!(chain.refused(&office(1), bad), "CS-LED-101");
    }
    let mut moved = change(&chain, from, &[1, 2, 3]);
    moved.from += 1;
    assert_eq!(chain.refused(&office(1), moved), "CS-LED-101");
    let body = change(&chain, from, &[2, 3, 4]);
    chain.ok(&office(4), body);
}

#[test]
fn a_committee_has_sixty_four_members_at_most() {
    let key = |what: &str, id: u8| Key::new(&format!("{what} of {id}"));
    let all: Vec<Organization> = (1..=67)
        .map(|id| Organization {
            id: OrgId([id; 16]),
            enrolment_key: key("office", id).public(),
            custodian_key: key("custodian", id).public(),
            custodian_kem: [id; 32],
            validator: key("validator", id).public(),
        })
        .collect();
    let genesis = Genesis::new(Time(START), [1; 32], params(), all.clone(), &[all[0].id]);
    let mut chain = Chain::of(&genesis.unwrap());
    let office = key("office", 1);
    let change = |chain: &Chain, n: usize| {
        let members = all[..n].iter().map(|org| NextMember {
            org: org.id,
            validator: org.validator,
            custodian_kem: org.custodian_kem,
        });
        let mut body = CommitteeChanged {
            epoch: 1,
            from: next(chain) + 1,
            members: members.collect(),
            approvals: vec![],
        };
        let message = body.to_approve(&chain.head.head().chain);
        body.approvals = vec![Countersignature {
            org: all[0].id,
            signature: office.sign(&message),
        }];
        body
    };
    for n in [0, 65, 66, 67] {
        let body = change(&chain, n);
        assert_eq!(chain.refused(&office, body), "CS-LED-100", "{n} members");
    }
    let body = change(&chain, 64);
    chain.ok(&office, body);
    let committee = chain.head.committee();
    assert_eq!(
        (committee.n(), committee.f(), committee.quorum()),
        (64, 21, 43)
    );
}

/// Into the next epoch, by the shortest way.
fn change_now(chain: &mut Chain) {
    let body = change(chain, next(chain) + 1, &[1, 2, 3]);
    chain.ok(&office(1), body);
    assert_eq!(chain.head.committee().epoch(), 1);
}

#[test]
fn a_committee_is_in_force_from_its_first_height_and_the_header_before_names_it() {
    let mut chain = Chain::populated();
    let first = chain.head.committee().clone();
    let from = next(&chain) + 3;
    let body = change(&chain, from, &[1, 2, 3]);
    chain.ok(&office(1), body);
    while next(&chain) < from - 1 {
        assert_eq!(chain.head.head().next_committee, first.hash());
        chain.block(vec![]);
    }
    let border = propose(&chain.head, Time(chain.now), []).block;
    chain.block(vec![]);
    let second = chain.head.committee().clone();
    assert_eq!((second.epoch(), chain.head.head().epoch), (1, 0));
    assert_eq!(chain.head.head().next_committee, second.hash());
    assert_eq!(second.index_of(&org(5)), Some(4));
    chain.block(vec![]);
    assert_eq!(chain.head.head().epoch, 1);
    let state = chain.head.state();
    assert_eq!(
        (state.committee_of(0), state.next_committee()),
        (Some(first.clone()), None)
    );
    assert_eq!(state.org(&org(5)).unwrap().custodian_kem, [0x55; 32]);
    assert_eq!(state.org(&org(4)).unwrap().custodian_kem, [4; 32]);
    // A proposer can't put it off, nor the old committee go on.
    let mut late = border;
    late.header.next_committee = first.hash();
    let parent = &chain.blocks[chain.blocks.len() - 3];
    assert_eq!(late.header.parent, parent.header.leaf());
    for member in [org(4), org(5)] {
        let history = chain.history(Subject::Actor(member.into()));
        assert!(matches!(
            history.last().unwrap().event,
            Event::CommitteeChanged(_)
        ));
    }
    // What was stored starts again as it was.
    let again = reload(&chain.store).unwrap().overlay;
    assert_eq!(again.committee(), chain.head.committee());
    chain.head = again;
    chain.ok(
        &actor_key(10),
        RecordAddedOf(&chain.head.committee().clone(), 20, chain.now).body(),
    );
}

/// A record dealt to a committee.
struct RecordAddedOf<'a>(&'a chartseal_ledger::Committee, u8, u64);

impl RecordAddedOf<'_> {
    fn body(&self) -> chartseal_ledger::body::RecordAdded {
        let Self(committee, id, now) = self;
        let (epoch, t, n) = (committee.epoch(), committee.quorum(), committee.n());
        chartseal_ledger::body::RecordAdded {
            custodians: CustodianSet { epoch, t, n },
            ..record(*id, 1, *now)
        }
    }
}

#[test]
fn a_border_block_that_names_another_committee_is_refused() {
    let mut chain = Chain::populated();
    let body = change(&chain, next(&chain) + 2, &[1, 2, 3]);
    chain.ok(&office(1), body);
    let mut late = propose(&chain.head, Time(chain.now), []).block;
    late.header.next_committee = chain.head.committee().hash();
    let error = execute(&chain.head, &late).unwrap_err();
    assert_eq!(error.rule(), "CS-LED-88");
    let mut early = late;
    early.header.next_committee = Hash([1; 32]);
    assert!(matches!(
        execute(&chain.head, &early),
        Err(BlockError::Committee)
    ));
}

fn redealt(request: Option<RequestId>) -> Redealt {
    Redealt {
        record: record_id(20),
        header: header(20, 1),
        deal: 1,
        custodians: CustodianSet {
            epoch: 1,
            t: 3,
            n: 4,
        },
        root: [0x52; 32],
        request,
    }
}

#[test]
fn custodians_speak_with_the_index_of_the_set_that_was_dealt_to() {
    let (mut chain, request) = permitted();
    let acknowledge = |index| DepositAcknowledged {
        record: record_id(20),
        header: header(20, 1),
        index,
    };
    let released = |request| Released {
        request,
        records: vec![record_id(20)],
    };
    change_now(&mut chain);
    // The first deal is the old committee's: 4 is in it, 5 is not.
    chain.ok(&custodian(4), acknowledge(4));
    assert_eq!(chain.refused(&custodian(5), acknowledge(4)), "CS-LED-14");
    for id in [1, 2, 4] {
        chain.ok(&custodian(id), released(request));
    }
    assert_eq!(chain.refused(&custodian(5), released(request)), "CS-LED-14");
    // The reader of it deals to the new one.
    chain.ok(&actor_key(11), redealt(Some(request)));
    for (id, index) in [(1, 1), (2, 2), (3, 3), (5, 4)] {
        let body = RedealAcknowledged {
            record: record_id(20),
            header: header(20, 1),
            deal: 1,
            index,
        };
        chain.ok(&custodian(id), body);
    }
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    let ready = releasable(&chain.head, &request, Time(chain.now), 60_000).unwrap();
    assert_eq!(ready[0].deal, 1);
    chain.ok(&custodian(5), released(request));
    assert_eq!(chain.refused(&custodian(4), released(request)), "CS-LED-14");
    // Both committees' custodians destroy.
    let erased = Erased {
        record: record_id(20),
    };
    chain.ok(&patient_key(1), erased);
    let destroyed = Destroyed {
        record: record_id(20),
    };
    for id in [4, 5] {
        let has_destroyed = |chain: &Chain| {
            let state = chain.head.state();
            state.has_destroyed(&destroyed.record, &org(id))
        };
        assert!(!has_destroyed(&chain));
        chain.ok(&custodian(id), destroyed.clone());
        assert!(has_destroyed(&chain));
        assert_eq!(
            chain.refused(&custodian(id), destroyed.clone()),
            "CS-LED-48"
        );
    }
}

#[test]
fn a_receipt_is_of_one_set_of_custodians() {
    let mut chain = Chain::populated();
    let mut first = chain.record(20);
    first.record = record_id(20);
    chain.ok(&actor_key(10), first);
    change_now(&mut chain);
    let second = RecordAddedOf(&chain.head.committee().clone(), 21, chain.now).body();
    chain.ok(&actor_key(10), second);
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20, 21], "TREAT"));
    let released = |records: &[u8]| Released {
        request,
        records: records.iter().copied().map(record_id).collect(),
    };
    // The same index in both.
    chain.ok(&custodian(1), released(&[20, 21]));
    assert_eq!(
        chain.refused(&custodian(5), released(&[20, 21])),
        "CS-LED-14"
    );
    chain.ok(&custodian(5), released(&[21]));
}

#[test]
fn cs_led_105_a_reader_deals_anew_only_when_the_custodians_changed() {
    let (mut chain, request) = permitted();
    for id in 1..=3 {
        let records = vec![record_id(20)];
        chain.ok(&custodian(id), Released { request, records });
    }
    let mut early = redealt(Some(request));
    early.custodians.epoch = 0;
    assert_eq!(chain.refused(&actor_key(11), early), "CS-LED-105");
    change_now(&mut chain);
    chain.ok(&actor_key(11), redealt(Some(request)));
    let mut again = redealt(Some(request));
    again.deal = 2;
    assert_eq!(chain.refused(&actor_key(11), again), "CS-LED-105");
    again.request = None;
    chain.ok(&patient_key(1), again);
}

/// Seven organizations, of which the first so many are the committee; record 20 of patient 1 is dealt to it, and
/// practitioner 11 may read it. Gives a request for it too.
fn dealt_to_first(members: u8) -> (Chain, RequestId) {
    let committee: Vec<_> = (1..=members).map(org).collect();
    let organizations = (1..=7).map(organization).collect();
    let genesis = Genesis::new(Time(START), [0x5a; 32], params(), organizations, &committee);
    let mut chain = Chain::of(&genesis.unwrap());
    chain.enrol_everybody();
    let first = RecordAddedOf(&chain.head.committee().clone(), 20, chain.now).body();
    chain.ok(&actor_key(10), first);
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    (chain, request)
}

/// The next committee is this one, and the patient deals record 20 to it.
fn deal_to(chain: &mut Chain, members: &[u8]) {
    let member = |id: &u8| NextMember {
        org: org(*id),
        validator: Key::new(&format!("validator {id}, next")).public(),
        custodian_kem: [0x50 | id; 32],
    };
    let mut body = change(chain, next(chain) + 1, &[]);
    body.members = members.iter().map(member).collect();
    approve(chain, &mut body, &[1, 2, 3, 4, 5, 6, 7]);
    chain.ok(&office(1), body);
    let (t, n) = (chain.head.committee().quorum(), chain.head.committee().n());
    let dealt = Redealt {
        custodians: CustodianSet { epoch: 1, t, n },
        ..redealt(None)
    };
    chain.ok(&patient_key(1), dealt);
    for (id, index) in members.iter().zip(1..) {
        let body = RedealAcknowledged {
            record: record_id(20),
            header: header(20, 1),
            deal: 1,
            index,
        };
        chain.ok(&custodian(*id), body);
    }
}

fn receipt(request: RequestId) -> Released {
    Released {
        request,
        records: vec![record_id(20)],
    }
}

/// What only a reader whose read was answered may send.
fn slot_by_reader(request: RequestId) -> SlotAdded {
    SlotAdded {
        record: record_id(20),
        header: header(20, 1),
        kem: [1; 32],
        slot: [2; 32],
        request: Some(request),
    }
}

#[test]
fn a_read_is_answered_by_as_many_as_the_later_smaller_set_needs() {
    let (mut chain, _) = dealt_to_first(7);
    deal_to(&mut chain, &[1, 2, 3, 4]);
    let (request, _) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    for id in [1, 2] {
        chain.ok(&custodian(id), receipt(request));
    }
    let slot = slot_by_reader(request);
    assert_eq!(chain.refused(&actor_key(11), slot), "CS-LED-52");
    chain.ok(&custodian(3), receipt(request));
    chain.ok(&actor_key(11), slot);
}

#[test]
fn receipts_of_two_sets_of_custodians_do_not_add_up() {
    let (mut chain, request) = dealt_to_first(4);
    let slot = slot_by_reader(request);
    for id in [1, 2] {
        chain.ok(&custodian(id), receipt(request));
    }
    deal_to(&mut chain, &[7, 6, 5, 4, 3, 2, 1]);
    let permit = |chain: &Chain| chain.head.state().request(&request).unwrap().permits[0];
    assert_eq!((permit(&chain).deal, permit(&chain).released), (0, 0b11));
    // The indexes of who gave a receipt before are others' now, and they give theirs.
    for (id, released) in [(7, 0b1), (6, 0b11)] {
        chain.ok(&custodian(id), receipt(request));
        assert_eq!(
            (permit(&chain).deal, permit(&chain).released),
            (1, released)
        );
        let again = receipt(request);
        assert_eq!(chain.refused(&custodian(id), again), "CS-LED-46");
    }
    // Three of the first set would do. Of this one five are needed; who was in both gives another receipt.
    for id in [5, 1] {
        chain.ok(&custodian(id), receipt(request));
        assert_eq!(chain.refused(&actor_key(11), slot), "CS-LED-52");
    }
    chain.ok(&custodian(2), receipt(request));
    chain.ok(&actor_key(11), slot);
}
