//! The whole library checks, and its examples can be written out.
