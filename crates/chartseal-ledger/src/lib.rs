//! Chartseal's deterministic state machine: transactions, blocks, state and proofs.
