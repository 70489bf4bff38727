//! E02xx: names that are not known, or known twice.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[];
