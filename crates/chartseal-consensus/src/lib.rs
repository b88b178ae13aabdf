//! Orders transactions: the Ordering trait and an in-process sequencer.
