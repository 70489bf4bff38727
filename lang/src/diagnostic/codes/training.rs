//! E06xx: data and `train`.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[];
