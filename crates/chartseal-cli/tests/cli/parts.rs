//! An image that is larger than what travels in one message: its upload is cut and goes on, a node that was down fetches it,
//! a damaged copy is found out group by group, and ranges of it are served to whoever may read it.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use chartseal::{Ask, Class, Clinician, Document, Error, Network, Offer, Patient, Purpose};
use chartseal_api::{EnvelopeFront, MAX_BODY, MAX_PART, Outline, Uploaded};
use chartseal_client::ClientError;
use chartseal_cluster::{Cluster, Serves};
use chartseal_envelope::{
    Content, CustodianSet, RecordInfo, RecordVersion, SetId, SigningKeyPair, SubjectId, Suite,
    Threshold, seal,
};
use chartseal_vault::{BlobId, GROUP};
use chartseal_wire::HeaderDigest;

use crate::redeal::scrubbed;
use crate::service::{remote, remote_with, serving};

/// Bytes without a pattern.
pub(crate) fn image(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut all = blake3::Hasher::new().update(b"an image").finalize_xof();
    all.fill(&mut bytes);
    bytes
}

/// A node's copy of a ciphertext.
pub(crate) fn copy(cluster: &Cluster, number: usize, id: &BlobId) -> PathBuf {
    let blobs = cluster.config(number).directory.join("blobs");
    blobs.join(&id.to_string()[..2]).join(format!("{id}.blob"))
}

/// The code of a node's refusal.
pub(crate) fn code<T: std::fmt::Debug>(refused: Result<T, ClientError>) -> String {
    match refused {
        Err(ClientError::Refused { problem, .. }) => problem.code,
        other => panic!("{other:?}"),
    }
}

/// An author, a reader and a patient.
pub(crate) fn people(network: &mut Network) -> (Clinician, Clinician, Patient) {
    let hospital = network.organizations()[1];
    let enrol = |network: &mut Network| network.enrol_practitioner(&hospital, &["physician"]);
    let (author, doctor) = (enrol(network).unwrap(), enrol(network).unwrap());
    let patient = network.enrol_patient(&hospital).unwrap();
    (author, doctor, patient)
}

/// Delivers until every custodian has taken what it lacked, so often at the most.
pub(crate) fn deliver_all(author: &mut Clinician, network: &mut Network, most: usize) {
    for round in 0.. {
        let left = author.deliver(network);
        if left.as_ref().is_ok_and(|left| *left == 0) {
            return;
        }
        assert!(round < most, "not all is taken: {left:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The head and the body of an answer, by a client that is not ours.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head.to_lowercase(), answer[end + 4..].to_vec())
}

#[test]
fn an_image_travels_in_parts_that_are_each_verified() {
    let mut cluster = serving(Serves::Plain);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut network);
    let kit = patient.filing_kit();
    let image = image(9 * GROUP * 3 + 77);
    let about = Document::new(Class::IMAGING, "application/dicom", b"");

    // One custodian is down while it is filed. It has the body from another one, once it is back.
    cluster.kill(3);
    let scratch = Cursor::new(Vec::new());
    let filed = author.file_stream(&mut network, &kit, &about, image.as_slice(), scratch);
    let filed = filed.unwrap();
    let scratch = Cursor::new(Vec::new());
    let again = author.file_stream(&mut network, &kit, &about, image.as_slice(), scratch);
    assert_eq!(again.unwrap().header, None);
    cluster.start(3);
    cluster.await_height_of(&[3], cluster.height());
    deliver_all(&mut author, &mut network, 150);

    let offer = Offer::of(Class::IMAGING, network.now().plus_ms(3_600_000));
    patient.grant(&mut network, &doctor, &offer).unwrap();
    let records = [filed.record];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let mut content = Vec::new();
    let opened = doctor
        .read_stream(&mut network, &ask, &mut content)
        .unwrap();
    assert!(content == image);
    assert_eq!(
        (opened.media_type(), opened.content_len()),
        ("application/dicom", image.len() as u64)
    );
    assert_eq!(opened.header, filed.header.unwrap());
    assert_eq!(opened.liars, []);

    let request = doctor.request(&mut network, &ask).unwrap();
    let node = remote_with(&cluster, 1, request.height());
    let outline = node.outline(&request.id(), &filed.record).unwrap();
    let id = BlobId(outline.front.seal.body_digest().0);
    let sealed = fs::read(copy(&cluster, 1, &id)).unwrap();
    for number in [0, 2, 3] {
        assert!(fs::read(copy(&cluster, number, &id)).unwrap() == sealed);
    }
    ranges(
        &cluster,
        &format!("/v1/envelopes/{}/{}/body", request.id(), filed.record),
        &sealed,
    );

    // The first node's copy is damaged. What is read from there is found out where it is, and had from elsewhere.
    let mut damaged = sealed.clone();
    damaged[5 * GROUP] ^= 1;
    fs::write(copy(&cluster, 0, &id), damaged).unwrap();
    let mut content = Vec::new();
    doctor
        .read_stream(&mut network, &ask, &mut content)
        .unwrap();
    assert!(content == image);
    let found = scrubbed(&cluster, 0);
    assert!(
        found.starts_with("1 ciphertexts; 1 mended; 0 lost"),
        "{found}"
    );
    assert!(fs::read(copy(&cluster, 0, &id)).unwrap() == sealed);

    uploads(&mut cluster, &outline, &sealed);
    patient.erase(&mut network, filed.record).unwrap();
    for number in 0..4 {
        assert!(!copy(&cluster, number, &id).exists());
    }
    assert_eq!(
        code(remote(&cluster, 1).begin_upload(&outline)),
        "CS-API-23"
    );
    cluster.down();
}

/// What a client that is not ours gets of a body.
fn ranges(cluster: &Cluster, path: &str, sealed: &[u8]) {
    let node = cluster.config(1).api.unwrap();
    let (head, whole) = get(node, path, "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(whole == sealed);
    let tag = format!("\"{}\"", BlobId::of(sealed));
    assert!(
        head.contains("accept-ranges: bytes") && head.contains(&tag),
        "{head}"
    );
    let len = sealed.len();
    for (range, first, end) in [
        ("0-0", 0, 1),
        ("1-262144", 1, 262_145),
        ("1000000-", 1_000_000, len),
        ("-77", len - 77, len),
    ] {
        let (head, part) = get(node, path, &format!("range: bytes={range}\r\n"));
        assert!(head.starts_with("http/1.1 206"), "{head}");
        let place = format!("content-range: bytes {first}-{}/{len}", end - 1);
        assert!(head.contains(&place), "{head}");
        assert!(part == sealed[first..end], "{range}");
        let same = format!("range: bytes={range}\r\nif-range: {tag}\r\n");
        assert!(get(node, path, &same).0.starts_with("http/1.1 206"));
    }
    let other = "range: bytes=0-1\r\nif-range: \"another\"\r\n";
    let (head, whole) = get(node, path, other);
    assert!(
        head.starts_with("http/1.1 200") && whole == sealed,
        "{head}"
    );
    let (head, why) = get(node, path, &format!("range: bytes={len}-\r\n"));
    assert!(head.starts_with("http/1.1 416"), "{head}");
    assert!(String::from_utf8(why).unwrap().contains("CS-API-24"));
    let foreign = format!("/v1/envelopes/{:064x}/{:032x}/body", 7, 7);
    let (head, _) = get(node, &foreign, "");
    assert!(head.starts_with("http/1.1 403"), "{head}");
}

/// Uploads by hand to a node that has lost its copy.
fn uploads(cluster: &mut Cluster, outline: &Outline, sealed: &[u8]) {
    let header = HeaderDigest(outline.front.header.digest().0);
    let id = BlobId::of(sealed);
    let there = |groups, is_whole| Uploaded { groups, is_whole };
    let count = sealed.len().div_ceil(GROUP) as u64;
    let node = remote(cluster, 2);
    assert_eq!(node.begin_upload(outline).unwrap(), there(count, true));
    let path = copy(cluster, 2, &id);
    fs::remove_file(&path).unwrap();

    let group = |group: usize| sealed[group * GROUP..(group + 1) * GROUP].to_vec();
    assert_eq!(code(node.upload(&header, 0, group(0))), "CS-API-02");
    let mut other = outline.clone();
    other.groups[3][0] ^= 1;
    assert_eq!(code(node.begin_upload(&other)), "CS-API-01");
    assert_eq!(code(node.begin_upload(&foreign())), "CS-API-23");
    assert_eq!(node.begin_upload(outline).unwrap(), there(0, false));
    assert_eq!(code(node.upload(&header, 1, group(1))), "CS-API-25");
    assert_eq!(code(node.upload(&header, 0, group(1))), "CS-API-26");
    assert_eq!(code(node.upload(&header, 0, vec![])), "CS-API-26");
    let long = vec![7; MAX_PART + 1];
    assert_eq!(code(node.upload(&header, 0, long)), "CS-API-20");
    // What was right of a part that is not stays.
    let half = [group(0), vec![1; GROUP]].concat();
    assert_eq!(code(node.upload(&header, 0, half)), "CS-API-26");
    assert_eq!(node.begin_upload(outline).unwrap(), there(1, false));
    assert_eq!(node.upload(&header, 0, group(0)).unwrap(), there(1, false));
    let part = sealed[GROUP..5 * GROUP].to_vec();
    assert_eq!(node.upload(&header, 1, part).unwrap(), there(5, false));
    assert!(!path.exists());

    // The node is killed, and something was written of the next group.
    cluster.kill(2);
    let waiting = cluster.config(2).directory.join("uploads");
    let waiting = waiting.join(id.to_string());
    let torn = [fs::read(&waiting).unwrap(), vec![0; 99]].concat();
    fs::write(&waiting, torn).unwrap();
    cluster.start(2);
    cluster.await_height_of(&[2], cluster.height());
    let node = remote(cluster, 2);
    assert_eq!(code(node.upload(&header, 5, group(5))), "CS-API-02");
    assert_eq!(node.begin_upload(outline).unwrap(), there(5, false));
    let mut done = there(5, false);
    while !done.is_whole {
        let at = usize::try_from(done.groups).unwrap() * GROUP;
        let end = (at + MAX_PART).min(sealed.len());
        done = node
            .upload(&header, done.groups, sealed[at..end].to_vec())
            .unwrap();
    }
    assert_eq!(done, there(count, true));
    assert!(fs::read(&path).unwrap() == sealed);
    assert!(!waiting.exists());
}

/// The outline of a record that no chain has.
fn foreign() -> Outline {
    let keys = SigningKeyPair::generate().unwrap();
    let info = RecordInfo {
        suite: Suite::default(),
        record_id: chartseal_envelope::RecordId::random().unwrap(),
        subject: SubjectId([2; 16]),
        version: RecordVersion::FIRST,
        custodians: CustodianSet {
            id: SetId([1; 32]),
            epoch: 1,
            threshold: Threshold::new(2, 3).unwrap(),
        },
    };
    let content = Content {
        media_type: "text/plain",
        attributes: b"",
        bytes: b"foreign",
    };
    let sealed = seal(&info, &content, &keys).unwrap();
    Outline {
        front: EnvelopeFront {
            header: sealed.header,
            seal: sealed.seal,
        },
        groups: Vec::new(),
    }
}

#[test]
fn a_body_that_no_custodian_can_take_is_sent_once_they_can() {
    let mut cluster = serving(Serves::Plain);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut network);
    let kit = patient.filing_kit();
    // And it is longer than one message.
    let image = image(MAX_BODY + 1);
    let about = Document::new(Class::IMAGING, "application/dicom", b"");

    // Where their uploads wait is no folder.
    let folders = cluster.all().into_iter();
    let folders = folders.map(|number| cluster.config(number).directory.join("uploads"));
    let folders: Vec<PathBuf> = folders.collect();
    for folder in &folders {
        fs::remove_dir(folder).unwrap();
        fs::write(folder, b"").unwrap();
    }
    let mut scratch = Cursor::new(Vec::new());
    let refused = author.file_stream(&mut network, &kit, &about, image.as_slice(), &mut scratch);
    let Err(Error::NotSent { record, why }) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.to_string().contains("stores fail"), "{why}");
    let again = author.resume(&mut network, record, &mut scratch);
    assert!(again.is_err(), "{again:?}");
    for folder in &folders {
        fs::remove_file(folder).unwrap();
        fs::create_dir(folder).unwrap();
    }
    let waiting = author.resume(&mut network, record, &mut scratch);
    assert_eq!(waiting.unwrap(), 0);

    let offer = Offer::of(Class::IMAGING, network.now().plus_ms(3_600_000));
    patient.grant(&mut network, &doctor, &offer).unwrap();
    let records = [record];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let mut content = Vec::new();
    doctor
        .read_stream(&mut network, &ask, &mut content)
        .unwrap();
    assert!(content == image);
    let request = doctor.request(&mut network, &ask).unwrap();
    let node = remote_with(&cluster, 1, request.height());
    let whole = node.envelope(&request.id(), &record);
    assert_eq!(code(whole), "CS-API-27");
    let opening = doctor.open(&mut network, &request).unwrap();
    assert!(opening.records[0].content() == image);
    cluster.down();
}
