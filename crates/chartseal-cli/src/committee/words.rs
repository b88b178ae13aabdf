//! Committees and proposals, for people and for programs.

use std::io;

use chartseal_codec::to_hex;
use chartseal_ledger::body::NextMember;
use chartseal_ledger::state::NextCommittee;
use chartseal_node::{CommitteeView, Proposal};
use chartseal_wire::OrgId;
use chartseal_wire::committee::Committee;
use serde_json::{Value, json};

use crate::text::line;

/// What becomes of an organization.
struct Change {
    org: OrgId,
    /// `joins`, `leaves`, `rotates`, `stays`.
    what: &'static str,
    says: String,
}

/// A member of the next committee against the present ones.
fn staying(present: &[NextMember], next: &NextMember) -> Change {
    let (org, validator, kem) = (next.org, next.validator, to_hex(&next.custodian_kem));
    let same = present.iter().find(|member| member.org == org);
    let (what, says) = match same {
        None => (
            "joins",
            format!("joins, with validator key {validator} and custodian's key digest {kem}"),
        ),
        Some(member) => {
            let mut news = Vec::new();
            if member.validator != validator {
                news.push(format!("its validator key becomes {validator}"));
            }
            if member.custodian_kem != next.custodian_kem {
                news.push(format!("its custodian's key digest becomes {kem}"));
            }
            if news.is_empty() {
                ("stays", "stays as it is".into())
            } else {
                ("rotates", format!("stays; {}", news.join("; ")))
            }
        }
    };
    Change { org, what, says }
}

/// What a proposal changes: who goes first, then the next members in order.
fn changes(present: &[NextMember], next: &[NextMember]) -> Vec<Change> {
    let goes = |member: &&NextMember| next.iter().all(|one| one.org != member.org);
    let leaving = present.iter().filter(goes).map(|member| Change {
        org: member.org,
        what: "leaves",
        says: "is no member any more: it left, or is suspended".into(),
    });
    leaving
        .chain(next.iter().map(|member| staying(present, member)))
        .collect()
}

/// The members of a decided committee.
fn decided(next: &NextCommittee) -> Vec<NextMember> {
    let members = next.committee.members().iter();
    members
        .zip(&next.custodian_kems)
        .map(|(member, kem)| NextMember {
            org: member.org,
            validator: member.validator,
            custodian_kem: *kem,
        })
        .collect()
}

fn size(n: usize) -> String {
    let n = n as u64;
    let f = n.saturating_sub(1) / 3;
    format!("{n} members; {f} may fail; {} are a quorum", 2 * f + 1)
}

/// The document.
pub fn document(view: &CommitteeView, proposal: Option<&Proposal>, height: Option<u64>) -> Value {
    let member = |member: &NextMember| {
        json!({
            "organization": member.org.to_string(),
            "validator": member.validator.to_string(),
            "custodian_kem": to_hex(&member.custodian_kem),
        })
    };
    let list = |members: &[NextMember]| members.iter().map(member).collect::<Vec<_>>();
    let present = view.members();
    let next = view.next.as_ref().map(|next| {
        json!({
            "epoch": next.committee.epoch(),
            "from": next.from,
            "members": list(&decided(next)),
        })
    });
    let proposal = proposal.map(|proposal| {
        let change = &proposal.change;
        let changes = changes(&present, &change.members);
        let changes = changes.iter();
        let changes = changes
            .map(|change| json!({ "organization": change.org.to_string(), "what": change.what }));
        let approvals = change.approvals.iter().map(|one| one.org.to_string());
        json!({
            "epoch": change.epoch,
            "from": change.from,
            "fingerprint": proposal.fingerprint(),
            "members": list(&change.members),
            "changes": changes.collect::<Vec<_>>(),
            "approvals": approvals.collect::<Vec<_>>(),
            "final": height,
        })
    });
    json!({
        "schema": "chartseal.committee/1",
        "network": view.network.to_string(),
        "height": view.height,
        "epoch": view.committee.epoch(),
        "quorum": view.committee.quorum(),
        "members": list(&present),
        "next": next,
        "proposal": proposal,
    })
}

/// The page.
pub fn print(
    view: &CommitteeView,
    proposal: Option<&Proposal>,
    height: Option<u64>,
) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let Some(proposal) = proposal else {
        return show(out, view);
    };
    let change = &proposal.change;
    line(out, "network", &proposal.network.to_string())?;
    line(
        out,
        "epoch",
        &format!(
            "{} from block {} on; the newest is {}",
            change.epoch, change.from, view.height
        ),
    )?;
    line(out, "committee", &size(change.members.len()))?;
    // Once it is decided on, the present members are still those that it is compared with.
    for change in changes(&view.members(), &change.members) {
        line(out, &change.org.to_string(), "")?;
        line(out, "", &change.says)?;
    }
    line(out, "fingerprint", &proposal.fingerprint())?;
    let needed = view.committee.quorum();
    let found = change.approvals.len();
    line(out, "approved", &format!("by {found}; {needed} have to"))?;
    for approval in &change.approvals {
        line(out, "", &approval.org.to_string())?;
    }
    if let Some(height) = height {
        return line(out, "final", &format!("in block {height}"));
    }
    let missing = proposal.missing(view);
    if (found as u64) < needed {
        line(out, "may still", "approve:")?;
        for org in missing {
            line(out, "", &org.to_string())?;
        }
    } else {
        let last = proposal.expires();
        line(
            out,
            "next",
            &format!("`committee submit`, for a block up to {last}"),
        )?;
    }
    Ok(())
}

fn show(out: &mut impl io::Write, view: &CommitteeView) -> io::Result<()> {
    let committee: &Committee = &view.committee;
    line(out, "network", &view.network.to_string())?;
    line(out, "height", &view.height.to_string())?;
    line(out, "epoch", &committee.epoch().to_string())?;
    line(out, "committee", &size(committee.members().len()))?;
    let present = view.members();
    for member in &present {
        line(out, &member.org.to_string(), "")?;
        line(out, "  validator", &member.validator.to_string())?;
        line(out, "  custodian", &to_hex(&member.custodian_kem))?;
    }
    let Some(next) = &view.next else {
        return line(out, "next", "no other committee is decided on");
    };
    let epoch = next.committee.epoch();
    line(
        out,
        "next",
        &format!("epoch {epoch} from block {} on", next.from),
    )?;
    let members = decided(next);
    line(out, "", &size(members.len()))?;
    for change in changes(&present, &members) {
        line(out, &change.org.to_string(), "")?;
        line(out, "", &change.says)?;
    }
    Ok(())
}
