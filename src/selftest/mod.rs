//! The self-test: whether a backend computes what it should here, and how fast: kernels against loops in double precision, the shipped
//! model against another backend, a short experiment with its invariants. Nothing is written to disk.

mod dpo;
mod job;
mod kernels;
mod reference;
mod shapes;
mod speed;
mod whole;

#[cfg(test)]
pub(crate) use whole::sequences;

use std::fmt;

use burn::tensor::backend::AutodiffBackend;

use crate::backend;

pub use job::selftest;

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
    /// Tolerance of sums of products, relative to the largest result.
    products: f64,
    /// Tolerance of everything else.
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

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn a_row_fails_where_it_should() {
        assert!(!Row::apart("x", 1e-6, 1e-5).failed());
        assert!(Row::apart("x", 1e-4, 1e-5).failed());
        assert!(Row::apart("x", f64::NAN, 1e-5).failed());
        assert!(Row::held("x", false, "").failed() && !Row::held("x", true, "").failed());
        assert!(!Row::measured("x", "").failed());
        assert!(Row::apart("x", 1.0, 0.1).to_string().contains("FAILED"));
    }
}
