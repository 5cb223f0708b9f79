//! Which device trains; the one place that names concrete backends.

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
