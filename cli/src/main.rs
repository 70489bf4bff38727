//! The `tfm` command.

fn main() -> std::process::ExitCode {
    tfm::main()
}
