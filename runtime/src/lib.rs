//! Plans to numbers: kernels, data, sessions, checkpoints, the training loop.

pub mod cpu;
pub mod data;
pub mod random;
pub mod tensor;
