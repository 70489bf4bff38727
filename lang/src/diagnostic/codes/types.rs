//! E04xx: types and dtypes.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[];
