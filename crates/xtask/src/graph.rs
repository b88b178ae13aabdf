use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::command::{captured_out, cargo};
use crate::layers::{LAYERS, faults};

const PAGE: &str = "docs/architecture.md";
const BEGIN: &str = "<!-- graph:begin -->\n";
const END: &str = "<!-- graph:end -->";

/// Draws the crates into the architecture page or, with `check`, only looks whether it shows them as
/// they are; whether it does, and the crates keep the house's order.
pub(crate) fn run(root: &Path, check: bool) -> Result<bool, String> {
    let words = ["metadata", "--no-deps", "--format-version", "1"];
    let (succeeded, metadata) = captured_out(&mut cargo(root, &words))?;
    if !succeeded {
        return Err("`cargo metadata` failed".to_owned());
    }
    let graph = Graph::from_metadata(&metadata)?;
    let faults = faults(&graph);
    for fault in &faults {
        eprintln!("{fault}");
    }

    let path = root.join(PAGE);
    let page = std::fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    let current = drawn_into(&page, &graph)?;
    if page != current && check {
        eprintln!("{PAGE} does not show the crates as they are: run `cargo xtask graph`");
        return Ok(false);
    }
    if page != current {
        std::fs::write(&path, current).map_err(|error| format!("{PAGE}: {error}"))?;
    }
    Ok(faults.is_empty())
}

/// The workspace's crates, and which of them each needs.
#[derive(Debug)]
pub(crate) struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    #[cfg(test)]
    pub(crate) fn new(crates: &[&str], edges: &[(&str, &str)]) -> Self {
        let mut graph = Self(BTreeMap::new());
        for krate in crates {
            graph.0.insert((*krate).to_owned(), BTreeSet::new());
        }
        for (krate, needed) in edges {
            let needs = graph.0.entry((*krate).to_owned()).or_default();
            needs.insert((*needed).to_owned());
        }
        graph
    }

    /// The default members in what `cargo metadata --no-deps` prints, with the normal dependencies
    /// among them; what only tests or build scripts need is left out.
    fn from_metadata(metadata: &str) -> Result<Self, String> {
        let metadata: Value = serde_json::from_str(metadata)
            .map_err(|error| format!("`cargo metadata` printed no JSON: {error}"))?;
        let list = |value: &Value, field: &str| -> Vec<Value> {
            let list = value.get(field).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();

        let members = list(&metadata, "workspace_default_members");
        let packages = list(&metadata, "packages");
        let packages = packages
            .iter()
            .filter(|package| members.contains(&package["id"]));
        let mut graph: BTreeMap<String, BTreeSet<String>> = packages
            .map(|package| {
                let dependencies = list(package, "dependencies");
                let normal = dependencies
                    .iter()
                    .filter(|needed| needed["kind"].is_null());
                (name(package), normal.map(name).collect())
            })
            .collect();
        if graph.is_empty() {
            return Err("`cargo metadata` names no default member".to_owned());
        }
        let crates: BTreeSet<String> = graph.keys().cloned().collect();
        for needs in graph.values_mut() {
            needs.retain(|needed| crates.contains(needed));
        }
        Ok(Self(graph))
    }

    /// All crates, by name.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What a crate names as its dependency.
    pub(crate) fn needs(&self, krate: &str) -> impl Iterator<Item = &str> {
        self.0.get(krate).into_iter().flatten().map(String::as_str)
    }

    /// Whether a crate needs another, be it through others.
    pub(crate) fn reaches(&self, krate: &str, other: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&str> = self.needs(krate).collect();
        while let Some(next) = todo.pop() {
            if next == other {
                return true;
            }
            if seen.insert(next) {
                todo.extend(self.needs(next));
            }
        }
        false
    }

    /// What a crate needs and does not get through another crate that it needs.
    fn needs_directly(&self, krate: &str) -> Vec<&str> {
        let is_direct = |needed: &&str| !self.needs(krate).any(|via| self.reaches(via, needed));
        self.needs(krate).filter(is_direct).collect()
    }

    fn mermaid(&self) -> String {
        let mut text = "```mermaid\nflowchart TD\n".to_owned();
        for krate in self.crates() {
            for needed in self.needs_directly(krate) {
                let _ = writeln!(text, "  {krate} --> {needed}");
            }
        }
        text + "```\n"
    }

    /// One line for each crate, under the number of its layer, lowest first.
    fn text(&self) -> String {
        let mut text = "```text\n".to_owned();
        for (number, layer) in (1..).zip(LAYERS) {
            for krate in layer.iter().filter(|krate| self.0.contains_key(**krate)) {
                let needs = self.needs_directly(krate);
                let needs = if needs.is_empty() {
                    "-".to_owned()
                } else {
                    needs.join(", ")
                };
                let _ = writeln!(text, "{number}  {krate:<20} {needs}");
            }
        }
        text + "```\n"
    }
}

/// The page with the graph between its two marks.
fn drawn_into(page: &str, graph: &Graph) -> Result<String, String> {
    let marks = || format!("{PAGE} lacks {} or, after it, {END}", BEGIN.trim_end());
    let (before, rest) = page.split_once(BEGIN).ok_or_else(marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(marks)?;
    Ok(format!(
        "{before}{BEGIN}\n{}\nThe same by layers. A crate may depend on lower layers only; what it gets through \
         another crate is left out:\n\n{}\n{END}{after}",
        graph.mermaid(),
        graph.text(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Graph {
        Graph::new(
            &["chartseal-codec", "chartseal-merkle", "chartseal-wire"],
            &[
                ("chartseal-merkle", "chartseal-codec"),
                ("chartseal-wire", "chartseal-codec"),
                ("chartseal-wire", "chartseal-merkle"),
            ],
        )
    }

    #[test]
    fn an_edge_that_another_path_implies_is_not_drawn() {
        let drawn = chain().mermaid();
        assert!(drawn.contains("chartseal-wire --> chartseal-merkle\n"));
        assert!(drawn.contains("chartseal-merkle --> chartseal-codec\n"));
        assert!(!drawn.contains("chartseal-wire --> chartseal-codec"));
        let text = chain().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "1  chartseal-codec      -");
        assert_eq!(lines[3], "3  chartseal-wire       chartseal-merkle");
    }

    #[test]
    fn only_default_members_and_their_normal_dependencies_count() {
        let metadata = r#"{
            "workspace_default_members": ["id-a", "id-b"],
            "packages": [
                {"name": "a", "id": "id-a", "dependencies": [
                    {"name": "b", "kind": null}, {"name": "serde", "kind": null},
                    {"name": "tool", "kind": null}]},
                {"name": "b", "id": "id-b", "dependencies": [
                    {"name": "a", "kind": "dev"}, {"name": "a", "kind": "build"}]},
                {"name": "tool", "id": "id-tool", "dependencies": []}
            ]}"#;
        let graph = Graph::from_metadata(metadata).unwrap();
        assert_eq!(graph.crates().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(graph.needs("a").collect::<Vec<_>>(), ["b"]);
        assert_eq!(graph.needs("b").count(), 0);
        assert!(Graph::from_metadata("{}").is_err());
    }

    #[test]
    fn drawing_twice_changes_nothing_and_the_rest_of_the_page_stays() {
        let page = format!("before\n{BEGIN}stale\n{END}\nafter\n");
        let once = drawn_into(&page, &chain()).unwrap();
        assert!(once.starts_with("before\n") && once.ends_with("\nafter\n"));
        assert!(!once.contains("stale"));
        assert_eq!(drawn_into(&once, &chain()).unwrap(), once);
        // A page that shows another graph is not current.
        let other = Graph::new(&["chartseal-codec"], &[]);
        assert_ne!(drawn_into(&once, &other).unwrap(), once);
    }

    #[test]
    fn a_page_without_marks_is_refused() {
        assert!(drawn_into("no marks", &chain()).is_err());
        assert!(drawn_into(BEGIN, &chain()).is_err());
    }
}
