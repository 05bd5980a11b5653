//! Load generator of the benchmark.
//!
//! ```text
//! load run    < plan.json     one target, N clients, answers checked; prints a JSON report
//! load flips  < plan.json     how long requests are still accepted after a switch was turned
//! load bare BYTES             a bare warp handler to compare with; prints its port, runs until stdin ends
//! ```
//!
//! One thread, requests built beforehand, a parser that only finds where an answer ends: what is measured is the
//! server. `cpu` in a report is the share of a core that this process used; near 1.0 it was the bottleneck itself.

mod bare;
mod cpu;
mod flips;
mod plan;
mod run;
mod stats;
mod wire;

use std::io::Read;

use anyhow::{Context, Result, bail};
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run"] => print(&on_one_thread(run::run(read_plan()?))?),
        ["flips"] => print(&on_one_thread(flips::run(read_plan()?))?),
        // As many threads as the server it is compared with has.
        ["bare", bytes] => {
            Builder::new_multi_thread().enable_all().build()?.block_on(bare::serve(bytes.parse()?))
        }
        _ => bail!("usage: load run | load flips | load bare BYTES"),
    }
}

fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    LocalSet::new().block_on(&Builder::new_current_thread().enable_all().build()?, work)
}

fn read_plan<T: DeserializeOwned>() -> Result<T> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    serde_json::from_str(&text).context("the plan on stdin")
}

fn print(report: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}
