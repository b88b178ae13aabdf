//! Forged exports: what somebody between the network and the patient could try.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chartseal_audit::Rule;
use chartseal_codec::{DecodeError, from_bytes, to_bytes};
use chartseal_wire::{Export, FormatError, ProofFile};

/// A forged export, and the rule that refutes it.
pub struct Forgery {
    /// What was done.
    pub what: &'static str,
    /// The forged file.
    pub file: String,
    /// The rule.
    pub rule: Rule,
}

/// One byte flipped, one entry dropped, two swapped, a signature forged.
pub fn forgeries(export: &str) -> Result<Vec<Forgery>, FormatError> {
    let file = ProofFile::parse(export)?;
    let content: Export = from_bytes(&file.extra)?;
    let with = |change: fn(&mut Export)| -> Result<String, DecodeError> {
        let mut changed = content.clone();
        change(&mut changed);
        Ok(ProofFile {
            extra: to_bytes(&changed),
            ..file.clone()
        }
        .to_string())
    };
    // With the committee's certificate, the proof is first of all the log's that was certified.
    let certified = content.finality.is_some();
    Ok(vec![
        Forgery {
            what: "one byte is flipped",
            file: flipped(&file),
            rule: if certified {
                Rule::CertifiedLog
            } else {
                Rule::Inclusion
            },
        },
        Forgery {
            what: "one entry is dropped",
            file: with(drop_entry)?,
            rule: Rule::Count,
        },
        Forgery {
            what: "two entries are swapped",
            file: with(swap_entries)?,
            rule: Rule::Complete,
        },
        Forgery {
            what: "a signature is forged",
            file: forged(export),
            rule: Rule::Cosignature,
        },
    ])
}

/// Flips a bit of the inclusion proof.
fn flipped(file: &ProofFile) -> String {
    let mut file = file.clone();
    if let Some(byte) = file.proof.first_mut().and_then(|hash| hash.0.first_mut()) {
        *byte ^= 1;
    }
    file.to_string()
}

fn drop_entry(export: &mut Export) {
    if let Some(history) = export.histories.first_mut() {
        let middle = history.entries.len() / 2;
        history.entries.remove(middle);
    }
}

fn swap_entries(export: &mut Export) {
    if let Some(history) = export.histories.first_mut() {
        let last = history.entries.len().saturating_sub(1);
        history.entries.swap(last / 2, last);
    }
}

/// Flips a bit of the last signature.
fn forged(export: &str) -> String {
    let Some((head, line)) = export.trim_end().rsplit_once(' ') else {
        return String::new();
    };
    let mut signature = STANDARD.decode(line).unwrap_or_default();
    if let Some(last) = signature.last_mut() {
        *last ^= 1;
    }
    format!("{head} {}\n", STANDARD.encode(signature))
}
