//! E03xx: shapes that do not fit.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[];
