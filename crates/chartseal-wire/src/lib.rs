//! Chartseal's published formats: ids, block headers, history entries, checkpoints, exports.
