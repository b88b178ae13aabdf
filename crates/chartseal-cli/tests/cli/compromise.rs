//! A node's disk, keys and place in the network are handed to an attacker, who tries each promise; then those of t − 1
//! nodes together. With t nodes the same attacks succeed: they are real ones, and that is what the promises rest on.
//! `docs/compromise.md` says what each attacker learned.
//!
//! | module | what |
//! |---|---|
//! | `visit` | the network that is attacked, and what an attacker has of its nodes |
//! | `shares` | P1, P5, P8, P9: what stores and keys open, and what can be read in them |
//! | `forgery` | P2, P3, P7, P10: what is signed as somebody else, and what is said twice |
//! | `blocks` | P4, P6: blocks altered and invented, with every certificate that stolen keys can make |
//! | `twin` | P6, P7: the stolen validators a second time on the network, and the honest ones cut off from each other |
//! | `middle` | P1, P2, P4, P7: a man in the middle with the certificate's key, who lies about everything |
//! | `damage` | P7: what is destroyed on a stolen node |

mod blocks;
mod damage;
mod forgery;
mod middle;
mod shares;
mod twin;
mod visit;

use std::fs;

use chartseal::{Ask, Error, Purpose, Verdict};
use chartseal_api::Submission;
use chartseal_audit::Rule;
use chartseal_envelope::KemKeyPair;
use chartseal_node::NodeError;
use chartseal_node::serve::TxOutcome;

use blocks::Fork;
use forgery::signed;
use shares::{opened, opened_from_the_wire};
use visit::{CONTENT, Stolen, Visit, accesses};

use crate::service::remote;

fn lacks_a_quorum(verdict: &Verdict) {
    let Verdict::Refuted(refutation) = verdict else {
        panic!("{verdict}");
    };
    assert_eq!(refutation.rule, Rule::Quorum, "{verdict}");
}

/// Asks for the record for a purpose that nobody allowed.
fn attempt(visit: &mut Visit) {
    let records = [visit.record];
    let ask = Ask::read(visit.patient.id(), &records, Purpose::Hresch);
    let denied = visit.doctor.read(&mut visit.network, &ask);
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
}

/// P4, P6: a chain that leaves out what was asked for since the nodes were stolen.
fn leave_out_an_attempt(visit: &Visit, stolen: &mut [Stolen]) {
    let patient = visit.patient.id();
    let honest = visit.patient.export_certified(&visit.network, None);
    let honest = honest.unwrap();
    blocks::invent_headers(visit, stolen);
    let fork = Fork::new(visit, stolen, &honest);
    blocks::is_refused(visit, stolen, &fork, &honest);
    let cosigned = blocks::shadow(stolen, patient);
    lacks_a_quorum(&visit.judged(&cosigned));
}

/// P3: while more than f are silent nothing is final. So nobody reads; and what was asked is in the history as soon as they
/// are back.
fn ask_while_two_are_silent(visit: &mut Visit, stolen: &[Stolen]) {
    let before = visit.attempts();
    for number in [2, 3] {
        visit.cluster.kill(number);
    }
    let reader = KemKeyPair::generate().unwrap();
    let doctor = visit.doctor.person().seed().signing_key();
    let transaction = signed(visit, &doctor, forgery::reading(visit, &reader));
    let id = transaction.id();
    let submission = Submission {
        transaction,
        texts: Vec::new(),
    };
    for honest in [0, 1].map(|number| remote(&visit.cluster, number)) {
        honest.submit(&submission).unwrap();
        assert_eq!(honest.outcome(&id).unwrap(), TxOutcome::Waiting);
    }
    assert_eq!(visit.refusal(id, &reader), NodeError::UNKNOWN_REQUEST);
    assert_eq!(opened(stolen), Vec::<String>::new());
    for number in [2, 3] {
        visit.cluster.start(number);
    }
    visit.settled(&id).unwrap();
    assert_eq!(visit.attempts(), before + 1);
}

#[test]
fn a_compromised_node_breaks_no_promise_nor_do_all_but_one_of_a_threshold() {
    let mut visit = Visit::new();
    let dir = tempfile::tempdir().unwrap();
    let mut stolen = Vec::new();
    // The visit's.
    let mut attempts = 1;
    for (count, number) in [(1, 3), (2, 2)] {
        stolen.push(visit.steal(number, dir.path()));
        assert_eq!(stolen.len(), count);
        assert_eq!(stolen[0].records.len(), 1, "the ciphertext is there");
        assert_eq!(opened(&stolen), Vec::<String>::new());
        let wire = opened_from_the_wire(&mut visit, &stolen);
        assert_eq!(wire, Vec::<String>::new());
        shares::search(&visit, &stolen);
        attempts += forgery::forge(&mut visit, &stolen);
        forgery::store_twice(&mut visit, &stolen);
    }
    blocks::serve_altered(&visit);

    // P3, P7: an attempt while the first of them is silent is in the history all the same.
    visit.cluster.kill(3);
    attempt(&mut visit);
    visit.cluster.start(3);
    attempts += 1;
    assert_eq!(visit.attempts(), attempts);

    // P4, P6: a chain without that attempt, certified and cosigned by one; and by two, whose copies are brought to one block.
    leave_out_an_attempt(&visit, &mut stolen[..1]);
    drop(stolen);
    let fresh = dir.path().join("fresh");
    fs::create_dir(&fresh).unwrap();
    let mut stolen: Vec<Stolen> = [2, 3].map(|it| visit.steal(it, &fresh)).into();
    visit.level(&mut stolen);
    attempt(&mut visit);
    leave_out_an_attempt(&visit, &mut stolen);

    ask_while_two_are_silent(&mut visit, &stolen);

    // P5, P9: revoked, then erased; who copied shares before has two of the three that open it.
    let revoked = visit.grant;
    visit.patient.revoke(&mut visit.network, revoked).unwrap();
    let ephemeral = KemKeyPair::generate().unwrap();
    let refused = visit.doctor.open(&mut visit.network, &visit.request);
    assert!(
        matches!(refused, Err(Error::NotReleased { .. })),
        "{refused:?}"
    );
    assert_eq!(
        visit.refusal(visit.request.id(), &ephemeral),
        NodeError::WITHDRAWN
    );
    let record = visit.record;
    visit.patient.erase(&mut visit.network, record).unwrap();
    assert_eq!(
        visit.refusal(visit.request.id(), &ephemeral),
        NodeError::ERASED
    );
    assert_eq!(opened(&stolen), Vec::<String>::new());
    let late = visit.steal(1, &fresh);
    assert!(
        late.held.is_empty() && late.records.is_empty(),
        "honest nodes have destroyed theirs"
    );
}

/// The same attacks with t nodes: beyond what is promised. That they succeed shows that they are attacks.
#[test]
fn with_a_threshold_of_nodes_the_same_attacks_succeed() {
    let mut visit = Visit::new();
    let dir = tempfile::tempdir().unwrap();
    let mut stolen: Vec<Stolen> = [1, 2, 3].map(|it| visit.steal(it, dir.path())).into();
    assert_eq!(opened(&stolen), [CONTENT]);
    assert_eq!(opened_from_the_wire(&mut visit, &stolen), [CONTENT]);
    visit.level(&mut stolen);
    attempt(&mut visit);
    assert_eq!(visit.attempts(), 2);
    let honest = visit.patient.export_certified(&visit.network, None);
    let honest = honest.unwrap();
    // But for what the ledger's rules do not give.
    blocks::invent_headers(&visit, &stolen);
    let fork = Fork::new(&visit, &mut stolen, &honest);
    blocks::is_believed(&visit, &stolen, &fork, &honest);
    let forged = blocks::shadow(&mut stolen, visit.patient.id());
    assert_eq!(accesses(visit.judged(&forged)), 1, "an attempt is hidden");
}
