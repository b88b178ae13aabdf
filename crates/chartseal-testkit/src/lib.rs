//! Helpers that several crates' tests share: data, replay of fuzz seeds, domain table.
