//! Runs a command and writes what it took to a file: `measure OUT COMMAND ARGS...`
//!
//! CPU time is that of the command and of all that it waited for. A process starts with the peak of what it was made
//! from, so that a large parent would hide the peak of a small child: this one is small.

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = env::args_os().skip(1);
    let (Some(out), Some(command)) = (args.next(), args.next()) else {
        return Err("usage: measure OUT COMMAND ARGS...".into());
    };
    let started = Instant::now();
    let status = Command::new(command).args(args).status()?;
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let kib = usage.max_rss();
    fs::write(
        out,
        format!(
            r#"{{"cpuMs":{},"wallMs":{},"peakMB":{}}}"#,
            cpu as f64 / 1e3,
            wall.as_secs_f64() * 1e3,
            kib as f64 * 1024.0 / 1e6
        ),
    )?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
