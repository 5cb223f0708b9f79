//! The devices that train; the one place that names concrete backends.

#[cfg(feature = "wgpu-safe")]
mod adapter;
mod host;
mod memory;
mod numbers;
mod product;
mod shared;
mod wide;

#[cfg(feature = "cuda-safe")]
use std::path::Path;

use burn::backend::Autodiff;
use burn::tensor::DType;
use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum as _;

use crate::error::{Error, Result};
use crate::experiment::Precision;

pub(crate) use host::{Attempt, OnHost, differentiating_on_host, is_host};
pub(crate) use numbers::{floats, int_tensor};
pub(crate) use product::{Matrix, MatrixMut, matmul};
pub(crate) use shared::Shared;
pub(crate) use wide::wide;

/// A backend as `--backend` asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum BackendChoice {
    /// CUDA where there is a driver and a GPU, else flex.
    #[default]
    Auto,
    /// An NVIDIA GPU.
    Cuda,
    /// A GPU by Vulkan, Metal or DirectX 12.
    Wgpu,
    /// The fast CPU backend.
    Flex,
    /// The plain CPU backend.
    Ndarray,
}

impl BackendChoice {
    /// The choice by the name under which a run records it.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok().filter(|&choice| choice != Self::Auto)
    }
}

/// A device that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    #[cfg(feature = "cuda-safe")]
    Cuda,
    #[cfg(feature = "wgpu-safe")]
    Wgpu,
    Flex,
    #[cfg(feature = "ndarray")]
    Ndarray,
}

/// The backend that unit tests compute with.
#[cfg(test)]
pub(crate) type TestBackend = Autodiff<burn_flex::Flex>;

/// The other CPU backend that unit tests compute with.
#[cfg(all(test, feature = "ndarray"))]
pub(crate) type OtherTestBackend = Autodiff<burn_ndarray::NdArray<f32>>;

/// A job that is done with a backend once it is chosen.
pub(crate) trait Work {
    type Output;
    fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output;
}

/// Resolves the choice, and says why where `auto` had to fall back. Opening a CUDA device without a GPU panics inside the
/// crate, so the driver is looked for first.
pub(crate) fn find(choice: BackendChoice) -> Result<(Found, Option<&'static str>)> {
    match choice {
        BackendChoice::Flex => Ok((Found::Flex, None)),
        #[cfg(feature = "ndarray")]
        BackendChoice::Ndarray => Ok((Found::Ndarray, None)),
        #[cfg(not(feature = "ndarray"))]
        BackendChoice::Ndarray => {
            Err(Error::usage("--backend ndarray: this program was built without it; build with --features ndarray"))
        }
        #[cfg(feature = "cuda-safe")]
        BackendChoice::Cuda => match cuda_obstacle() {
            None => Ok((Found::Cuda, None)),
            Some(why) => Err(Error::usage(format!("--backend cuda: {why}; --backend flex trains on the CPU"))),
        },
        #[cfg(not(feature = "cuda-safe"))]
        BackendChoice::Cuda => {
            Err(Error::usage("--backend cuda: this program was built without it; build with --features cuda"))
        }
        #[cfg(feature = "wgpu-safe")]
        BackendChoice::Wgpu if adapter::is_there() => Ok((Found::Wgpu, None)),
        #[cfg(feature = "wgpu-safe")]
        BackendChoice::Wgpu => Err(Error::usage(
            "--backend wgpu: there is no GPU that speaks Vulkan, Metal or DirectX 12, or no driver for it; --backend flex trains on the CPU",
        )),
        #[cfg(not(feature = "wgpu-safe"))]
        BackendChoice::Wgpu => {
            Err(Error::usage("--backend wgpu: this program was built without it; build with --features wgpu"))
        }
        #[cfg(feature = "cuda-safe")]
        BackendChoice::Auto => Ok(match cuda_obstacle() {
            None => (Found::Cuda, None),
            why => (Found::Flex, why),
        }),
        #[cfg(not(feature = "cuda-safe"))]
        BackendChoice::Auto => Ok((Found::Flex, Some("this program was built without CUDA"))),
    }
}

/// Whether the choice can be had here to train with, and computes in this precision.
///
/// # Errors
/// Wrong usage, with the reason and the way out.
pub fn check(choice: BackendChoice, precision: Precision) -> Result<()> {
    struct Supports(DType);
    impl Work for Supports {
        type Output = Option<String>;
        /// The backend's name, if it cannot.
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            (!B::supports_dtype(device, self.0)).then(|| name.to_owned())
        }
    }
    let (found, _) = find_sound(choice)?;
    match precision {
        Precision::F32 => Ok(()),
        Precision::Bf16 => on(found, Supports(DType::BF16)).map_or(Ok(()), |name| {
            Err(Error::usage(format!(
                "precision: bf16: the backend {name} does not compute in bfloat16 here; leave precision out, or take \
                 another backend (--backend cuda on a GPU of 2020 or later, --backend flex to try it on the CPU)"
            )))
        }),
    }
}

/// Whether `auto` trains in this machine's own memory.
pub(crate) fn auto_is_host() -> bool {
    matches!(find(BackendChoice::Auto), Ok((Found::Flex, _)))
}

/// Bytes of memory that can still be had; `None` where the system does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Available {
    /// Tensors lie in the machine's own memory.
    Shared(Option<u64>),
    /// Tensors lie on a device that has memory of its own.
    Apart {
        /// The device's.
        device: Option<u64>,
        /// The machine's.
        machine: Option<u64>,
    },
}

/// How a GPU's kernels come about in this program, as a remark behind the backend's name.
pub(crate) fn kernels(backend: &str) -> &'static str {
    let fused = match backend {
        "cuda" => cfg!(feature = "cuda"),
        "wgpu" => cfg!(feature = "wgpu"),
        _ => return "",
    };
    match (fused, cfg!(feature = "tuned")) {
        (true, false) => " with fused kernels",
        (false, false) => " without fused kernels",
        (true, true) => " with fused and tuned kernels",
        (false, true) => " with tuned kernels",
    }
}

/// The memory that a backend can still have.
pub(crate) fn available_memory<B: Backend>(device: &B::Device) -> Available {
    let name = B::name(device);
    if is_host::<B>(device) {
        return Available::Shared(memory::of_machine());
    }
    let device = if name.contains("cuda") { memory::of_gpu() } else { None };
    Available::Apart { device, machine: memory::of_machine() }
}

/// The memory of this machine, bytes; `None` where the system does not tell.
pub(crate) fn machine_memory() -> Option<u64> {
    memory::all_of_machine()
}

/// The most memory that this process has had, bytes; `None` where the system does not tell.
pub(crate) fn most_memory() -> Option<u64> {
    memory::most_of_process()
}

/// Why CUDA cannot be used here, if it cannot.
#[cfg(feature = "cuda-safe")]
fn cuda_obstacle() -> Option<&'static str> {
    let device = ["/dev/nvidia0", "/dev/dxg"].iter().any(|d| Path::new(d).exists());
    if cfg!(target_os = "linux") && !device {
        return Some("there is no NVIDIA device");
    }
    let driver = ["libcuda.so.1", "libcuda.so"];
    let folders =
        ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/wsl/lib", "/usr/local/nvidia/lib64"];
    let named = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let found =
        folders.iter().copied().chain(named.split(':')).any(|f| driver.iter().any(|d| Path::new(f).join(d).exists()));
    (cfg!(target_os = "linux") && !found).then_some("there is no CUDA driver (libcuda.so)")
}

/// The device that numbers which matter may be computed with. Among the kernels that a GPU's tuning chooses from are some that are wrong
/// on sizes which no check can foresee (docs/gpu.md): a program with them is for the selftest alone.
pub(crate) fn find_sound(choice: BackendChoice) -> Result<(Found, Option<&'static str>)> {
    let found = find(choice)?;
    match found.0 {
        #[cfg(all(feature = "cuda-safe", feature = "tuned"))]
        Found::Cuda => Err(Error::usage(TUNED)),
        #[cfg(all(feature = "wgpu-safe", feature = "tuned"))]
        Found::Wgpu => Err(Error::usage(TUNED)),
        _ => Ok(found),
    }
}

#[cfg(all(any(feature = "cuda-safe", feature = "wgpu-safe"), feature = "tuned"))]
const TUNED: &str = "this program was built with --features tuned, whose kernels give wrong numbers for some sizes \
                     (docs/gpu.md): on a GPU it runs the selftest and nothing else; build without, or take --backend flex";

/// Does the work on a device that is there.
pub(crate) fn on<W: Work>(found: Found, work: W) -> W::Output {
    match found {
        #[cfg(feature = "cuda-safe")]
        Found::Cuda => work.with::<Autodiff<burn_cuda::Cuda<f32, i32>>>(&burn_cuda::CudaDevice::default(), "cuda"),
        #[cfg(feature = "wgpu-safe")]
        Found::Wgpu => work.with::<Autodiff<burn_wgpu::Wgpu<f32, i32>>>(&burn_wgpu::WgpuDevice::default(), "wgpu"),
        Found::Flex => work.with::<Autodiff<burn_flex::Flex>>(&burn_flex::FlexDevice, "flex"),
        #[cfg(feature = "ndarray")]
        Found::Ndarray => {
            work.with::<Autodiff<burn_ndarray::NdArray<f32>>>(&burn_ndarray::NdArrayDevice::default(), "ndarray")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BackendChoice, check};
    use crate::experiment::Precision;

    #[test]
    fn a_precision_that_a_backend_lacks_is_refused_by_name() {
        assert!(check(BackendChoice::Flex, Precision::Bf16).is_ok());
        #[cfg(feature = "ndarray")]
        {
            assert!(check(BackendChoice::Ndarray, Precision::F32).is_ok());
            let error = check(BackendChoice::Ndarray, Precision::Bf16).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            assert!(error.to_string().starts_with("precision: bf16: the backend ndarray does not"), "{error}");
        }
    }
}
