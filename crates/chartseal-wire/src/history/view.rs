//! Entries read in place: what a look over a whole history takes from each of them.

use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, MAX_LIST, check_shape, to_bytes, walk};
use chartseal_merkle::Hash;

use super::{Access, Entry, Event, MAX_REQUEST_RECORDS, Outcome, Token};
use crate::id::{ActorId, HeaderDigest, OrgId, RecordId, RequestId, Time, TxId};

/// The tags of the events that are left where they stand.
const RECORD_ADDED: u64 = 2;
const ACCESS: u64 = 5;
const RELEASED: u64 = 7;

/// An [`Entry`] without its organization.
#[derive(Clone, Debug)]
pub struct EntryView<'a> {
    /// As in [`Entry`].
    pub height: u64,
    /// As in [`Entry`].
    pub time: Time,
    /// As in [`Entry`].
    pub tx: TxId,
    /// As in [`Entry`].
    pub actor: ActorId,
    /// As in [`Entry`].
    pub event: EventView<'a>,
}

/// What happened. Most entries are requests, receipts or records' versions.
#[derive(Clone, Debug)]
pub enum EventView<'a> {
    /// Records were asked for, in the patient's view.
    Access(AccessView<'a>),
    /// A custodian released key shares.
    Released(ReleasedView<'a>),
    /// A record's version was anchored, of this header.
    RecordAdded(HeaderDigest),
    /// Something else: the canonical bytes of its [`Event`].
    Other(&'a [u8]),
}

/// A request and its decision, without words.
#[derive(Clone, Debug)]
pub struct AccessView<'a> {
    /// As in [`Access`].
    pub reason: Hash,
    /// As in [`Access`].
    pub foreign_claim: bool,
    /// As in [`Access`].
    pub records: Vec<OutcomeView<'a>>,
    /// As in [`Access`].
    pub release_until: Option<Time>,
}

/// The decision about one record.
#[derive(Clone, Debug)]
pub struct OutcomeView<'a> {
    /// As in [`Outcome`].
    pub record: RecordId,
    /// As in [`Outcome`].
    pub permitted: bool,
    /// The bytes of its code.
    pub code: &'a [u8],
    /// The directives that decided, and rules of network law.
    pub basis: TokensView<'a>,
}

/// A custodian's receipt.
#[derive(Clone, Debug)]
pub struct ReleasedView<'a> {
    /// As in [`Released`](super::Released).
    pub request: RequestId,
    /// As in [`Released`](super::Released).
    pub custodian: u64,
    /// As in [`Released`](super::Released).
    pub records: RecordsView<'a>,
}

/// A list of [`Token`]s.
#[derive(Clone, Copy, Debug)]
pub struct TokensView<'a> {
    len: usize,
    items: &'a [u8],
}

/// A list of [`RecordId`]s.
#[derive(Clone, Copy, Debug)]
pub struct RecordsView<'a> {
    len: usize,
    items: &'a [u8],
}

impl<'a> EntryView<'a> {
    /// Reads the canonical bytes of an entry, and checks all of them: it takes exactly what
    /// [`from_bytes`](chartseal_codec::from_bytes) decodes.
    ///
    /// # Errors
    /// As [`from_bytes`](chartseal_codec::from_bytes).
    pub fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        // What is wrong, the shape tells.
        Self::walk(bytes).ok_or_else(|| match check_shape(Entry::SHAPE, bytes) {
            Err(wrong) => wrong,
            Ok(()) => Decoder::new(bytes).invalid("an entry that can't be read in place"),
        })
    }

    fn walk(bytes: &'a [u8]) -> Option<Self> {
        let rest = walk::array_exact(bytes, 6)?;
        let (height, rest) = walk::uint(rest)?;
        let (time, rest) = walk::uint(rest)?;
        let (tx, rest) = walk::bytes_exact(rest)?;
        let (actor, rest) = walk::bytes_exact(rest)?;
        let event = OrgId::skip(rest)?;
        let (event, rest) = match walk::variant(event)? {
            ((2, ACCESS), access) => {
                let (access, rest) = AccessView::walk(access)?;
                (EventView::Access(access), rest)
            }
            ((2, RELEASED), released) => {
                let (released, rest) = ReleasedView::walk(released)?;
                (EventView::Released(released), rest)
            }
            ((2, RECORD_ADDED), added) => {
                let (header, rest) = header_of(added)?;
                (EventView::RecordAdded(header), rest)
            }
            _ => (EventView::Other(event), Event::skip(event)?),
        };
        rest.is_empty().then_some(Self {
            height,
            time: Time(time),
            tx: TxId(*tx),
            actor: ActorId(*actor),
            event,
        })
    }
}

/// Whether it is a view of this entry.
impl PartialEq<Entry> for EntryView<'_> {
    fn eq(&self, entry: &Entry) -> bool {
        let is_event = match (&self.event, &entry.event) {
            (EventView::Access(view), Event::Access(access)) => view == access,
            (EventView::RecordAdded(header), Event::RecordAdded(added)) => *header == added.header,
            (EventView::Released(view), Event::Released(released)) => {
                let is_same = view.records.iter().eq(released.records.iter().copied());
                is_same && (view.request, view.custodian) == (released.request, released.custodian)
            }
            (EventView::Other(bytes), event) => *bytes == to_bytes(event),
            _ => false,
        };
        let ours = (self.height, self.time, self.tx, self.actor);
        is_event && ours == (entry.height, entry.time, entry.tx, entry.actor)
    }
}

impl PartialEq<Access> for AccessView<'_> {
    fn eq(&self, access: &Access) -> bool {
        let ours = (self.reason, self.foreign_claim, self.release_until);
        ours == (access.reason, access.foreign_claim, access.release_until)
            && self.records == access.records
    }
}

impl PartialEq<Outcome> for OutcomeView<'_> {
    fn eq(&self, outcome: &Outcome) -> bool {
        let ours = (self.record, self.permitted, self.code);
        ours == (outcome.record, outcome.permitted, outcome.code.as_bytes())
            && self
                .basis
                .iter()
                .eq(outcome.basis.iter().map(Token::as_bytes))
    }
}

/// The header in a [`RecordAdded`](super::RecordAdded), and what follows that.
fn header_of(input: &[u8]) -> Option<(HeaderDigest, &[u8])> {
    let record = walk::array_exact(input, 4)?;
    let version = RecordId::skip(record)?;
    let (header, supersedes) = walk::bytes_exact(u64::skip(version)?)?;
    let rest = optional_digest(supersedes)?;
    Some((HeaderDigest(*header), rest))
}

impl<'a> AccessView<'a> {
    fn walk(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let action = walk::array_exact(input, 7)?;
        let purpose = Token::skip(action)?;
        let reason_code = Token::skip(purpose)?;
        let (reason, rest) = walk::bytes_exact(Token::skip(reason_code)?)?;
        let (foreign_claim, rest) = walk::bool(rest)?;
        let (len, mut rest) = array(rest)?;
        // A hostile count costs no more memory than a request may take.
        let mut records = Vec::with_capacity(len.min(MAX_REQUEST_RECORDS));
        for _ in 0..len {
            let record;
            (record, rest) = OutcomeView::walk(rest)?;
            records.push(record);
        }
        let (release_until, rest) = match walk::null(rest) {
            Some(rest) => (None, rest),
            None => walk::uint(rest).map(|(ms, rest)| (Some(Time(ms)), rest))?,
        };
        let access = Self {
            reason: Hash(*reason),
            foreign_claim,
            records,
            release_until,
        };
        Some((access, rest))
    }
}

impl<'a> OutcomeView<'a> {
    fn walk(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (record, rest) = walk::bytes_exact(walk::array_exact(input, 6)?)?;
        let rest = optional_digest(rest)?;
        let (permitted, code) = walk::bool(rest)?;
        let rest = Token::skip(code)?;
        let (code, _) = walk::text(code)?;
        let (basis, rest) = TokensView::walk(rest)?;
        let (_obligations, rest) = TokensView::walk(rest)?;
        let outcome = Self {
            record: RecordId(*record),
            permitted,
            code,
            basis,
        };
        Some((outcome, rest))
    }
}

impl<'a> ReleasedView<'a> {
    fn walk(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (request, rest) = walk::bytes_exact(walk::array_exact(input, 3)?)?;
        let (custodian, rest) = walk::uint(rest)?;
        let (len, items) = array(rest)?;
        let rest = (0..len).try_fold(items, |rest, _| RecordId::skip(rest))?;
        let released = Self {
            request: TxId(*request),
            custodian,
            records: RecordsView { len, items },
        };
        Some((released, rest))
    }
}

impl<'a> RecordsView<'a> {
    /// Each one.
    pub fn iter(&self) -> impl Iterator<Item = RecordId> + use<'a> {
        let mut rest = self.items;
        (0..self.len).map_while(move |_| {
            let record;
            (record, rest) = walk::bytes_exact(rest)?;
            Some(RecordId(*record))
        })
    }
}

impl<'a> TokensView<'a> {
    fn walk(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (len, items) = array(input)?;
        let rest = (0..len).try_fold(items, |rest, _| Token::skip(rest))?;
        Some((Self { len, items }, rest))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of the first, and the others.
    pub fn split_first(&self) -> Option<(&'a [u8], Self)> {
        let len = self.len.checked_sub(1)?;
        let (token, items) = walk::text(self.items)?;
        Some((token, Self { len, items }))
    }

    /// The bytes of each.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = *self;
        core::iter::from_fn(move || {
            let token;
            (token, rest) = rest.split_first()?;
            Some(token)
        })
    }
}

/// What follows a digest, or `null`.
fn optional_digest(input: &[u8]) -> Option<&[u8]> {
    walk::null(input).or_else(|| HeaderDigest::skip(input))
}

/// The number of items in a list, as a `Vec` decodes it.
fn array(input: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest) = walk::array(input)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_LIST)?;
    Some((len, rest))
}
