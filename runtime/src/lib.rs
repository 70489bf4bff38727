//! Plans to numbers: kernels, data, sessions, checkpoints, the training loop.

pub mod data;
pub mod tensor;
