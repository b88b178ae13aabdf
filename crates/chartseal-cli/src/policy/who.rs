//! `chartseal policy who`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use chartseal_policy::json::Case;
use chartseal_policy::{
    Expiring, Finding, Listing, MemoryWorld, Millis, Moment, OverdueReviews, Purpose, Record,
    Symbol, Time, dead_grants, expiring, overdue_reviews, what_can_i_see, who_can_see,
};
use serde_json::{Value, json};

use super::words;
use crate::args::PolicyWho;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::table;

/// Runs the command.
pub fn run(args: &PolicyWho) -> Result<Exit, Failure> {
    let cases = super::cases(&args.cases)?;
    let answers: Vec<Answer<'_>> = cases
        .iter()
        .map(|case| Answer::new(case, args))
        .collect::<Result<_, _>>()?;
    if args.cases.json {
        let cases: Vec<Value> = answers.iter().map(Answer::document).collect();
        super::print_json(&json!({"schema": "chartseal.policy.who/1", "cases": cases}))?;
        return Ok(Exit::Done);
    }
    let mut out = io::stdout().lock();
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        answer.print(&mut out)?;
    }
    Ok(Exit::Done)
}

/// The purposes for which each can.
type Purposes = BTreeMap<Symbol, Vec<Purpose>>;

struct Answer<'a> {
    case: &'a Case,
    moment: Moment,
    says: Says,
}

enum Says {
    /// Of a patient's records, who can read each; and what of the consents needs attention.
    Readers {
        patient: Symbol,
        records: Vec<(Symbol, Purposes)>,
        upkeep: Option<Upkeep>,
    },
    /// What one actor can read, by patient.
    Readable {
        actor: Symbol,
        patients: BTreeMap<Symbol, Purposes>,
    },
}

struct Upkeep {
    dead: Vec<Finding>,
    expiring: Vec<Expiring>,
    overdue: Vec<OverdueReviews>,
}

impl<'a> Answer<'a> {
    fn new(case: &'a Case, args: &PolicyWho) -> Result<Self, Failure> {
        let world = &case.world;
        let moment = Moment {
            time: args.at.map_or(case.request.time, Time),
            position: case.request.position,
        };
        let unknown = |what: &str| bad(&args.cases.file, case, what);
        let says = if let Some(actor) = &args.actor {
            let actor = id(actor)
                .filter(|id| world.actors.contains_key(id) || world.patients.contains_key(id));
            let actor = actor.ok_or_else(|| unknown("actor"))?;
            let mut patients: BTreeMap<Symbol, Purposes> = BTreeMap::new();
            for one in what_can_i_see(world, &actor, moment) {
                let records = patients.entry(one.patient).or_default();
                records.entry(one.record).or_default().push(one.purpose);
            }
            Says::Readable { actor, patients }
        } else if let Some(record) = &args.record {
            let record = id(record).ok_or_else(|| unknown("record"))?;
            let found = world
                .records
                .get(&record)
                .ok_or_else(|| unknown("record"))?;
            Says::Readers {
                patient: found.patient.clone(),
                records: vec![(record.clone(), readers(world, &record, moment))],
                upkeep: None,
            }
        } else {
            let patient = match &args.patient {
                Some(patient) => id(patient).ok_or_else(|| unknown("patient"))?,
                None => case.request.patient.clone(),
            };
            if !world.patients.contains_key(&patient) {
                return Err(unknown("patient"));
            }
            let records = world.record_ids(&patient).into_iter().map(|record| {
                let readers = readers(world, &record, moment);
                (record, readers)
            });
            let soon = u64::try_from(args.soon.as_millis()).unwrap_or(u64::MAX);
            Says::Readers {
                records: records.collect(),
                upkeep: Some(Upkeep {
                    dead: dead_grants(world, &patient, moment),
                    expiring: expiring(world, &patient, moment, Millis(soon)),
                    overdue: overdue_reviews(world),
                }),
                patient,
            }
        };
        Ok(Self { case, moment, says })
    }

    fn record(&self, id: &Symbol) -> Option<&Record> {
        self.case.world.records.get(id)
    }

    fn what(&self, id: &Symbol) -> String {
        self.record(id).map(words::record).unwrap_or_default()
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", words::heading(self.case))?;
        let when = format!(
            "at {}, {}",
            words::time(self.moment.time),
            words::position(self.moment.position)
        );
        match &self.says {
            Says::Readers {
                patient,
                records,
                upkeep,
            } => {
                writeln!(
                    out,
                    "Who can read {}'s records, {when}:",
                    words::name(patient)
                )?;
                let mut rows = Vec::new();
                for (record, readers) in records {
                    let mut first = vec![words::name(record), self.what(record)];
                    let by_purposes = invert(readers);
                    if by_purposes.is_empty() {
                        first.extend([String::new(), "nobody".into()]);
                        rows.push(first);
                        continue;
                    }
                    for (purposes, actors) in by_purposes {
                        first.extend([purposes, actors.join(", ")]);
                        rows.push(std::mem::replace(&mut first, vec![String::new(); 2]));
                    }
                }
                if rows.is_empty() {
                    writeln!(out, "  there are none")?;
                } else {
                    write!(
                        out,
                        "{}",
                        table(&["record", "is", "for", "who"], &rows, "  ")
                    )?;
                }
                upkeep.iter().try_for_each(|upkeep| upkeep.print(out))
            }
            Says::Readable { actor, patients } => {
                writeln!(out, "What {} can read, {when}:", words::name(actor))?;
                let rows: Vec<Vec<String>> = patients
                    .iter()
                    .flat_map(|(patient, records)| records.iter().map(move |one| (patient, one)))
                    .map(|(patient, (record, purposes))| {
                        let purposes = words_of(purposes);
                        vec![
                            words::name(patient),
                            words::name(record),
                            self.what(record),
                            purposes,
                        ]
                    })
                    .collect();
                if rows.is_empty() {
                    return writeln!(out, "  nothing");
                }
                write!(
                    out,
                    "{}",
                    table(&["patient", "record", "is", "for"], &rows, "  ")
                )
            }
        }
    }

    /// One case of `chartseal.policy.who/1` (`docs/schema/policy-who.schema.json`).
    fn document(&self) -> Value {
        let record = |id: &Symbol| {
            let found = self.record(id);
            json!({
                "record": words::text(id),
                "class": found.map(|record| words::text(&record.class)),
                "conf": found.map(|record| record.conf.as_str()),
                "tags": found.map(|record| record.tags.iter().map(words::text).collect::<Value>()),
            })
        };
        let with = |mut object: Value, name: &str, value: Value| {
            if let Value::Object(members) = &mut object {
                members.insert(name.into(), value);
            }
            object
        };
        let codes = |purposes: &[Purpose]| -> Value {
            purposes.iter().map(|purpose| purpose.as_str()).collect()
        };
        let case = json!({
            "n": super::name(self.case),
            "title": self.case.title,
            "t": self.moment.time.0,
            "pos": [self.moment.position.height, self.moment.position.index],
        });
        match &self.says {
            Says::Readers {
                patient,
                records,
                upkeep,
            } => {
                let only = records.first().map(|(id, _)| words::text(id));
                let records = records.iter().map(|(id, readers)| {
                    let readers = readers.iter().map(|(actor, purposes)| {
                        json!({"actor": words::text(actor), "purposes": codes(purposes)})
                    });
                    with(record(id), "readers", readers.collect())
                });
                let case = with(case, "patient", words::text(patient).into());
                let case = with(case, "records", records.collect());
                match (upkeep, &only) {
                    (None, Some(record)) => with(case, "record", record.as_str().into()),
                    (Some(upkeep), _) => with(case, "upkeep", upkeep.document()),
                    (None, None) => case,
                }
            }
            Says::Readable { actor, patients } => {
                let readable = patients.iter().flat_map(|(patient, records)| {
                    records.iter().map(move |(id, purposes)| {
                        let one = with(record(id), "patient", words::text(patient).into());
                        with(one, "purposes", codes(purposes))
                    })
                });
                let case = with(case, "actor", words::text(actor).into());
                with(case, "readable", readable.collect())
            }
        }
    }
}

impl Upkeep {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = Vec::new();
        for Finding { id, status } in &self.dead {
            let why = format!("{}: {status}", words::name(id));
            rows.push(vec!["dead grant".into(), why]);
        }
        for Expiring { until, id } in &self.expiring {
            let when = format!("{} ends {}", words::name(id), words::time(*until));
            rows.push(vec!["ends soon".into(), when]);
        }
        for OverdueReviews {
            org,
            count,
            is_barred,
        } in &self.overdue
        {
            let barred = if *is_barred {
                "; its emergencies open nothing above N"
            } else {
                ""
            };
            let late = format!("{}: {count}{barred}", words::name(org));
            rows.push(vec!["reviews overdue".into(), late]);
        }
        if rows.is_empty() {
            return Ok(());
        }
        write!(out, "{}", table(&["Attention"], &[], ""))?;
        let width = rows
            .iter()
            .filter_map(|row| row.first())
            .map(String::len)
            .max();
        for row in &rows {
            if let [what, text] = row.as_slice() {
                writeln!(out, "  {what:width$}  {text}", width = width.unwrap_or(0))?;
            }
        }
        Ok(())
    }

    fn document(&self) -> Value {
        let dead = self
            .dead
            .iter()
            .map(|one| json!({"id": words::text(&one.id), "finding": one.status.to_string()}));
        let expiring = self
            .expiring
            .iter()
            .map(|one| json!({"id": words::text(&one.id), "until": one.until.0}));
        let overdue = self.overdue.iter().map(|one| {
            json!({"org": words::text(&one.org), "count": one.count, "barred": one.is_barred})
        });
        json!({
            "dead_grants": dead.collect::<Value>(),
            "ends_soon": expiring.collect::<Value>(),
            "overdue_reviews": overdue.collect::<Value>(),
        })
    }
}

fn readers(world: &MemoryWorld, record: &Symbol, moment: Moment) -> Purposes {
    let mut readers = Purposes::new();
    for one in who_can_see(world, record, moment) {
        readers.entry(one.actor).or_default().push(one.purpose);
    }
    readers
}

/// Those who can for the same purposes, together.
fn invert(readers: &Purposes) -> BTreeMap<String, Vec<String>> {
    let mut inverted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (actor, purposes) in readers {
        inverted
            .entry(words_of(purposes))
            .or_default()
            .push(words::name(actor));
    }
    inverted
}

fn words_of(purposes: &[Purpose]) -> String {
    let words: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
    words.join(" ")
}

/// An id that could be one; nobody is called otherwise.
fn id(text: &str) -> Option<Symbol> {
    text.parse().ok()
}

fn bad(file: &Path, case: &Case, what: &str) -> Failure {
    super::bad(file, format!("case {}: there is no such {what}", case.n))
}
