use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_cluster::{Author, Cluster};
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::SignedTransaction;
use chartseal_node::serve::{Control, TxOutcome};
use chartseal_wire::{ChainId, Time};

use super::PATIENCE;
use crate::made;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Practitioners, each with a patient of their own: so many that no key's turn in a block comes often.
const PEOPLE: u64 = 512;
/// Of one key's transactions so many wait at most, by the pool's rule; we stay below.
const A_KEY: usize = 200;
/// How long to wait before a node is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// Who signs what the network is loaded with.
pub(super) struct Workload {
    chain: ChainId,
    offices: Vec<Author>,
    people: Vec<Author>,
    records: u64,
    attempts: usize,
}

impl Workload {
    pub(super) fn new(cluster: &Cluster) -> Result<Self> {
        let chain = cluster.config(0).network;
        let people = (0..PEOPLE).map(|_| Ok(Author::new(SigningKeyPair::generate()?, chain)));
        Ok(Self {
            chain,
            offices: cluster.authors(),
            people: people.collect::<Result<_>>()?,
            records: 0,
            attempts: 0,
        })
    }

    /// Has every office enrol its practitioners and patients, and waits until all are final.
    pub(super) fn enrol(&mut self, cluster: &mut Cluster) -> Result<()> {
        let offices = self.offices.len();
        let mut signed: Vec<Vec<SignedTransaction>> = vec![Vec::new(); offices];
        for (id, person) in (0..).zip(&self.people) {
            let key = SigningKeyPair::generate()?;
            let mut patient = made::patient(id, chartseal_node::keys::public(&key));
            let message = patient.to_agree(&self.chain);
            patient.agreement = Some(chartseal_node::keys::sign(&key, &message));
            let practitioner = made::practitioner(id, person.key())?;
            let at = usize::try_from(id)? % offices;
            let (office, signed) = (self.offices.get_mut(at), signed.get_mut(at));
            if let (Some(office), Some(signed)) = (office, signed) {
                signed.push(office.sign(practitioner));
                signed.push(office.sign(patient));
            }
        }
        for (number, signed) in signed.iter().enumerate() {
            for some in signed.chunks(A_KEY) {
                let mut control = cluster.control(number)?;
                for transaction in some {
                    control.submit(transaction)?;
                }
                let Some(last) = some.last() else {
                    continue;
                };
                await_final(&mut control, last, PAUSE)?;
            }
        }
        // Every node knows them before it is asked to take what they sign.
        let height = cluster.height();
        cluster.await_height_of(&cluster.all(), height);
        Ok(())
    }

    /// So many records added, each practitioner's in turn: for each node those of its own practitioners, in order.
    pub(super) fn records(&mut self, n: u64) -> Vec<Vec<SignedTransaction>> {
        let nodes = self.offices.len();
        let mut signed = vec![Vec::new(); nodes];
        for _ in 0..n {
            let record = self.records;
            self.records += 1;
            let at = usize::try_from(record % PEOPLE).unwrap_or(0);
            let body = made::record(record % PEOPLE, record, Time(0));
            if let (Some(person), Some(signed)) =
                (self.people.get_mut(at), signed.get_mut(at % nodes))
            {
                signed.push(person.sign(body));
            }
        }
        signed
    }

    /// An attempt by one of the offices, in turn: the ledger takes every one.
    pub(super) fn attempt(&mut self) -> SignedTransaction {
        self.attempts += 1;
        let at = self.attempts % self.offices.len();
        self.offices[at].ask()
    }
}

/// Waits until a node says that a transaction is final; asks after each pause.
pub(super) fn await_final(
    control: &mut Control,
    transaction: &SignedTransaction,
    pause: Duration,
) -> Result<()> {
    let begun = Instant::now();
    loop {
        match control.outcome(&transaction.id())? {
            TxOutcome::Final(_) => return Ok(()),
            TxOutcome::Refused(why) => return Err(why.into()),
            _ if begun.elapsed() > PATIENCE => return Err("not final in a minute".into()),
            _ => thread::sleep(pause),
        }
    }
}
