//! The document as it is written, before anything is judged.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer};

type Bounds = (Option<u64>, Option<u64>);

#[derive(Deserialize)]
pub(super) struct DocumentForm {
    pub(super) world: WorldForm,
    pub(super) cases: Vec<CaseForm>,
}

#[derive(Deserialize)]
pub(super) struct WorldForm {
    pub(super) actors: BTreeMap<String, ActorForm>,
    pub(super) patients: BTreeMap<String, PatientForm>,
    pub(super) records: BTreeMap<String, RecordForm>,
    pub(super) emergency_policy: Option<EmergencyPolicyForm>,
    pub(super) law: Option<Vec<LawForm>>,
    pub(super) overdue_reviews: Option<BTreeMap<String, Vec<String>>>,
}

/// The world's keys that a case replaces. A key that is `null` removes what was optional.
#[derive(Default, Deserialize)]
pub(super) struct OverridesForm {
    pub(super) actors: Option<BTreeMap<String, ActorForm>>,
    pub(super) patients: Option<BTreeMap<String, PatientForm>>,
    pub(super) records: Option<BTreeMap<String, RecordForm>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) emergency_policy: Option<Nullable<EmergencyPolicyForm>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) law: Option<Nullable<Vec<LawForm>>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) overdue_reviews: Option<Nullable<BTreeMap<String, Vec<String>>>>,
}

/// The value of a key that is there, and may be `null`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Nullable<T>(pub(super) Option<T>);

/// Tells a key that is `null` from one that is absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

#[derive(Deserialize)]
pub(super) struct ActorForm {
    pub(super) org: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) credential: Option<Vec<Bounds>>,
    pub(super) suspended_from: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct PatientForm {
    pub(super) adult_from: Option<u64>,
    pub(super) minor_consent_from: Option<u64>,
    pub(super) minor_private_tags: Option<Vec<String>>,
    pub(super) guardians: Option<BTreeMap<String, Bounds>>,
    pub(super) quorum: Option<QuorumForm>,
}

#[derive(Deserialize)]
pub(super) struct QuorumForm {
    pub(super) k: u32,
    pub(super) members: Vec<String>,
    pub(super) ttl: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct RecordForm {
    pub(super) patient: String,
    pub(super) class: String,
    pub(super) conf: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) author: Option<String>,
    pub(super) encounter: Option<String>,
    pub(super) authored: u64,
    pub(super) release_at: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct EmergencyPolicyForm {
    pub(super) ttl: u64,
    pub(super) roles: Vec<String>,
    pub(super) max_overdue: u32,
    pub(super) allow_absolute: bool,
}

#[derive(Deserialize)]
pub(super) struct LawForm {
    pub(super) id: String,
    pub(super) effect: String,
    pub(super) tags: Option<Vec<String>>,
    pub(super) purposes: Option<Vec<String>>,
    pub(super) unless: Option<UnlessForm>,
}

#[derive(Deserialize)]
pub(super) struct UnlessForm {
    pub(super) to: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct CaseForm {
    pub(super) n: serde_json::Value,
    pub(super) title: Option<serde_json::Value>,
    pub(super) directives: Vec<DirectiveForm>,
    #[serde(default)]
    pub(super) overrides: OverridesForm,
    pub(super) request: RequestForm,
    pub(super) expect: Option<ExpectForm>,
}

#[derive(Deserialize)]
pub(super) struct RequestForm {
    pub(super) actor: String,
    pub(super) patient: String,
    pub(super) record: String,
    pub(super) action: String,
    pub(super) purpose: String,
    pub(super) t: u64,
    pub(super) pos: (u64, u32),
}

#[derive(Deserialize)]
pub(super) struct ExpectForm {
    pub(super) effect: String,
    pub(super) code: String,
    pub(super) by: Option<Vec<String>>,
    pub(super) obligations_include: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum DirectiveForm {
    Grant(ConsentForm),
    Restrict(ConsentForm),
    Revoke {
        id: String,
        seq: (u64, u32),
        issuer: String,
        target: String,
    },
    Approve {
        id: String,
        seq: (u64, u32),
        guardian: String,
        target: String,
        t: Option<u64>,
    },
    Emergency {
        id: String,
        seq: (u64, u32),
        actor: String,
        patient: String,
        from: u64,
        reason: String,
        closed: Option<u64>,
    },
}

/// A grant or a restriction; a key of the other kind is as good as unknown.
#[derive(Deserialize)]
pub(super) struct ConsentForm {
    pub(super) id: String,
    pub(super) seq: (u64, u32),
    pub(super) issuer: String,
    pub(super) patient: String,
    pub(super) issued: Option<u64>,
    pub(super) from: Option<u64>,
    pub(super) until: Option<u64>,
    #[serde(flatten)]
    pub(super) scope: ScopeForm,
    pub(super) supersedes: Option<Vec<String>>,
    pub(super) except: Option<Vec<NodeForm>>,
    pub(super) parent: Option<String>,
    pub(super) delegable: Option<u32>,
    #[serde(rename = "override")]
    pub(super) overridable: Option<String>,
    pub(super) nested_grants: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct NodeForm {
    pub(super) effect: String,
    #[serde(flatten)]
    pub(super) scope: ScopeForm,
    pub(super) except: Option<Vec<Self>>,
}

#[derive(Deserialize)]
pub(super) struct ScopeForm {
    pub(super) to: Option<Vec<String>>,
    pub(super) purposes: Option<Vec<String>>,
    pub(super) actions: Option<Vec<String>>,
    pub(super) classes: Option<Vec<String>>,
    pub(super) records: Option<Vec<String>>,
    pub(super) encounters: Option<Vec<String>>,
    pub(super) authors: Option<Vec<String>>,
    pub(super) data_from: Option<u64>,
    pub(super) data_until: Option<u64>,
    pub(super) conf: Option<String>,
    pub(super) conf_at_least: Option<String>,
    pub(super) tags: Option<Vec<String>>,
}
