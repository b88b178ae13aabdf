use chartseal_codec::walk;
use chartseal_wire::{Hash, HeaderDigest, PatientId, RecordId, RequestId, Time, TxId};

/// What an event says about others of its history, and about texts: read in place, with nothing that is not looked at.
#[derive(Clone, Copy)]
pub(crate) enum Told {
    /// A directive was revoked.
    Revoked(TxId),
    /// An emergency was declared.
    Emergency { reason: Hash, until: Time },
    /// The actor asked for records; whether one at least was permitted.
    OwnAccess(bool),
    /// A request was reviewed.
    Reviewed(RequestId),
    /// A record was erased.
    Erased(RecordId),
    /// A custodian destroyed what it had of a record.
    Destroyed(RecordId),
    /// The key of a record's version was sealed or dealt, by who has it from this request.
    KeyUsed(RecordId, HeaderDigest, Option<RequestId>),
    /// A key's recovery began.
    RecoveryStarted { due: Time },
    /// The one that was begun is off.
    RecoveryVetoed,
    /// The one of this transaction is done.
    RecoveryCompleted(TxId),
    /// This id's history goes on here.
    Adopted(PatientId),
    /// Attempts that are counted.
    Flood { from: Time, until: Time, count: u64 },
    /// A dispute of a record, or its answer.
    Said { record: RecordId, reason: Hash },
    /// A hold was placed on a record.
    HoldPlaced(RecordId),
    /// The hold of this transaction was lifted.
    HoldLifted(TxId),
}

/// What these bytes of an event tell, which were checked before: of a kind that is not here, nothing.
pub(crate) fn told(event: &[u8]) -> Option<Told> {
    let ((_, tag), event) = walk::variant(event)?;
    let (_, fields) = walk::array(event)?;
    let mut fields = Fields(fields);
    let f = &mut fields;
    Some(match tag {
        3 => {
            let is_revocation = f.word()? == b"revoke";
            Told::Revoked(TxId(f.digest().filter(|_| is_revocation)?))
        }
        4 => {
            f.word()?;
            Told::Emergency {
                reason: Hash(f.digest()?),
                until: Time(f.number()?),
            }
        }
        6 => Told::OwnAccess(f.is_any_permitted()?),
        8 => Told::Reviewed(TxId(f.digest()?)),
        9 => Told::Erased(RecordId(f.id()?)),
        10 => Told::Destroyed(RecordId(f.id()?)),
        13 => {
            let (record, header) = (f.id()?, f.digest()?);
            let _kem = f.digest()?;
            let request = f.digest().map(TxId);
            Told::KeyUsed(RecordId(record), HeaderDigest(header), request)
        }
        15 => {
            let (record, header) = (f.id()?, f.digest()?);
            let _deal = f.number()?;
            let request = f.digest().map(TxId);
            Told::KeyUsed(RecordId(record), HeaderDigest(header), request)
        }
        21 => {
            let _key = f.digest()?;
            for _guardian in 0..f.count()? {
                f.id()?;
            }
            let due = Time(f.number()?);
            Told::RecoveryStarted { due }
        }
        22 => Told::RecoveryVetoed,
        23 => Told::RecoveryCompleted(TxId(f.digest()?)),
        24 => Told::Adopted(PatientId(f.id()?)),
        26 => {
            let _patient = f.id()?;
            let _foreign_claim = f.flag()?;
            Told::Flood {
                from: Time(f.number()?),
                until: Time(f.number()?),
                count: f.number()?,
            }
        }
        27 => {
            let record = RecordId(f.id()?);
            let _version = f.number()?;
            let reason = Hash(f.digest()?);
            Told::Said { record, reason }
        }
        28 => {
            let record = RecordId(f.id()?);
            let _dispute = f.digest()?;
            if !f.is_null() {
                let _rectified = f.number()?;
            }
            let reason = Hash(f.digest()?);
            Told::Said { record, reason }
        }
        29 => Told::HoldPlaced(RecordId(f.id()?)),
        30 => {
            let _record = f.id()?;
            Told::HoldLifted(TxId(f.digest()?))
        }
        _ => return None,
    })
}

/// The fields of an event, one after another; `None` where another kind of field stands, as `null` does. Each kind of field has its code once.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<T>(&mut self, (item, rest): (T, &'a [u8])) -> T {
        self.0 = rest;
        item
    }

    #[inline(never)]
    fn id(&mut self) -> Option<[u8; 16]> {
        walk::bytes_exact(self.0).map(|found| *self.take(found))
    }

    #[inline(never)]
    fn digest(&mut self) -> Option<[u8; 32]> {
        walk::bytes_exact(self.0).map(|found| *self.take(found))
    }

    #[inline(never)]
    fn number(&mut self) -> Option<u64> {
        walk::uint(self.0).map(|found| self.take(found))
    }

    #[inline(never)]
    fn word(&mut self) -> Option<&'a [u8]> {
        walk::text(self.0).map(|found| self.take(found))
    }

    fn flag(&mut self) -> Option<bool> {
        walk::bool(self.0).map(|found| self.take(found))
    }

    fn count(&mut self) -> Option<u64> {
        walk::array(self.0).map(|found| self.take(found))
    }

    /// Whether `null` stands here; then it is behind.
    fn is_null(&mut self) -> bool {
        let rest = walk::null(self.0);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Of a request as its actor sees it.
    fn is_any_permitted(&mut self) -> Option<bool> {
        let _words = (self.word()?, self.word()?, self.word()?);
        let _patient = self.id()?;
        let mut is_any = false;
        for _ in 0..self.count()? {
            self.count()?;
            self.id()?;
            is_any |= self.flag()?;
            self.digest()?;
        }
        Some(is_any)
    }
}
