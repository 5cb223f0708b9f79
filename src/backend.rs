//! Which device trains; the one place that names concrete backends.

#[cfg(feature = "wgpu-safe")]
mod adapter;
mod memory;
mod product;

use std::any::Any;
use std::path::Path;

use burn::backend::Autodiff;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor};
use crossbeam_channel::Receiver;

use crate::data::batch::Sequence;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Precision};
use crate::model::Checkpoint;
use crate::probe::score::{self, CompletionLogps};
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};
use crate::selftest::{self, Row, Whole};
use crate::train::EventSink;

pub(crate) use product::matmul;

/// What `--backend` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
        match name {
            "cuda" => Some(Self::Cuda),
            "wgpu" => Some(Self::Wgpu),
            "flex" => Some(Self::Flex),
            "ndarray" => Some(Self::Ndarray),
            _ => None,
        }
    }
}

/// A device that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    #[cfg(feature = "cuda-safe")]
    Cuda,
    #[cfg(feature = "wgpu-safe")]
    Wgpu,
    Flex,
    #[cfg(feature = "ndarray")]
    Ndarray,
}

/// What unit tests compute with.
#[cfg(test)]
pub(crate) type TestBackend = Autodiff<burn_flex::Flex>;

/// The same on the other CPU backend.
#[cfg(all(test, feature = "ndarray"))]
pub(crate) type OtherTestBackend = Autodiff<burn_ndarray::NdArray<f32>>;

/// What is done with a backend once it is chosen.
trait Work {
    type Output;
    fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output;
}

/// Resolves the choice, and says why where `auto` had to fall back. Opening a CUDA device without a GPU panics inside the
/// crate, so the driver is looked for first.
fn find(choice: BackendChoice) -> Result<(Found, Option<&'static str>)> {
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

/// Whether the choice can be had here, to be tested.
///
/// # Errors
/// Wrong usage, with the reason and the way out.
pub(crate) fn is_there(choice: BackendChoice) -> Result<()> {
    find(choice).map(|_| ())
}

/// Whether a backend's tensors lie in this machine's own memory: a tensor that nobody else holds can be taken apart into
/// its numbers and put together again without a copy.
pub(crate) fn is_host<B: Backend>(device: &B::Device) -> bool {
    matches!(B::name(device).as_str(), "flex" | "ndarray")
}

/// Whether `auto` trains in this machine's own memory.
pub(crate) fn auto_is_host() -> bool {
    matches!(find(BackendChoice::Auto), Ok((Found::Flex, _)))
}

/// What can be done with matrices that are differentiated in this machine's own memory.
pub(crate) trait OnHost<const N: usize> {
    /// Does it on a backend that differentiates over `I`.
    fn run<I: Backend>(self, inputs: [Tensor<Autodiff<I>, 2>; N]) -> Tensor<Autodiff<I>, 2>;
}

/// Does `work` where `B` is a backend that differentiates in this machine's own memory; elsewhere the inputs come back. The
/// model does not know its backend's type: it is asked for here, by the list of those that there are.
pub(crate) fn differentiating_on_host<B: Backend, W: OnHost<N>, const N: usize>(
    work: W,
    inputs: [Tensor<B, 2>; N],
) -> Result<Tensor<B, 2>, [Tensor<B, 2>; N]> {
    /// The same where `B` is `Autodiff<I>`, which the two options find out; the inputs stay in theirs otherwise.
    fn with<B: Backend, I: Backend, W: OnHost<N>, const N: usize>(
        work: W,
        inputs: &mut Option<[Tensor<B, 2>; N]>,
    ) -> Result<Tensor<B, 2>, W> {
        let mut output: Option<Tensor<B, 2>> = None;
        let taken = (inputs as &mut dyn Any).downcast_mut::<Option<[Tensor<Autodiff<I>, 2>; N]>>();
        let slot = (&mut output as &mut dyn Any).downcast_mut::<Option<Tensor<Autodiff<I>, 2>>>();
        match (taken.and_then(Option::take), slot) {
            (Some(inputs), Some(slot)) => *slot = Some(work.run::<I>(inputs)),
            _ => return Err(work),
        }
        output.ok_or_else(|| unreachable!("it was just put there"))
    }
    let mut inputs = Some(inputs);
    let done = with::<B, burn_flex::Flex, _, N>(work, &mut inputs);
    #[cfg(feature = "ndarray")]
    let done = done.or_else(|work| with::<B, burn_ndarray::NdArray<f32>, _, N>(work, &mut inputs));
    match (done, inputs) {
        (Ok(output), _) => Ok(output),
        (Err(_), Some(inputs)) => Err(inputs),
        (Err(_), None) => unreachable!("inputs are taken only to be worked on"),
    }
}

/// Bytes of memory that can still be had; `None` where the system does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Available {
    /// Tensors lie in the machine's own memory.
    Shared(Option<u64>),
    /// They lie on a device that has its own.
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

/// What a backend can still have.
pub(crate) fn available_memory<B: Backend>(device: &B::Device) -> Available {
    let name = B::name(device);
    if is_host::<B>(device) {
        return Available::Shared(memory::of_machine());
    }
    let device = if name.contains("cuda") { memory::of_gpu() } else { None };
    Available::Apart { device, machine: memory::of_machine() }
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

/// What numbers that matter may be computed with. Among the kernels that a GPU's tuning chooses from are some that are wrong
/// on sizes which no check can foresee (docs/gpu.md): a program with them is for the selftest alone.
fn find_sound(choice: BackendChoice) -> Result<(Found, Option<&'static str>)> {
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

fn on<W: Work>(found: Found, work: W) -> W::Output {
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

/// Trains an experiment on the chosen backend.
///
/// # Errors
/// When the backend is not to be had, or training fails.
pub(crate) fn train(
    experiment: &Experiment,
    choice: BackendChoice,
    model_folder: Option<&Path>,
    events: &mut dyn EventSink,
    commands: &Receiver<TrainerCommand>,
) -> Result<()> {
    struct Train<'a>(&'a Experiment, Option<&'a Path>, &'a mut dyn EventSink, &'a Receiver<TrainerCommand>);
    impl Work for Train<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Result<()> {
            crate::train::train::<B>(self.0, device, name, self.1, self.2, self.3)
        }
    }
    let (found, obstacle) = find(choice)?;
    if let Some(why) = obstacle {
        let what = format!("training on the CPU (flex): {why}");
        tracing::info!("{what}");
        events.emit(&TrainerEvent::Phase { phase: RunPhase::Starting(what), step: 0 })?;
    }
    on(found, Train(experiment, model_folder, events, commands))
}

/// Scores completions on the chosen backend.
///
/// # Errors
/// When the backend is not to be had or the checkpoint cannot be loaded.
pub(crate) fn score(
    checkpoint: &Checkpoint,
    sequences: &[Sequence],
    choice: BackendChoice,
) -> Result<Vec<CompletionLogps>> {
    struct Score<'a>(&'a Checkpoint, &'a [Sequence]);
    impl Work for Score<'_> {
        type Output = Result<Vec<CompletionLogps>>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            run::<B::InnerBackend>(self.0, self.1, device)
        }
    }
    fn run<B: Backend>(
        checkpoint: &Checkpoint,
        sequences: &[Sequence],
        device: &B::Device,
    ) -> Result<Vec<CompletionLogps>> {
        let model = checkpoint.load::<B>(device)?;
        let sequences: Vec<&Sequence> = sequences.iter().collect();
        Ok(score::completions(&model, &sequences, checkpoint.tokenizer.pad()))
    }
    on(find_sound(choice)?.0, Score(checkpoint, sequences))
}

/// Holds the kernels and the shipped model on the chosen backend against double precision and against another CPU backend,
/// where there is one.
///
/// # Errors
/// When the backend is not to be had, or `tell` fails.
pub(crate) fn selftest(choice: BackendChoice, tell: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    struct Compute<'a>(Option<(&'static str, Whole)>, &'a mut dyn FnMut(Row) -> Result<()>);
    impl Work for Compute<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            selftest::compute::<B>(device, name, self.0, self.1)
        }
    }
    struct OtherWhole;
    impl Work for OtherWhole {
        type Output = Result<Whole>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            Whole::on::<B>(device)
        }
    }
    let (found, _) = find(choice)?;
    let other = match found {
        #[cfg(feature = "ndarray")]
        Found::Flex => Some(("ndarray", Found::Ndarray)),
        #[cfg(not(feature = "ndarray"))]
        Found::Flex => None,
        #[cfg(any(feature = "cuda-safe", feature = "wgpu-safe", feature = "ndarray"))]
        _ => Some(("flex", Found::Flex)),
    };
    let other = other.map(|(name, found)| Ok::<_, Error>((name, on(found, OtherWhole)?))).transpose()?;
    on(found, Compute(other, tell))
}

/// Log-probs of a checkpoint's answers and the gradient of their sum on the CPU, to hold another backend's against.
///
/// # Errors
/// When the checkpoint cannot be loaded.
pub(crate) fn numbers_on_cpu(
    checkpoint: &Checkpoint,
    sequences: &[Sequence],
    precision: Precision,
) -> Result<selftest::Numbers> {
    struct Compute<'a>(&'a Checkpoint, &'a [Sequence], Precision);
    impl Work for Compute<'_> {
        type Output = Result<selftest::Numbers>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            let model = self.0.load::<B>(device)?.compute_in(self.2);
            let (sequences, all): (Vec<&Sequence>, Vec<usize>) = (self.1.iter().collect(), (0..self.1.len()).collect());
            Ok(selftest::preflight::numbers(&model, &sequences, &all, self.0.tokenizer.pad()))
        }
    }
    on(Found::Flex, Compute(checkpoint, sequences, precision))
}

/// Measures how fast the chosen backend is.
///
/// # Errors
/// When the backend is not to be had, or `tell` fails.
pub(crate) fn selftest_speed(choice: BackendChoice, tell: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    struct Speed<'a>(&'a mut dyn FnMut(Row) -> Result<()>);
    impl Work for Speed<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            selftest::measure_speed::<B>(device, self.0)
        }
    }
    on(find(choice)?.0, Speed(tell))
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
