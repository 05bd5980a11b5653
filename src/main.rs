//! Entry point: arguments, configuration, telemetry, app, exit code.

use std::io::Write;
use std::process::ExitCode;

use odoo_mcp_sidecar::app::App;
use odoo_mcp_sidecar::config::{Arguments, Config, ConfigSources, ParsedCommand};
use odoo_mcp_sidecar::telemetry;

/// glibc's arenas keep the memory of the largest load; this allocator returns unused pages to the kernel after seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code of a usage error (`EX_USAGE`); the configuration counts as part of the command.
const EX_USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        ParsedCommand::Run(arguments) => arguments,
        ParsedCommand::Print(text) => {
            return print_and_exit(&mut std::io::stdout(), &text, ExitCode::SUCCESS);
        }
        ParsedCommand::UsageError(text) => {
            return print_and_exit(&mut std::io::stderr(), &text, ExitCode::from(EX_USAGE));
        }
    };
    let config = match Config::load(&ConfigSources::from_process(&arguments)) {
        Ok(config) => config,
        Err(faults) => {
            return print_and_exit(&mut std::io::stderr(), &format!("{faults}\n"), ExitCode::from(EX_USAGE));
        }
    };
    if arguments.check {
        return print_and_exit(&mut std::io::stdout(), "the configuration is sound\n", ExitCode::SUCCESS);
    }
    telemetry::init(&config.log);
    let run = async { App::build(config)?.run().await };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print_and_exit(&mut std::io::stderr(), &format!("{error}\n"), ExitCode::FAILURE),
    }
}

/// Prints the text and gives the code; a closed pipe is no reason to panic.
fn print_and_exit(to: &mut dyn Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    code
}
