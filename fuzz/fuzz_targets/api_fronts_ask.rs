#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = chartseal_testkit::fuzz::api_fronts_ask(input);
});
