//! After everything healed: what is open is done, somebody is served, and everything that was promised is there.

use std::time::Duration;

use chartseal_codec::from_bytes;
use chartseal_node::share_index;
use chartseal_wire::{Entry, RecordId, Subject};
use commonware_runtime::{Clock as _, deterministic};

use super::agreed::Kept as _;
use super::links::{self, Wires};
use super::people::{PATIENT_AT, VALIDATORS};
use super::visits::{LABELS, T};
use super::world::World;
use crate::fixture::{PATIENT, digest, org, trace_of};

/// After everything heals, within how long everybody is served, in ms.
const RECOVERY_MS: u64 = 60_000;

impl World {
    /// Everything heals. Then everybody is served within a bound, and everything that was promised is there.
    pub(super) async fn recover(&mut self, context: &deterministic::Context, wires: &mut Wires) {
        links::link_all(&self.plan, wires, 0).await;
        for at in 0..VALIDATORS {
            self.start(context, wires, at).await;
        }
        for of in &mut self.unreachable {
            *of = [false; VALIDATORS];
        }
        self.kills_the_next = false;
        let healed = self.now;
        let target = self.agreed.height() + 2;
        loop {
            self.step(context).await;
            let open = self.open();
            let heights: Vec<_> = self.honest().map(|up| up.process.height()).collect();
            if open.is_empty() && heights.iter().all(|height| *height >= target) {
                break;
            }
            assert!(
                self.now <= healed + RECOVERY_MS,
                "no progress: heights {heights:?} of {target}; open: {open:?}"
            );
        }
        self.visit_at_last(context).await;
        // What the fastest has, all have a moment later.
        context.sleep(Duration::from_secs(5)).await;
        self.step(context).await;
        for up in self.honest() {
            self.agreed.check_acknowledged(&up.process);
        }
        self.check_history();
    }

    /// What is not done yet, once everything healed.
    fn open(&self) -> Vec<String> {
        let people = self.people.iter().enumerate();
        let people = people.filter(|(_, person)| !person.waiting.is_empty());
        let mut open: Vec<String> = people.map(|(who, _)| format!("person {who}")).collect();
        let (state, height) = (self.newest.state(), self.model.height);
        for (record, filed) in &self.model.filed {
            let deposit = state.deposit(&digest(&filed.sealed.front.header));
            let is_filed = self.model.is_final(Some(filed.tx), height);
            let is_erased = self.model.is_final(filed.erased_by, height);
            for at in self.plan.honest().filter(|_| is_filed) {
                let index = share_index(state, &org(at), 0).unwrap().get().into();
                let has_it = deposit
                    .as_ref()
                    .is_some_and(|it| it.is_acknowledged_by(index));
                if is_erased && !state.has_destroyed(record, &org(at)) {
                    open.push(format!("{record} is not destroyed by {at}"));
                } else if !is_erased && !has_it {
                    open.push(format!("{record} is not acknowledged by {at}"));
                }
            }
        }
        open
    }

    /// After everything healed somebody is granted what there is, and reads it.
    async fn visit_at_last(&mut self, context: &deterministic::Context) {
        let live: Vec<RecordId> = self.model.live().into_iter().take(3).collect();
        if live.is_empty() {
            return;
        }
        self.give(1, (0..LABELS).collect(), self.now + 600_000);
        while !self.people[PATIENT_AT].waiting.is_empty() {
            self.step(context).await;
        }
        // Who decides is not necessarily who said that it is final.
        let which = self.request_of(1, live.clone());
        let (since, mut again) = (self.now, self.now);
        while self.model.asked[which].read.len() < live.len() {
            self.step(context).await;
            if again <= self.now {
                (0..VALIDATORS).for_each(|at| self.ask_of(which, at));
                self.fetch(which);
                again = self.now + 1_000;
            }
            let asked = &self.model.asked[which];
            assert!(
                self.now < since + 30_000,
                "{live:?} are not all read: keys of {:?}; ciphertexts of {:?}; shares of {:?}",
                asked.keys.keys(),
                asked.read,
                asked.releases.keys(),
            );
        }
    }

    /// Every record that a reader has a key of is in the patient's history, with those who gave it; nothing is left of what
    /// was erased.
    fn check_history(&self) {
        for up in self.honest() {
            let entries = up.process.ask(|node| {
                let erased = self.model.filed.iter().filter(|(_, filed)| {
                    self.model.is_final(filed.erased_by, node.head().height())
                });
                for (record, _) in erased {
                    assert!(!node.holds_anything_of(record).unwrap(), "{record} is kept");
                }
                node.history(&Subject::Patient(PATIENT), 0).unwrap()
            });
            let entries = entries.unwrap();
            let entries: Vec<Entry> = entries.iter().map(|it| from_bytes(it).unwrap()).collect();
            for asked in &self.model.asked {
                for record in asked.keys.keys() {
                    let (permitted, receipts) = trace_of(&entries, &asked.tx, record);
                    let silent = usize::from(self.liar.is_some());
                    assert!(permitted && receipts >= T - silent);
                }
            }
        }
    }
}
