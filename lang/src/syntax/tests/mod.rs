//! Tests of the parser.

mod broken;
mod programs;
