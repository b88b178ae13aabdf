//! Chartseal's benches.
