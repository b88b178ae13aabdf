//! Networks of real processes under continuous load: nodes are killed, stopped and cut off, links are slow, disks fill
//! up and fail. Afterwards whatever a client was told is final is on every node, and all have one chain; and what was filed
//! is there, what was revoked closed.
//!
//! `CHARTSEAL_LONG=N` goes through the faults N times.

use std::thread;
use std::time::Duration;

use chartseal_cluster::{Cluster, Link, Load, Program, Serves, Setting, Wiring};

use crate::net::program;
use crate::operations::{examined, is};
use crate::visitor::Visitor;

/// Waits until the network goes on: until so many transactions more are final, say.
type Settle<'a> = &'a dyn Fn(usize);

fn rounds() -> usize {
    let long = std::env::var("CHARTSEAL_LONG").ok();
    long.and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

pub(crate) fn make(setting: &Setting) -> Option<Cluster> {
    let made = Cluster::make(Program::chartseal(program()), setting);
    let required = std::env::var_os("CHARTSEAL_FAULTS_REQUIRED").is_some_and(|set| set == "1");
    assert!(
        made.is_some() || !required,
        "CHARTSEAL_FAULTS_REQUIRED is 1"
    );
    made
}

fn proxied(validators: usize) -> Setting {
    Setting {
        heartbeat_ms: 300,
        wiring: Wiring::Proxied,
        ..Setting::of(validators)
    }
}

/// Every fault that f nodes, and all links, can have, one after the other.
fn go_through_faults(cluster: &mut Cluster, settle: Settle<'_>, round: usize) {
    let nodes = cluster.all().len();
    let faulty = (nodes - 1) / 3;
    let victims: Vec<usize> = (0..faulty).map(|at| (round + 2 * at) % nodes).collect();
    let next: Vec<usize> = victims.iter().map(|victim| (victim + 1) % nodes).collect();

    for victim in &victims {
        cluster.kill(*victim);
    }
    settle(10);
    for victim in &victims {
        cluster.start(*victim);
    }
    settle(10);

    for victim in &next {
        cluster.stop(*victim);
    }
    settle(10);
    for victim in &next {
        cluster.go_on(*victim);
    }
    settle(10);

    // As many as may fail are alone; then nobody has a quorum.
    cluster.links().part(&victims);
    settle(10);
    let half: Vec<usize> = (0..nodes / 2).collect();
    cluster.links().part(&half);
    thread::sleep(Duration::from_millis(1_500));
    cluster.links().part(&[]);
    settle(10);

    let delay = Duration::from_millis(20);
    cluster.links().set_all(Link {
        delay,
        jitter: 2 * delay,
        bytes_per_second: Some(256 * 1_024),
        ..Link::default()
    });
    settle(20);
    cluster.links().set_all(Link::default());

    cluster
        .all()
        .iter()
        .for_each(|number| cluster.kill(*number));
    cluster
        .all()
        .iter()
        .for_each(|number| cluster.start(*number));
    settle(10);
}

fn outlives_faults(setting: &Setting) {
    let Some(mut cluster) = make(setting) else {
        return;
    };
    cluster.up();
    let load = cluster.load();
    load.settle(20);
    for round in 0..rounds() {
        go_through_faults(&mut cluster, &|many| load.settle(many), round);
    }
    let (acknowledged, _) = load.end();
    cluster.assert_nothing_is_lost(&acknowledged);
}

#[test]
fn four_processes_outlive_every_fault_of_one_under_load() {
    outlives_faults(&proxied(4));
}

#[test]
fn seven_processes_outlive_every_fault_of_two_under_load() {
    outlives_faults(&proxied(7));
}

#[test]
fn four_network_namespaces_outlive_every_fault_of_one_under_load() {
    outlives_faults(&Setting {
        wiring: Wiring::Namespaces,
        ..proxied(4)
    });
}

#[test]
fn seven_network_namespaces_outlive_every_fault_of_two_under_load() {
    outlives_faults(&Setting {
        wiring: Wiring::Namespaces,
        ..proxied(7)
    });
}

pub(crate) fn with_disks() -> Setting {
    Setting {
        heartbeat_ms: 300,
        disk_mib: Some(48),
        ..Setting::of(4)
    }
}

/// Waits until a node fails; gives what it said.
fn failed(cluster: &mut Cluster, victim: usize) -> String {
    let ended = cluster.await_end(victim);
    assert!(!ended.success(), "{ended}");
    cluster.log(victim)
}

fn fill_a_disk(cluster: &mut Cluster, settle: Settle<'_>, victim: usize) {
    cluster.disk(victim).fill_but(0);
    let said = failed(cluster, victim);
    // Whichever file needed the room: the engine does not repeat the system's words for its own.
    let names = ["No space left on device", "WriteFailed"];
    assert!(names.iter().any(|name| said.contains(name)), "{said}");
    settle(10);
    // It does not start without room either, and says so.
    cluster.start(victim);
    failed(cluster, victim);
    let found = examined(&cluster.config_file(victim));
    let disk = found.get(&is("ill", "disk"));
    assert!(disk.is_some_and(|it| it.contains("free ")), "{found:?}");
    cluster.disk(victim).clear();
    cluster.start(victim);
    settle(10);
}

fn fail_a_disk(cluster: &mut Cluster, settle: Settle<'_>, victim: usize) {
    cluster.disk(victim).fail();
    let said = failed(cluster, victim);
    let names = ["Read-only file system", "Input/output error"];
    assert!(names.iter().any(|name| said.contains(name)), "{said}");
    settle(10);
    cluster.start(victim);
    let said = failed(cluster, victim);
    assert!(said.contains("the file system is read-only"), "{said}");
    cluster.disk(victim).mend();
    cluster.start(victim);
    settle(10);
}

/// The same disk fault again and again, each time of another node.
fn outlives_faults_of_disks(first: usize, fault: fn(&mut Cluster, Settle<'_>, usize)) {
    let Some(mut cluster) = make(&with_disks()) else {
        return;
    };
    cluster.up();
    let load = cluster.load();
    load.settle(10);
    for round in 0..rounds() {
        fault(&mut cluster, &|many| load.settle(many), (first + round) % 4);
    }
    let (acknowledged, _) = load.end();
    cluster.assert_nothing_is_lost(&acknowledged);
}

#[test]
fn a_node_whose_disk_is_full_says_so_and_goes_on_once_there_is_room() {
    outlives_faults_of_disks(0, fill_a_disk);
}

#[test]
fn a_node_whose_disk_becomes_read_only_says_so_and_goes_on_once_it_is_mended() {
    outlives_faults_of_disks(1, fail_a_disk);
}

/// All of these in one network, each while somebody visits: a visit may fail then, and nothing else.
#[test]
fn visits_through_every_fault_of_one_node_lose_nothing_and_are_told_nothing_wrong() {
    let setting = Setting {
        serves: Serves::Encrypted,
        disk_mib: with_disks().disk_mib,
        ..proxied(4)
    };
    let Some(mut cluster) = make(&setting) else {
        return;
    };
    cluster.up();
    let visitor = Visitor::at(&cluster);
    // Who enrols for the visits signs nothing else.
    let mut offices = cluster.authors();
    offices.remove(1);
    let pause = Duration::from_millis(50);
    let load = Load::start(cluster.directories(), offices, 0, pause);
    // Each step takes a block or two, so that the network goes on if visits do.
    let settle = |_| visitor.settle(3);
    settle(1);
    for round in 0..rounds() {
        go_through_faults(&mut cluster, &settle, round);
        fill_a_disk(&mut cluster, &settle, (round + 2) % 4);
        fail_a_disk(&mut cluster, &settle, (round + 3) % 4);
    }
    let (acknowledged, _) = load.end();
    visitor.end().assert_nothing_is_lost(&cluster);
    cluster.assert_nothing_is_lost(&acknowledged);
}
