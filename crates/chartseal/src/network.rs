use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chartseal_client::{Follower, Remote};
use chartseal_consensus::engine::Keys;
use chartseal_consensus::{Embedded, Finalized, Ordering, Replica, Sequencer};
use chartseal_envelope::{KemPublicKey, KeySeed, RecordId as RandomId, SigningKeyPair};
use chartseal_ledger::body::{
    Countersignature, Organization, OrganizationEnrolled, PatientEnrolled, PractitionerEnrolled,
};
use chartseal_ledger::{
    Body, Genesis, Overlay, Params, SignedTransaction, State, TRANSACTION_VERSION, Transaction,
};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, Conduct, Node, NodeKeys, Stores};
use chartseal_policy::{Set, Symbol, Window};
use chartseal_wire::{
    ActorId, BlockHeader, ChainId, Hash, OrgId, PatientId, SealedText, Time, TxId,
};
use zeroize::Zeroizing;

use crate::clinician::Clinician;
use crate::error::Error;
use crate::patient::Patient;
use crate::person::Person;
use crate::remote::{Knows, There};

/// How many organizations found a network: *n* = 3*f* + 1 with *f* = 1.
const ORGANIZATIONS: usize = 4;
/// For how many things the state is read at a time.
const READ_AT_ONCE: usize = 512;
/// How many blocks a transaction stays valid.
pub(crate) const EXPIRES_AFTER: u64 = 1_000;

/// A network of organizations, each with a node of its own, in this process.
///
/// Its founding organizations order blocks and keep key shares. Others can be enrolled, to have
/// practitioners and patients. People are not in it: they hold a [`Patient`] or a [`Clinician`].
pub struct Network {
    pub(crate) place: Place,
    genesis: Genesis,
    offices: BTreeMap<OrgId, Office>,
    clock: Clock,
}

/// Where a network's nodes are.
pub(crate) enum Place {
    /// In this process.
    Here(Orders),
    /// Processes of their own.
    There(Box<There>),
}

/// Who orders what nodes in this process are given.
type Orders = Box<dyn Ordering<Replica = Node> + Send>;

/// An organization's office: it enrols people, and its key is on no node.
#[derive(Debug)]
struct Office {
    keys: SigningKeyPair,
    seq: u64,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("chain", &self.chain())
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

/// The nodes' validators, on the consensus engine.
fn order(genesis: &Genesis, nodes: Vec<Node>, clock: &Clock) -> Result<Orders, Error> {
    let keys = nodes.iter().map(|node| {
        let seed = Zeroizing::new(*node.keys().cosigner.expose_secret_bytes());
        Keys::from_seed(&seed).ok_or(Error::Malformed("a validator's key"))
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let clock = clock.clone();
    let embedded = Embedded::start(genesis, nodes, keys, move || clock.now())?;
    Ok(Box::new(embedded))
}

impl Network {
    /// Four organizations that end with the process, on a clock that is moved by hand.
    ///
    /// # Errors
    /// [`Error`] if the system has no randomness.
    pub fn in_memory() -> Result<Self, Error> {
        let clock = Clock::manual(Clock::System.now());
        Self::found(
            clock,
            Params::default(),
            |_, _| Ok(Stores::in_memory()?),
            order,
        )
    }

    /// The same without validators: one process puts transactions in order, as they come. For an app's own tests, where
    /// many people are enrolled and much is filed, and who decides what is final is not what they are about: blocks cost
    /// a quarter. They have no certificates: an export is proved under [`trust_policy`](Self::trust_policy), by
    /// organizations' signatures, and not under [`committee_policy`](Self::committee_policy).
    ///
    /// ```
    /// use chartseal::Network;
    ///
    /// let mut network = Network::sequenced()?;
    /// let hospital = network.enrol_organization()?;
    /// let patients = (0..100).map(|_| network.enrol_patient(&hospital));
    /// let patients = patients.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(patients.len(), 100);
    /// # Ok::<(), chartseal::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] if the system has no randomness.
    pub fn sequenced() -> Result<Self, Error> {
        let clock = Clock::manual(Clock::System.now());
        let stores = |_: usize, _: &NodeKeys| Ok(Stores::in_memory()?);
        Self::found(clock, Params::default(), stores, |_, nodes, _| {
            Ok(Box::new(Sequencer::new(nodes)))
        })
    }

    /// Four organizations with durable stores, each in a folder of its own below `dir`: `1` to `4`,
    /// with the node's keys in `node.keys`. The network's genesis is `dir/genesis`.
    ///
    /// # Errors
    /// [`Error`] if a folder can't be made or written.
    pub fn create(dir: &Path, clock: Clock) -> Result<Self, Error> {
        let place = |at: usize| dir.join(at.to_string());
        let stores = |at: usize, keys: &NodeKeys| {
            std::fs::create_dir_all(place(at)).map_err(|source| Error::Io {
                path: place(at),
                source,
            })?;
            Ok(Stores::open(&place(at), &keys.store)?)
        };
        let network = Self::found(clock, Params::default(), stores, order)?;
        for (at, node) in (1..).zip(network.nodes()) {
            let keys = node.keys().to_secret_bytes();
            write_private(&place(at).join(chartseal_node::keys::FILE), &keys)?;
        }
        let genesis = dir.join("genesis");
        std::fs::write(&genesis, chartseal_codec::to_bytes(&network.genesis)).map_err(
            |source| Error::Io {
                path: genesis,
                source,
            },
        )?;
        Ok(network)
    }

    /// The network that [`create`](Self::create) left in a folder, where it stopped.
    ///
    /// Its offices' keys are on no node, so nobody is enrolled by it any more; people who are go on.
    ///
    /// # Errors
    /// [`Error`] if something is missing, in use, or damaged.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, Error> {
        let genesis: Genesis = chartseal_codec::from_bytes(&read(&dir.join("genesis"))?)
            .map_err(|_| Error::Malformed("the genesis"))?;
        let mut nodes = Vec::with_capacity(ORGANIZATIONS);
        for (at, member) in (1..).zip(genesis.committee().members()) {
            let place = dir.join(at.to_string());
            let keys = NodeKeys::from_secret_bytes(&read(&place.join(chartseal_node::keys::FILE))?)
                .map_err(|_| Error::Malformed("a node's file of keys"))?;
            let stores = Stores::open(&place, &keys.store)?;
            nodes.push(Node::open(
                &genesis,
                member.org,
                keys,
                stores,
                clock.clone(),
            )?);
        }
        Ok(Self {
            // A node that was stopped before the others lacks their last blocks, and is given them.
            place: Place::Here(order(&genesis, nodes, &clock)?),
            genesis,
            offices: BTreeMap::new(),
            clock,
        })
    }

    /// The network of `chartseal net init`, whose nodes run as processes of their own, by the services that they offer to
    /// clients. The directory's `offices` enrol people; everything that nodes answer is verified against its `genesis`.
    ///
    /// # Errors
    /// [`Error`] if something is missing, a node has no service, or none answers.
    pub fn connect(dir: &Path) -> Result<Self, Error> {
        Self::connect_knowing(dir, Knows::Blocks)
    }

    /// The same without following the chain, as [`light`](Self::light).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_light(dir: &Path) -> Result<Self, Error> {
        Self::connect_knowing(dir, Knows::Values)
    }

    /// The network of a genesis by these nodes' services, for an app that holds no state and executes no block, as on a
    /// phone: it asks for the values that it needs, and believes what is proved under a header that the committee
    /// certified, the genesis' own or one to which it handed over. One honest node among them is enough. Nobody is enrolled
    /// here: [`patient`](Self::patient) and [`clinician`](Self::clinician) come with their seeds.
    ///
    /// ```no_run
    /// use chartseal::{Asking, Network, Remote};
    /// use chartseal_ledger::Genesis;
    ///
    /// # fn example(
    /// #     id: chartseal::PatientId, seed: chartseal::KeySeed, orgs: [chartseal::OrgId; 2],
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// // From the hospital, compared with the fingerprint on paper.
    /// let genesis: Genesis = chartseal_codec::from_bytes(&std::fs::read("genesis")?).unwrap();
    /// let asking = Asking::default();
    /// let nodes = vec![
    ///     Remote::new(orgs[0], "https://one.example:9100", &asking)?,
    ///     Remote::new(orgs[1], "https://two.example:9100", &asking)?,
    /// ];
    /// let network = Network::light(genesis, nodes)?;
    /// let patient = network.patient(id, seed)?;
    /// for record in patient.records(&network)? {
    ///     println!("{}, version {}", record.record, record.version);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error`] if no node proves what it says.
    pub fn light(genesis: Genesis, nodes: Vec<Remote>) -> Result<Self, Error> {
        let there = There::new(nodes, &genesis, Knows::Values)?;
        Ok(Self::of(there, genesis, BTreeMap::new()))
    }

    /// The same for who executes every block, and so holds the whole state: what it reads needs no question.
    ///
    /// # Errors
    /// [`Error`] if no node has blocks that are certified.
    pub fn follow(genesis: Genesis, nodes: Vec<Remote>) -> Result<Self, Error> {
        let there = There::new(nodes, &genesis, Knows::Blocks)?;
        Ok(Self::of(there, genesis, BTreeMap::new()))
    }

    /// The network of a genesis as an earlier run of the app [held](Self::held) it. No node is asked: what is held can be
    /// read, and what needs a node says [`NobodyAnswers`](Error::NobodyAnswers) until one is there. Then it goes on from
    /// there, by following or by asking, as it did before.
    ///
    /// ```no_run
    /// use chartseal::Network;
    /// # fn example(
    /// #     genesis: chartseal_ledger::Genesis, nodes: Vec<chartseal::Remote>, id: chartseal::PatientId, seed: chartseal::KeySeed,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut network = Network::from_held(genesis, nodes, &std::fs::read("held")?)?;
    /// println!("as of block {}", network.tip()?.height);
    /// let patient = network.patient(id, seed)?;
    /// for record in patient.records(&network)? {
    ///     println!("{}, version {}", record.record, record.version);
    /// }
    /// match network.refresh() {
    ///     Ok(()) => std::fs::write("held", network.held()?)?,
    ///     Err(error) if error.is_offline() => println!("no connection"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Held`] if it is damaged, of another chain, or not certified by the chain's committees.
    pub fn from_held(genesis: Genesis, nodes: Vec<Remote>, held: &[u8]) -> Result<Self, Error> {
        let there = There::from_held(nodes, &genesis, held)?;
        Ok(Self::of(there, genesis, BTreeMap::new()))
    }

    /// What is known here of the chain, as bytes for the app's next run ([`from_held`](Self::from_held)): the whole state of
    /// who follows it; of who asks for values those that were asked for, which takes one more question, for all are of the
    /// newest block then. With the histories that were listed here, unless they have grown since: what is to be at hand is
    /// listed before it is held.
    ///
    /// No plaintext, key or ciphertext of a record is in it, but what a person looks at: it is to be kept as their other
    /// files are.
    ///
    /// # Errors
    /// [`Error`] if the nodes are in this process, or who asks for values meets none.
    pub fn held(&self) -> Result<Vec<u8>, Error> {
        match &self.place {
            Place::Here(_) => Err(Error::NotRemote),
            Place::There(there) => there.held(),
        }
    }

    /// Has verbs that wait end with [`Error::Ended`] once this is set, where nodes are processes of their own.
    pub(crate) fn end_with(&mut self, ending: Arc<AtomicBool>) {
        if let Place::There(there) = &mut self.place {
            there.end_with(ending);
        }
    }

    fn of(there: There, genesis: Genesis, offices: BTreeMap<OrgId, Office>) -> Self {
        Self {
            place: Place::There(Box::new(there)),
            genesis,
            offices,
            clock: Clock::System,
        }
    }

    fn connect_knowing(dir: &Path, knows: Knows) -> Result<Self, Error> {
        let genesis: Genesis = chartseal_codec::from_bytes(&read(&dir.join("genesis"))?)
            .map_err(|_| Error::Malformed("the genesis"))?;
        let there = There::connect(dir, &genesis, knows)?;
        let mut offices = BTreeMap::new();
        for (at, member) in (1..).zip(genesis.committee().members()) {
            let seed = read(&dir.join("offices").join(format!("{at}.key")))?;
            let seed: Zeroizing<[u8; 32]> = match seed.as_slice().try_into() {
                Ok(seed) => Zeroizing::new(seed),
                Err(_) => return Err(Error::Malformed("an office's key")),
            };
            let keys = SigningKeyPair::from_secret_bytes(&seed);
            let key = public(&keys);
            let seq = there.read(|state| state.sequence(&key))?;
            offices.insert(member.org, Office { keys, seq });
        }
        Ok(Self::of(there, genesis, offices))
    }

    fn found(
        clock: Clock,
        params: Params,
        stores: impl Fn(usize, &NodeKeys) -> Result<Stores, Error>,
        order: impl FnOnce(&Genesis, Vec<Node>, &Clock) -> Result<Orders, Error>,
    ) -> Result<Self, Error> {
        let mut offices = BTreeMap::new();
        let mut keys = Vec::with_capacity(ORGANIZATIONS);
        let mut organizations: Vec<Organization> = Vec::with_capacity(ORGANIZATIONS);
        for _ in 0..ORGANIZATIONS {
            let (id, office, node) = (
                new_org()?,
                SigningKeyPair::generate()?,
                NodeKeys::generate()?,
            );
            organizations.push(node.organization(id, public(&office)));
            offices.insert(
                id,
                Office {
                    keys: office,
                    seq: 0,
                },
            );
            keys.push(node);
        }
        let committee: Vec<OrgId> = organizations.iter().map(|org| org.id).collect();
        let salt = *chartseal_envelope::KeySeed::generate()?.expose_bytes();
        let genesis = Genesis::new(clock.now(), salt, params, organizations, &committee)?;

        let mut nodes = Vec::with_capacity(ORGANIZATIONS);
        for (at, (org, keys)) in (1..).zip(committee.into_iter().zip(keys)) {
            let stores = stores(at, &keys)?;
            nodes.push(Node::open(&genesis, org, keys, stores, clock.clone())?);
        }
        let kem_keys: Vec<KemPublicKey> = nodes
            .iter()
            .map(|node| node.keys().kem.public_key().clone())
            .collect();
        let network = Self {
            place: Place::Here(order(&genesis, nodes, &clock)?),
            genesis,
            offices,
            clock,
        };
        for (member, key) in network.genesis.committee().members().iter().zip(&kem_keys) {
            network.publish_kem_key(ActorId(member.org.0), key)?;
        }
        Ok(network)
    }

    /// The network's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The chain.
    pub fn chain(&self) -> ChainId {
        self.genesis.chain_id()
    }

    /// What the chain starts from. For nodes and auditors, not for practitioners.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// An organization's enrolment key, which its office keeps away from every node; `None` for an
    /// organization whose office is not here.
    pub fn enrolment_key(&self, org: &OrgId) -> Option<&SigningKeyPair> {
        self.offices.get(org).map(|office| &office.keys)
    }

    /// The founding organizations' nodes, in the committee's order; none of a network of other processes.
    pub fn nodes(&self) -> &[Node] {
        match &self.place {
            Place::Here(ordering) => ordering.replicas(),
            Place::There(_) => &[],
        }
    }

    /// The founding organizations' nodes, to look after them; none of a network of other processes.
    pub fn nodes_mut(&mut self) -> &mut [Node] {
        match &mut self.place {
            Place::Here(ordering) => ordering.replicas_mut(),
            Place::There(_) => &mut [],
        }
    }

    /// The founding organizations, in the committee's order.
    pub fn organizations(&self) -> Vec<OrgId> {
        let members = self.genesis.committee().members().iter();
        members.map(|member| member.org).collect()
    }

    /// How many validators must agree, and how many shares open a record: 2*f* + 1.
    pub fn quorum(&self) -> usize {
        let quorum = self.genesis.committee().quorum();
        usize::try_from(quorum).unwrap_or(usize::MAX)
    }

    /// Changes how a node behaves; one that runs again first catches up.
    ///
    /// # Errors
    /// [`Error`] if it can't.
    pub fn set_conduct(&mut self, at: usize, conduct: Conduct) -> Result<(), Error> {
        let Place::Here(ordering) = &mut self.place else {
            return Err(Error::OtherProcess);
        };
        if let Some(node) = ordering.replicas_mut().get_mut(at) {
            node.set_conduct(conduct);
        }
        Ok(ordering.catch_up()?)
    }

    /// The newest final state: as the first running node has it, or as this process followed it.
    ///
    /// # Errors
    /// [`Error::NobodyThere`]; [`Error::NotFollowed`].
    pub fn head(&self) -> Result<&Overlay, Error> {
        if let Place::There(there) = &self.place {
            let follower = there.follower().ok_or(Error::NotFollowed)?;
            return Ok(follower.head());
        }
        self.running()
            .next()
            .map(Node::head)
            .ok_or(Error::NobodyThere)
    }

    /// The header of the newest final block, as [`read`](Self::read) knows it.
    ///
    /// # Errors
    /// [`Error`] if no node shows one.
    pub fn tip(&self) -> Result<BlockHeader, Error> {
        match &self.place {
            Place::Here(_) => Ok(self.head()?.head().clone()),
            Place::There(there) => there.tip(),
        }
    }

    /// Reads the newest final state that is known here. [`light`](Self::light) asks for the values that it takes, all of
    /// one block: `read` may look at nothing else, and is called until it lacks none. A value that it looks at only because
    /// another one is there, or says so, costs another question, so of many it looks at all (not `Iterator::all`).
    ///
    /// ```
    /// # use chartseal::Network;
    /// # let mut network = Network::in_memory()?;
    /// # let clinic = network.enrol_organization()?;
    /// let epoch = network.read(|state| state.committee().epoch())?;
    /// let is_enrolled = network.read(|state| state.org(&clinic).is_some())?;
    /// assert!(is_enrolled && epoch == 0);
    /// # Ok::<(), chartseal::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error`] if no node shows a value.
    pub fn read<T>(&self, read: impl Fn(State<'_>) -> T) -> Result<T, Error> {
        match &self.place {
            Place::Here(_) => Ok(read(self.head()?.state())),
            Place::There(there) => there.read(read),
        }
    }

    /// Reads the state for each of many things, some at a time: two of them may be read as of different blocks.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_each<I, T>(
        &self,
        of: &[I],
        read: impl Fn(State<'_>, &I) -> T,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::with_capacity(of.len());
        for some in of.chunks(READ_AT_ONCE) {
            let read = |state: State<'_>| some.iter().map(|it| read(state, it)).collect::<Vec<T>>();
            found.extend(self.read(read)?);
        }
        Ok(found)
    }

    /// The bytes of all blocks, if this process follows them.
    pub fn chain_bytes(&self) -> Option<u64> {
        match &self.place {
            Place::Here(_) => None,
            Place::There(there) => there.follower().map(Follower::chain_bytes),
        }
    }

    /// Enrols a further organization, such as a clinic without a node.
    ///
    /// # Errors
    /// [`Error`].
    pub fn enrol_organization(&mut self) -> Result<OrgId, Error> {
        let (id, office, node) = (
            new_org()?,
            SigningKeyPair::generate()?,
            NodeKeys::generate()?,
        );
        let organization = node.organization(id, public(&office));
        let founder = self.founder()?;
        self.act_for(&founder, OrganizationEnrolled { organization })?;
        self.offices.insert(
            id,
            Office {
                keys: office,
                seq: 0,
            },
        );
        Ok(id)
    }

    /// Enrols a practitioner of an organization in these roles. The role `emergency` needs a
    /// countersignature, which another member of the committee gives, and counts after a delay.
    ///
    /// # Errors
    /// [`Error`].
    pub fn enrol_practitioner(&mut self, org: &OrgId, roles: &[&str]) -> Result<Clinician, Error> {
        let person = Person::generate()?;
        let chain = self.chain();
        let symbols = roles
            .iter()
            .map(Symbol::new)
            .collect::<Result<Vec<_>, _>>()?;
        let mut body = PractitionerEnrolled {
            actor: person.id(),
            key: person.public_key(),
            kem: person.kem_public_key().key_id().0,
            roles: Set::new(symbols)?,
            credential: Window::default(),
            countersignature: None,
        };
        if roles.contains(&chartseal_ledger::EMERGENCY_ROLE) {
            let mut members = self.organizations().into_iter();
            let other = members.find(|other| other != org);
            let other = other.ok_or(Error::NoOffice(*org))?;
            let office = self.offices.get(&other).ok_or(Error::NoOffice(other))?;
            let signature = sign(&office.keys, &body.to_countersign(&chain, org));
            body.countersignature = Some(Countersignature {
                org: other,
                signature,
            });
        }
        self.act_for(org, body)?;
        self.publish_kem_key(person.id(), person.kem_public_key())?;
        Ok(Clinician::new(person, *org))
    }

    /// Enrols a patient, who agrees by their own signature.
    ///
    /// # Errors
    /// [`Error`].
    pub fn enrol_patient(&mut self, org: &OrgId) -> Result<Patient, Error> {
        let patient = Patient::new(Person::generate()?);
        let person = patient.person();
        let mut body = PatientEnrolled {
            patient: patient.id(),
            key: person.public_key(),
            kem: person.kem_public_key().key_id().0,
            history_salt: patient.history_salt(),
            agreement: None,
            adult_from: Time(0),
            minor_consent_from: None,
        };
        body.agreement = Some(person.sign(&body.to_agree(&self.chain())));
        self.act_for(org, body)?;
        self.publish_kem_key(person.id(), person.kem_public_key())?;
        Ok(patient)
    }

    /// A patient who is enrolled, from the seed that their keystore holds.
    ///
    /// # Errors
    /// [`Error::NoPatient`] unless the chain has the seed's key as theirs.
    pub fn patient(&self, id: PatientId, seed: KeySeed) -> Result<Patient, Error> {
        let person = self.person(id.into(), seed)?;
        let known = self.read(|state| state.patient(&id))?;
        let known = known.filter(|known| known.key == person.public_key());
        known
            .map(|_| Patient::new(person))
            .ok_or(Error::NoPatient(id))
    }

    /// A practitioner who is enrolled, from the seed that their keystore holds.
    ///
    /// # Errors
    /// [`Error::NoPractitioner`] unless the chain has the seed's key as theirs.
    pub fn clinician(&self, id: ActorId, seed: KeySeed) -> Result<Clinician, Error> {
        let person = self.person(id, seed)?;
        let known = self.read(|state| state.actor(&id))?;
        let known = known.filter(|known| known.key == person.public_key());
        known
            .map(|known| Clinician::new(person, known.org))
            .ok_or(Error::NoPractitioner(id))
    }

    /// Orders one transaction, with the sealed texts to which it commits.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not admitted.
    pub fn submit(
        &mut self,
        transaction: SignedTransaction,
        texts: &[SealedText],
    ) -> Result<TxId, Error> {
        let id = transaction.id();
        if let Place::There(there) = &mut self.place {
            there.submit(&[transaction], texts)?;
            return Ok(id);
        }
        for node in self.running().filter(|_| !texts.is_empty()) {
            node.put_texts(&id, texts)?;
        }
        self.submit_all(vec![transaction])?;
        Ok(id)
    }

    /// Orders transactions: those of one key in their order, those of several keys in turn.
    ///
    /// # Errors
    /// [`Error::Refused`] for the first that is not admitted; the others are final.
    pub fn submit_all(&mut self, transactions: Vec<SignedTransaction>) -> Result<Finalized, Error> {
        let ordering = match &mut self.place {
            Place::Here(ordering) => ordering,
            Place::There(there) => {
                there.submit(&transactions, &[])?;
                return Ok(Finalized::default());
            }
        };
        for transaction in transactions {
            ordering.submit(transaction);
        }
        let mut finalized = ordering.finalize(self.clock.now())?;
        match finalized.rejected.pop() {
            Some(rejection) => Err(Error::Refused(rejection.why)),
            None => Ok(finalized),
        }
    }

    /// The KEM key to which texts for a patient, a practitioner or a custodian are sealed, if some node has it.
    pub(crate) fn kem_key(&self, id: &[u8; 32]) -> Result<Option<KemPublicKey>, Error> {
        if let Place::There(there) = &self.place {
            return there.kem_key(id);
        }
        for node in self.running() {
            if let Some(key) = node.kem_key(id)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// A sealed text, from the first running node that has it.
    pub(crate) fn text(&self, tx: &TxId, commitment: &Hash) -> Result<SealedText, Error> {
        if let Place::There(there) = &self.place {
            return there
                .text(tx, commitment)?
                .ok_or(Error::NoText(*commitment));
        }
        for node in self.running() {
            if let Some(text) = node.text(tx, commitment)? {
                return Ok(text);
            }
        }
        Err(Error::NoText(*commitment))
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes().iter().filter(|node| node.is_running())
    }

    /// Gets to know what became final meanwhile, where nodes are processes of their own. Verbs that change something do so
    /// themselves if that was not just now; who only looks calls this first.
    ///
    /// # Errors
    /// [`Error`] if no node tells what is newer, or that nothing is.
    pub fn refresh(&mut self) -> Result<(), Error> {
        match &mut self.place {
            Place::Here(_) => Ok(()),
            Place::There(there) => there.refresh(),
        }
    }

    /// The height up to which a transaction made now is valid.
    pub(crate) fn expiry(&mut self) -> Result<u64, Error> {
        if let Place::There(there) = &mut self.place
            && there.is_old()
        {
            there.refresh()?;
        }
        Ok(self.tip()?.height.saturating_add(EXPIRES_AFTER))
    }

    /// A person who goes on after the last transaction that the chain has of them.
    fn person(&self, id: ActorId, seed: KeySeed) -> Result<Person, Error> {
        let key = public(&seed.signing_key());
        let seq = self.read(|state| state.sequence(&key))?;
        Ok(Person::from_seed(id, seed, seq))
    }

    fn founder(&self) -> Result<OrgId, Error> {
        let founders = self.organizations();
        founders.first().copied().ok_or(Error::NobodyThere)
    }

    /// Signs as an organization's office, and submits.
    fn act_for(&mut self, org: &OrgId, body: impl Into<Body>) -> Result<TxId, Error> {
        let (chain, expires) = (self.chain(), self.expiry()?);
        let office = self.offices.get_mut(org).ok_or(Error::NoOffice(*org))?;
        office.seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain,
            actor_key: public(&office.keys),
            seq: office.seq,
            expires,
            body: body.into(),
        };
        let signed = transaction.sign(|message| sign(&office.keys, message));
        self.submit(signed, &[])
    }

    fn publish_kem_key(&self, of: ActorId, key: &KemPublicKey) -> Result<(), Error> {
        if let Place::There(there) = &self.place {
            return there.put_kem_key(of, key);
        }
        self.running()
            .try_for_each(|node| Ok(node.put_kem_key(key)?))
    }
}

fn new_org() -> Result<OrgId, Error> {
    Ok(OrgId(RandomId::random()?.0))
}

/// Reads a small file, which may hold secrets.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = std::fs::read(path).map(Zeroizing::new);
    read.map_err(|source| Error::Io {
        path: path.into(),
        source,
    })
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| Error::Io {
        path: path.into(),
        source,
    })
}
