//! The next committee, as offices judge it: by each of the ledger's rules, before anybody signs.

use chartseal_consensus::engine::NOTICE;
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::{Organization, OrganizationEnrolled};
use chartseal_ledger::{Body, Overlay, Params, TRANSACTION_VERSION, Transaction, propose};
use chartseal_node::keys::{public, sign};
use chartseal_node::{CommitteeView, MemberChange, NodeKeys, Proposal, ProposalError};
use chartseal_wire::{ChainId, OrgId, PublicKey, Time};

use crate::fixture::{START, found_by, org};

const NEWCOMER: OrgId = OrgId([9; 16]);

/// Four organizations and a fifth one, which is enrolled.
struct Founded {
    offices: Vec<SigningKeyPair>,
    head: Overlay,
    newcomer: Organization,
}

impl Founded {
    fn new() -> Self {
        let (genesis, _, offices) = found_by(4, Params::default());
        let office = SigningKeyPair::generate().unwrap();
        let keys = NodeKeys::generate().unwrap();
        let newcomer = keys.organization(NEWCOMER, public(&office));
        let mut founded = Self {
            offices,
            head: genesis.overlay(),
            newcomer,
        };
        let enrolled = OrganizationEnrolled {
            organization: newcomer,
        };
        founded.head = founded.with(enrolled.into(), 1_000).unwrap();
        founded
    }

    /// The state after a block with the first office's next transaction, if the ledger takes it.
    fn with(&self, body: Body, expires: u64) -> Option<Overlay> {
        let office = &self.offices[0];
        let state = self.head.state();
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: state.chain(),
            actor_key: public(office),
            seq: state.sequence(&public(office)) + 1,
            expires,
            body,
        };
        let signed = transaction.sign(|message| sign(office, message));
        let time = Time(START.0 + self.head.height() + 1);
        let proposed = propose(&self.head, time, vec![signed]);
        proposed
            .rejected
            .is_empty()
            .then_some(proposed.executed.overlay)
    }

    fn view(&self) -> CommitteeView {
        CommitteeView::of(&self.head, &[NEWCOMER, OrgId([7; 16])])
    }

    /// The newcomer in the second one's place, and a new key for the third one.
    fn draft(&self) -> Proposal {
        let changes = [
            MemberChange::Add {
                org: NEWCOMER,
                keys: None,
            },
            MemberChange::Remove { org: org(1) },
            MemberChange::Rotate {
                org: org(2),
                validator: PublicKey([8; 32]),
                custodian_kem: None,
            },
        ];
        Proposal::draft(&self.view(), &changes, self.head.height() + 2 + NOTICE).unwrap()
    }

    /// The same with a quorum's approvals.
    fn agreed(&self) -> Proposal {
        let mut proposal = self.draft();
        for office in &self.offices[..3] {
            proposal.approve(&self.view(), office).unwrap();
        }
        proposal
    }
}

#[test]
fn what_a_quorum_approves_the_ledger_takes_and_it_comes_into_office() {
    let mut founded = Founded::new();
    let proposal = founded.agreed();
    let view = founded.view();
    let change = proposal.agreed(&view).unwrap().clone();
    let before = view.members();
    founded.head = founded
        .with(change.clone().into(), proposal.expires())
        .unwrap();
    let decided = founded.view();
    let error = proposal.judge(&decided).unwrap_err();
    assert_eq!(error.rule(), "CS-COM-04", "{error}");
    while founded.head.height() + 1 < change.from {
        let time = Time(START.0 + founded.head.height() + 1);
        let proposed = propose(&founded.head, time, Vec::new());
        founded.head = proposed.executed.overlay;
    }
    let view = founded.view();
    assert_eq!(view.next, None);
    assert_eq!(proposal.judge(&view).unwrap_err().rule(), "CS-COM-03");
    let (members, newcomer) = (view.members(), &founded.newcomer);
    let orgs: Vec<OrgId> = members.iter().map(|member| member.org).collect();
    assert_eq!(orgs, [org(0), NEWCOMER, org(2), org(3)]);
    assert_eq!(members[1].validator, newcomer.validator);
    assert_eq!(members[1].custodian_kem, newcomer.custodian_kem);
    assert_eq!(members[2].validator, PublicKey([8; 32]));
    assert_eq!(members[2].custodian_kem, before[2].custodian_kem);
    assert_eq!((members[0], members[3]), (before[0], before[3]));
    // Who left has no say in the epoch that follows.
    let error = Proposal::draft(
        &view,
        &[MemberChange::Rotate {
            org: org(2),
            validator: PublicKey([6; 32]),
            custodian_kem: Some([5; 32]),
        }],
        view.height + 2 + NOTICE,
    )
    .unwrap()
    .approve(&view, &founded.offices[1]);
    assert_eq!(error.unwrap_err().rule(), "CS-COM-11");
}

#[test]
fn what_the_ledger_refuses_is_refused_before_for_a_rule_of_its_own() {
    let founded = Founded::new();
    let (view, good) = (founded.view(), founded.agreed());
    let last = founded.offices.len() - 1;
    let refused = |rule: &str, alter: &dyn Fn(&mut Proposal)| {
        let mut proposal = good.clone();
        alter(&mut proposal);
        let error = proposal.agreed(&view).unwrap_err();
        assert_eq!(error.rule(), rule, "{error}");
        // Nobody signs it, and the ledger does not take it either.
        let (body, expires) = (proposal.change.clone(), proposal.expires().max(100));
        if rule != "CS-COM-12" {
            let signed = proposal.approve(&view, &founded.offices[last]);
            assert_eq!(signed.unwrap_err().rule(), rule);
        }
        if rule != "CS-COM-02" {
            let taken = founded.with(body.into(), expires);
            assert!(taken.is_none_or(|_| is_stricter(&error)), "{error}");
        }
    };
    refused("CS-COM-02", &|it| it.network = ChainId([7; 32]));
    refused("CS-COM-03", &|it| it.change.epoch += 1);
    refused("CS-COM-05", &|it| it.change.from = 1);
    refused("CS-COM-05", &|it| it.change.from -= 1);
    refused("CS-COM-05", &|it| it.change.from += 100_000);
    refused("CS-COM-06", &|it| it.change.members[0].org = OrgId([7; 16]));
    refused("CS-COM-07", &|it| {
        it.change.members.pop();
    });
    refused("CS-COM-07", &|it| {
        it.change.members[0] = it.change.members[1];
    });
    refused("CS-COM-08", &|it| it.change.approvals[0].org = NEWCOMER);
    refused("CS-COM-09", &|it| {
        it.change.members[0].custodian_kem[0] ^= 1;
    });
    refused("CS-COM-09", &|it| it.change.approvals[2].org = org(3));
    refused("CS-COM-10", &|it| {
        it.change.approvals[2] = it.change.approvals[1].clone();
    });
    refused("CS-COM-12", &|it| {
        it.change.approvals.pop();
    });
    let mut good = good;
    let again = good.approve(&view, &founded.offices[0]);
    assert_eq!(again, Err(ProposalError::Twice(org(0))));
    let foreign = good.approve(&view, &SigningKeyPair::generate().unwrap());
    assert_eq!(foreign.unwrap_err().rule(), "CS-COM-11");
    assert_eq!(good.missing(&view), [org(3)]);
}

/// What the ledger would take: the engine asks for more notice than it does, and a signature too many does no harm there.
fn is_stricter(error: &ProposalError) -> bool {
    matches!(
        error,
        ProposalError::From { .. } | ProposalError::Twice(_) | ProposalError::NotAMember(_)
    )
}

#[test]
fn a_proposal_is_one_text_and_no_other_is_read() {
    let founded = Founded::new();
    let proposal = founded.agreed();
    let text = proposal.to_string();
    assert_eq!(Proposal::parse(&text), Ok(proposal.clone()));
    assert_eq!(proposal.fingerprint(), founded_fingerprint(&text));
    let lines: Vec<&str> = text.lines().collect();
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n") + "\n"
    };
    let others = [
        String::new(),
        without(0),
        without(1),
        without(2),
        without(3),
        text.replace("committee 1", "committee 2"),
        text.replace("committee 1", "committee 1 "),
        text.replace("epoch 1", "epoch 01"),
        text.replace("epoch 1", "epoch +1"),
        text.replace("epoch 1", "epoch 18446744073709551616"),
        text.replace('\n', "\r\n"),
        text.trim_end().to_owned(),
        text.clone() + "\n",
        text.clone() + "note by hand\n",
        text.replacen("member ", "member  ", 1),
        text.replacen(&org(0).to_string(), &org(0).to_string()[1..], 1),
        text.replace(lines[4], &(lines[4].to_owned() + " 00")),
        text.to_uppercase(),
        // Approvals come after the members.
        [&lines[..4], &lines[8..9], &lines[4..8], &[""]]
            .concat()
            .join("\n"),
        text.clone() + &format!("{}\n", lines[4]).repeat(61),
        text.clone() + &"x".repeat(Proposal::MAX_BYTES),
    ];
    for other in others {
        let read = Proposal::parse(&other);
        assert_eq!(read.unwrap_err().rule(), "CS-COM-01", "{other}");
    }
}

/// By what is in the file alone, without its approvals.
fn founded_fingerprint(text: &str) -> String {
    let (members, _) = text.split_at(text.find("approval").unwrap());
    Proposal::parse(members).unwrap().fingerprint()
}
