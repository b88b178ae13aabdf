//! Prints each figure as one line of JSON: all of them, or the one that is named.

use chartseal_benches::{Figure, codec, merkle};

type Measure = fn() -> Figure;

const FIGURES: [(&str, Measure); 4] = [
    ("codec/encode", codec::encode),
    ("codec/decode", codec::decode),
    ("merkle/append", merkle::append),
    ("merkle/map-update", merkle::update),
];

fn main() {
    let only = std::env::args().nth(1);
    for (id, measure) in FIGURES {
        if only.as_deref().is_none_or(|only| only == id) {
            println!("{}", measure().entry());
        }
    }
}
