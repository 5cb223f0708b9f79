//! The selftest: every row of it, on a backend that is sound.

use std::process::{Command, Output};

fn selftest(backend: &str) -> (Output, usize) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["selftest", "--backend", backend])
        .current_dir(&folder)
        .output()
        .unwrap();
    (output, std::fs::read_dir(&folder).unwrap().count())
}

#[test]
fn the_fast_backend_passes_and_writes_nothing() {
    let (output, files) = selftest("flex");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files, 0);
    assert!(!table.contains("FAILED"), "{table}");
    for row in [
        "backend ",
        "products in single precision",
        "matrix product ",
        "softmax under a mask",
        "log-probs of labels",
        "embedding and its gradient",
        "RMS norm",
        "rotary positions and grouped attention",
        "gated feed-forwards, widths of any size",
        "one query over caches of 1 to 130 tokens",
        "perceptrons that end in one column",
        "products with one column",
        "products over an odd number of tiles, read",
        "products over an odd number of tiles, fused",
        "numbers read while kernels are chosen",
        "two matrix products, gated",
        "shipped model: gradient, by a small step",
        "DPO begins at a loss of log 2",
        "gained and lost probability cancel",
        "shipped model, forward and backward",
        "model FLOP utilisation",
        "peak memory",
    ] {
        assert!(table.contains(row), "{row}: {table}");
    }
    let checked = table.lines().filter(|line| line.contains("  ok  ")).count();
    assert!(checked >= 32 && table.contains(&format!("all {checked} checks passed")), "{table}");
}

/// The GPU path, on whatever driver there is (`.ci/software-vulkan` installs one that needs no GPU).
#[cfg(feature = "wgpu-safe")]
#[test]
fn a_gpu_passes_where_there_is_a_driver() {
    let (output, _) = selftest("wgpu");
    let (table, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if error.contains("there is no GPU that speaks Vulkan") {
        return;
    }
    assert!(output.status.success() && !table.contains("FAILED"), "{table}{error}");
}

#[test]
fn a_backend_that_is_not_there_is_wrong_usage() {
    let gpu = ["/dev/nvidia0", "/dev/dxg"].iter().any(|device| std::path::Path::new(device).exists());
    for backend in ["cuda", "wgpu"] {
        // Where there is a GPU there may be nothing to refuse.
        if gpu || (backend == "wgpu" && cfg!(feature = "wgpu-safe")) {
            continue;
        }
        let (output, files) = selftest(backend);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), files), (Some(2), 0), "{error}");
        assert!(output.stdout.is_empty() && error.contains(&format!("--backend {backend}")), "{error}");
    }
}
