//! Verifies Chartseal checkpoints, histories and exports offline.
