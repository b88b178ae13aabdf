//! Exports and the trust policy against which they are checked.

use std::collections::BTreeSet;

use chartseal_node::keys::cosigner_vkey;
use chartseal_node::{ExportRequest, Node};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{Committee, SignedNote, VerifierKey};

use crate::error::Error;
use crate::network::{Network, Place};
use crate::person::Person;

impl Network {
    /// Whose signatures count, and how many: a C2SP tlog-policy. A patient gets it once, on paper or
    /// from somebody they trust, and checks every export against it.
    pub fn trust_policy(&self) -> String {
        let origin = origin(&self.chain());
        let committee = self.genesis().committee();
        let (mut lines, names) = known(&origin, &self.log_keys(&origin), committee);
        lines.push(format!(
            "group validators {} {}",
            self.quorum(),
            names.join(" ")
        ));
        lines.push("quorum validators".into());
        lines.join("\n") + "\n"
    }

    /// The same for whoever trusts the committee itself, by its hash: its certificate of an export's block counts. That is
    /// another policy, and needs other signatures: an export for it is [`export_certified`](Self::export_certified).
    pub fn committee_policy(&self) -> String {
        let origin = origin(&self.chain());
        committee_policy(&origin, &self.log_keys(&origin), self.genesis().committee())
    }

    /// The verifier keys under which nodes issue checkpoints.
    fn log_keys(&self, origin: &str) -> Vec<VerifierKey> {
        if let Place::There(there) = &self.place {
            return there.log_keys().values().cloned().collect();
        }
        let keys = self.nodes().iter();
        keys.filter_map(|node| node.keys().log_vkey(origin))
            .collect()
    }

    /// Exports histories under a checkpoint of the newest block, with the signatures that [`trust_policy`](Self::trust_policy)
    /// needs and no other; with the committee's certificate of that block, and of how it came into office. Nodes of other
    /// processes want to know that `person` asks.
    ///
    /// # Errors
    /// [`Error::TooFewSigners`] without a quorum.
    pub fn export(&self, person: &Person, request: &ExportRequest) -> Result<String, Error> {
        self.export_cosigned(person, request, self.quorum())
    }

    /// The same with the signatures that [`committee_policy`](Self::committee_policy) needs: where the committee
    /// changed, one validator vouches for the handovers; else the certificate is enough.
    ///
    /// # Errors
    /// [`Error::TooFewSigners`] without a quorum.
    pub fn export_certified(
        &self,
        person: &Person,
        request: &ExportRequest,
    ) -> Result<String, Error> {
        let has_handovers = self.tip()?.epoch > 0;
        self.export_cosigned(person, request, usize::from(has_handovers))
    }

    fn export_cosigned(
        &self,
        person: &Person,
        request: &ExportRequest,
        cosigners: usize,
    ) -> Result<String, Error> {
        if let Place::There(there) = &self.place {
            return there.export(person, request, self.now(), cosigners);
        }
        let running: Vec<&Node> = self.running().collect();
        let needed = self.quorum();
        let too_few = Error::TooFewSigners {
            needed,
            found: running.len(),
        };
        let Some(issuer) = running.first().filter(|_| running.len() >= needed) else {
            return Err(too_few);
        };
        let checkpoint = issuer.checkpoint();
        let mut signatures = vec![issuer.sign_checkpoint(&checkpoint)?];
        for node in running.iter().take(cosigners) {
            signatures.push(node.cosign_checkpoint(&checkpoint)?);
        }
        let note = SignedNote {
            text: checkpoint.to_string(),
            signatures,
        };
        Ok(issuer.export(request, note)?.to_string())
    }
}

/// A policy that counts this committee's certificates. Its members vouch for handovers too, and are not asked for otherwise.
pub(crate) fn committee_policy<'a>(
    origin: &str,
    log_keys: impl IntoIterator<Item = &'a VerifierKey>,
    committee: &Committee,
) -> String {
    let (mut lines, _) = known(origin, log_keys, committee);
    lines.push(format!("committee network {}", committee.hash()));
    lines.push("quorum network".into());
    lines.join("\n") + "\n"
}

/// A policy's lines of who is known: under which keys checkpoints are issued, each once, and who cosigns them. With the
/// cosigners' names.
fn known<'a>(
    origin: &str,
    log_keys: impl IntoIterator<Item = &'a VerifierKey>,
    committee: &Committee,
) -> (Vec<String>, Vec<String>) {
    let title = format!("# Chartseal: whose signatures count for the log {origin}");
    let mut seen = BTreeSet::new();
    let log_keys = log_keys.into_iter().filter(|key| seen.insert(*key));
    let mut lines = vec![title];
    lines.extend(log_keys.map(|key| format!("log {key}")));
    let mut names = Vec::new();
    for (at, member) in (1..).zip(committee.members()) {
        if let Some(key) = cosigner_vkey(&member.org, member.validator) {
            lines.push(format!("witness organization-{at} {key}"));
            names.push(format!("organization-{at}"));
        }
    }
    (lines, names)
}
