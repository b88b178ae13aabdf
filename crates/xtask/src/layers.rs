use std::collections::BTreeSet;

use crate::graph::Graph;

/// The house's order of crates: each may depend on crates of lines before its own, and on no other.
pub(crate) const LAYERS: [&[&str]; 9] = [
    &["chartseal-codec"],
    &["chartseal-merkle"],
    &["chartseal-wire", "chartseal-policy", "chartseal-envelope"],
    &["chartseal-ledger", "chartseal-audit", "chartseal-tiles"],
    &[
        "chartseal-fhir",
        "chartseal-vault",
        "chartseal-consensus",
        "chartseal-api",
    ],
    &["chartseal-client"],
    &["chartseal-node"],
    &["chartseal"],
    &["chartseal-cli", "chartseal-testkit", "chartseal-cluster"],
];

/// What a crate must do without, though the order allows it or hides it behind another crate.
const NEVER: [(&str, &str, &str); 4] = [
    (
        "chartseal-audit",
        "chartseal-ledger",
        "who verifies must not run the state machine",
    ),
    (
        "chartseal-audit",
        "chartseal-policy",
        "who verifies checks what was written, and decides nothing",
    ),
    (
        "chartseal-audit",
        "chartseal-envelope",
        "who verifies holds no content key",
    ),
    (
        "chartseal-vault",
        "chartseal-envelope",
        "a store of ciphertext opens nothing",
    ),
];

/// Every breach of the order, one sentence each.
pub(crate) fn faults(graph: &Graph) -> Vec<String> {
    let mut faults = Vec::new();
    for krate in graph.crates() {
        let Some(layer) = layer_of(krate) else {
            faults.push(format!(
                "{krate} has no place in LAYERS of xtask's layers.rs"
            ));
            continue;
        };
        for needed in graph.needs(krate) {
            if layer_of(needed).is_some_and(|below| below >= layer) {
                faults.push(format!(
                    "{krate} (layer {}) must not depend on {needed} (layer {})",
                    layer + 1,
                    layer_of(needed).unwrap_or(layer) + 1,
                ));
            }
        }
    }
    for (krate, forbidden, why) in NEVER {
        if graph.reaches(krate, forbidden) {
            faults.push(format!(
                "{krate} must not depend on {forbidden}, not through others either: {why}"
            ));
        }
    }
    let known: BTreeSet<&str> = graph.crates().collect();
    for absent in LAYERS.concat().iter().filter(|name| !known.contains(*name)) {
        faults.push(format!(
            "LAYERS of xtask's layers.rs names {absent}, which is no default member"
        ));
    }
    faults
}

fn layer_of(krate: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&krate))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All crates of the house, each with one edge to a crate of the layer below, and `more`.
    fn house(more: &[(&str, &str)]) -> Graph {
        let mut edges = Vec::new();
        let alone = LAYERS.concat();
        for (krate, below) in [
            ("chartseal-merkle", "chartseal-codec"),
            ("chartseal-wire", "chartseal-merkle"),
            ("chartseal-ledger", "chartseal-wire"),
            ("chartseal-audit", "chartseal-wire"),
        ] {
            edges.push((krate, below));
        }
        edges.extend(more);
        Graph::new(&alone, &edges)
    }

    #[test]
    fn a_house_in_order_has_no_fault() {
        assert_eq!(faults(&house(&[])), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_upwards_or_sideways_is_a_fault() {
        for edge in [
            ("chartseal-codec", "chartseal-merkle"),
            ("chartseal-policy", "chartseal-envelope"),
            ("chartseal-ledger", "chartseal-consensus"),
            ("chartseal-node", "chartseal"),
        ] {
            let found = faults(&house(&[edge]));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(edge.0) && found[0].contains(edge.1));
        }
    }

    #[test]
    fn audit_reaches_ledger_and_policy_in_no_way() {
        let direct = faults(&house(&[("chartseal-audit", "chartseal-ledger")]));
        assert!(direct.iter().any(|fault| fault.contains("state machine")));

        let direct = faults(&house(&[("chartseal-audit", "chartseal-policy")]));
        assert_eq!(direct.len(), 1, "the order alone allows it");

        let hidden = faults(&house(&[
            ("chartseal-audit", "chartseal-envelope"),
            ("chartseal-envelope", "chartseal-policy"),
        ]));
        assert!(hidden.iter().any(|fault| {
            fault.contains("chartseal-audit must not depend on chartseal-policy, not through")
        }));
    }

    #[test]
    fn a_crate_without_a_layer_and_a_layer_without_its_crate_are_faults() {
        let mut crates = LAYERS.concat();
        crates.retain(|name| *name != "chartseal-fhir");
        crates.push("chartseal-new");
        let found = faults(&Graph::new(&crates, &[]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("chartseal-new has no place"));
        assert!(found[1].contains("names chartseal-fhir"));
    }
}
