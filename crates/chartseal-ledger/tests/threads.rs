//! However many threads check signatures, a block has one outcome.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::num::NonZeroUsize;

use chartseal_ledger::{
    Block, BlockError, Executed, execute_ahead, execute_on, execute_verified, propose, tx_root,
};
use chartseal_wire::Time;
use common::*;

/// The outcome that 1, 2, 3 and 8 threads have in common, and those that check ahead.
fn outcome(chain: &Chain, block: &Block) -> Result<Executed, BlockError> {
    let mut outcomes = Vec::from([1, 2, 3, 8].map(|threads| {
        let threads = NonZeroUsize::new(threads).unwrap();
        execute_on(&chain.head, block, threads)
    }));
    let ahead = execute_ahead(std::iter::once(Ok::<_, ()>(block.clone())), |block| {
        outcomes.push(block.execute(&chain.head));
        Ok(())
    });
    assert_eq!((ahead, outcomes.len()), (Ok(()), 5));
    let seen = outcomes.iter().map(|outcome| match outcome {
        Ok(executed) => Ok((
            executed.overlay.head().clone(),
            executed.changes.clone(),
            executed.entries.clone(),
            executed.receipts.clone(),
        )),
        Err(error) => Err(error.clone()),
    });
    let seen: Vec<_> = seen.collect();
    assert!(seen.iter().all(|other| *other == seen[0]));
    outcomes.remove(0)
}

/// A block of so many records by one author.
fn block(chain: &mut Chain, records: u8) -> Block {
    let signed = (0..records).map(|record| {
        let body = chain.record(20 + record);
        chain.sign(&actor_key(10), body)
    });
    let signed: Vec<_> = signed.collect();
    let proposed = propose(&chain.head, Time(chain.now + 1_000), signed);
    assert_eq!(proposed.rejected, vec![]);
    proposed.block
}

#[test]
fn a_block_gives_the_same_with_any_number_of_threads() {
    for records in [0, 1, 16, 17, 100] {
        let mut chain = Chain::populated();
        let block = block(&mut chain, records);
        let executed = outcome(&chain, &block).unwrap();
        assert_eq!(executed.overlay.head(), &block.header);
        assert_eq!(executed.receipts.len(), usize::from(records));
    }
}

#[test]
fn the_first_bad_transaction_is_named_with_any_number_of_threads() {
    let mut chain = Chain::populated();
    let good = block(&mut chain, 100);
    for (first, second) in [(0, 1), (15, 99), (49, 50), (98, 99), (99, 99)] {
        let mut bad = good.clone();
        bad.transactions[first].signature.0[40] ^= 1;
        // What can't be read has no signature either.
        bad.transactions[second].bytes.push(0);
        bad.header.tx_root = tx_root(&bad.transactions);
        match outcome(&chain, &bad).unwrap_err() {
            BlockError::Transaction { index, source } => {
                assert_eq!(index, first);
                let rule = if first == second {
                    "CS-LED-02"
                } else {
                    "CS-LED-09"
                };
                assert_eq!(source.rule(), rule);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_chain_replays_from_genesis_to_the_same_roots_with_any_number_of_threads() {
    let mut chain = Chain::populated();
    for record in 0..5 {
        chain.ok(&actor_key(10), chain.record(20 + record));
    }
    for threads in [1, 2, 3, 8] {
        let mut head = genesis_with(params()).overlay();
        for block in &chain.blocks[1..] {
            let threads = NonZeroUsize::new(threads).unwrap();
            head = execute_on(&head, block, threads).unwrap().overlay;
            assert_eq!(head.head(), &block.header);
        }
        assert_eq!(head.map().root(), chain.head.map().root());
    }
}

#[test]
fn blocks_that_are_checked_ahead_come_in_order_up_to_the_first_error() {
    let mut chain = Chain::populated();
    for record in 0..50 {
        chain.ok(&actor_key(10), chain.record(20 + record));
    }
    let last = chain.blocks.len() - 1;
    let mut bad = chain.blocks.clone();
    bad[last].transactions[0].signature.0[40] ^= 1;
    bad[last].header.tx_root = tx_root(&bad[last].transactions);
    // What is told of blocks: how many were executed, and what ended it.
    let run = |blocks: &[Block], broken: Option<usize>, refused: Option<u64>| {
        let mut head = genesis_with(params()).overlay();
        let blocks = blocks.iter().enumerate().skip(1);
        let blocks = blocks.map(|(at, block)| match broken {
            Some(broken) if at == broken => Err("broken".to_owned()),
            _ => Ok(block.clone()),
        });
        let ended = execute_ahead(blocks, |block| {
            let executed = block.execute(&head).map_err(|why| why.to_string())?;
            assert_eq!(executed.overlay.head(), &block.block().header);
            head = executed.overlay;
            match refused {
                Some(refused) if head.height() == refused => Err("refused".to_owned()),
                _ => Ok(()),
            }
        });
        (head.height(), ended)
    };
    let end = last as u64;
    assert_eq!(run(&chain.blocks, None, None), (end, Ok(())));
    assert_eq!(run(&chain.blocks[..1], None, None), (0, Ok(())));
    let broken = run(&chain.blocks, Some(7), None);
    assert_eq!(broken, (6, Err("broken".to_owned())));
    let refused = run(&chain.blocks, Some(last), Some(7));
    assert_eq!(refused, (7, Err("refused".to_owned())));
    let (height, ended) = run(&bad, None, None);
    assert_eq!(height, end - 1);
    assert!(ended.unwrap_err().contains("signature does not verify"));
}

#[test]
fn what_was_verified_before_is_not_checked_again_and_everything_else_is() {
    let mut chain = Chain::populated();
    let mut bad = block(&mut chain, 100);
    bad.transactions[60].signature.0[40] ^= 1;
    let proposed =
        chartseal_ledger::propose_verified(&chain.head, bad.header.time, bad.transactions.clone());
    assert_eq!(proposed.rejected, vec![]);
    let bad = proposed.block;
    for threads in [1, 2, 8].map(|threads| NonZeroUsize::new(threads).unwrap()) {
        let with = |verified: &[bool]| execute_verified(&chain.head, &bad, verified, threads);
        let mut others = vec![true; 100];
        others[60] = false;
        for verified in [&[][..], &[true; 60], &others] {
            match with(verified).unwrap_err() {
                BlockError::Transaction { index, source } => {
                    assert_eq!((index, source.rule()), (60, "CS-LED-09"));
                }
                other => panic!("{other}"),
            }
        }
        let executed = with(&[true; 100]).unwrap();
        assert_eq!(executed.overlay.head(), &bad.header);
    }
}
