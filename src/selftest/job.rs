//! The checks on whichever backend is chosen.

use burn::tensor::backend::AutodiffBackend;

use super::whole::Whole;
use super::{Finding, Row, Tolerance, dpo, kernels, shapes, speed, whole};
use crate::backend::{self, BackendChoice, Found, Work, find, on};
use crate::error::{Error, Result};

/// Holds the kernels and the shipped model on the chosen backend against double precision and against another CPU backend,
/// where there is one.
///
/// # Errors
/// When the backend is not to be had, or `tell` fails.
fn compute_on(choice: BackendChoice, tell: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    struct Compute<'a>(Option<(&'static str, Whole)>, &'a mut dyn FnMut(Row) -> Result<()>);
    impl Work for Compute<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            compute::<B>(device, name, self.0, self.1)
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

/// Measures how fast the chosen backend is.
///
/// # Errors
/// When the backend is not to be had, or `tell` fails.
fn measure_speed_on(choice: BackendChoice, tell: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    struct Speed<'a>(&'a mut dyn FnMut(Row) -> Result<()>);
    impl Work for Speed<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            speed::rows::<B>(device, self.0)
        }
    }
    on(find(choice)?.0, Speed(tell))
}

/// Checks a backend, line by line, and hands each line to `say`.
///
/// # Errors
/// When the backend is not to be had, when a check failed (exit status 1), or when `say` does.
pub fn selftest(choice: BackendChoice, say: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    find(choice)?;
    let (mut failed, mut checks) = (0, 0);
    let mut tell = |row: Row| {
        failed += usize::from(row.failed());
        checks += usize::from(!matches!(row.finding, Finding::Measured(_)));
        say(&format!("{row}\n"))
    };
    compute_on(choice, &mut tell)?;
    for row in dpo::rows(choice)? {
        tell(row)?;
    }
    measure_speed_on(choice, &mut tell)?;
    if failed > 0 {
        return Err(Error::failed(format!("{failed} of {checks} checks failed")));
    }
    say(&format!("all {checks} checks passed\n"))
}

/// The kernels and the shipped model on a backend; `other` is what another backend finds of that model.
pub(crate) fn compute<B: AutodiffBackend>(
    device: &B::Device,
    name: &str,
    other: Option<(&str, Whole)>,
    tell: &mut dyn FnMut(Row) -> Result<()>,
) -> Result<()> {
    let of = match &other {
        Some((other, _)) => format!("double precision, and {other}"),
        None => "double precision".to_owned(),
    };
    tell(Row::measured("backend", format!("{name}{}, held against {of}", backend::kernels(name))))?;
    tell(shapes::precision::<B::InnerBackend>(device))?;
    let tolerance = Tolerance::of::<B>(device);
    kernels::rows::<B>(device, tolerance).into_iter().try_for_each(&mut *tell)?;
    shapes::rows::<B::InnerBackend>(device, tolerance).into_iter().try_for_each(&mut *tell)?;
    whole::rows::<B>(device, tolerance, other)?.into_iter().try_for_each(tell)
}
