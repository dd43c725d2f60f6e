#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| witgate::fuzzing::messages_request(data));
