//! Arguments, configuration, telemetry, app, exit code.

use std::io::Write;
use std::process::ExitCode;

use odoo_mcp_sidecar::app::App;
use odoo_mcp_sidecar::config::{Arguments, Config, Source, Start};
use odoo_mcp_sidecar::telemetry;

/// glibc's arenas keep the memory of the largest load; this allocator returns unused pages to the kernel after seconds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The command was used wrongly (`EX_USAGE`); the configuration counts as part of the command.
const USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Start::With(arguments) => arguments,
        Start::Told(text) => return tell(&mut std::io::stdout(), &text, ExitCode::SUCCESS),
        Start::Wrong(text) => return tell(&mut std::io::stderr(), &text, ExitCode::from(USAGE)),
    };
    let config = match Config::load(&Source::of_process(&arguments)) {
        Ok(config) => config,
        Err(faults) => return tell(&mut std::io::stderr(), &format!("{faults}\n"), ExitCode::from(USAGE)),
    };
    if arguments.check {
        return tell(&mut std::io::stdout(), "the configuration is sound\n", ExitCode::SUCCESS);
    }
    telemetry::init(&config.log);
    let run = async { App::build(config)?.run().await };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => tell(&mut std::io::stderr(), &format!("{error}\n"), ExitCode::FAILURE),
    }
}

/// The text, then the code; a closed pipe is no reason to panic.
fn tell(to: &mut dyn Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    code
}
