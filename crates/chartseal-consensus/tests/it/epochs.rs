//! The rules by which blocks around a change of the committee are refused, as evidence that anybody checks.

use chartseal_consensus::engine::NOTICE;
use chartseal_consensus::{EvidenceError, Limits, Pool};

use crate::evidence::{change, next, shows};
use crate::sim::people::{genesis_of, validator};

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
    let mut validators = (0..4).map(|number| validator(number).public());
    assert!(validators.any(|key| key == fault.validator));
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
