//! Loops over numbers with the widest instructions that this machine has. Programs are compiled for any machine of their
//! kind; what is done in here is compiled for newer ones too, and chosen when it runs.

use std::sync::LazyLock;

use pulp::Arch;

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Does `work`, whose loops the compiler turns into wide instructions. It and the functions that it calls take part where
/// they are always inlined: `wide(#[inline(always)] || …)`. The numbers are the same whichever instructions there are: none of them is contracted or reordered.
#[inline(always)]
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    ARCH.dispatch(work)
}
