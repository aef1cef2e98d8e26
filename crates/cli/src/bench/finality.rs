//! `wattbook bench finality`: from a signed trade to its holder's knowledge that it is final.
//!
//! Always: servers are processes of this same program with their files on disk, each measurement begins
//! after a time without trades, and where servers are to die they are killed (SIGKILL) right before the
//! trades begin, so that the others find out only then. Trades go to servers that live: a home goes on to
//! the next server by itself (`client::outbox`), and what that takes is not measured here.

use super::community::Community;
use super::gauge;
use super::load::{self, Listener, SeenBlock, Submission, Target};
use super::report::{Ceiling, Idle, Phase, Quantiles, Report};
use crate::demo::children::Children;
use crate::demo::parts::Timing;
use anyhow::{Context, Result, bail};
use clap::Args;
use clap::value_parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;
use wattbook_client::http::Servers;

/// How long servers may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// How long the servers that live may take to stand at the same height.
const AGREE: Duration = Duration::from_secs(10);

/// Options of `wattbook bench finality`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many servers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u8).range(3..=16))]
    servers: u8,
    /// Trades submitted in a second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// For how many seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Seconds without trades before
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u64).range(0..=3600))]
    idle: u64,
    /// Kill so many servers after the first measurement and another idle time, and measure again
    #[arg(long, value_name = "N", default_value_t = 0)]
    dead: u8,
    /// How long a leader is waited for, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = value_parser!(u64).range(50..=60_000))]
    leader_timeout: u64,
    /// How long the ledger goes without a block when there is nothing to do, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = value_parser!(u64).range(50..))]
    heartbeat: u64,
    /// The folder in which a folder for the measurement is made; its disk is what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Leave the measurement's folder where it is
    #[arg(long)]
    keep: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Measures, prints, and cleans up.
pub async fn run(options: &Options) -> Result<ExitCode> {
    let most_dead = (options.servers - 1) / 3;
    if options.dead > most_dead {
        bail!("--dead {}: {} servers go on without {most_dead} at most", options.dead, options.servers);
    }
    let dir = options.dir.join(format!("wattbook-bench-{}", std::process::id()));
    let report = match measure(options, &dir).await {
        Ok(report) => report,
        Err(error) => {
            return Err(error.context(format!("what the servers said is in {}/logs", dir.display())));
        }
    };
    if !options.keep {
        std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(options: &Options, dir: &std::path::Path) -> Result<Report> {
    let trades = options.rate as usize * options.seconds as usize;
    let phases = if options.dead > 0 { 2 } else { 1 };
    let community = Community::make(dir, options.servers, trades * phases)?;
    let mut bench = Bench::start(options, community)?;
    let mut stop = crate::process::shutdown(false);
    tokio::select! {
        report = bench.course(trades) => report,
        () = &mut stop => bail!("stopped before the end"),
    }
}

struct Bench<'a> {
    options: &'a Options,
    community: Community,
    children: Children,
    /// Servers that live.
    living: Vec<Target>,
}

/// What is read from the servers that live at one moment, by server.
struct Reading {
    at: Instant,
    servers: Vec<ServerReading>,
}

struct ServerReading {
    disk: u64,
    processor: Option<Duration>,
}

impl<'a> Bench<'a> {
    fn start(options: &'a Options, community: Community) -> Result<Self> {
        let mut children = Children::new(community.logs(), Duration::from_secs(u64::from(u32::MAX)));
        let timing = Timing { leader_timeout_ms: options.leader_timeout, heartbeat_ms: options.heartbeat };
        for part in community.parts(&timing)? {
            children.start(part)?;
        }
        let living = community.names().into_iter().zip(community.clients()?);
        let living = living
            .map(|(name, server)| Target { name, listener: Listener::start(server.clone()), server })
            .collect();
        Ok(Self { options, community, children, living })
    }

    async fn course(&mut self, trades: usize) -> Result<Report> {
        self.wait_until_ready().await?;
        let servers: Vec<Servers> = self.living.iter().map(|target| target.server.clone()).collect();
        let ceiling = gauge::ceiling(self.community.dir(), &servers).await?;
        let mut phases = vec![self.phase(trades, 0, &ceiling).await?];
        if self.options.dead > 0 {
            phases.push(self.phase(trades, self.options.dead, &ceiling).await?);
        }
        let agree = self.agree().await;
        let problems = self.children.stop("server").await;
        Ok(Report {
            ok: agree && problems.is_empty() && phases.iter().all(Phase::is_complete),
            servers: self.options.servers,
            members: self.community.members(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            rate: self.options.rate,
            leader_timeout_ms: self.options.leader_timeout,
            ceiling,
            phases,
            agree,
            problems,
        })
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        loop {
            let mut waiting = Vec::new();
            for target in &self.living {
                if !target.server.is_ready().await {
                    waiting.push(target.name.as_str());
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not ready after {} s: {}", READY.as_secs(), waiting.join(", "));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Idleness, death, trades.
    async fn phase(&mut self, trades: usize, dead: u8, ceiling: &Ceiling) -> Result<Phase> {
        let trades = self.community.trades(trades);
        let (before, blocks_before) = (self.read()?, self.blocks().len());
        tokio::time::sleep(Duration::from_secs(self.options.idle)).await;
        let (mut rested, blocks_rested) = (self.read()?, self.blocks().len());
        let idle = idle(&before, &rested, &self.blocks()[blocks_before..blocks_rested]);
        for _ in 0..dead {
            let dying = self.living.pop().context("no server is left")?;
            self.children.kill(&dying.name).await?;
            rested.servers.pop();
        }
        let submissions = load::submit(trades, &self.living, self.options.rate).await;
        load::await_final(&submissions, &self.living).await;
        let loaded = self.read()?;
        let blocks = self.blocks().split_off(blocks_rested);
        let times = times(&submissions, &self.living);
        Ok(Phase {
            dead,
            trades: submissions.len(),
            sent_again: submissions.iter().filter(|submission| submission.again > 0).count(),
            refused: submissions.iter().filter(|submission| submission.refused.is_some()).count(),
            first_refusal: submissions.iter().find_map(|submission| submission.refused.clone()),
            lost: times.lost,
            final_ms: Quantiles::of(times.to_final.clone()),
            first_final_ms: times.first,
            answer_ms: Quantiles::of(times.to_answer),
            multiple_of_least: Quantiles::of(times.to_final).p50 / ceiling.least_ms,
            most_late_ms: submissions.iter().map(|submission| millis(submission.late)).fold(0.0, f64::max),
            blocks: blocks.len(),
            block_bytes_per_trade: ratio(bytes(&blocks), transactions(&blocks)),
            disk_bytes_per_trade: ratio(growth(&rested, &loaded), transactions(&blocks)),
            processor_ms_per_trade: processor_per_trade(&idle, &rested, &loaded, submissions.len()),
            resident_mib: self.resident(),
            idle,
        })
    }

    fn read(&self) -> Result<Reading> {
        let ids = self.children.ids();
        let of = |target: &Target| -> Result<ServerReading> {
            Ok(ServerReading {
                disk: gauge::disk_usage(&self.community.data(&target.name))?,
                processor: ids.get(&target.name).and_then(|pid| gauge::processor_time(*pid)),
            })
        };
        Ok(Reading { at: Instant::now(), servers: self.living.iter().map(of).collect::<Result<_>>()? })
    }

    fn resident(&self) -> Vec<f64> {
        let ids = self.children.ids();
        let pids = self.living.iter().filter_map(|target| ids.get(&target.name));
        pids.filter_map(|pid| gauge::resident(*pid)).map(|bytes| bytes as f64 / 1_048_576.0).collect()
    }

    /// Final blocks until now, as the first server that lives told of them.
    fn blocks(&self) -> Vec<SeenBlock> {
        self.living.first().map(|target| target.listener.blocks()).unwrap_or_default()
    }

    /// Whether all servers that live come to stand at the same height with the same state.
    async fn agree(&self) -> bool {
        let deadline = Instant::now() + AGREE;
        while Instant::now() < deadline {
            let mut stands = Vec::new();
            for target in &self.living {
                stands.extend(target.server.status().await.map(|status| (status.height, status.state_root)));
            }
            if stands.len() == self.living.len() && stands.windows(2).all(|pair| pair[0] == pair[1]) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }
}

/// How long trades took, in milliseconds.
struct Times {
    to_final: Vec<f64>,
    to_answer: Vec<f64>,
    first: Option<f64>,
    lost: usize,
}

fn times(submissions: &[Submission], targets: &[Target]) -> Times {
    let until = |submission: &Submission| {
        let seen = targets[submission.target].listener.when(&submission.id)?;
        Some(millis(seen.saturating_duration_since(submission.sent)))
    };
    let taken = submissions.iter().filter(|submission| submission.refused.is_none());
    let answered = submissions.iter().filter_map(|submission| Some((submission, submission.answered?)));
    Times {
        to_final: submissions.iter().filter_map(until).collect(),
        to_answer: answered.map(|(submission, at)| millis(at.duration_since(submission.sent))).collect(),
        first: submissions.iter().min_by_key(|submission| submission.sent).and_then(until),
        lost: taken.filter(|submission| until(submission).is_none()).count(),
    }
}

fn idle(before: &Reading, after: &Reading, blocks: &[SeenBlock]) -> Idle {
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let disk_bytes = growth(before, after);
    Idle {
        seconds,
        blocks: blocks.len(),
        bytes_per_block: ratio(bytes(blocks), blocks.len()),
        disk_bytes_per_block: ratio(disk_bytes, blocks.len()),
        disk_bytes,
        processor_percent: processor(before, after)
            .filter(|_| seconds > 0.0)
            .map(|used| used.as_secs_f64() * 100.0 / seconds / before.servers.len() as f64),
    }
}

/// Mean growth of a server's folder.
fn growth(before: &Reading, after: &Reading) -> f64 {
    let pairs = before.servers.iter().zip(&after.servers);
    let grown: f64 = pairs.map(|(before, after)| after.disk as f64 - before.disk as f64).sum();
    grown / after.servers.len().max(1) as f64
}

/// What all servers used between two readings.
fn processor(before: &Reading, after: &Reading) -> Option<Duration> {
    let pairs = before.servers.iter().zip(&after.servers);
    pairs.map(|(before, after)| Some(after.processor?.saturating_sub(before.processor?))).sum()
}

fn processor_per_trade(idle: &Idle, before: &Reading, after: &Reading, trades: usize) -> Option<f64> {
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let unloaded = idle.processor_percent? / 100.0 * seconds * after.servers.len() as f64;
    ratio((processor(before, after)?.as_secs_f64() - unloaded).max(0.0) * 1e3, trades)
}

fn bytes(blocks: &[SeenBlock]) -> f64 {
    blocks.iter().map(|block| block.bytes as f64).sum()
}

fn transactions(blocks: &[SeenBlock]) -> usize {
    blocks.iter().map(|block| block.transactions).sum()
}

fn ratio(sum: f64, count: usize) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
