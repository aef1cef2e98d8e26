//! What a demonstration says at its beginning and at its end.

use super::options::Options;
use super::report::Report;
use super::site::{Site, url};

/// What stays visible: where the pages are, how links are protected, how to stop.
pub fn header(site: &Site, options: &Options) -> Vec<String> {
    let servers: Vec<_> = site.servers.iter().map(|server| url(server.keyed.http)).collect();
    let mut lines = vec![
        format!(
            "{} homes, one battery, {} servers that check every trade. {} last {} s.",
            site.homes.len(),
            site.servers.len(),
            period(site.genesis.rules.slot_length.seconds()),
            options.slot_seconds.as_secs_f64(),
        ),
        format!("The homes' pages:   {}", url(site.homes_address)),
    ];
    // Two to a line fit eighty columns.
    for (number, pair) in servers.chunks(2).enumerate() {
        let title = if number == 0 { "The servers' pages:" } else { "" };
        lines.push(format!("{title:19} {}", pair.join("  ")));
    }
    lines
        .push("Links: parts by TLS with certificates at both ends; devices by Modbus TCP, plain,".to_owned());
    lines.push("within this machine, like the pages.".to_owned());
    lines.push(format!("Everything is kept in {}. Stop with Ctrl-C.", site.dir.display()));
    lines
}

/// A length of time, at the beginning of a sentence.
fn period(seconds: u64) -> String {
    if seconds.is_multiple_of(60) {
        format!("{} minutes", seconds / 60)
    } else {
        format!("{seconds} seconds")
    }
}

/// What came of it.
pub fn summary(report: &Report) -> String {
    let mut lines = vec![
        format!(
            "\nThe ledger has {} blocks; {} of {} servers agree on state {}.",
            report.ledger.height,
            report.ledger.servers.iter().filter(|s| s.state_root == report.ledger.state_root).count(),
            report.ledger.servers.len(),
            report.ledger.state_root.short(),
        ),
        format!(
            "The battery received {}, delivered {}, holds {}; {} were lost on the way.",
            report.energy_wh.received,
            report.energy_wh.delivered,
            report.energy_wh.stored,
            report.energy_wh.lost,
        ),
        format!(
            "Sellers were paid {} points, buyers paid {} points; the sum of all accounts is {}.",
            report.money_milli.sellers_paid, report.money_milli.buyers_paid, report.money_milli.sum,
        ),
        format!(
            "The battery covered {:.1} % of what homes had to import; the most possible was {:.1} %.",
            100.0 * report.coverage.share,
            100.0 * report.coverage.bound_share,
        ),
    ];
    if report.ok {
        lines.push(match report.reconciliation {
            Some(_) => "Energy and money are conserved; ledger, storage and home records match.".to_owned(),
            None => "Energy and money are conserved.".to_owned(),
        });
    } else {
        lines.push("Something does not hold:".to_owned());
        lines.extend(report.problems.iter().map(|problem| format!("  - {problem}")));
    }
    lines.join("\n")
}
