//! Deposits in the middle of which something ends: a disk's room, the server of a bucket, the connection on which the author
//! would be told. A custodian acknowledges nothing that it does not hold, serves nothing that is not whole, and takes it
//! later; nor does an author take for filed what nobody holds.

use std::io::Cursor;
use std::mem::replace;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chartseal::{
    Ask, Class, Clinician, Document, Error, Network, Offer, Patient, Purpose, RecordId, RequestId,
};
use chartseal_api::{Deposited, MAX_PART, Outline};
use chartseal_client::ClientError;
use chartseal_cluster::{Cluster, Link, Links, Serves, Setting};
use chartseal_codec::to_bytes;
use chartseal_envelope::KemKeyPair;
use chartseal_node::{NodeError, share_index};
use chartseal_vault::{BlobId, GROUP};
use chartseal_wire::{Hash, HeaderDigest};

use crate::faults::{make, with_disks};
use crate::lies::{Deed, in_front_of};
use crate::operations::in_bucket;
use crate::parts::{copy, deliver_all, get, image, people};
use crate::redeal::scrubbed;
use crate::s3::Server;
use crate::service::{genesis, made, remote, remote_with, serving};
use crate::support::target_folder;

/// Who can't store what comes.
const VICTIM: usize = 3;
/// A node that has all that is filed.
const OTHER: usize = 1;
/// How often something is looked for that comes, and how long nobody looks then.
const LOOKS: usize = 600;
const PAUSE: Duration = Duration::from_millis(200);

/// Somebody who files, and somebody who may read it.
struct People {
    network: Network,
    author: Clinician,
    doctor: Clinician,
    patient: Patient,
}

impl People {
    fn of(cluster: &Cluster) -> Self {
        let mut network = Network::connect(&cluster.place()).unwrap();
        let (author, doctor, mut patient) = people(&mut network);
        for class in [Class::LABORATORY, Class::IMAGING] {
            let offer = Offer::of(class, network.now().plus_ms(3_600_000));
            patient.grant(&mut network, &doctor, &offer).unwrap();
        }
        Self {
            network,
            author,
            doctor,
            patient,
        }
    }

    fn file(&mut self, content: &[u8]) -> Result<RecordId, Error> {
        let document = Document::new(Class::LABORATORY, "text/plain", content);
        let kit = self.patient.filing_kit();
        let filed = self
            .author
            .file(&mut self.network, &kit, &[document], |_| ())?;
        Ok(filed[0].record)
    }

    fn file_stream(
        &mut self,
        content: &[u8],
        scratch: &mut Cursor<Vec<u8>>,
    ) -> Result<RecordId, Error> {
        let about = Document::new(Class::IMAGING, "application/dicom", b"");
        let kit = self.patient.filing_kit();
        let filed = self
            .author
            .file_stream(&mut self.network, &kit, &about, content, scratch)?;
        Ok(filed.record)
    }

    /// Asks for a record, which is permitted.
    fn request(&mut self, record: RecordId) -> RequestId {
        let records = [record];
        let ask = Ask::read(self.patient.id(), &records, Purpose::Treat);
        let request = self.doctor.request(&mut self.network, &ask).unwrap();
        assert_eq!(request.permitted(), records);
        request.id()
    }

    /// Whether the chain has a node's word for it that it holds a record.
    fn is_acknowledged(&mut self, cluster: &Cluster, number: usize, record: &RecordId) -> bool {
        let org = cluster.config(number).organization;
        self.network.refresh().unwrap();
        let acknowledged = self.network.read(|state| {
            let known = state.record(record)?;
            let index = share_index(state, &org, known.custodians.epoch)?;
            let deposit = state.deposit(&known.header)?;
            Some(deposit.is_acknowledged_by(index.get().into()))
        });
        acknowledged.unwrap().unwrap()
    }

    /// Nothing of a record is acknowledged or given by a node that could not store it.
    fn assert_is_not_held(&mut self, cluster: &mut Cluster, number: usize, record: RecordId) {
        assert!(!self.is_acknowledged(cluster, number, &record));
        let request = self.request(record);
        let node = remote(cluster, number);
        // As far as it goes on at all it knows of the request.
        let _ = node.blocks(cluster.height(), Duration::from_secs(10));
        let outline = node.outline(&request, &record);
        assert_fails(cluster, number, outline);
        let part = node.body_part(&request, &record, 0..1);
        assert_fails(cluster, number, part);
    }

    /// A node got what it lacked: it acknowledged it, gives the body, and its share opens it.
    fn assert_is_held(
        &mut self,
        cluster: &Cluster,
        number: usize,
        record: RecordId,
        content: &[u8],
    ) {
        deliver_all(&mut self.author, &mut self.network, LOOKS);
        assert!(self.is_acknowledged(cluster, number, &record));
        // Of the other three one is left out: each share counts.
        let three = cluster.all().into_iter().filter(|it| *it != OTHER);
        let three = three.map(|number| remote(cluster, number)).collect();
        let mut network = Network::follow(genesis(cluster), three).unwrap();
        let ask = [record];
        let ask = Ask::read(self.patient.id(), &ask, Purpose::Treat);
        let mut read = Vec::new();
        let opened = self.doctor.read_stream(&mut network, &ask, &mut read);
        let opened = opened.unwrap();
        assert!(read == content);
        assert_eq!(opened.liars, []);
        let request = opened.request;
        let node = remote_with(cluster, number, cluster.height());
        let outline = node.outline(&request, &record).unwrap();
        let path = format!("/v1/envelopes/{request}/{record}/body");
        let (head, body) = get(cluster.config(number).api.unwrap(), &path, "");
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert_eq!(BlobId::of(&body), body_of(&outline));
    }
}

fn body_of(outline: &Outline) -> BlobId {
    BlobId(outline.front.seal.body_digest().0)
}

/// Whether filing failed as it does if a custodian can't store what it is given.
fn is_stores_fault(error: &Error) -> bool {
    match error {
        Error::NotSent { why, .. } => is_stores_fault(why),
        Error::Node(NodeError::Remote { code, .. }) => {
            [NodeError::INTERNAL, NodeError::NOT_ANCHORED].contains(&code.as_str())
        }
        _ => false,
    }
}

/// A node has nothing to give, or can't store something, and says so; or it ends, because it can't store blocks either.
fn assert_fails<T: std::fmt::Debug>(
    cluster: &mut Cluster,
    number: usize,
    told: Result<T, ClientError>,
) {
    let codes = [NodeError::NOT_HERE, NodeError::INTERNAL];
    match told {
        Err(ClientError::Refused { problem, .. }) if codes.contains(&problem.code.as_str()) => {}
        Err(why) => {
            let has_ended = (0..LOOKS).any(|_| {
                thread::sleep(PAUSE);
                cluster.has_ended(number)
            });
            assert!(has_ended, "{why}");
        }
        Ok(told) => panic!("{told:?}"),
    }
}

/// Gives a node its room back, and starts it where it ended; it goes on with the others.
fn give_room(cluster: &mut Cluster, number: usize) {
    cluster.disk(number).clear();
    let height = cluster.height();
    let goes_on = (0..LOOKS).any(|_| {
        if cluster.has_ended(number) {
            cluster.start(number);
        }
        thread::sleep(PAUSE);
        let status = cluster.status(number);
        status.is_some_and(|status| status.height >= height)
    });
    assert!(goes_on, "{}", cluster.log(number));
}

#[test]
fn a_disk_that_fills_up_during_a_deposit_has_nothing_of_it_acknowledged_or_served() {
    let setting = Setting {
        serves: Serves::Plain,
        ..with_disks()
    };
    let Some(mut cluster) = make(&setting) else {
        return;
    };
    cluster.up();
    let mut people = People::of(&cluster);

    // While a body comes in parts. The others take it.
    let scan = image(12 << 20);
    cluster.disk(VICTIM).fill_but(2_048);
    let mut scratch = Cursor::new(Vec::new());
    let record = match people.file_stream(&scan, &mut scratch) {
        // It ended, and is waited for no more.
        Ok(record) => record,
        Err(error) => {
            assert!(is_stores_fault(&error), "{error}");
            let Error::NotSent { record, .. } = error else {
                panic!("{error}");
            };
            record
        }
    };
    let request = people.request(record);
    let other = remote_with(&cluster, OTHER, cluster.height());
    let outline = other.outline(&request, &record).unwrap();
    if !cluster.has_ended(VICTIM) {
        let told = sent_on(&cluster, VICTIM, &outline, scratch.get_ref());
        assert_fails(&mut cluster, VICTIM, told);
    }
    people.assert_is_not_held(&mut cluster, VICTIM, record);
    assert!(!copy(&cluster, VICTIM, &body_of(&outline)).exists());
    give_room(&mut cluster, VICTIM);
    let waiting = people
        .author
        .resume(&mut people.network, record, &mut scratch);
    waiting.unwrap();
    people.assert_is_held(&cluster, VICTIM, record, &scan);

    // While a record comes in one message.
    let letter = image(4 << 20);
    cluster.disk(VICTIM).fill_but(2_048);
    let filed = people.file(&letter);
    if let Err(error) = &filed {
        assert!(is_stores_fault(error), "{error}");
    }
    // Filed again, it is: the others hold it.
    let record = filed.or_else(|_| people.file(&letter)).unwrap();
    people.assert_is_not_held(&mut cluster, VICTIM, record);
    give_room(&mut cluster, VICTIM);
    people.assert_is_held(&cluster, VICTIM, record, &letter);
    cluster.down();
}

/// Goes on with an upload by hand, until the node does not take more.
fn sent_on(
    cluster: &Cluster,
    number: usize,
    outline: &Outline,
    sealed: &[u8],
) -> Result<(), ClientError> {
    let header = HeaderDigest(outline.front.header.digest().0);
    let node = remote(cluster, number);
    let mut done = node.begin_upload(outline)?;
    while !done.is_whole {
        let at = usize::try_from(done.groups).unwrap() * GROUP;
        let end = (at + MAX_PART).min(sealed.len());
        done = node.upload(&header, done.groups, sealed[at..end].to_vec())?;
    }
    Ok(())
}

#[test]
fn a_bucket_that_goes_in_the_middle_of_an_upload_has_nothing_of_it_acknowledged_or_served() {
    let Some(mut server) = Server::start(target_folder()) else {
        return;
    };
    server.make_bucket("ciphertext");
    let mut links = Links::new(Ipv4Addr::LOCALHOST.into()).unwrap();
    let to = (Ipv4Addr::LOCALHOST, server.port()).into();
    let address = links.open(0, 1, to).unwrap();
    let mut cluster = made(Serves::Plain);
    in_bucket(&mut cluster, VICTIM, address);
    cluster.up();
    let mut people = People::of(&cluster);
    people.file(b"HbA1c 6.1 %").unwrap();

    // So slow that it is not there when the server ends.
    let slow = Link {
        bytes_per_second: Some(256 * 1_024),
        ..Link::default()
    };
    links.set_all(slow);
    let scan = image(24 << 20);
    let mut scratch = Cursor::new(Vec::new());
    let filed = thread::scope(|scope| {
        let filing = scope.spawn(|| people.file_stream(&scan, &mut scratch));
        let is_under_way = || server.list_uploads("ciphertext").contains("<Upload>");
        let begun = (0..LOOKS).any(|_| {
            thread::sleep(PAUSE);
            is_under_way() || filing.is_finished()
        });
        assert!(begun);
        links.set_all(Link { cut: true, ..slow });
        assert!(is_under_way(), "it ended before the server did");
        server.stop();
        links.set_all(Link::default());
        filing.join().unwrap()
    });
    let Err(Error::NotSent { record, why }) = filed else {
        panic!("{filed:?}");
    };
    assert!(
        matches!(&*why, Error::Node(NodeError::Remote { code, .. }) if code == NodeError::INTERNAL),
        "{why}"
    );
    people.assert_is_not_held(&mut cluster, VICTIM, record);

    // Another server has nothing, not half of it either.
    server.start_again();
    server.make_bucket("ciphertext");
    people.assert_is_not_held(&mut cluster, VICTIM, record);
    let waiting = people
        .author
        .resume(&mut people.network, record, &mut scratch);
    assert_eq!(waiting.unwrap(), 0);
    people.assert_is_held(&cluster, VICTIM, record, &scan);
    let id = BlobId::of(scratch.get_ref());
    assert!(server.list("ciphertext").contains(&format!("{id}.blob")));
    // What was in the former one comes from the others.
    let found = scrubbed(&cluster, VICTIM);
    assert!(
        found.starts_with("2 ciphertexts; 1 mended; 0 lost"),
        "{found}"
    );
    cluster.down();
}

/// People at a network of which somebody decides, before each node, what becomes of a request by its first line.
fn behind(
    cluster: &Cluster,
    deed: impl Fn(usize, &str) -> Deed + Send + Sync + 'static,
) -> (People, Network) {
    let mut people = People::of(cluster);
    let deed = Arc::new(deed);
    let nodes = cluster.all().into_iter().map(|number| {
        let deed = Arc::clone(&deed);
        in_front_of(cluster, number, move |line, _| deed(number, line))
    });
    let through = Network::follow(genesis(cluster), nodes.collect()).unwrap();
    let direct = replace(&mut people.network, through);
    (people, direct)
}

/// Who anchors a record may never hear of it, as when all nodes end just then: the sealed record is kept, and goes to its
/// custodians.
#[test]
fn a_record_that_is_anchored_though_filing_it_failed_reaches_its_custodians() {
    let mut cluster = serving(Serves::Plain);
    // From the next transaction on nodes tell of no block.
    let (is_armed, is_mute) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (arms, mutes) = (Arc::clone(&is_armed), Arc::clone(&is_mute));
    let (mut people, mut direct) = behind(&cluster, move |_, line| {
        if is_armed.load(Ordering::SeqCst) && line.starts_with("POST /v1/transactions") {
            is_mute.store(true, Ordering::SeqCst);
        }
        if is_mute.load(Ordering::SeqCst) && line.starts_with("GET /v1/blocks") {
            return Deed::Answer(500, Vec::new());
        }
        Deed::Pass
    });
    for (count, content, is_filed_again) in [(1, b"HbA1c 6.1 %", true), (2, b"HbA1c 6.0 %", false)]
    {
        arms.store(true, Ordering::SeqCst);
        let failed = people.file(content);
        assert!(failed.is_err(), "{failed:?}");
        // It is on the chain, and no custodian has heard of it.
        let record = (0..LOOKS).find_map(|_| {
            thread::sleep(PAUSE);
            direct.refresh().unwrap();
            let records = people.patient.records(&direct).unwrap();
            (records.len() == count).then(|| records[count - 1].record)
        });
        let record = record.expect("it is not anchored");
        arms.store(false, Ordering::SeqCst);
        mutes.store(false, Ordering::SeqCst);
        for number in cluster.all() {
            assert!(!people.is_acknowledged(&cluster, number, &record));
        }
        if is_filed_again {
            assert_eq!(people.file(content).unwrap(), record);
        } else {
            assert_eq!(people.author.deliver(&mut people.network).unwrap(), 0);
        }
        for number in cluster.all() {
            people.assert_is_held(&cluster, number, record, content);
        }
    }
    cluster.down();
}

/// Whether it never stored it, or lost its acknowledgement with its pool.
#[test]
fn what_a_custodian_took_and_does_not_acknowledge_is_given_to_it_again() {
    let mut cluster = serving(Serves::Plain);
    let is_lying = Arc::new(AtomicBool::new(true));
    let lies = Arc::clone(&is_lying);
    let (mut people, _) = behind(&cluster, move |number, line| {
        let is_deposit = line.starts_with("POST /v1/deposits");
        if number == VICTIM && is_deposit && is_lying.load(Ordering::SeqCst) {
            return Deed::Answer(200, to_bytes(&Deposited { refused: vec![] }));
        }
        Deed::Pass
    });
    let record = people.file(b"HbA1c 6.1 %").unwrap();
    assert!(!people.is_acknowledged(&cluster, VICTIM, &record));
    lies.store(false, Ordering::SeqCst);
    assert_eq!(people.author.deliver(&mut people.network).unwrap(), 0);
    people.assert_is_held(&cluster, VICTIM, record, b"HbA1c 6.1 %");
    cluster.down();
}

/// A custodian whose KEM key no node has, or gives, gets no share, and keeps nobody from filing and reading; nor does one that
/// gives another key for it. Fewer keys than open a record are an error.
#[test]
fn a_custodian_whose_key_nobody_has_keeps_nobody_from_filing() {
    let cluster = serving(Serves::Plain);
    let mut people = People::of(&cluster);
    let orgs = people.network.organizations();
    let kems = people.network.read(|state| {
        let kems = orgs.iter().map(|org| state.org(org).unwrap().custodian_kem);
        kems.collect::<Vec<_>>()
    });
    let kems: Vec<String> = kems
        .unwrap()
        .into_iter()
        .map(|it| Hash(it).to_string())
        .collect();
    let network = |withheld: usize| {
        let nodes = cluster.all().into_iter().map(|number| {
            let lines: Vec<_> = kems.iter().take(withheld).cloned().collect();
            in_front_of(&cluster, number, move |line, _| {
                let asked = line.strip_prefix("GET /v1/kem-keys/");
                match asked.filter(|asked| lines.iter().any(|it| asked.starts_with(it.as_str()))) {
                    None => Deed::Pass,
                    Some(_) if number == 0 => Deed::Answer(200, vec![0]),
                    Some(_) => Deed::Change(Box::new(|_| {
                        to_bytes(KemKeyPair::generate().unwrap().public_key())
                    })),
                }
            })
        });
        Network::follow(genesis(&cluster), nodes.collect()).unwrap()
    };

    let mut one_withheld = network(1);
    let note = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 5.9 %");
    let kit = people.patient.filing_kit();
    let file = |network: &mut Network| people.author.file(network, &kit, &[note], |_| ());
    let filed = file(&mut one_withheld).unwrap();
    let header = HeaderDigest(filed[0].header.as_ref().unwrap().digest().0);
    let held = one_withheld.read(|state| state.deposit(&header).unwrap().count());
    assert_eq!(held.unwrap(), 3);
    let records = [filed[0].record];
    let ask = Ask::read(people.patient.id(), &records, Purpose::Treat);
    let opening = people.doctor.read(&mut one_withheld, &ask).unwrap();
    assert_eq!(opening.records[0].content(), b"HbA1c 5.9 %");

    let note = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.0 %");
    let filed = people.author.file(&mut network(2), &kit, &[note], |_| ());
    assert!(
        matches!(
            filed,
            Err(Error::NoKemKeys {
                found: 2,
                needed: 3
            })
        ),
        "{filed:?}"
    );
}
