//! E05xx: arguments, static values and `require`.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[];
