//! The order of a decision: the first rule that applies ends it.

mod active;
mod authority;
mod horizon;
mod judge;
mod matching;
mod validity;

use alloc::vec::Vec;

pub(crate) use self::validity::Bench;
pub use self::validity::validity;

use self::horizon::Horizon;
use self::judge::{Judged, judge};
use self::matching::Subject;
use crate::{
    Action, Actor, Code, Confidentiality, Decision, Directive, Effect, EmergencyPolicy, Finding,
    LawRule, Obligation, Override, Patient, Purpose, Record, Request, Symbol, Terms, World,
};

/// Decides a request against the state of the world: the same answer for the same input, for ever.
///
/// It is total. Whatever the directives say, it ends without a panic, in bounded stack, and permits
/// only what the rules permit; see the [crate's page](crate).
pub fn decide<W: World + ?Sized>(world: &W, request: &Request) -> Decision {
    let mut horizon = Horizon::after(request.time);
    let answer = answer(world, request, &mut horizon);
    let Answer {
        code,
        mut by,
        mut obligations,
        mut findings,
    } = answer;
    by.sort_unstable();
    by.dedup();
    obligations.sort_unstable();
    findings.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Decision {
        effect: code.effect(),
        code,
        by,
        obligations,
        valid_until: horizon.next(),
        explanation: findings,
    }
}

/// A decision in the making.
struct Answer {
    code: Code,
    by: Vec<Symbol>,
    obligations: Vec<Obligation>,
    findings: Vec<Finding>,
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        let obligations = match code.effect() {
            Effect::Permit => Vec::from([Obligation::Log]),
            Effect::Deny => Vec::new(),
        };
        Self {
            code,
            by: Vec::new(),
            obligations,
            findings: Vec::new(),
        }
    }
}

impl Answer {
    fn by<'a>(mut self, basis: impl IntoIterator<Item = &'a Symbol>) -> Self {
        self.by.extend(basis.into_iter().cloned());
        self
    }
}

fn answer<W: World + ?Sized>(world: &W, request: &Request, horizon: &mut Horizon) -> Answer {
    let (Some(action), Some(purpose)) = (request.action, request.purpose) else {
        return Code::Malformed.into();
    };
    let Some(record) = world.record(&request.record) else {
        return Code::NotVisible.into();
    };
    if record.patient != request.patient {
        return Code::Malformed.into();
    }
    if record.authored > request.time {
        horizon.at(record.authored);
        return Code::Malformed.into();
    }
    // The page knows no records without a patient; nobody has authority over such.
    let Some(patient) = world.patient(&request.patient) else {
        return Code::NotVisible.into();
    };

    let is_own = request.actor == request.patient && purpose == Purpose::Patrqt;
    if is_own && action != Action::Amend {
        return own_record(request, &patient, &record, horizon).into();
    }

    let Some(actor) = world.actor(&request.actor) else {
        return Code::ActorStanding.into();
    };
    horizon.standing(&actor);
    if !actor.in_standing(request.time) {
        return Code::ActorStanding.into();
    }

    let asks_as_family = matches!(purpose, Purpose::Famrqt | Purpose::Pwatrny);
    if asks_as_family
        && action != Action::Amend
        && let Some(code) = guardian(request, &patient, &record, horizon)
    {
        return code.into();
    }

    let law = &world.network().law;
    if let Some(rule) = law
        .iter()
        .find(|rule| applies(rule, request, purpose, &actor, &record))
    {
        return Answer::from(Code::Law).by([&rule.id]);
    }

    let subject = Subject::new(world, request, (action, purpose), &actor, &record);
    let directives = world.directives(&request.patient);
    let judged = judge(world, request, &patient, &subject, &directives);
    horizon.join(judged.denies_horizon);
    let mut answer = if purpose == Purpose::Btg {
        horizon.join(judged.permits_horizon);
        break_glass(world, &subject, &judged, horizon)
    } else if !judged.denies.is_empty() {
        Answer::from(Code::Restricted).by(ids(&judged.denies))
    } else {
        // While something forbids, no grant that comes or goes changes the answer.
        horizon.join(judged.permits_horizon);
        match judged.permits.as_slice() {
            [] => Code::NoGrant.into(),
            permits => Answer::from(Code::Granted).by(ids(permits)),
        }
    };
    if matches!(answer.code, Code::Granted | Code::Emergency)
        && record.tags.iter().any(|tag| world.is_part2(tag))
    {
        answer.obligations.push(Obligation::AttachPart2Notice);
        answer.obligations.push(Obligation::AttachConsentCopy);
    }
    answer.findings = judged.findings;
    answer
}

fn ids<'a>(directives: &[&'a Directive]) -> impl Iterator<Item = &'a Symbol> {
    directives.iter().map(|directive| &directive.id)
}

fn own_record(
    request: &Request,
    patient: &Patient,
    record: &Record,
    horizon: &mut Horizon,
) -> Code {
    if let Some(release) = record.release_at.filter(|release| request.time < *release) {
        horizon.at(release);
        return Code::ReleaseDelayed;
    }
    if patient.is_adult(request.time) || patient.may_consent(request.time) {
        return Code::Own;
    }
    horizon.at(patient.adult_from);
    horizon.at_some(patient.minor_consent_from);
    Code::MinorNoCapacity
}

fn guardian(
    request: &Request,
    patient: &Patient,
    record: &Record,
    horizon: &mut Horizon,
) -> Option<Code> {
    let terms = patient
        .guardians
        .iter()
        .filter(|guardian| guardian.actor == request.actor);
    terms.for_each(|guardian| horizon.window(&guardian.window));
    if !patient.has_guardian(&request.actor, request.time) {
        return None;
    }
    if !record.tags.intersects(&patient.minor_private_tags) {
        return Some(Code::Guardian);
    }
    horizon.at_some(patient.minor_consent_from);
    let is_private = patient.may_consent(request.time);
    Some(if is_private {
        Code::MinorPrivate
    } else {
        Code::Guardian
    })
}

fn applies(
    rule: &LawRule,
    request: &Request,
    purpose: Purpose,
    actor: &Actor,
    record: &Record,
) -> bool {
    rule.purposes
        .as_ref()
        .is_none_or(|purposes| purposes.contains(&purpose))
        && rule
            .tags
            .as_ref()
            .is_none_or(|tags| tags.intersects(&record.tags))
        && !rule
            .unless
            .iter()
            .any(|grantee| grantee.includes(&request.actor, actor))
}

fn break_glass<W: World + ?Sized>(
    world: &W,
    subject: &Subject<'_>,
    judged: &Judged<'_>,
    horizon: &mut Horizon,
) -> Answer {
    if judged.denies.is_empty() && !judged.permits.is_empty() {
        return Answer::from(Code::Granted).by(ids(&judged.permits));
    }
    horizon.join(judged.declarations_horizon);
    let Some(policy) = &world.network().emergency else {
        return Code::EmergencyNotDeclared.into();
    };
    let earliest = judged
        .declarations
        .iter()
        .min_by_key(|one| (one.position, &one.id));
    let Some(declaration) = earliest else {
        return Code::EmergencyNotDeclared.into();
    };
    if !subject.actor.roles.intersects(&policy.roles) {
        return Code::EmergencyRole.into();
    }
    if !matches!(subject.action, Action::Read | Action::Search) {
        return Code::EmergencyReadOnly.into();
    }
    let absolute = |one: &&&Directive| match &one.terms {
        Terms::Restrict(restriction) => restriction.overridable == Override::Never,
        _ => false,
    };
    if policy.allow_absolute && judged.denies.iter().any(|one| absolute(&one)) {
        let absolute = judged.denies.iter().filter(absolute).map(|one| &one.id);
        return Answer::from(Code::RestrictedAbsolute).by(absolute);
    }
    if subject.record.conf > Confidentiality::N && is_overdue(world, subject, policy) {
        return Code::EmergencyReviewOverdue.into();
    }
    let mut answer = Answer::from(Code::Emergency).by([&declaration.id]);
    answer.obligations.extend([
        Obligation::NotifyPatient,
        Obligation::Review,
        Obligation::Reason,
    ]);
    answer
        .obligations
        .extend(ids(&judged.denies).cloned().map(Obligation::Overrides));
    answer
}

fn is_overdue<W: World + ?Sized>(
    world: &W,
    subject: &Subject<'_>,
    policy: &EmergencyPolicy,
) -> bool {
    let org = subject.actor.org.as_ref();
    org.map_or(0, |org| world.overdue_reviews(org)) >= policy.max_overdue
}
