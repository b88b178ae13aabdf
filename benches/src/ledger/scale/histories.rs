//! Histories with their proofs, whole and what is new in them, as a patient's app asks for them and verifies them.

use chartseal_audit::{Kept, Options, TrustPolicy, Verdict, verify};
use chartseal_node::{ExportRequest, Node};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{ProofFile, SignedNote, Subject};

use super::{Growing, Result, TIMES, middle_s, organization, patient, take, timed};

/// The witness in the verifier's policy, which is the node itself.
const WITNESS: &str = "node";

/// What an export takes: medians, in seconds and bytes.
pub(super) struct Cost {
    pub(super) export: f64,
    pub(super) verify: f64,
    pub(super) bytes: u64,
}

impl Growing {
    /// Blocks of one transaction, in seconds, each of which adds an entry to a patient's history; and what is new in it for
    /// the patient who verified the history before.
    pub(super) fn lone(&mut self, node: &mut Node, policy: &TrustPolicy) -> Result<(f64, Cost)> {
        let (mut blocks, mut exports, mut verified) = (Vec::new(), Vec::new(), Vec::new());
        let mut sizes = Vec::new();
        for _ in 0..TIMES / 3 {
            let patient = patient(self.workload.next_relabelled());
            let file = export(node, &request(patient, 0, None))?;
            let kept = proved(&file.to_string(), policy, None)?;
            let (block, _) = self.workload.relabellings(node.head(), 1)?;
            blocks.push(timed(|| take(node, &block))?.1);
            let seen = kept.histories().map(|(_, seen)| seen).sum();
            let newer = request(patient, seen, Some(kept.log_size()));
            let (file, took) = timed(|| export(node, &newer))?;
            exports.push(took);
            let file = file.to_string();
            sizes.push(file.len() as u64);
            verified.push(timed(|| proved(&file, policy, Some(&kept)))?.1);
        }
        let cost = Cost {
            export: middle_s(exports),
            verify: middle_s(verified),
            bytes: middle(sizes),
        };
        Ok((middle_s(blocks), cost))
    }

    /// Whole histories of patients who came with this decade, and how many entries they have.
    pub(super) fn whole(&self, node: &Node, policy: &TrustPolicy) -> Result<(u64, Cost)> {
        let (mut exports, mut verified) = (Vec::new(), Vec::new());
        let (mut sizes, mut entries) = (Vec::new(), Vec::new());
        for patient in self.some_patients(TIMES as u64) {
            let (file, took) = timed(|| export(node, &request(patient, 0, None)))?;
            exports.push(took);
            let file = file.to_string();
            sizes.push(file.len() as u64);
            let (kept, took) = timed(|| proved(&file, policy, None))?;
            verified.push(took);
            entries.push(kept.histories().map(|(_, seen)| seen).sum());
        }
        let cost = Cost {
            export: middle_s(exports),
            verify: middle_s(verified),
            bytes: middle(sizes),
        };
        Ok((middle(entries), cost))
    }

    pub(super) fn some_patients(&self, n: u64) -> impl Iterator<Item = Subject> {
        let all = self.workload.patients();
        let n = n.min(all);
        // A prime step, so that they are not neighbours of one block.
        (0..n).map(move |at| patient((all - 1) - at * 7_919 % all.div_ceil(2)))
    }
}

pub(super) fn export(node: &Node, request: &ExportRequest) -> Result<ProofFile> {
    let checkpoint = node.checkpoint();
    let signatures = vec![
        node.sign_checkpoint(&checkpoint)?,
        node.cosign_checkpoint(&checkpoint)?,
    ];
    let text = checkpoint.to_string();
    Ok(node.export(request, SignedNote { text, signatures })?)
}

/// Whoever trusts this node alone.
pub(super) fn policy(node: &Node) -> Result<TrustPolicy> {
    let origin = origin(&node.chain());
    let log = node.keys().log_vkey(&origin).ok_or("no log key")?;
    let witness = node.keys().cosigner_vkey(&organization()).ok_or("no key")?;
    let text = format!("log {log}\nwitness {WITNESS} {witness}\nquorum {WITNESS}\n");
    Ok(TrustPolicy::parse(&text)?)
}

fn request(subject: Subject, first: u64, log_size: Option<u64>) -> ExportRequest {
    ExportRequest {
        histories: vec![(subject, first)],
        log_size,
    }
}

fn proved(file: &str, policy: &TrustPolicy, kept: Option<&Kept>) -> Result<Kept> {
    match verify(file, policy, kept, &Options::default()) {
        Verdict::Proved(report) => Ok(report.kept),
        other => Err(other.to_string().into()),
    }
}

fn middle(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().unwrap_or(0)
}
