//! The accounting of disclosures that a patient may ask for: 45 CFR 164.528.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_wire::history::Access;
use chartseal_wire::{Entry, Event, OrgId, RecordId, Subject as Whose, Time, TxId};

use super::Subject;
use super::history::{footer, network, time, whose};
use super::names::Names;
use super::page::Page;

/// An access that custodians answered.
struct Disclosure {
    entry: u64,
    time: Time,
    actor: String,
    org: String,
    records: Vec<RecordId>,
    purpose: String,
    reason_code: String,
    /// Custodians that released key shares.
    custodians: usize,
    /// The exception under which it need not be listed.
    exempt: Option<&'static str>,
}

/// The page.
pub fn page(subject: &Subject<'_>) -> String {
    let (report, names) = (subject.report, &subject.names);
    let mut page = Page::new("Accounting of disclosures (45 CFR 164.528)");
    for history in &report.histories {
        let Whose::Patient(_) = history.subject else {
            continue;
        };
        let entries: Vec<(u64, Entry)> = (history.first..).zip(history.entries.iter()).collect();
        let (all, unanswered) = disclosures(&history.subject, &entries);
        let (exempt, listed): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| one.exempt.is_some());
        page.heading(&format!("Individual: {}", whose(history, names)));
        let from = entries.first().map(|(_, entry)| entry.time);
        page.facts(&[
            (
                "Period",
                format!(
                    "{} to {}",
                    from.map_or_else(|| "the beginning".into(), time),
                    time(report.fresh_as_of)
                ),
            ),
            ("Kept by", network(&report.origin)),
            ("Disclosures to account for", listed.len().to_string()),
            ("Listed for information", exempt.len().to_string()),
        ]);
        if history.is_part() {
            page.boxed("warn", "The export holds the newer part of the history alone: earlier disclosures are missing here.");
        }
        if listed.is_empty() {
            page.paragraph("There was no disclosure of which this section asks for an account.");
        } else {
            table(&mut page, "Disclosures", &listed, names);
        }
        if !exempt.is_empty() {
            table(
                &mut page,
                "Accesses of which no account is due, with the exception that applies",
                &exempt,
                names,
            );
        }
        if unanswered > 0 {
            page.paragraph(&format!(
                "{unanswered} permitted requests have no custodian's receipt: nothing was given out for them, as far as custodians signed."
            ));
        }
    }
    page.heading("How to read this");
    page.list([
        "A disclosure is a permitted request for which at least one custodian signed that it released its share of the records' keys. Denied requests are in the full history.",
        "Dates are in UTC, by the network's clock. \"To whom\" is the person who asked and the organization for which they did; names and addresses come from whoever made this page, as the network knows ids only.",
        "Which exception applies is read from the purpose that was stated and from who filed the records. It is no legal advice.",
        "The list is complete on the assumptions that chartseal audit verify names for its export.",
    ]);
    page.finish(&footer(subject))
}

fn table(page: &mut Page, caption: &str, disclosures: &[Disclosure], names: &Names) {
    let has_exempt = disclosures.iter().any(|one| one.exempt.is_some());
    let mut head = vec!["Date", "To whom", "What", "Purpose"];
    if has_exempt {
        head.push("Exception");
    }
    let rows = disclosures.iter().map(|one| {
        let mut to = names.or_id(&one.actor).to_owned();
        if one.org != one.actor {
            to = format!("{to}\nfor {}", names.or_id(&one.org));
        }
        let mut what = crate::events::records(one.records.len());
        // Ids would describe nothing; the full history has them.
        let known = one.records.iter().filter_map(|record| {
            let id = record.to_string();
            names.get(&id).map(ToOwned::to_owned)
        });
        let known: Vec<String> = known.collect();
        if !known.is_empty() {
            what = format!("{what}: {}", known.join(", "));
        }
        let (entry, custodians) = (one.entry, one.custodians);
        what =
            format!("{what}\nEntry {entry} of the history; key shares by {custodians} custodians");
        let purpose = format!(
            "{}\nReason code: {}",
            purpose(&one.purpose),
            one.reason_code
        );
        let mut row = vec![time(one.time), to, what, purpose];
        row.extend(one.exempt.filter(|_| has_exempt).map(Into::into));
        row
    });
    page.table(caption, &head, rows);
}

/// The accesses of a history that custodians answered; and how many permitted ones they didn't.
fn disclosures(whose: &Whose, entries: &[(u64, Entry)]) -> (Vec<Disclosure>, u64) {
    let mut filed: BTreeMap<RecordId, OrgId> = BTreeMap::new();
    let mut adopted: BTreeSet<[u8; 16]> = BTreeSet::new();
    let mut receipts: BTreeMap<TxId, (BTreeSet<u64>, BTreeSet<RecordId>)> = BTreeMap::new();
    for (_, entry) in entries {
        match &entry.event {
            Event::RecordAdded(added) => {
                filed.entry(added.record).or_insert(entry.org);
            }
            Event::Released(released) => {
                let (custodians, records) = receipts.entry(released.request).or_default();
                custodians.insert(released.custodian);
                records.extend(&released.records);
            }
            Event::Adopted(one) => {
                adopted.extend([one.adopted.0, one.by.0]);
            }
            _ => {}
        }
    }
    if let Whose::Patient(id) = whose {
        adopted.insert(id.0);
    }
    let (mut found, mut unanswered) = (Vec::new(), 0);
    for (index, entry) in entries {
        let Event::Access(access) = &entry.event else {
            continue;
        };
        if !access.records.iter().any(|one| one.permitted) {
            continue;
        }
        let Some((custodians, records)) = receipts.get(&entry.tx) else {
            unanswered += 1;
            continue;
        };
        let is_own = adopted.contains(entry.actor.as_bytes());
        let filed_inside = |record: &RecordId| filed.get(record) == Some(&entry.org);
        let is_inside = records.iter().all(filed_inside);
        found.push(Disclosure {
            entry: *index,
            time: entry.time,
            actor: entry.actor.to_string(),
            org: entry.org.to_string(),
            records: records.iter().copied().collect(),
            purpose: access.purpose.to_string(),
            reason_code: access.reason_code.to_string(),
            custodians: custodians.len(),
            exempt: exception(access, is_own, is_inside),
        });
    }
    (found, unanswered)
}

/// Why no account of it is due.
fn exception(access: &Access, is_own: bool, is_inside: bool) -> Option<&'static str> {
    if is_own {
        return Some("164.528(a)(1)(ii): to the individual");
    }
    if is_inside {
        return Some("no disclosure: use inside the organization that filed the records");
    }
    match access.purpose.as_str() {
        "TREAT" | "COC" | "ETREAT" | "ERTREAT" | "BTG" => Some("164.528(a)(1)(i): treatment"),
        "HPAYMT" => Some("164.528(a)(1)(i): payment"),
        "HOPERAT" => Some("164.528(a)(1)(i): health care operations"),
        _ => None,
    }
}

/// A purpose of use in words, with its code.
pub fn purpose(code: &str) -> String {
    let words = match code {
        "TREAT" => "treatment",
        "COC" => "coordination of care",
        "ETREAT" => "emergency treatment",
        "ERTREAT" => "emergency room treatment",
        "HPAYMT" => "payment for health care",
        "HOPERAT" => "health care operations",
        "HRESCH" => "research",
        "CLINTRL" => "clinical trial",
        "PATRQT" => "at the patient's request",
        "FAMRQT" => "at the family's request",
        "PWATRNY" => "under a power of attorney",
        "BTG" => "emergency, breaking the glass",
        "PUBHLTH" => "public health",
        _ => return code.into(),
    };
    format!("{words} ({code})")
}
