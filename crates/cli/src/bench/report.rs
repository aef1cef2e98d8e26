//! What a measurement found, for people and as JSON.
//!
//! Always: a quantile is a value that was measured (the nearest rank), in milliseconds; nothing is left
//! out: a trade that was lost is counted and makes the measurement fail.

use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// Messages between servers that follow each other from a trade's arrival until the first server knows
/// that it is final: the trade to the leader, its block, votes for it, votes that it is final.
const LEGS: f64 = 4.0;
/// Writes that follow each other at a server: its vote, its vote that the block is final, the final block
/// with its certificate, the ledger's store. Each is durable before the next step.
const WRITES: f64 = 4.0;

/// The whole measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether nothing was lost or refused, and the servers agreed at the end.
    pub ok: bool,
    /// How many servers there were.
    pub servers: u8,
    /// How many members traded.
    pub members: usize,
    /// Processors of this machine.
    pub processors: usize,
    /// Trades a second.
    pub rate: u32,
    /// Real milliseconds that a leader is waited for.
    pub leader_timeout_ms: u64,
    /// What the machine itself can do.
    pub ceiling: Ceiling,
    /// What happened, in order.
    pub phases: Vec<Phase>,
    /// Whether the servers that lived had the same state at the end.
    pub agree: bool,
    /// What else was wrong.
    pub problems: Vec<String>,
}

/// What the machine itself can do, measured in the same run.
#[derive(Clone, Debug, Serialize)]
pub struct Ceiling {
    /// A small HTTP request and its answer over the loopback, median of milliseconds.
    pub http_ms: f64,
    /// A small append made durable, median of milliseconds.
    pub sync_ms: f64,
    /// What an agreement must take at least with these: one HTTP round trip, four messages in a row (half
    /// an HTTP round trip each), four durable writes in a row; milliseconds.
    pub least_ms: f64,
}

/// A time without trades, then trades.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Servers that were killed before the trades began.
    pub dead: u8,
    /// The time without trades before.
    pub idle: Idle,
    /// Trades that were submitted.
    pub trades: usize,
    /// Trades that were sent more than once.
    pub sent_again: usize,
    /// Trades that were refused, with the first reason.
    pub refused: usize,
    /// The first reason.
    pub first_refusal: Option<String>,
    /// Trades that were taken and never seen final.
    pub lost: usize,
    /// From just before sending until seen final.
    pub final_ms: Quantiles,
    /// The same of the first trade after idleness.
    pub first_final_ms: Option<f64>,
    /// From just before sending until the server had answered.
    pub answer_ms: Quantiles,
    /// The median as a multiple of `Ceiling::least_ms`.
    pub multiple_of_least: f64,
    /// How much later than planned a trade was sent at most: the measurement's own fault.
    pub most_late_ms: f64,
    /// Blocks with trades.
    pub blocks: usize,
    /// Bytes of those blocks by trade: what the ledger itself takes.
    pub block_bytes_per_trade: Option<f64>,
    /// Growth of a server's folder on disk by trade, with indexes, journals and free room.
    pub disk_bytes_per_trade: Option<f64>,
    /// Processor milliseconds of all servers by trade, less what they use when idle.
    pub processor_ms_per_trade: Option<f64>,
    /// Resident memory of each server at the end, in MiB.
    pub resident_mib: Vec<f64>,
}

/// A time without trades.
#[derive(Clone, Debug, Serialize)]
pub struct Idle {
    /// How long.
    pub seconds: f64,
    /// Blocks in it (the heartbeat's).
    pub blocks: usize,
    /// Bytes of a block in it.
    pub bytes_per_block: Option<f64>,
    /// Growth of a server's folder on disk by block.
    pub disk_bytes_per_block: Option<f64>,
    /// Growth of a server's folder on disk.
    pub disk_bytes: f64,
    /// Share of one processor that a server uses, in percent.
    pub processor_percent: Option<f64>,
}

/// Quantiles in milliseconds; zero without samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half are no longer.
    pub p50: f64,
    /// 90 of 100 are no longer.
    pub p90: f64,
    /// 99 of 100 are no longer.
    pub p99: f64,
    /// None is longer.
    pub max: f64,
}

impl Quantiles {
    /// Of values in milliseconds.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let rank = |percent: usize| values.get((values.len() * percent).div_ceil(100).max(1) - 1);
        let at = |percent| rank(percent).copied().unwrap_or_default();
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }
}

/// The middle value.
pub fn median(values: Vec<f64>) -> f64 {
    Quantiles::of(values).p50
}

impl Ceiling {
    /// From the two medians in milliseconds.
    pub fn new(http_ms: f64, sync_ms: f64) -> Self {
        Self { http_ms, sync_ms, least_ms: http_ms + LEGS * http_ms / 2.0 + WRITES * sync_ms }
    }
}

impl Phase {
    /// Whether every trade became final.
    pub fn is_complete(&self) -> bool {
        self.lost == 0 && self.refused == 0
    }
}

/// A number with one decimal, or a dash where there is none.
struct Or(Option<f64>);

impl Display for Or {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "{value:.1}"),
            None => f.write_str("-"),
        }
    }
}

impl Display for Quantiles {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, max } = self;
        write!(f, "p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.dead {
            0 => writeln!(f, "All servers live")?,
            dead => writeln!(f, "{dead} killed just before the trades")?,
        }
        let idle = &self.idle;
        writeln!(
            f,
            "  idle       {:.0} s, {} blocks of {} bytes; a server's disk grew by {:.0} bytes ({} a block), \
             it used {} % of a processor",
            idle.seconds,
            idle.blocks,
            Or(idle.bytes_per_block),
            idle.disk_bytes,
            Or(idle.disk_bytes_per_block),
            Or(idle.processor_percent),
        )?;
        writeln!(
            f,
            "  trades     {} submitted, {} sent again, {} refused, {} lost; sent at most {:.1} ms late",
            self.trades, self.sent_again, self.refused, self.lost, self.most_late_ms
        )?;
        if let Some(reason) = &self.first_refusal {
            writeln!(f, "  refusal    {reason}")?;
        }
        writeln!(f, "  final      {}; the first {} ms", self.final_ms, Or(self.first_final_ms))?;
        writeln!(f, "  answered   {}", self.answer_ms)?;
        writeln!(f, "  multiple   the median is {:.1} times the least possible", self.multiple_of_least)?;
        writeln!(
            f,
            "  room       {} blocks; by trade {} bytes of ledger, {} bytes of a server's disk, {} ms of \
             processor in all servers",
            self.blocks,
            Or(self.block_bytes_per_trade),
            Or(self.disk_bytes_per_trade),
            Or(self.processor_ms_per_trade),
        )?;
        let resident: Vec<String> = self.resident_mib.iter().map(|mib| format!("{mib:.1}")).collect();
        writeln!(f, "  memory     {} MiB", resident.join(", "))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} servers as processes on this machine ({} processors), {} members, {} trades a second, leader \
             timeout {} ms",
            self.servers, self.processors, self.members, self.rate, self.leader_timeout_ms
        )?;
        let Ceiling { http_ms, sync_ms, least_ms } = self.ceiling;
        writeln!(f, "Least possible here: {least_ms:.2} ms")?;
        writeln!(
            f,
            "  = one HTTP round trip ({http_ms:.2} ms) + {LEGS} messages in a row at half a round trip each + \
             {WRITES} durable writes in a row ({sync_ms:.2} ms each); no computing, no waiting for the slower half"
        )?;
        for phase in &self.phases {
            write!(f, "{phase}")?;
        }
        let agree = if self.agree { "agree" } else { "DO NOT AGREE" };
        write!(f, "The servers that live {agree} on the ledger.")?;
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values_of_the_nearest_rank() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(Quantiles::of(values), Quantiles { p50: 100.0, p90: 180.0, p99: 198.0, max: 200.0 });
        assert_eq!(Quantiles::of(vec![7.0]), Quantiles { p50: 7.0, p90: 7.0, p99: 7.0, max: 7.0 });
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    }
}
