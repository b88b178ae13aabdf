//! Parties who use the right keys to lie: each needs more than the public interface offers.

use std::vec::Vec;

use chacha20::ChaCha20Rng;
use chartseal_codec::{from_bytes, to_bytes};
use rand_core::SeedableRng;

use crate::dealing::{Commitment, Scope};
use crate::package::{Packer, Use};
use crate::sharing::{self, Coins, SaltedShare};
use crate::*;

struct World {
    rng: ChaCha20Rng,
    author: SigningKeyPair,
    custodians: Vec<KemKeyPair>,
    reader: KemKeyPair,
    info: RecordInfo,
}

const REQUEST: RequestId = RequestId([1; 32]);
const CONTENT: Content<'_> = Content {
    media_type: "",
    attributes: &[],
    bytes: b"text",
};

impl World {
    /// Three of four.
    fn new() -> Self {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let author = SigningKeyPair::generate_with_rng(&mut rng);
        let suite = Suite::default();
        let mut keys = (0..5).map(|_| KemKeyPair::generate_with_rng(suite, &mut rng));
        let (reader, custodians) = (keys.next().unwrap(), keys.collect());
        let threshold = Threshold::new(3, 4).unwrap();
        let info = RecordInfo {
            suite,
            record_id: RecordId([1; 16]),
            subject: SubjectId([2; 16]),
            version: RecordVersion::FIRST,
            custodians: CustodianSet {
                id: SetId([3; 32]),
                epoch: 0,
                threshold,
            },
        };
        Self {
            rng,
            author,
            custodians,
            reader,
            info,
        }
    }

    fn honest(&mut self) -> SealedRecord {
        seal_with_rng(&self.info, &CONTENT, &self.author, &mut self.rng).unwrap()
    }

    /// What the first custodian makes of a share that a dealer seals to it.
    fn accept(
        &mut self,
        dealing: &Dealing,
        share: &SaltedShare,
        commitments: &[Commitment],
    ) -> Result<HeldShare, ShareFault> {
        let (keys, index) = (&self.custodians[0], ShareIndex::new(1).unwrap());
        let mut packer = Packer::new(
            Suite::default(),
            Use::Deal,
            index,
            keys.public_key(),
            &mut self.rng,
        )
        .unwrap();
        packer.push(dealing, share, commitments).unwrap();
        accept(keys, index, dealing, &Deal(packer.finish()))
    }

    fn release_each(&mut self, held: &[HeldShare]) -> Vec<Release> {
        let to = self.reader.public_key();
        held.iter()
            .map(|h| release_with_rng(&[h], REQUEST, to, &mut self.rng).unwrap())
            .collect()
    }

    fn hold(&mut self, dealer: &Dealer) -> Vec<HeldShare> {
        let keys: Vec<_> = self
            .custodians
            .iter()
            .map(|pair| pair.public_key().clone())
            .collect();
        let deals = deal_with_rng(&[dealer], &keys, &mut self.rng).unwrap();
        let accepted = self.custodians.iter().zip(&deals);
        accepted
            .map(|(keys, d)| accept(keys, d.index(), dealer.dealing(), d).unwrap())
            .collect()
    }
}

fn shares_and_commitments(dealer: &Dealer) -> (Vec<SaltedShare>, Vec<Commitment>) {
    let scope = dealer.dealing.scope();
    let threshold = scope.custodians().threshold;
    let shares = sharing::split(&dealer.key, &dealer.coins, &scope.to_bytes(), threshold);
    let commitments = scope.commit_all(&shares);
    (shares, commitments)
}

#[test]
fn a_dealer_who_seals_another_share_than_it_committed_to_is_found_by_the_custodian() {
    let mut world = World::new();
    let dealer = world.honest().dealer;
    let (mut shares, commitments) = shares_and_commitments(&dealer);
    assert!(
        world
            .accept(&dealer.dealing, &shares[0], &commitments)
            .is_ok()
    );
    let fault = world
        .accept(&dealer.dealing, &shares[1], &commitments)
        .unwrap_err();
    assert_eq!(fault, ShareFault::Share, "CS-ENV-58");
    shares[0].share[31] ^= 0x80;
    let fault = world
        .accept(&dealer.dealing, &shares[0], &commitments)
        .unwrap_err();
    assert_eq!(fault, ShareFault::Share);
}

#[test]
fn a_dealer_who_sends_other_commitments_than_the_headers_is_found_by_the_custodian() {
    let mut world = World::new();
    let dealer = world.honest().dealer;
    let (mut shares, _) = shares_and_commitments(&dealer);
    shares[0].share[0] ^= 1;
    let commitments = dealer.dealing.scope().commit_all(&shares);
    let fault = world
        .accept(&dealer.dealing, &shares[0], &commitments)
        .unwrap_err();
    assert_eq!(fault, ShareFault::Commitments, "CS-ENV-57");
}

#[test]
fn a_dealer_who_sends_too_few_commitments_is_found_by_the_custodian() {
    let mut world = World::new();
    let dealer = world.honest().dealer;
    let (shares, commitments) = shares_and_commitments(&dealer);
    let fault = world
        .accept(&dealer.dealing, &shares[0], &commitments[..3])
        .unwrap_err();
    assert_eq!(fault, ShareFault::Layout, "CS-ENV-56");
    let fault = world.accept(&dealer.dealing, &shares[0], &[]).unwrap_err();
    assert_eq!(fault, ShareFault::Layout);
}

/// A record whose author committed to a share that is not on the polynomial.
fn crooked(world: &mut World) -> (SealedRecord, Vec<HeldShare>) {
    let (key, coins) = (ContentKey::from_bytes([5; 32]), Coins::copy_of(&[6; 32]));
    let (author, threshold) = (world.author.key_id(), world.info.custodians.threshold);
    let scope = Scope::of_new(&world.info, author);
    let mut shares = sharing::split(&key, &coins, &scope.to_bytes(), threshold);
    shares[3].share[7] ^= 1;
    let commitments = scope.commit_all(&shares);
    let header = Header::new(&world.info, author, scope.root(&commitments));
    let body = body::seal(&CONTENT, &coins, header.digest(), &key, &mut world.rng);
    let seal = Seal::sign(&header, &body, (&world.author).into(), &mut world.rng);
    let dealing = Dealing::initial(&header);
    let held =
        threshold
            .indices()
            .zip(&world.custodians)
            .zip(&shares)
            .map(|((index, keys), share)| {
                let to = keys.public_key();
                let mut packer =
                    Packer::new(Suite::default(), Use::Deal, index, to, &mut world.rng).unwrap();
                packer.push(&dealing, share, &commitments).unwrap();
                accept(keys, index, &dealing, &Deal(packer.finish())).unwrap()
            });
    let held = held.collect();
    let dealer = Dealer {
        dealing,
        key,
        coins,
    };
    (
        SealedRecord {
            header,
            body,
            seal,
            dealer,
        },
        held,
    )
}

#[test]
fn a_dealer_who_commits_to_garbage_is_found_by_the_reader() {
    let mut world = World::new();
    let (record, held) = crooked(&mut world);
    let (dealing, author) = (record.dealer.dealing(), world.author.verifying_key());
    let releases = world.release_each(&held);
    // All four match their commitments, and give two keys: that is the dealer's doing.
    let error = combine(&world.reader, REQUEST, dealing, &releases).unwrap_err();
    assert_eq!(error, CombineError::Inconsistent, "CS-ENV-61");
    // Three with the bad one give a key that the body refuses.
    let combined = combine(&world.reader, REQUEST, dealing, &releases[1..]).unwrap();
    let refused = open(
        &record.header,
        &record.body,
        &record.seal,
        &author,
        &combined.key,
    );
    let error = OpenError::Body(BodyError::Cipher(CobblestoneError::Commitment));
    assert_eq!(refused.unwrap_err(), error);
    // Three good ones open the record, and whoever opened it audits the dealer.
    let combined = combine(&world.reader, REQUEST, dealing, &releases[..3]).unwrap();
    let opened = open(
        &record.header,
        &record.body,
        &record.seal,
        &author,
        &combined.key,
    )
    .unwrap();
    assert_eq!(audit_deal(&opened, dealing), DealVerdict::DealerCheated);
}

#[test]
fn a_custodian_who_reseals_another_share_is_named() {
    let mut world = World::new();
    let record = world.honest();
    let mut held = world.hold(&record.dealer);
    held[1].share.share[0] ^= 1;
    let releases = world.release_each(&held);
    let dealing = record.dealer.dealing();
    let combined = combine(&world.reader, REQUEST, dealing, &releases).unwrap();
    let two = ShareIndex::new(2).unwrap();
    assert_eq!(
        combined.faults,
        [Fault {
            custodian: two,
            why: ShareFault::Share
        }]
    );
    let opened = open(
        &record.header,
        &record.body,
        &record.seal,
        &world.author.verifying_key(),
        &combined.key,
    );
    // The dealer is innocent, so the liar is the custodian.
    assert_eq!(audit_deal(&opened.unwrap(), dealing), DealVerdict::Honest);
}

#[test]
fn what_a_dealer_committed_to_is_evidence_against_it() {
    let mut world = World::new();
    let (record, held) = crooked(&mut world);
    let (dealing, author) = (record.dealer.dealing(), world.author.verifying_key());
    let releases = world.release_each(&held);
    let (header, body, seal) = (&record.header, &record.body, &record.seal);
    let find = |releases: &[Release]| {
        DealerEvidence::find(&world.reader, REQUEST, dealing, releases, body)
    };
    let check = |evidence: &DealerEvidence| evidence.check(dealing, header, body, seal, &author);

    // Whichever *t* or more are there, the false one is in the evidence.
    for releases in [&releases[..], &releases[1..]] {
        let evidence = find(releases).unwrap();
        let evidence: DealerEvidence = from_bytes(&to_bytes(&evidence)).unwrap();
        assert_eq!(check(&evidence), Ok(()));
        // The same shares are too few for the proof without a body.
        let error = evidence.check_without_body(dealing).unwrap_err();
        assert_eq!(
            error,
            NoProof::Shares {
                found: 3,
                expected: 4
            },
            "CS-ENV-66"
        );
        // Against another deal, or with another body, they are none.
        let other = Dealing::later(
            header,
            core::num::NonZeroU64::MIN,
            dealing.custodians(),
            dealing.root(),
        );
        let error = evidence.check(&other, header, body, seal, &author);
        assert_eq!(error, Err(NoProof::Foreign), "CS-ENV-64");
        let error = evidence.check(dealing, header, &body[1..], seal, &author);
        assert_eq!(error, Err(NoProof::Seal(BadSeal::Body)));
        assert!(!std::format!("{evidence:?}").contains('['), "no bytes");
    }
    // Three good ones are no evidence, nor are two.
    assert!(find(&releases[..3]).is_none());
    assert!(find(&releases[2..]).is_none());

    let without = |releases: &[Release]| {
        DealerEvidence::find_without_body(&world.reader, REQUEST, dealing, releases)
    };
    assert!(without(&releases[1..]).is_none());
    let evidence = without(&releases).unwrap();
    assert_eq!(evidence.check_without_body(dealing), Ok(()));
    let error = check(&evidence).unwrap_err();
    assert_eq!(
        error,
        NoProof::Shares {
            found: 4,
            expected: 3
        }
    );
}

#[test]
fn an_auditor_with_a_slot_sees_for_itself_that_the_dealer_cheated() {
    let mut world = World::new();
    let (record, held) = crooked(&mut world);
    let dealing = record.dealer.dealing();
    let releases = world.release_each(&held[..3]);
    let key = combine(&world.reader, REQUEST, dealing, &releases)
        .unwrap()
        .key;
    let author = world.author.verifying_key();
    let open = |key| open(&record.header, &record.body, &record.seal, &author, key).unwrap();
    let opened = open(&key);
    let mut slots = Slots::new(&record.header);
    let auditor = &world.custodians[0];
    slots
        .add_with_rng(&opened, auditor.public_key(), &mut world.rng)
        .unwrap();
    let opened = open(&slots.open(auditor, &record.header).unwrap());
    assert_eq!(audit_deal(&opened, dealing), DealVerdict::DealerCheated);
}

#[test]
fn nobody_makes_evidence_against_an_honest_dealer() {
    let mut world = World::new();
    let record = world.honest();
    let held = world.hold(&record.dealer);
    let releases = world.release_each(&held);
    let (dealing, author) = (record.dealer.dealing(), world.author.verifying_key());
    let (header, body, seal) = (&record.header, &record.body, &record.seal);
    let (reader, body) = (&world.reader, body);
    assert!(DealerEvidence::find(reader, REQUEST, dealing, &releases, body).is_none());
    assert!(DealerEvidence::find_without_body(reader, REQUEST, dealing, &releases).is_none());

    // Against an honest dealer, all that there is are its own shares, or others that it never committed to.
    let empty =
        cobblestone::seal_with_rng(&ContentKey::from_bytes([1; 32]), &[], &[], &mut world.rng);
    let accuse = |releases: &[Release]| {
        DealerEvidence::find(reader, REQUEST, dealing, releases, &empty).unwrap()
    };
    let check = |evidence: &DealerEvidence| evidence.check(dealing, header, body, seal, &author);
    let bytes = to_bytes(&accuse(&releases[..3]));
    assert_eq!(
        check(&from_bytes(&bytes).unwrap()),
        Err(NoProof::GoodShares),
        "CS-ENV-68"
    );
    for place in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[place] ^= 1;
        let Ok(forged) = from_bytes::<DealerEvidence>(&forged) else {
            continue;
        };
        let error = check(&forged).unwrap_err();
        let known = [NoProof::NotCommitted, NoProof::Foreign];
        assert!(known.contains(&error), "CS-ENV-67: byte {place}, {error}");
    }
}

#[test]
fn a_custodian_who_signs_another_share_is_guilty_before_everybody() {
    let mut world = World::new();
    let record = world.honest();
    let mut held = world.hold(&record.dealer);
    held[1].share.salt[0] ^= 1;
    let signing = SigningKeyPair::generate_with_rng(&mut world.rng);
    let signed = world.release_each(&held[1..2]).remove(0).sign(&signing);
    let evidence = ReleaseEvidence::new(signed, &world.reader);
    let fault = evidence.check(
        held[1].index(),
        &signing.verifying_key(),
        &[record.dealer.dealing()],
    );
    assert_eq!(fault.unwrap().why, ShareFault::Share);
}

#[test]
fn an_author_who_seals_what_is_no_body_is_refused() {
    let (key, header) = (ContentKey::from_bytes([5; 32]), HeaderDigest([6; 32]));
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let mut open = |plaintext: &[u8]| {
        let sealed = cobblestone::seal_with_rng(&key, &header.0, &[plaintext], &mut rng);
        body::open(&sealed, header, &key).err()
    };
    // [2, "", h'', h'32 bytes'] and two bytes of content: 40 bytes, which is padded to 40.
    let mut prefix = std::vec![0x84, 2, 0x60, 0x40, 0x58, 32];
    prefix.resize(38, 0xcc);
    let good = [prefix.as_slice(), b"hi"].concat();
    assert_eq!(open(&good), None);
    assert!(matches!(open(&[]), Some(BodyError::Prefix(_))), "CS-ENV-35");
    assert!(matches!(open(&good[1..]), Some(BodyError::Prefix(_))));
    // Too short for its length, padded too far, and padded with something.
    assert_eq!(open(&good[..39]), Some(BodyError::Padding), "CS-ENV-36");
    assert_eq!(
        open(&[&good[..], &[0, 0]].concat()),
        Some(BodyError::Padding)
    );
    let mut long = good.clone();
    long[1] = 1;
    assert_eq!(open(&long), Some(BodyError::Padding));
    long[39] = 0;
    assert_eq!(open(&long), None);
    long[1] = 0x18;
    assert!(open(&long).is_some());
}

#[test]
fn two_of_two_shares_of_the_published_vector_give_its_secret() {
    // draft-mcgrew-tss-03, section 9: the same field, one byte a share.
    let shares = [
        (1, [0xb9, 0xfa, 0x07, 0xe1, 0x85]),
        (2, [0xf5, 0x40, 0x9b, 0x45, 0x11]),
    ];
    let salted = shares.map(|(index, bytes)| {
        let mut share = [0; 32];
        share[..5].copy_from_slice(&bytes);
        (
            ShareIndex::new(index).unwrap(),
            SaltedShare::copy_of(&share, &[0; 32]),
        )
    });
    let points: Vec<_> = salted
        .iter()
        .map(|(index, share)| (*index, share))
        .collect();
    let key = sharing::combine(&points).unwrap();
    assert_eq!(key.expose_bytes()[..6], *b"test\0\0");
}
