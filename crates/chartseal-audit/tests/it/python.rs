//! `docs/verify_export.py` shares no code with this crate, and gives the same verdict on every file.

use chartseal_audit::{Freshness, Kept, Verdict};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Hash};
use chartseal_testkit::python::Python;
use chartseal_testkit::question;
use chartseal_wire::export::Growth;
use chartseal_wire::history::{HoldLifted, HoldPlaced};
use chartseal_wire::note::KeyKind;
use chartseal_wire::{Event, Export, Subject, TxId};

use crate::fixture::*;
use crate::mutate::{self, Random, Whole};
use crate::rules::CASES;
use crate::vectors::{
    CERTIFIED, CERTIFIED_KEPT, COMMITTEE, FULL, KEPT, NEWER, OLD_CERTIFIED_KEPT, OLD_KEPT, POLICY,
};

/// Both verifiers.
struct Both {
    python: Python,
    /// How often what was said.
    said: std::collections::BTreeMap<String, usize>,
}

impl Both {
    fn start() -> Option<Self> {
        let said = std::collections::BTreeMap::new();
        Python::start().map(|python| Self { python, said })
    }

    /// Asks both, and gives the answer: `proved`, `refuted CS-AUD-05`, `cannot_tell stale`, `misuse`.
    fn agree(
        &mut self,
        file: &[u8],
        policy: &[u8],
        kept: Option<&[u8]>,
        fresh: Option<Freshness>,
    ) -> String {
        let question = question::Question {
            file,
            policy,
            kept,
            freshness: fresh,
        };
        let (ours, request) = (question.answer(), question.request());
        let theirs = self.python.ask(&request).unwrap();
        assert!(
            ours == theirs,
            "we say {ours}, Python says {theirs}: {request}"
        );
        let mut words = ours.split(' ');
        let mut answer = words.next().unwrap().to_owned();
        if answer != "proved" {
            answer.extend(words.map(|word| format!(" {word}")));
        }
        *self.said.entry(answer.clone()).or_default() += 1;
        answer
    }

    fn ask(&mut self, question: &Question) -> String {
        let kept = question.kept.as_ref().map(Kept::to_bytes);
        let (file, policy) = (question.file.as_bytes(), question.policy.as_bytes());
        self.agree(file, policy, kept.as_deref(), question.options.freshness)
    }

    fn kinds(&self, of: &str) -> usize {
        self.said
            .keys()
            .filter(|answer| answer.starts_with(of))
            .count()
    }
}

/// How many of `some` are tried: ten times as many in a long run.
fn times(some: usize) -> usize {
    if std::env::var_os("CHARTSEAL_LONG").is_some() {
        10 * some
    } else {
        some
    }
}

#[test]
fn python_says_the_same_of_the_stored_files() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let policy = POLICY.as_bytes();
    let mut ask = |file: &str, kept| both.agree(file.as_bytes(), policy, kept, None);
    assert_eq!(ask(FULL, None), "proved");
    assert_eq!(ask(FULL, Some(KEPT)), "proved");
    assert_eq!(ask(NEWER, Some(KEPT)), "proved");
    assert_eq!(ask(NEWER, None), "cannot_tell earlier_part_missing");
    assert_eq!(ask(NEWER, Some(OLD_KEPT)), "proved");
    assert_eq!(ask(FULL, Some(OLD_KEPT)), "proved");
    for kept in [None, Some(OLD_CERTIFIED_KEPT), Some(CERTIFIED_KEPT)] {
        let (file, policy) = (CERTIFIED.as_bytes(), COMMITTEE.as_bytes());
        assert_eq!(both.agree(file, policy, kept, None), "proved");
    }
}

/// What is kept of entries is what later ones refer back to, part after part, whatever happened.
#[test]
fn python_remembers_the_same() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut random = Random(6);
    for _ in 0..times(60) {
        let mut net = Network::new(0xcc);
        net.event(subject(), PATIENT.into(), enrolled(PATIENT));
        let mut kepts: Vec<Option<Kept>> = vec![None];
        let mut ids = vec![TxId([0xfe; 32])];
        for _ in 0..14 {
            let some = ids[random.below(ids.len())];
            let actor = [SURGEON, DOCTOR][random.below(2)];
            let record = [LAB, NOTE][random.below(2)];
            ids.push(match random.below(7) {
                0 => net.declare(actor),
                1 | 2 => net.access(actor, &[(record, random.below(3) > 0, "emergency", None)]),
                3 => net.event(subject(), actor, reviewed(some)),
                4 => net.event(subject(), actor, erased(record)),
                5 => {
                    let reason_code = token("litigation");
                    let hold = HoldPlaced {
                        record,
                        reason_code,
                    };
                    net.event(subject(), actor, Event::HoldPlaced(hold))
                }
                _ => {
                    let lift = HoldLifted { record, hold: some };
                    net.event(subject(), actor, Event::HoldLifted(lift))
                }
            });
            if random.below(40) == 0 {
                (0..3600).for_each(|_| net.seal());
            }
            let kept = kepts[random.below(kepts.len())].clone();
            let from = kept.as_ref().map(|kept| {
                let (_, first) = kept.histories().next().unwrap();
                (first, kept.log_size())
            });
            let parts = from.map_or_else(
                || net.export(),
                |(first, size)| net.export_since(first, size),
            );
            let question = net.ask(&parts, kept.as_ref());
            assert_eq!(both.ask(&question), "proved");
            let later = proved(question.verdict()).kept;
            if random.below(6) == 0 {
                kepts.push(Some(older(&later)));
            }
            kepts.push(Some(later));
        }
    }
}

#[test]
fn python_says_the_same_of_each_rules_own_file() {
    let Some(mut both) = Both::start() else {
        return;
    };
    for (rule, case) in CASES {
        assert_eq!(both.ask(&case()), format!("refuted {rule}"));
    }
}

#[test]
fn python_says_the_same_of_certificates() {
    let Some(mut both) = Both::start() else {
        return;
    };
    // Every policy and every witness, after each number of handovers; then what was kept.
    for handovers in 0..3 {
        let mut net = Network::certified(handovers);
        let mut kepts: Vec<Option<Kept>> = vec![None];
        for _ in 0..2 {
            for cosigners in [&[][..], &[0], &[1], &[0, 1, 2]] {
                for kept in kepts.clone() {
                    for policy in policies(&net) {
                        let mut parts = match &kept {
                            Some(kept) => net.export_since(0, kept.log_size()),
                            None => net.export(),
                        };
                        parts.export.finality = Some(net.finality());
                        parts.cosigners = cosigners.to_vec();
                        let question = Question {
                            policy,
                            ..net.ask(&parts, kept.as_ref())
                        };
                        both.ask(&question);
                        if let (Verdict::Proved(report), None) = (question.verdict(), &kept) {
                            kepts.push(Some(report.kept));
                        }
                        kepts.truncate(4);
                    }
                }
            }
            net.hand_over();
            net.event(subject(), DOCTOR, added(LAB));
        }
    }
    for says in [
        "proved",
        "refuted CS-AUD-09",
        "refuted CS-AUD-28",
        "cannot_tell unknown_committee",
        "cannot_tell retired_committee",
    ] {
        assert!(both.said[says] > 5, "{says}: {:?}", both.said);
    }
}

/// Whom one may trust in a network with committees.
fn policies(net: &Network) -> Vec<String> {
    let mut found = vec![net.policy_text()];
    for epoch in 0..4 {
        let policy = net.committee_policy(epoch);
        let with = |quorum| policy.replace("quorum network", quorum);
        found.push(with("group q all network v1\nquorum q"));
        found.push(with("group q 2 network v1 v2\nquorum q"));
        found.push(with("quorum none"));
        found.push(policy);
    }
    found
}

#[test]
fn python_says_the_same_of_forged_certificates() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut random = Random(5);
    let net = Network::certified(2);
    let policy = net.committee_policy(0);
    let mut parts = net.certified_export();
    parts.cosigners = vec![0];
    let file = parts.file();
    let start = to_bytes(&Export {
        finality: None,
        ..parts.export.clone()
    })
    .len();
    for _ in 0..times(1500) {
        let mut forged = file.clone();
        let (head, tail) = forged.extra.split_at(start);
        forged.extra = [head, &mutate::bytes(&mut random, tail)].concat();
        both.agree(forged.to_string().as_bytes(), policy.as_bytes(), None, None);
    }
    // Numbers in any LEB128, and every byte of the certificate changed.
    let certificate = net.finality().certificate.bytes();
    let put = |bytes: &[u8]| {
        let mut file = file.clone();
        let at = file.extra.len() - certificate.len();
        let head = &file.extra[..at - 2];
        let length = u8::try_from(bytes.len()).unwrap();
        file.extra = [head, &[0x58, length], bytes].concat();
        file.to_string()
    };
    assert_eq!(put(&certificate), file.to_string());
    for at in 0..40 {
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xff; 9], &[0xff; 10], &[0]] {
            let mut changed = certificate.clone();
            changed.splice(at..at, bytes.iter().copied());
            both.agree(put(&changed).as_bytes(), policy.as_bytes(), None, None);
        }
        for to in [0, 1, 4, 0x1b, 0x7f, 0x80, 0xff] {
            let mut changed = certificate.clone();
            changed[at] = to;
            both.agree(put(&changed).as_bytes(), policy.as_bytes(), None, None);
        }
    }
    for rule in ["02", "22", "23", "25", "26"] {
        let says = format!("refuted CS-AUD-{rule}");
        assert!(both.said.contains_key(&says), "{says}: {:?}", both.said);
    }
}

#[test]
fn python_reads_the_same_entries() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut random = Random(4);
    for entry in every_entry() {
        let mut changed: Vec<Vec<u8>> = (0..times(12))
            .map(|_| mutate::bytes(&mut random, &entry))
            .collect();
        changed.push(entry);
        for entry in changed {
            // The network signs it, whatever it is.
            let mut net = Network::new(0xcc);
            net.raw(subject(), entry);
            net.seal();
            let mut parts = net.export();
            parts.export.texts.clear();
            parts.cosigners.clear();
            let policy = net
                .policy_text()
                .replace("quorum validators", "quorum none");
            both.ask(&Question {
                policy,
                ..net.ask(&parts, None)
            });
        }
    }
    assert!(both.said["proved"] >= every_entry().len() && both.said["refuted CS-AUD-15"] > 100);
}

/// One entry of each event, from the published vectors, in the first block after genesis.
fn every_entry() -> Vec<Vec<u8>> {
    let vectors = include_str!("../../../chartseal-wire/tests/vectors/wire.txt");
    let entries = vectors.lines().filter_map(|line| {
        let (_, hex) = line.strip_prefix("event.")?.split_once(' ')?;
        let digits: Vec<u32> = hex.trim().chars().filter_map(|c| c.to_digit(16)).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
            .collect();
        let event = from_bytes(&bytes).unwrap();
        Some(to_bytes(&Network::new(0xcc).entry(DOCTOR, event)))
    });
    let entries: Vec<_> = entries.collect();
    assert!(entries.len() >= 32);
    entries
}

#[test]
fn python_has_the_same_doubts() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut net = Network::visit();
    let last = net.headers.len() - 1;
    let other = (Subject::Patient(OTHER), 0);
    let strange = Network::new(0xdd);
    let of_both = net
        .report(&net.export_of(&[(subject(), 0), other], last))
        .kept;
    let of_strange = {
        let mut net = Network::new(0xdd);
        net.event(subject(), PATIENT.into(), enrolled(PATIENT));
        net.report(&net.export()).kept
    };
    let mut ask = |question: Question, doubt: &str| {
        assert_eq!(both.ask(&question), format!("cannot_tell {doubt}"));
    };
    let unknown = Question {
        policy: strange.policy_text(),
        ..net.ask(&net.export(), None)
    };
    ask(unknown.clone(), "unknown_log");
    ask(
        Question {
            kept: Some(of_both.clone()),
            ..unknown
        },
        "unknown_log",
    );
    ask(net.ask(&net.export(), Some(&of_strange)), "other_chain");
    ask(net.ask(&net.export_of(&[], 3), None), "no_history");
    ask(
        net.ask(&net.export_of(&[other], last), Some(&of_both)),
        "history_missing",
    );
    ask(
        net.ask(&net.export_since(1, of_both.log_size()), None),
        "earlier_part_missing",
    );
    ask(
        net.ask(&net.export_since(0, 3), None),
        "growth_from_elsewhere",
    );
    let kept = net.report(&net.export()).kept;
    net.access(DOCTOR, &[]);
    ask(net.ask(&net.export(), Some(&kept)), "growth_from_elsewhere");
    let now = net.export().signed_at * 1000;
    for now in [now - 501, now + 501] {
        let options = fresh(now, 500);
        ask(
            Question {
                options,
                ..net.ask(&net.export(), None)
            },
            "stale",
        );
    }
    let options = fresh(now + 500, 500);
    assert_eq!(
        both.ask(&Question {
            options,
            ..net.ask(&net.export(), None)
        }),
        "proved"
    );
}

#[test]
fn python_says_the_same_wherever_a_byte_is_flipped() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut net = Network::new(0xcc);
    net.access(DOCTOR, &[(LAB, false, "no_grant", None)]);
    let (file, policy) = (net.export().text(), net.policy_text());
    let mut random = Random(1);
    for at in 0..file.len() {
        let mut flipped = file.clone().into_bytes();
        flipped[at] ^= 1 << random.below(8);
        let answer = both.agree(&flipped, policy.as_bytes(), None, None);
        assert_ne!(answer, "proved", "byte {at}");
    }
    // Inside the binary export too.
    let whole = net.export().file();
    for at in 0..whole.extra.len() {
        let mut flipped = whole.clone();
        flipped.extra[at] ^= 1 << random.below(8);
        let answer = both.agree(
            flipped.to_string().as_bytes(),
            policy.as_bytes(),
            None,
            None,
        );
        assert_ne!(answer, "proved", "byte {at} of the export");
    }
    assert!(both.kinds("refuted") >= 10, "{:?}", both.said);
}

#[test]
fn python_says_the_same_of_what_a_forger_makes() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let (full, newer) = (Whole::parse(FULL), Whole::parse(NEWER));
    let mut random = Random(2);
    for _ in 0..times(700) {
        let forged = full.mutated(&mut random, &newer).text();
        both.agree(forged.as_bytes(), POLICY.as_bytes(), None, None);
        let forged = newer.mutated(&mut random, &full).text();
        both.agree(forged.as_bytes(), POLICY.as_bytes(), Some(KEPT), None);
        let cut = mutate::bytes(&mut random, FULL.as_bytes());
        both.agree(&cut, POLICY.as_bytes(), None, None);
    }
    assert!(both.kinds("refuted") >= 14, "{:?}", both.said);
    assert!(both.kinds("cannot_tell") >= 3, "{:?}", both.said);
}

#[test]
fn python_reads_the_same_policies_and_states() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut random = Random(3);
    for _ in 0..times(700) {
        let policy = mutate::bytes(&mut random, POLICY.as_bytes());
        both.agree(FULL.as_bytes(), &policy, None, None);
        let kept = mutate::bytes(&mut random, KEPT);
        both.agree(NEWER.as_bytes(), POLICY.as_bytes(), Some(&kept), None);
        let kept = mutate::bytes(&mut random, CERTIFIED_KEPT);
        let (file, policy) = (CERTIFIED.as_bytes(), COMMITTEE.as_bytes());
        both.agree(file, policy, Some(&kept), None);
    }
    // What random changes don't find: each is one line more, or another last one.
    let lines = [
        "",
        "# a comment",
        "\t # another\t",
        "quorum none",
        "group x any v1",
        "group x 0 v1",
        "group x 1",
        "group x 01 v1",
        "group x 2 v1",
        "group x all none",
        "group none any v1",
        "witness none",
        "log",
        "group",
        "group x any v1 v1",
        "group y 1 validators",
        "witness v1 x",
        "\u{7f}",
        "a\rb",
        "quorum x y",
        "quorum",
        "committee",
        "committee c",
        "committee c 00",
        "committee c x y",
    ];
    for line in lines {
        for text in [
            format!("{POLICY}{line}\n"),
            POLICY.replace("group validators 3 v1 v2 v3 v4", line),
            POLICY.replace("quorum validators", line),
            POLICY.replace("quorum validators", &format!("{line}\nquorum x")),
            POLICY.replace("quorum validators", &format!("{line}\nquorum y")),
        ] {
            both.agree(FULL.as_bytes(), text.as_bytes(), None, None);
        }
    }
    let hash = "0123456789abcdef".repeat(4);
    for (lines, says) in [
        (format!("committee c {hash}\n"), "proved"),
        (format!("committee v1 {hash}\n"), "misuse"),
        (format!("committee none {hash}\n"), "misuse"),
        (format!("committee c {}\n", hash.to_uppercase()), "misuse"),
        (format!("committee c {hash}0\n"), "misuse"),
        (
            format!("committee c {hash}\ncommittee d {hash}\n"),
            "misuse",
        ),
        (format!("committee c {hash}\ngroup x all c\n"), "proved"),
    ] {
        let text = POLICY.replace("group validators", &format!("{lines}group validators"));
        assert_eq!(
            both.agree(FULL.as_bytes(), text.as_bytes(), None, None),
            says,
            "{lines}"
        );
    }
    assert!(
        both.said["proved"] > 10 && both.said["misuse"] > 100,
        "{:?}",
        both.said
    );
}

#[test]
fn python_counts_a_nested_quorum_alike() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let net = Network::visit();
    let head = net.policy_text();
    let head = head.split("group validators").next().unwrap();
    let quorums = [
        "quorum v1",
        "quorum v4",
        "quorum none",
        "group a any v1 v4\ngroup b all v2 v3\ngroup c 2 a b\nquorum c",
        "group a all v1 v4\ngroup b any a v2\nquorum b",
        "group a 2 v1 v2 v3 v4\nquorum a",
    ];
    for quorum in quorums {
        for signers in 0..16u8 {
            let mut parts = net.export();
            parts.cosigners = (0..4).filter(|i| signers >> i & 1 == 1).collect();
            let mut file = parts.file();
            // Each at another time.
            for (line, i) in file
                .checkpoint
                .signatures
                .iter_mut()
                .skip(1)
                .zip(&parts.cosigners)
            {
                let time = parts.signed_at + 7 * u64::from(i ^ 2);
                *line = sign(cosigner(*i), &parts.checkpoint.to_string(), time);
            }
            let question = Question {
                policy: format!("{head}{quorum}\n"),
                ..net.ask_text(file.to_string(), None)
            };
            both.ask(&question);
        }
    }
    // Of the 96 sets of signers 40 are too few, and 13 lack nothing and have nothing to spare.
    assert_eq!(both.said["refuted CS-AUD-09"], 40);
    assert_eq!(both.said["proved"], 13);
    assert_eq!(both.said["refuted CS-AUD-28"], 43);
}

#[test]
fn python_takes_no_other_spelling_either() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let net = Network::visit();
    let file = net.export().text();
    let text = |from: &str, to: &str| {
        assert!(file.contains(from), "{from}");
        file.replace(from, to)
    };
    // Texts that mean the same, or nearly, and are not the one form.
    let head = "c2sp.org/tlog-proof@v1\nextra ";
    for changed in [
        text("index 14", "index 014"),
        text("index 14", "index +14"),
        text("index 14", "index "),
        text("index 14", "index \u{661}\u{664}"),
        text("index 14", "index 18446744073709551630"),
        text("\n15\n", "\n015\n"),
        text("\n15\n", "\n15\n\n"),
        text("v1.example", "v1+example"),
        text("v1.example", "v1.example\u{7f}"),
        text("v1.example", "v1.example\u{85}"),
        text("v1.example", "v1.example\u{3000}"),
        text("v1.example", "v1.example\u{200b}"),
        text("v1.example", "v1.example\u{feff}"),
        text("v1.example", ""),
        text("v1.example", &"v".repeat(256)),
        text("v1.example", &"v".repeat(255)),
        text("\u{2014} v1", "- v1"),
        text(head, "c2sp.org/tlog-proof@v1\nextra  "),
        text(head, "\u{feff}c2sp.org/tlog-proof@v1\nextra "),
        text("\n", "\r\n"),
        text("==\n", "\n"),
        file.replacen("\u{2014}", "\u{2014} x AAAAAA==\n\u{2014}", 1),
        file.clone() + &"\u{2014} x AAAAAA==\n".repeat(60),
        file.clone() + &"\u{2014} x AAAAAA==\n".repeat(61),
        file.clone() + &"\u{2014} x AAAAAA==\n".repeat(4000),
    ] {
        assert_ne!(both.ask(&net.ask_text(changed, None)), "proved");
    }
}

#[test]
fn python_takes_no_other_encoding_order_or_length_either() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let net = Network::visit();
    // Encodings that are not canonical, and orders that are not the one.
    let export = |change: &dyn Fn(&Export, Vec<u8>) -> Vec<u8>| {
        let mut file = net
            .export_of(&[(subject(), 0), (Subject::Patient(OTHER), 0)], 14)
            .file();
        let export: Export = from_bytes(&file.extra).unwrap();
        file.extra = change(&export, file.extra);
        net.ask_text(file.to_string(), None)
    };
    let swap = |bytes: &[u8], a: Vec<u8>, b: Vec<u8>| {
        let at = |part: &[u8]| bytes.windows(part.len()).position(|w| w == part).unwrap();
        let (i, j) = (at(&a), at(&b));
        assert!(i < j);
        [
            &bytes[..i],
            &b,
            &bytes[i + a.len()..j],
            &a,
            &bytes[j + b.len()..],
        ]
        .concat()
    };
    for question in [
        export(&|_, bytes| [&bytes[..1], &[0x18, 1], &bytes[2..]].concat()),
        export(&|_, bytes| [&[0x98, 5], &bytes[1..]].concat()),
        export(&|e, bytes| swap(&bytes, to_bytes(&e.histories[0]), to_bytes(&e.histories[1]))),
        export(&|e, bytes| swap(&bytes, to_bytes(&e.texts[0]), to_bytes(&e.texts[1]))),
        export(&|_, bytes| [&bytes[..], &[0xf6]].concat()),
        export(&|_, _| vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        export(&|_, _| vec![0x81; 10_000]),
    ] {
        assert_eq!(both.ask(&question), "refuted CS-AUD-02");
    }
    // Proofs of another length than any has, and of a history that is there as if it were not.
    let mut long = net.export();
    let siblings = vec![Hash::ZERO; 257];
    long.export.histories[0].proof =
        from_bytes(&to_bytes(&(siblings, Some((Hash::ZERO, Hash::ZERO))))).unwrap();
    assert_eq!(both.ask(&net.ask(&long, None)), "refuted CS-AUD-12");
    let mut denied = net.export();
    denied.export.histories[0].log = Frontier::new();
    denied.entries().clear();
    denied.export.texts.clear();
    assert_eq!(both.ask(&net.ask(&denied, None)), "refuted CS-AUD-12");
    let mut grown = net.export();
    for (hashes, says) in [
        (65, "cannot_tell growth_from_elsewhere"),
        (66, "refuted CS-AUD-02"),
    ] {
        let proof = vec![Hash::ZERO; hashes];
        grown.export.growth = Some(Growth { from: 1, proof });
        assert_eq!(both.ask(&net.ask(&grown, None)), says);
    }
    for (hashes, says) in [(65, "refuted CS-AUD-11"), (66, "refuted CS-AUD-01")] {
        let mut parts = net.export();
        parts.proof = vec![Hash::ZERO; hashes];
        assert_eq!(both.ask(&net.ask(&parts, None)), says);
    }
}

#[test]
fn python_draws_every_line_where_we_draw_it() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let mut net = Network::visit();
    let file = net.export().text();
    // One key under two names.
    for (name, kind, seed) in [
        ("w1", KeyKind::Cosigner, 0x60),
        ("v1.example", KeyKind::Cosigner, 0x60),
        ("l", KeyKind::Log, 0x50),
    ] {
        let key = named(name, kind, seed).0;
        for line in [format!("witness w {key}\n"), format!("log {key}\n")] {
            let question = net.ask_text(file.clone(), None);
            let policy = line + &question.policy;
            assert_eq!(both.ask(&Question { policy, ..question }), "misuse");
        }
    }
    // Old blocks, fallen heights, and what was kept.
    let old = net.export_of(&[(subject(), 0)], 9);
    assert_eq!(both.ask(&net.ask(&old, None)), "proved");
    let kept = net.report(&net.export()).kept;
    assert_eq!(both.ask(&net.ask(&old, Some(&kept))), "refuted CS-AUD-18");
    let unknown = Question {
        policy: Network::new(0xdd).policy_text(),
        ..net.ask(&old, Some(&kept))
    };
    assert_eq!(both.ask(&unknown), "cannot_tell unknown_log");
    for (height, without, with) in [
        (3, "refuted CS-AUD-16", "refuted CS-AUD-16"),
        (14, "proved", "refuted CS-AUD-21"),
        (15, "proved", "proved"),
        (16, "refuted CS-AUD-16", "refuted CS-AUD-16"),
    ] {
        let mut net = Network::visit();
        let mut entry = net.entry(DOCTOR, enrolled(PATIENT));
        entry.height = height;
        net.raw(subject(), to_bytes(&entry));
        net.seal();
        assert_eq!(both.ask(&net.ask(&net.export(), None)), without);
        let parts = net.export_since(0, kept.log_size());
        assert_eq!(both.ask(&net.ask(&parts, Some(&kept))), with);
    }
    net.seal();
    let tall = net.report(&net.export()).kept;
    assert_eq!(both.ask(&net.ask(&net.export(), Some(&tall))), "proved");
}

#[test]
fn python_takes_any_time_that_a_signature_can_have() {
    let Some(mut both) = Both::start() else {
        return;
    };
    let net = Network::visit();
    for (seconds, says) in [
        (0, "proved"),
        (u64::MAX >> 1, "proved"),
        (1 << 63, "refuted CS-AUD-08"),
    ] {
        let mut parts = net.export();
        parts.signed_at = seconds;
        assert_eq!(both.ask(&net.ask(&parts, None)), says);
    }
}
