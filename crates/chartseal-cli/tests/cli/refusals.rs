//! Every path of the service, as its own description lists them, under what nobody should send: garbage, bodies that are
//! too long, ids and numbers that are none, other methods; and what is signed by nobody, by somebody else, for another node
//! or chain, at another time, or for a second time. A path that nobody here has thought of fails the test.

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chartseal_api::{
    BlobAsk, ExportAsk, FrontsAsk, HistoryAsk, MAX_BODY, MAX_PART, Section, Signed,
};
use chartseal_cluster::{Author, Cluster, Serves, office};
use chartseal_codec::Encode;
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::{KeyRevoked, PractitionerEnrolled};
use chartseal_node::keys::{public, sign};
use chartseal_policy::{Set, Symbol, Window};
use chartseal_wire::{ActorId, ChainId, HeaderDigest, OrgId, Subject, Time};
use serde_json::Value;

use crate::service::{self, become_final, keys_of, made, remote, sent};

/// How long a body may be that is no deposit.
const SMALL: usize = 1 << 20;

/// Those whose question is signed, and is nobody else's.
const SIGNED: [&str; 6] = [
    "/v1/blobs",
    "/v1/blobs/groups",
    "/v1/exports",
    "/v1/fronts",
    "/v1/histories",
    "/v1/histories/events",
];

/// What anybody may send: it is signed itself, or is worth nothing without what the chain says.
const OPEN: [(&str, usize); 11] = [
    ("/v1/transactions", SMALL),
    ("/v1/cosignatures", SMALL),
    ("/v1/kem-keys", SMALL),
    ("/v1/releases", SMALL),
    ("/v1/state", SMALL),
    ("/v1/envelopes/{request}", SMALL),
    ("/v1/deposits", MAX_BODY),
    ("/v1/deposits/uploaded", MAX_BODY),
    ("/v1/redeals", MAX_BODY),
    ("/v1/uploads", MAX_BODY),
    ("/v1/uploads/{header}/{group}", MAX_PART),
];

/// A network whose first node takes as many requests of one address as come.
pub(crate) fn patient() -> Cluster {
    let mut cluster = made(Serves::Plain);
    let file = cluster.config_file(0);
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{config}requests_per_second 100000\n")).unwrap();
    cluster.up();
    cluster
}

/// The code and status of a refusal.
fn refusal(what: &str, (status, body): (u16, String)) -> (u16, String) {
    let problem: Value =
        serde_json::from_str(&body).unwrap_or_else(|why| panic!("{what}: {status} {why}: {body}"));
    assert_eq!(problem["status"], status, "{what}: {body}");
    (status, problem["code"].as_str().unwrap().to_owned())
}

#[track_caller]
fn assert_refused(what: &str, answer: (u16, String), status: u16, code: &str) {
    assert_eq!(refusal(what, answer), (status, code.to_owned()), "{what}");
}

/// The path with well-formed parts, or with one that is not.
fn filled(path: &str, parameters: &[Value], wrong: Option<&str>) -> String {
    let mut path = path.to_owned();
    for parameter in parameters.iter().filter(|it| it["in"] == "path") {
        let name = parameter["name"].as_str().unwrap();
        let pattern = parameter["schema"]["pattern"].as_str().unwrap_or("");
        let right = match pattern {
            "^[0-9a-f]{64}$" => "7".repeat(64),
            "^[0-9a-f]{32}$" => "7".repeat(32),
            // A tile's index has three digits, and the width of one that is not full a suffix.
            _ if name == "index" && !path.ends_with("{width}") => "007".into(),
            _ if name == "index" => "007.p".into(),
            _ => "7".into(),
        };
        let value = if wrong == Some(name) {
            "zz".into()
        } else {
            right
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    path
}

#[test]
fn every_path_refuses_what_is_malformed_or_too_long_by_a_stable_code() {
    let cluster = patient();
    let api = cluster.config(0).api.unwrap();
    let (_, described) = sent(api, "GET /openapi.json", b"");
    let described: Value = serde_json::from_str(&described).unwrap();
    let mut seen = 0;
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array();
            let parameters = parameters.map_or(&[][..], Vec::as_slice);
            malformed(api, method, path, parameters);
            if operation.get("requestBody").is_some() {
                bodies(api, method, &filled(path, parameters, None), path);
            }
            seen += 1;
        }
        let parameters =
            methods.as_object().unwrap().values().next().unwrap()["parameters"].clone();
        let parameters = parameters.as_array().map_or(&[][..], Vec::as_slice);
        let head = format!("DELETE {}", filled(path, parameters, None));
        assert_refused(&head, sent(api, &head, b""), 405, "CS-API-21");
    }
    assert!(seen > 30, "{seen} operations are described");
    assert_refused(
        "a path",
        sent(api, "GET /v1/nothing", b""),
        404,
        "CS-API-02",
    );
    assert_eq!(sent(api, "GET /ready", b"").0, 204, "it went on serving");
}

/// Each part of a path and of a query, when it is none.
fn malformed(api: SocketAddr, method: &str, path: &str, parameters: &[Value]) {
    let method = method.to_uppercase();
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        let head = match parameter["in"].as_str().unwrap() {
            "path" => format!("{method} {}", filled(path, parameters, Some(name))),
            "query" => format!("{method} {}?{name}=zz", filled(path, parameters, None)),
            // What is no range is ignored (RFC 9110, section 14.2).
            "header" => continue,
            other => panic!("{path}: {other}"),
        };
        assert_refused(&head, sent(api, &head, b""), 400, "CS-API-01");
    }
}

/// A body that is none, and one that is one byte too long.
fn bodies(api: SocketAddr, method: &str, path: &str, template: &str) {
    let head = format!("{} {path}", method.to_uppercase());
    let open = OPEN.iter().find(|(open, _)| *open == template);
    let longest = match open {
        Some((_, longest)) => *longest,
        None if SIGNED.contains(&template) => SMALL,
        None => panic!("who may send {head}, and how much?"),
    };
    for garbage in [
        &b""[..],
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        &[0xff; 3_000],
    ] {
        // The bytes of an upload are in no format; there is none that they belong to.
        let (status, code) = match template {
            "/v1/uploads/{header}/{group}" => (404, "CS-API-02"),
            _ => (400, "CS-API-01"),
        };
        assert_refused(&head, sent(api, &head, garbage), status, code);
    }
    let long = vec![0; longest + 1];
    assert_refused(&head, sent(api, &head, &long), 413, "CS-API-20");
}

/// Who asks a node something, by one key.
struct Asker {
    keys: SigningKeyPair,
    chain: ChainId,
    node: OrgId,
}

impl Asker {
    fn sign<T: Encode>(&self, at: Time, ask: T) -> Signed<T> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&number.to_be_bytes());
        let to = (&self.chain, &self.node);
        Signed::new(to, public(&self.keys), at, nonce, ask, |message| {
            sign(&self.keys, message)
        })
    }
}

#[test]
fn what_is_signed_is_answered_for_its_subject_here_now_and_once() {
    let mut cluster = patient();
    let api = cluster.config(0).api.unwrap();
    let org = cluster.config(0).organization;
    let history = || HistoryAsk {
        subject: Subject::Actor(ActorId(org.0)),
        from: 0,
    };
    let export = || ExportAsk {
        sections: vec![Section {
            subject: Subject::Actor(ActorId(org.0)),
            first: 0,
        }],
        log_size: None,
        note: sent(api, "GET /v1/checkpoint", b"").1,
    };
    let blob = || BlobAsk {
        id: [7; 32],
        from: 0,
    };
    let office = || office(&cluster.place(), 0);
    // What whoever may ask it hears for the first time; of the blob, that it is not here.
    asked(&cluster, "/v1/histories", office, history, |answer| {
        assert_eq!(answer.0, 200);
    });
    asked(&cluster, "/v1/exports", office, export, |answer| {
        assert_eq!(answer.0, 200, "{}", answer.1);
    });
    let of_custodian = || keys_of(&cluster, 2).custodian;
    for path in ["/v1/blobs", "/v1/blobs/groups"] {
        asked(&cluster, path, of_custodian, blob, |answer| {
            assert_refused(path, answer, 404, "CS-API-02");
        });
    }
    let fronts = || FrontsAsk {
        headers: vec![HeaderDigest([7; 32])],
    };
    asked(&cluster, "/v1/fronts", of_custodian, fronts, |answer| {
        assert_eq!(answer.0, 200, "{}", answer.1);
    });
    // A stream has no end; who may not hear it is answered at once.
    refused(&cluster, "/v1/histories/events", office, history);

    // What was asked before a node started is not answered once more after it.
    let asker = Asker {
        keys: office(),
        chain: cluster.config(0).network,
        node: org,
    };
    let question = asker.sign(now(), history()).bytes();
    assert_eq!(sent(api, "POST /v1/histories", &question).0, 200);
    cluster.kill(0);
    cluster.start(0);
    cluster.await_height_of(&[0], 1);
    let again = sent(api, "POST /v1/histories", &question);
    assert_refused("after a restart", again, 403, "CS-API-04");
    let question = asker.sign(now(), history()).bytes();
    assert_eq!(sent(api, "POST /v1/histories", &question).0, 200);

    // A key that asks too often has to wait. Another one has not.
    let slowed = (0..1_000).find_map(|_| {
        let question = asker.sign(now(), history()).bytes();
        let answer = sent(api, "POST /v1/histories", &question);
        (answer.0 != 200).then_some(answer)
    });
    let slowed = slowed.expect("a key may ask as often as it likes");
    assert_refused("too often", slowed, 429, "CS-API-07");
    let other = Asker {
        keys: keys_of(&cluster, 1).custodian,
        ..asker
    };
    let question = other.sign(now(), blob()).bytes();
    assert_refused(
        "a blob",
        sent(api, "POST /v1/blobs", &question),
        404,
        "CS-API-02",
    );
}

#[test]
fn a_key_that_was_revoked_reads_nothing_any_more() {
    let cluster = patient();
    let config = cluster.config(0);
    let (api, chain, org) = (config.api.unwrap(), config.network, config.organization);
    let node = remote(&cluster, 0);
    let mut author = Author::new(office(&cluster.place(), 0), chain);
    let keys = SigningKeyPair::generate().unwrap();
    let doctor = ActorId([9; 16]);
    let enrolled = author.sign(PractitionerEnrolled {
        actor: doctor,
        key: public(&keys),
        kem: [1; 32],
        roles: Set::one(Symbol::new(b"physician").unwrap()),
        credential: Window::default(),
        countersignature: None,
    });
    become_final(&node, enrolled);
    let asker = |keys| Asker {
        keys,
        chain,
        node: org,
    };
    let (doctors, custodian) = (asker(keys), asker(keys_of(&cluster, 1).custodian));
    let history = || HistoryAsk {
        subject: Subject::Actor(doctor),
        from: 0,
    };
    let export = || ExportAsk {
        sections: vec![Section {
            subject: Subject::Actor(doctor),
            first: 0,
        }],
        log_size: None,
        note: sent(api, "GET /v1/checkpoint", b"").1,
    };
    let fronts = || FrontsAsk {
        headers: vec![HeaderDigest([7; 32])],
    };
    let ask = |path: &str, question: Vec<u8>| sent(api, &format!("POST {path}"), &question);
    let histories = || ask("/v1/histories", doctors.sign(now(), history()).bytes());
    let exports = || ask("/v1/exports", doctors.sign(now(), export()).bytes());
    let custodians = || ask("/v1/fronts", custodian.sign(now(), fronts()).bytes());
    for answer in [histories(), exports(), custodians()] {
        assert_eq!(answer.0, 200, "{}", answer.1);
    }
    let question = doctors.sign(now(), history()).bytes();
    let mut stream = service::asked(api, "POST /v1/histories/events", &question);
    let mut told = vec![0; 4_096];
    let read = stream.read(&mut told).unwrap();
    told.truncate(read);

    let mut other = Author::new(office(&cluster.place(), 1), chain);
    let key = public(&doctors.keys);
    become_final(&node, author.sign(KeyRevoked { key }));
    let key = public(&custodian.keys);
    become_final(&node, other.sign(KeyRevoked { key }));
    for (what, answer) in [
        ("/v1/histories", histories()),
        ("/v1/exports", exports()),
        ("/v1/fronts", custodians()),
    ] {
        assert_refused(what, answer, 403, "CS-API-03");
    }
    // The stream ends by itself, and what it told last is of before.
    // What keeps a silent stream alive comes every 15 s.
    let (patience, begun) = (Duration::from_secs(60), Instant::now());
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut some = [0; 4_096];
    loop {
        let read = stream.read(&mut some).expect("the stream ends");
        told.extend(&some[..read]);
        if read == 0 {
            break;
        }
        assert!(begun.elapsed() < patience, "the stream goes on");
    }
    let told = String::from_utf8(told).unwrap();
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    assert_eq!(told.matches("event: entry").count(), 1, "{told}");
}

fn now() -> Time {
    chartseal_node::Clock::System.now()
}

/// A question that this key may ask: it is answered once, and refused in every other way.
fn asked<T: Encode>(
    cluster: &Cluster,
    path: &str,
    keys: impl Fn() -> SigningKeyPair,
    ask: impl Fn() -> T,
    first: impl FnOnce((u16, String)),
) {
    let api = cluster.config(0).api.unwrap();
    let head = format!("POST {path}");
    let asker = Asker {
        keys: keys(),
        chain: cluster.config(0).network,
        node: cluster.config(0).organization,
    };
    let question = asker.sign(now(), ask()).bytes();
    first(sent(api, &head, &question));
    for _ in 0..2 {
        assert_refused(path, sent(api, &head, &question), 403, "CS-API-04");
    }
    refused(cluster, path, keys, ask);
}

/// All that makes a question one that is not answered, but that it came before.
fn refused<T: Encode>(
    cluster: &Cluster,
    path: &str,
    keys: impl Fn() -> SigningKeyPair,
    ask: impl Fn() -> T,
) {
    let config = cluster.config(0);
    let (api, head) = (config.api.unwrap(), format!("POST {path}"));
    let asker = |keys: SigningKeyPair, chain, node| Asker { keys, chain, node };
    let ours = || asker(keys(), config.network, config.organization);
    let is_refused = |what: &str, question: Vec<u8>, code: &str| {
        let what = format!("{path}: {what}");
        assert_refused(&what, sent(api, &head, &question), 403, code);
    };
    let minutes = |count: u64| count * 60_000;
    let old = Time(now().0 - minutes(2));
    is_refused("expired", ours().sign(old, ask()).bytes(), "CS-API-04");
    let early = now().plus_ms(minutes(2));
    is_refused(
        "of tomorrow",
        ours().sign(early, ask()).bytes(),
        "CS-API-04",
    );
    let mut unsigned = ours().sign(now(), ask());
    unsigned.signature.0[7] ^= 1;
    is_refused("unsigned", unsigned.bytes(), "CS-API-03");
    let foreign = asker(
        SigningKeyPair::generate().unwrap(),
        config.network,
        config.organization,
    );
    is_refused(
        "a stranger's",
        foreign.sign(now(), ask()).bytes(),
        "CS-API-03",
    );
    let other = asker(
        office(&cluster.place(), 1),
        config.network,
        config.organization,
    );
    is_refused(
        "somebody else's",
        other.sign(now(), ask()).bytes(),
        "CS-API-03",
    );
    let elsewhere = cluster.config(1).organization;
    let other = asker(keys(), config.network, elsewhere);
    is_refused(
        "for another node",
        other.sign(now(), ask()).bytes(),
        "CS-API-03",
    );
    let other = asker(keys(), ChainId([7; 32]), config.organization);
    is_refused(
        "for another chain",
        other.sign(now(), ask()).bytes(),
        "CS-API-03",
    );
}
