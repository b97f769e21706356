//! `ipae`: makes, loads, personalizes and proves SIM cards with an IoT Profile Assistant in them.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
