//! The `tfm` command.

/// A check makes a great many small lists; this allocator saves a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tfm::main()
}
