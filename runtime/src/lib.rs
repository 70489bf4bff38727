//! Plans to numbers: kernels, data, sessions, checkpoints, the training loop.

pub mod carry;
pub mod checkpoint;
pub mod cpu;
pub mod data;
pub mod random;
pub mod run;
pub mod session;
pub mod tensor;
