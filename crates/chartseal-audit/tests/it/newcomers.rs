//! Validators that joined after a policy was pinned: what they issue and cosign (`docs/audit.md`, "Committees").

use chartseal_audit::{Kept, Rule, Verdict};
use chartseal_wire::checkpoint::origin;

use crate::fixture::*;

/// The number of the validator that joined: its keys are in no policy of the first four.
const NEWCOMER: u8 = 4;

/// The network's policy after the change: another committee, and the newcomer's keys beside the others'.
fn new_policy(net: &Network) -> String {
    let log = proposer(&origin(&net.chain), NEWCOMER).0;
    let witness = cosigner(NEWCOMER).0;
    let policy = net.committee_policy(1);
    format!("log {log}\n{policy}").replace(
        "committee network",
        &format!("witness v5 {witness}\ncommittee network"),
    )
}

fn ask(net: &Network, policy: &str, parts: &Parts, kept: Option<&Kept>) -> Verdict {
    Question {
        policy: policy.into(),
        ..net.ask(parts, kept)
    }
    .verdict()
}

#[test]
fn a_validator_that_joined_counts_only_under_a_policy_that_lists_it() {
    let before = Network::certified(0);
    let old = before.committee_policy(0);
    let kept = proved(ask(&before, &old, &before.certified_export(), None)).kept;

    let net = Network::certified(1);
    let new = new_policy(&net);
    let issued = |proposer, cosigner| {
        let mut parts = net.export_since(0, kept.log_size());
        parts.export.finality = Some(net.finality());
        parts.proposer = Some(proposer);
        parts.cosigners = vec![cosigner];
        parts
    };
    // By those who stayed, the pinned policy and the state are enough.
    proved(ask(&net, &old, &issued(0, 0), Some(&kept)));
    for (parts, rule) in [
        (issued(NEWCOMER, 0), Rule::LogSignature),
        (issued(0, NEWCOMER), Rule::KnownWitness),
    ] {
        assert_breaks(ask(&net, &old, &parts, Some(&kept)), rule);
        // With the new one the same state goes on.
        let report = proved(ask(&net, &new, &parts, Some(&kept)));
        assert_eq!(report.certified.unwrap().epoch, 1);
    }
}
