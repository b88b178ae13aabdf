//! `chartseal audit explain`: what a verification checked, and on which assumption, in plain words.

use std::io::{self, Write};

use chartseal_audit::{Doubt, Options, Report, Rule, TrustPolicy, Verdict, examine};
use serde_json::{Value, json};

use super::{exit, lock, read_policy, read_state, verify_file};
use crate::args::AuditExplain;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{WIDTH, print_json, wrap};

/// Rules that answer one question.
struct Step {
    first: Rule,
    last: Rule,
    asks: &'static str,
    means: &'static str,
}

impl Step {
    fn holds(&self, rule: Rule) -> bool {
        (self.first..=self.last).contains(&rule)
    }
}

const STEPS: [Step; 6] = [
    Step {
        first: Rule::File,
        last: Rule::Origin,
        asks: "Is it an export?",
        means: "The file is one export in the one form that there is, and of one network.",
    },
    Step {
        first: Rule::LogSignature,
        last: Rule::Needed,
        asks: "Did the network sign it?",
        means: "Those whom the policy trusts signed the network's list of blocks, and just those of them \
            whom the policy needs.",
    },
    Step {
        first: Rule::Height,
        last: Rule::Inclusion,
        asks: "Is its block in the list that they signed?",
        means: "The block after which the histories were exported is in that list, at its place.",
    },
    Step {
        first: Rule::Slot,
        last: Rule::EntryHeight,
        asks: "Are the histories complete and unaltered?",
        means: "The block fixes how many entries each history has and what they say: none was dropped, \
            added, altered or moved.",
    },
    Step {
        first: Rule::Text,
        last: Rule::Text,
        asks: "Do the sealed texts belong to it?",
        means: "Each sealed text is one that an entry speaks of.",
    },
    Step {
        first: Rule::RolledBack,
        last: Rule::Continues,
        asks: "Does it continue what was verified before?",
        means: "It is newer than what was kept, and contradicts nothing of it.",
    },
];

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Held,
    Broken,
    NotChecked,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::NotChecked => "not_checked",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Held => "Yes.",
            Self::Broken => "No.",
            Self::NotChecked => "Not checked.",
        }
    }
}

/// What no export says, however good it is.
const LIMITS: [&str; 3] = [
    "That an entry is true. It is what the network decided, and what people and custodians signed.",
    "What somebody did with a record once they could read it.",
    "Which ids are one person's, but for those that the patient adopted.",
];

/// Runs the command.
pub fn run(args: &AuditExplain) -> Result<Exit, Failure> {
    let policy = match &args.trust {
        Some(path) => read_policy(path)?,
        None => TrustPolicy::parse("quorum none\n").map_err(Failure::new)?,
    };
    let _lock = args.state.as_deref().map(lock).transpose()?;
    let kept = args.state.as_deref().map(read_state).transpose()?.flatten();
    let options = Options::default();
    let (text, verdict) = verify_file(&args.file, &policy, kept.as_ref(), &options)?;
    let doubts = match &verdict {
        Verdict::Proved(_) => Vec::new(),
        _ => examine(&text, &policy, kept.as_ref(), &options).1,
    };
    let steps: Vec<_> = STEPS
        .iter()
        .map(|step| (step, judge(step, &verdict, &doubts, kept.is_some())))
        .collect();
    if args.json {
        print_json(&document(&verdict, &steps))?;
    } else {
        print(args, &verdict, &doubts, &steps)?;
    }
    Ok(exit(&verdict))
}

fn judge(step: &Step, verdict: &Verdict, doubts: &[Doubt], has_state: bool) -> Outcome {
    // Without a state there is nothing to compare with, whatever else is found.
    if step.first == Rule::RolledBack && !has_state {
        return Outcome::NotChecked;
    }
    match verdict {
        // Rules are checked in their order, and the first that is broken is named.
        Verdict::Refuted(one) if step.holds(one.rule) => Outcome::Broken,
        Verdict::Refuted(one) if one.rule < step.first => Outcome::NotChecked,
        // But what something is missing for is not checked, and what rests on that has no meaning alone.
        _ if why_not(step, doubts).is_some() => Outcome::NotChecked,
        _ => Outcome::Held,
    }
}

/// What is missing to check all of a step, and all that it rests on.
fn why_not<'a>(step: &Step, doubts: &'a [Doubt]) -> Option<&'a Doubt> {
    let leaves_out = |doubt: &&Doubt| doubt.leaves_out().iter().any(|rule| *rule <= step.last);
    doubts.iter().find(leaves_out)
}

/// What was found in a step, beyond that it held.
fn found(step: &Step, report: &Report) -> Option<String> {
    match step.first {
        Rule::LogSignature => {
            let quorum = &report.quorum;
            let mut names: Vec<String> = report
                .witnesses
                .iter()
                .map(|one| one.name.clone())
                .collect();
            names.extend(report.certified.as_ref().map(|one| {
                let (signed, of, epoch) = (one.signers.len(), one.of, one.epoch);
                format!("{signed} of the {of} validators of epoch {epoch}")
            }));
            Some(format!(
                "{} of {} of \"{}\" signed, {} are needed: {}.",
                quorum.signed,
                quorum.of,
                quorum.name,
                quorum.needed,
                names.join(", ")
            ))
        }
        Rule::Height => Some(format!(
            "It is block {} of {}, made at {}.",
            report.height, report.log_size, report.time
        )),
        Rule::Slot => {
            let histories = report.histories.iter();
            let histories = histories.map(|one| {
                let whose = super::subject(&one.subject);
                match (one.first, one.total()) {
                    (_, 0) => format!("{whose} has none"),
                    (first, total) => format!("{whose}: entries {first} to {}", total - 1),
                }
            });
            let histories: Vec<String> = histories.collect();
            Some(format!(
                "{}. They are complete up to {}.",
                histories.join("; "),
                report.fresh_as_of
            ))
        }
        _ => None,
    }
}

fn document(verdict: &Verdict, steps: &[(&Step, Outcome)]) -> Value {
    let report = match verdict {
        Verdict::Proved(report) => Some(report),
        _ => None,
    };
    let (result, why) = match verdict {
        Verdict::Proved(_) => ("proved", None),
        Verdict::Refuted(one) => ("refuted", Some(format!("{} {}", one.rule, one.rule.says()))),
        Verdict::CannotTell(doubt) => ("cannot_tell", Some(doubt.to_string())),
    };
    let steps = steps.iter().map(|(step, outcome)| {
        let rules = Rule::ALL.iter();
        let rules = rules.filter(|rule| step.holds(**rule));
        json!({
            "asks": step.asks,
            "outcome": outcome.word(),
            "rules": rules.map(|rule| rule.id()).collect::<Vec<_>>(),
            "means": step.means,
            "found": report.and_then(|report| found(step, report)),
        })
    });
    json!({
        "schema": "chartseal.audit.explain/1",
        "result": result,
        "why": why,
        "steps": steps.collect::<Vec<_>>(),
        "assumptions": report.map(|report| &report.assumptions),
        "limits": LIMITS,
    })
}

fn print(
    args: &AuditExplain,
    verdict: &Verdict,
    doubts: &[Doubt],
    steps: &[(&Step, Outcome)],
) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let mut say = |indent: &str, text: &str| {
        let text = wrap(text, WIDTH - indent.len(), &" ".repeat(indent.len()));
        writeln!(out, "{indent}{text}")
    };
    match verdict {
        Verdict::Proved(_) => say(
            "",
            "Proved: the histories in this file are authentic and complete.",
        )?,
        Verdict::Refuted(_) => say(
            "",
            "Refuted: the file is not what it should be, and proves nothing.",
        )?,
        Verdict::CannotTell(doubt) => say("", &format!("Can't tell: {doubt}."))?,
    }
    for (number, (step, outcome)) in (1..).zip(steps) {
        say("", "")?;
        say("", &format!("{number}. {} {}", step.asks, outcome.says()))?;
        match (outcome, verdict) {
            (Outcome::Held, Verdict::Proved(report)) => {
                say("   ", step.means)?;
                if let Some(found) = found(step, report) {
                    say("   ", &found)?;
                }
            }
            (Outcome::Held, _) => say("   ", step.means)?,
            (Outcome::Broken, Verdict::Refuted(one)) => {
                say("   ", &format!("{}: {}", one.rule, one.rule.says()))?;
                say("   ", &format!("Found: {}.", one.detail))?;
            }
            _ if step.first == Rule::RolledBack && args.state.is_none() => {
                let why = "Nothing that was verified before was named (--state). So an older export than \
                    one that you have seen would look as good.";
                say("   ", why)?;
            }
            _ if step.first == Rule::LogSignature && args.trust.is_none() => {
                let why = "No policy was named (--trust), so nobody's signature counts: anybody can make \
                    such a file. `chartseal audit trust show` says how to come by a policy.";
                say("   ", why)?;
            }
            (Outcome::NotChecked, Verdict::Refuted(_)) => {
                if let Some(doubt) = why_not(step, doubts) {
                    say("   ", &format!("It can't be told: {doubt}."))?;
                }
            }
            _ => {}
        }
    }
    if let Verdict::Proved(report) = verdict {
        say("", "")?;
        say("", "This rests on:")?;
        for assumption in &report.assumptions {
            say("  - ", assumption)?;
        }
        say("", "")?;
        if report.anomalies.is_empty() {
            say("", "The entries show nothing that should not be.")?;
        } else {
            let count = report.anomalies.len();
            say(
                "",
                &format!("The entries show what should not be ({count}):"),
            )?;
            for anomaly in &report.anomalies {
                let whose = super::subject(&anomaly.subject);
                let entry = anomaly.entry;
                say("  - ", &format!("{whose}, entry {entry}: {}", anomaly.kind))?;
            }
        }
    }
    say("", "")?;
    say("", "No export says:")?;
    LIMITS.iter().try_for_each(|limit| say("  - ", limit))
}
