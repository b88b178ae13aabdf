//! `chartseal policy import`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use chartseal_fhir::{Consent, ConsentError, ConsentOptions, Imported, Refusal};
use chartseal_policy::{Directive, Grantee, Issuer, Position, Symbol, json};
use serde::Deserialize;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::{Value, json};

use super::sample::samples;
use super::words;
use crate::args::{Dialect, PolicyImport};
use crate::exit::Exit;
use crate::failure::{Failure, read_input};

/// The longest Consent and the longest map of grantees, in bytes: 4 MiB.
const MAX_CONSENT: u64 = 4 << 20;

/// Runs the command.
pub fn run(args: &PolicyImport) -> Result<Exit, Failure> {
    let others = args.into.iter().chain(&args.grantees);
    super::at_most_one_stdin(others.chain([&args.file]).map(AsRef::as_ref))?;
    let consent = read_input(&args.file, MAX_CONSENT)?;
    let options = ConsentOptions {
        zone: args.zone,
        grantees: args
            .grantees
            .as_deref()
            .map_or(Ok(BTreeMap::new()), grantees)?,
    };
    let imported = Consent::import(consent.as_bytes(), dialect(args.dialect), &options)
        .map_err(|why| super::bad(&args.file, refused(&why)))?;
    let document = match &args.into {
        None => {
            let directives = directives(args, imported, &BTreeSet::new())?;
            by_itself(&directives)
        }
        Some(into) => added(args, into, imported),
    }?;
    let mut out = io::stdout().lock();
    writeln!(out, "{document}")?;
    Ok(Exit::Done)
}

fn dialect(dialect: Dialect) -> chartseal_fhir::Dialect {
    match dialect {
        Dialect::R4 => chartseal_fhir::Dialect::R4,
        Dialect::R5 => chartseal_fhir::Dialect::R5,
        Dialect::Pcf => chartseal_fhir::Dialect::Pcf,
    }
}

/// Why, and with which option it could be read.
fn refused(why: &ConsentError) -> String {
    let option = match why.refusal {
        Refusal::UnknownGrantee => " (--grantees)",
        _ => "",
    };
    format!("refused as {}: {why}{option}", why.refusal.name())
}

/// Whom references mean.
fn grantees(file: &Path) -> Result<BTreeMap<String, Grantee>, Failure> {
    let text = read_input(file, MAX_CONSENT)?;
    let Pairs(pairs) = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let form = "expected one JSON object of references and grantees, each reference once";
        super::bad(file, format!("line {line}, column {column}: {form}"))
    })?;
    let read = |(reference, grantee): (String, String)| {
        let grantee = grantee.parse().map_err(|why| super::bad(file, why))?;
        Ok((reference, grantee))
    };
    pairs.into_iter().map(read).collect()
}

/// A JSON object of strings, no key twice.
struct Pairs(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    if pairs.insert(key, value).is_some() {
                        return Err(A::Error::custom("a key twice"));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        d.deserialize_map(Members)
    }
}

/// As directives before all else, with ids that nothing else has.
fn directives(
    args: &PolicyImport,
    imported: Vec<Imported>,
    taken: &BTreeSet<Symbol>,
) -> Result<Vec<Directive>, Failure> {
    let named = args.issuer.as_deref().map(str::parse::<Symbol>);
    let named = named.transpose();
    let named = named.map_err(|why| Failure::new(format!("--issuer: {why}")))?;
    let ids = (1_u64..).filter_map(|n| format!("consent.{n}").parse().ok());
    let mut ids = ids.filter(|id| !taken.contains(id));
    let mut directives = Vec::new();
    for (index, one) in (0_u32..).zip(imported) {
        let issuer = match (one.issuer, &named) {
            (Some(issuer), None) => issuer,
            (None, Some(named)) => named.clone(),
            (None, None) => {
                let why = "does not name exactly one person who agreed to it; say who: --issuer";
                return Err(super::bad(&args.file, why));
            }
            (Some(_), Some(_)) => {
                let why = "says itself who agreed to it; --issuer is for one that doesn't";
                return Err(super::bad(&args.file, why));
            }
        };
        directives.push(Directive {
            id: ids.next().ok_or_else(|| Failure::new("no free id"))?,
            position: Position { height: 0, index },
            issuer: Issuer::Actor(issuer),
            patient: one.patient,
            issued: one.issued,
            terms: one.terms,
        });
    }
    Ok(directives)
}

fn written(directives: &[Directive]) -> Result<Vec<String>, Failure> {
    let written = directives.iter().map(json::write_directive);
    written.collect::<Result<_, _>>().map_err(Failure::new)
}

/// A document about the Consent alone: each of its statements is asked about by one sample.
fn by_itself(directives: &[Directive]) -> Result<String, Failure> {
    let lines = written(directives)?;
    let lines = format!("[\n    {}]", lines.join(",\n    "));
    let patients: BTreeMap<String, Value> = directives
        .iter()
        .map(|one| (words::text(&one.patient), json!({})))
        .collect();
    let mut cases = Vec::new();
    for directive in directives {
        for sample in samples(directive) {
            let id = words::text(&directive.id);
            let title = match sample.exception {
                0 => json!(format!("a sample for {id}")),
                n => json!(format!("a sample for exception {n} of {id}")),
            };
            cases.push(format!(
                "  {{\"n\": {}, \"title\": {title},\n   \"directives\": {lines},\n   \
                 \"overrides\": {},\n   \"request\": {}}}",
                cases.len() + 1,
                sample.overrides,
                sample.request
            ));
        }
    }
    Ok(format!(
        "{{\n \"world\": {{\"actors\": {{}}, \"patients\": {}, \"records\": {{}}}},\n \
         \"cases\": [\n{}\n ]\n}}",
        json!(patients),
        cases.join(",\n")
    ))
}

/// Another document, with the Consent's directives in each of its cases.
fn added(args: &PolicyImport, into: &Path, imported: Vec<Imported>) -> Result<String, Failure> {
    let text = super::read(into)?;
    let cases = json::read(text.as_bytes()).map_err(|why| super::bad(into, why))?;
    let mut taken = BTreeSet::new();
    for case in &cases {
        let policy = &case.world.policy;
        let held = policy.patients().flat_map(|one| policy.directives(one));
        taken.extend(held.map(|directive| directive.id.clone()));
        let patient = imported.first().map(|one| &one.patient);
        if patient.is_some_and(|one| !case.world.patients.contains_key(one)) {
            let why = "does not know the Consent's patient; they are called by the reference";
            return Err(super::bad(into, format!("case {}: {why}", case.n)));
        }
    }
    let directives = written(&directives(args, imported, &taken)?)?;
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(Failure::new);
    let directives: Vec<Value> = directives
        .iter()
        .map(|one| parse(one))
        .collect::<Result<_, _>>()?;
    let mut document = parse(&text)?;
    let cases = document.get_mut("cases").and_then(Value::as_array_mut);
    for case in cases.into_iter().flatten() {
        if let Some(Value::Array(held)) = case.get_mut("directives") {
            held.extend(directives.iter().cloned());
        }
    }
    serde_json::to_string_pretty(&document).map_err(Failure::new)
}
