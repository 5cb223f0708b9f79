//! Whether a backend computes what it should here, and how fast: kernels against loops in double precision, the shipped
//! model against another backend, a short experiment with its invariants. Nothing is written to disk.

mod dpo;
mod kernels;
pub(crate) mod preflight;
mod reference;
mod shapes;
mod speed;
mod whole;

use std::fmt;

use burn::tensor::backend::AutodiffBackend;

use crate::backend::{self, BackendChoice};
use crate::error::{Error, Result};

pub(crate) use whole::Whole;

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
enum Finding {
    /// The largest difference from what is expected, relative to the largest number that is expected, and what is tolerated.
    Apart { error: f64, tolerance: f64 },
    /// Whether something that must hold does, and in what numbers.
    Held(bool, String),
    /// A measurement, which cannot fail.
    Measured(String),
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    what: String,
    finding: Finding,
}

impl Row {
    fn apart(what: impl Into<String>, error: f64, tolerance: f64) -> Self {
        Self { what: what.into(), finding: Finding::Apart { error, tolerance } }
    }

    fn held(what: impl Into<String>, holds: bool, numbers: impl Into<String>) -> Self {
        Self { what: what.into(), finding: Finding::Held(holds, numbers.into()) }
    }

    fn measured(what: impl Into<String>, numbers: impl Into<String>) -> Self {
        Self { what: what.into(), finding: Finding::Measured(numbers.into()) }
    }

    /// A difference that is no number fails.
    fn failed(&self) -> bool {
        match self.finding {
            Finding::Apart { error, tolerance } => !matches!(error.partial_cmp(&tolerance), Some(o) if o.is_le()),
            Finding::Held(holds, _) => !holds,
            Finding::Measured(_) => false,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (&self.finding, self.failed()) {
            (Finding::Measured(_), _) => "",
            (_, true) => "FAILED",
            (_, false) => "ok",
        };
        write!(f, "{:<44}  {verdict:<6}  ", self.what)?;
        match &self.finding {
            Finding::Apart { error, tolerance } => write!(f, "{error:.1e} apart, {tolerance:.0e} tolerated"),
            Finding::Held(_, numbers) | Finding::Measured(numbers) => f.write_str(numbers),
        }
    }
}

/// How far a backend's single precision may be from double precision. On a GPU the factors of a product may be rounded to
/// 11 bits (TF32) on their way into the tensor cores.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    /// Of sums of products, relative to the largest result.
    products: f64,
    /// Of everything else.
    pointwise: f64,
}

impl Tolerance {
    fn of<B: AutodiffBackend>(device: &B::Device) -> Self {
        if backend::is_host::<B::InnerBackend>(device) {
            Self { products: 2e-5, pointwise: 2e-5 }
        } else {
            Self { products: 4e-3, pointwise: 1e-4 }
        }
    }
}

/// Checks a backend, line by line, and hands each line to `say`.
///
/// # Errors
/// When the backend is not to be had, when a check failed (exit status 1), or when `say` does.
pub fn selftest(choice: BackendChoice, say: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    backend::is_there(choice)?;
    let (mut failed, mut checks) = (0, 0);
    let mut tell = |row: Row| {
        failed += usize::from(row.failed());
        checks += usize::from(!matches!(row.finding, Finding::Measured(_)));
        say(&format!("{row}\n"))
    };
    backend::selftest(choice, &mut tell)?;
    for row in dpo::rows(choice)? {
        tell(row)?;
    }
    backend::selftest_speed(choice, &mut tell)?;
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

pub(crate) use preflight::Numbers;
pub(crate) use speed::rows as measure_speed;

/// The largest difference, relative to the largest expected number; no number where one of the two holds none or they are
/// not equally many.
fn apart(found: &[f32], expected: &[f64]) -> f64 {
    if found.len() != expected.len() || expected.is_empty() {
        return f64::NAN;
    }
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |most, e| most.max(e.abs()));
    let far = |(&f, &e): (&f32, &f64)| (f64::from(f) - e).abs();
    // `f64::max` would drop what is no number.
    found.iter().zip(expected).map(far).fold(0.0, |most: f64, d| if d > most || d.is_nan() { d } else { most })
        / largest
}

#[cfg(test)]
mod tests {
    use super::{Row, apart};

    #[test]
    fn a_row_fails_where_it_should() {
        assert!(!Row::apart("x", 1e-6, 1e-5).failed());
        assert!(Row::apart("x", 1e-4, 1e-5).failed());
        assert!(Row::apart("x", f64::NAN, 1e-5).failed());
        assert!(Row::held("x", false, "").failed() && !Row::held("x", true, "").failed());
        assert!(!Row::measured("x", "").failed());
        assert!(Row::apart("x", 1.0, 0.1).to_string().contains("FAILED"));
    }

    #[test]
    fn differences_are_relative_and_never_lost() {
        assert_eq!(apart(&[1.0, -4.0], &[1.0, -2.0]), 1.0);
        assert!(apart(&[f32::NAN, 0.0], &[1.0, 2.0]).is_nan());
        assert!(apart(&[1.0], &[1.0, 2.0]).is_nan() && apart(&[], &[]).is_nan());
    }
}
