//! Which device trains; the one place that names concrete backends.

use std::path::Path;

use burn::backend::Autodiff;
use burn::tensor::DType;
use burn::tensor::backend::{AutodiffBackend, Backend};
use crossbeam_channel::Receiver;

use crate::data::batch::Sequence;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Precision};
use crate::model::Checkpoint;
use crate::probe::score::{self, CompletionLogps};
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};
use crate::train::EventSink;

/// What `--backend` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// CUDA where there is a driver and a GPU, else flex.
    #[default]
    Auto,
    /// An NVIDIA GPU.
    Cuda,
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
            "flex" => Some(Self::Flex),
            "ndarray" => Some(Self::Ndarray),
            _ => None,
        }
    }
}

/// A device that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    #[cfg(feature = "cuda")]
    Cuda,
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
        #[cfg(feature = "cuda")]
        BackendChoice::Cuda => match cuda_obstacle() {
            None => Ok((Found::Cuda, None)),
            Some(why) => Err(Error::usage(format!("--backend cuda: {why}; --backend flex trains on the CPU"))),
        },
        #[cfg(not(feature = "cuda"))]
        BackendChoice::Cuda => {
            Err(Error::usage("--backend cuda: this program was built without it; build with --features cuda"))
        }
        #[cfg(feature = "cuda")]
        BackendChoice::Auto => Ok(match cuda_obstacle() {
            None => (Found::Cuda, None),
            why => (Found::Flex, why),
        }),
        #[cfg(not(feature = "cuda"))]
        BackendChoice::Auto => Ok((Found::Flex, Some("this program was built without CUDA"))),
    }
}

/// Whether the choice can be had here, and computes in this precision.
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
    let (found, _) = find(choice)?;
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

/// Why CUDA cannot be used here, if it cannot.
#[cfg(feature = "cuda")]
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

fn on<W: Work>(found: Found, work: W) -> W::Output {
    match found {
        #[cfg(feature = "cuda")]
        Found::Cuda => work.with::<Autodiff<burn_cuda::Cuda<f32, i32>>>(&burn_cuda::CudaDevice::default(), "cuda"),
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
    on(find(choice)?.0, Score(checkpoint, sequences))
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
