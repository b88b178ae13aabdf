#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = chartseal_testkit::fuzz::node_proposal(input);
});
