//! regorus: grants as data, found by patient and grantee, and one rule compiled for its VM.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use chartseal_policy::{Grant, Grantee, MemoryWorld, Purpose, Request, Scope, Symbol, Terms};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Rc, Value};
use serde_json::{Map, json};

use crate::Answer;

const BASIS: &str = "data.consent.basis";

/// What permits a request. A grant without classes or records lists all that there are, and each
/// combination of the tags that it names, so that selectors are looked up and never searched.
const RULES: &str = r"
package consent

import rego.v1

basis contains grant.id if {
	record := data.records[input.record]
	some who in data.grantees[input.actor]
	some grant in data.grants[record.patient][who]
	grant.purposes[input.purpose]
	grant.actions[input.action]
	grant.from <= input.now
	input.now < grant.until
	grant.classes[record.class]
	grant.records[input.record]
	record.conf <= grant.conf
	grant.gated[record.gated]
}
";

pub struct Engine {
    vm: RegoVM,
}

impl Engine {
    pub fn of(world: &MemoryWorld) -> Result<Self> {
        let mut engine = regorus::Engine::new();
        engine.add_policy("consent.rego".to_owned(), RULES.to_owned())?;
        let entry: Rc<str> = BASIS.into();
        let compiled = engine.compile_with_entrypoint(&entry)?;
        let program = Compiler::compile_from_policy(&compiled, &[BASIS])?;
        let mut vm = RegoVM::new_with_policy(compiled);
        vm.load_program(program);
        vm.set_data(data(world)?)?;
        Ok(Self { vm })
    }

    pub fn answer(&mut self, input: &Value) -> Result<Answer> {
        self.vm.set_input(input.clone());
        let basis = self.vm.execute_entry_point_by_index(0)?;
        let by = basis
            .as_set()?
            .iter()
            .map(|id| Ok(id.as_string()?.to_string()));
        let by: Vec<String> = by.collect::<Result<_>>()?;
        Ok(Answer::of(!by.is_empty(), by))
    }

    /// The answer alone, for measuring.
    pub fn permits(&mut self, input: &Value) -> bool {
        self.vm.set_input(input.clone());
        let basis = self.vm.execute_entry_point_by_index(0);
        basis.is_ok_and(|basis| basis.as_set().is_ok_and(|basis| !basis.is_empty()))
    }
}

pub fn input(asked: &Request) -> Value {
    Value::from(json!({
        "actor": asked.actor.to_string(),
        "record": asked.record.to_string(),
        "action": asked.action.map(|code| code.as_str()),
        "purpose": asked.purpose.map(|code| code.as_str()),
        "now": asked.time.0,
    }))
}

fn data(world: &MemoryWorld) -> Result<Value> {
    let mut grantees = Map::new();
    for (id, actor) in &world.actors {
        let mut all = vec![Grantee::Any, Grantee::Actor(id.clone())];
        all.extend(actor.org.iter().cloned().map(Grantee::Org));
        for role in &actor.roles {
            all.push(Grantee::Role(role.clone()));
            let org = actor
                .org
                .as_ref()
                .map(|org| format!("orgrole:{org}/{role}"));
            all.extend(org.map(|text| text.parse()).transpose()?);
        }
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        grantees.insert(id.to_string(), json!(all));
    }
    let mut records = Map::new();
    let mut of_patients: BTreeMap<&Symbol, Vec<&Symbol>> = BTreeMap::new();
    for (id, record) in &world.records {
        of_patients.entry(&record.patient).or_default().push(id);
        let gated = record.tags.iter().filter(|tag| world.gated.contains(tag));
        let entry = json!({
            "patient": record.patient.to_string(),
            "class": record.class.to_string(),
            "conf": record.conf.wire(),
            "gated": gated.map(ToString::to_string).collect::<Vec<_>>().join(" "),
        });
        records.insert(id.to_string(), entry);
    }
    let classes = world.records.values().map(|record| &record.class);
    let classes = lookup(classes);
    let mut grants = Map::new();
    for patient in world.policy.patients() {
        let mut by_grantee: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
        let theirs = lookup(of_patients.get(patient).into_iter().flatten());
        for directive in world.policy.directives(patient) {
            let Terms::Grant(grant) = &directive.terms else {
                continue;
            };
            let entry = entry(&directive.id, grant, &classes, &theirs)?;
            for to in grant.scope.to.iter().flatten() {
                by_grantee
                    .entry(to.to_string())
                    .or_default()
                    .push(entry.clone());
            }
        }
        grants.insert(patient.to_string(), json!(by_grantee));
    }
    Ok(Value::from(
        json!({"grantees": grantees, "records": records, "grants": grants}),
    ))
}

fn entry(
    id: &Symbol,
    grant: &Grant,
    classes: &serde_json::Value,
    records: &serde_json::Value,
) -> Result<serde_json::Value> {
    let Scope {
        purposes,
        actions,
        tags,
        conf,
        ..
    } = &grant.scope;
    let purposes = purposes.as_ref().context("a grant names purposes")?;
    let covered = Purpose::ALL
        .iter()
        .filter(|code| purposes.iter().any(|one| one.covers(**code)));
    let actions = match actions {
        Some(actions) => lookup(actions),
        None => json!({"read": true}),
    };
    let listed = |list: &Option<_>, all: &serde_json::Value| {
        list.as_ref().map_or_else(|| all.clone(), lookup)
    };
    let (from, until) = (grant.window.from, grant.window.until);
    ensure!(from.is_some() && until.is_some(), "a grant without bounds");
    Ok(json!({
        "id": id.to_string(),
        "purposes": lookup(covered),
        "actions": actions,
        "from": from.map(|time| time.0),
        "until": until.map(|time| time.0),
        "classes": listed(&grant.scope.classes, classes),
        "records": listed(&grant.scope.records, records),
        "conf": conf.unwrap_or_default().wire(),
        "gated": lookup(combinations(tags.iter().flatten())),
    }))
}

/// Every choice of some of the values, none and all included.
fn combinations<'a>(values: impl Iterator<Item = &'a Symbol>) -> Vec<String> {
    let mut all = vec![String::new()];
    for value in values {
        let with = |chosen: &String| format!("{chosen} {value}").trim_start().to_owned();
        let more: Vec<String> = all.iter().map(with).collect();
        all.extend(more);
    }
    all
}

/// An object with each value as a key.
fn lookup<T: ToString>(values: impl IntoIterator<Item = T>) -> serde_json::Value {
    let keys = values
        .into_iter()
        .map(|value| (value.to_string(), json!(true)));
    serde_json::Value::Object(keys.collect())
}
