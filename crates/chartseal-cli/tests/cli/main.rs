//! The program as a person runs it: its outputs, files and exit codes.
//!
//! | module | what |
//! |---|---|
//! | `accused` | evidence against validators, judged |
//! | `liar` | a validator that lies to real nodes, and what they keep of it |
//! | `committee` | the next committee proposed, approved and handed in: a rotated key, a suspension |
//! | `custodian` | a node's custodian keys replaced by its office |
//! | `join` | a newcomer starts from a snapshot, and the committee takes it in |
//! | `demo` | the page, the JSON document, the promises, colour, memory |
//! | `bundles` | other people's bundles: all twelve patients, and those that are refused |
//! | `directory` | what is kept, what a killed demo leaves, what belongs to somebody else |
//! | `bad_input` | bad bundles and files; disks without room, without permission, read-only |
//! | `audit`, `policy` | verification of exports; decisions on cases |
//! | `second` | the verifier in Python as a command: it exits, prints and keeps as ours does |
//! | `fixture` | the network of the verifier's tests |
//! | `golden` | what is printed, to the letter |
//! | `reports` | exports explained and reported; policies pinned |
//! | `ledger` | what a node's ledger holds; damage, snapshots |
//! | `consents`, `import` | what else is asked of consents; FHIR Consents as documents |
//! | `net` | networks of real processes: made, started, shown, stopped; misconfiguration |
//! | `faults` | the same under load: kills, stops, cuts, slow links, full and failed disks |
//! | `visitor` | somebody who visits through all of that |
//! | `deposits` | deposits in the middle of which a disk fills up, a bucket goes, or nobody says what became of them |
//! | `linearizable` | what clients saw then is what one ledger could have shown them |
//! | `service` | what nodes do for clients: the visit on processes of their own, a disk of an older day, strangers' questions |
//! | `monitor` | a node's block log over HTTP, followed by a witness |
//! | `held` | what an app knows between its runs, without any node, and gone on from |
//! | `lies` | somebody in front of a node, who lets it lie |
//! | `refusals` | every path of the service under what nobody should send |
//! | `vault` | what a node's vault should hold by the chain: fetched again, counted, looked at by the node itself |
//! | `hostile` | strangers at a node's port: floods, garbage, slowness |
//! | `support`, `schema` | running the program; checking JSON documents against `docs/schema` |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod accused;
mod audit;
mod bad_input;
mod bundles;
mod committee;
mod compromise;
mod consents;
mod contract;
mod custodian;
mod demo;
mod deposits;
mod directory;
mod emergency;
mod evidence;
mod faults;
#[allow(dead_code, reason = "the verifier's tests use all of it")]
#[path = "../../../chartseal-audit/tests/it/fixture.rs"]
mod fixture;
mod golden;
mod held;
mod hostile;
mod import;
mod join;
mod ledger;
mod liar;
mod lies;
mod light;
mod linearizable;
mod monitor;
mod net;
mod operations;
mod parts;
mod policy;
mod records;
mod redeal;
mod refusals;
mod reports;
#[path = "../../../chartseal-vault/tests/s3/server.rs"]
mod s3;
mod schema;
mod second;
mod service;
mod support;
mod upgrade;
mod vault;
mod visitor;
mod witness;
