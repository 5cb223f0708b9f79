//! libFuzzer over the files of a sharded folder. The first byte says which of them the rest replaces.
#![no_main]

use ldyn_tui_fuzz::Scene;
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 3] =
    ["model-00002-of-00002.safetensors", "model.safetensors.index.json", "model-00001-of-00002.safetensors"];

thread_local!(static SCENE: Scene = Scene::new(Some("qwen2")).expect("a temporary folder"));

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let name = FILES[usize::from(*which) % FILES.len()];
    let sound = std::fs::read(ldyn_tui_fuzz::seeds().join("qwen2").join(name)).expect("the seed");
    SCENE.with(|scene| {
        scene.file(name, bytes);
        scene.file(name, &sound);
    });
});
