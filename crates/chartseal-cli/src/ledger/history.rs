//! `chartseal ledger history`.

use std::io::{self, Write};

use chartseal_wire::{Entry, Subject};
use serde_json::{Value, json};

use super::args::{History, Whose};
use super::chain::Chain;
use super::words;
use crate::events;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{line, print_json};

/// How many entries are read at a time.
const AT_ONCE: usize = 256;

/// Runs the command.
pub fn run(args: &History) -> Result<Exit, Failure> {
    let wrong = |_| Failure::new("an id of a patient or an actor has 32 hex digits");
    let subject = match args.whose {
        Whose::Patient => Subject::Patient(args.id.parse().map_err(wrong)?),
        Whose::Actor => Subject::Actor(args.id.parse().map_err(wrong)?),
    };
    let chain = Chain::open(&args.read.dir)?;
    let total = chain.history_len(&subject);
    if total == 0 {
        let why = format!("no history of {} in it", words::subject(&subject));
        return Err(Failure::bad(&chain.dir, why));
    }
    let end = args
        .limit
        .map_or(total, |limit| total.min(args.from.saturating_add(limit)));
    let entries = Pages {
        chain: &chain,
        subject: &subject,
        from: args.from,
        end,
    };
    if args.read.json {
        let mut told = Vec::new();
        entries.each(|index, entry| {
            told.push(entry_json(index, entry));
            Ok(())
        })?;
        print_json(&json!({
            "schema": "chartseal.ledger.history/1",
            "subject": words::subject(&subject),
            "total": total,
            "root": chain.head().state().frontier(&subject).root().to_string(),
            "height": chain.head().height(),
            "entries": told,
        }))?;
    } else {
        let mut out = io::stdout().lock();
        line(&mut out, "history", &words::subject(&subject))?;
        line(&mut out, "entries", &total.to_string())?;
        let root = chain.head().state().frontier(&subject).root();
        line(&mut out, "root", &root.to_string())?;
        entries.each(|index, entry| Ok(print(&mut out, index, entry)?))?;
    }
    Ok(Exit::Done)
}

/// A part of a history, read a page at a time.
struct Pages<'a> {
    chain: &'a Chain,
    subject: &'a Subject,
    from: u64,
    end: u64,
}

impl Pages<'_> {
    fn each(
        &self,
        mut then: impl FnMut(u64, &Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut at = self.from;
        while at < self.end {
            let room = usize::try_from(self.end - at).unwrap_or(AT_ONCE);
            let page = self.chain.entries(self.subject, at, room.min(AT_ONCE))?;
            if page.is_empty() {
                let whose = words::subject(self.subject);
                let why = format!("damaged: entry {at} of {whose} is missing");
                return Err(Failure::bad(&self.chain.dir, why));
            }
            for entry in &page {
                then(at, entry)?;
                at += 1;
            }
        }
        Ok(())
    }
}

fn entry_json(index: u64, entry: &Entry) -> Value {
    json!({
        "index": index,
        "height": entry.height,
        "time": entry.time.to_string(),
        "tx": entry.tx.to_string(),
        "actor": entry.actor.to_string(),
        "org": entry.org.to_string(),
        "event": events::tell(&entry.event).json(),
    })
}

fn print(out: &mut impl Write, index: u64, entry: &Entry) -> io::Result<()> {
    let told = events::tell(&entry.event);
    writeln!(out)?;
    line(
        out,
        &format!("entry {index}"),
        &format!("{}, in block {} of {}", told.kind, entry.height, entry.time),
    )?;
    line(out, "  tx", &entry.tx.to_string())?;
    line(out, "  actor", &entry.actor.to_string())?;
    if entry.org.as_bytes() != entry.actor.as_bytes() {
        line(out, "  for", &entry.org.to_string())?;
    }
    line(out, "  what", &told.says)?;
    words::decisions(out, &told.outcomes)
}
