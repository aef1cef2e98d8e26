//! What is read from the machine: memory, processor time, disk space, and what the machine itself can do.
//!
//! Always: read, never estimated; what a system does not tell is absent. Not here: servers.

use super::report::{Ceiling, median};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};
use wattbook_client::http::Servers;

/// Appends and requests that a median is taken of.
const SAMPLES: usize = 100;
/// Bytes of an append: about what a vote, or a small block's part of a page, takes.
const APPEND: usize = 512;

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Processor time that a process has used, in user and kernel mode together.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may contain anything; the fields after it are numbers. utime and stime are
    // the 14th and 15th of all.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1000 / per_second.max(1)))
}

/// Space that a folder takes on disk, in bytes: blocks that are allocated, not lengths of files.
pub fn disk_usage(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        // A file may be gone by now: journals come and go.
        let Ok(about) = entry.metadata() else { continue };
        bytes += if about.is_dir() { disk_usage(&entry.path())? } else { about.blocks() * 512 };
    }
    Ok(bytes)
}

/// What nothing that asks over HTTP and writes to this disk can fall below.
pub async fn ceiling(folder: &Path, servers: &[Servers]) -> Result<Ceiling> {
    let http = median(round_trips(servers).await?);
    let at = folder.join("appends");
    let sync = median(tokio::task::spawn_blocking(move || appends(&at)).await??);
    Ok(Ceiling::new(http, sync))
}

/// Durations of small requests over connections that are open already, in milliseconds.
async fn round_trips(servers: &[Servers]) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for number in 0..SAMPLES + servers.len() {
        let began = Instant::now();
        servers[number % servers.len()].is_alive().await?;
        if number >= servers.len() {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

/// Durations of appends that are made durable one by one, in milliseconds.
fn appends(at: &Path) -> Result<Vec<f64>> {
    let mut file = File::create(at)?;
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let began = Instant::now();
        file.write_all(&[0x5a; APPEND])?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(at)?;
    Ok(times)
}
