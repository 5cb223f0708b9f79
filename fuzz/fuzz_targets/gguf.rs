//! libFuzzer over GGUF files; seed it with `tests/golden/families/*.gguf`.
#![no_main]

use ldyn_tui_fuzz::Scene;
use libfuzzer_sys::fuzz_target;

thread_local!(static SCENE: Scene = Scene::new(None).expect("a temporary folder"));

fuzz_target!(|bytes: &[u8]| {
    SCENE.with(|scene| scene.gguf(bytes));
});
