//! What a visitor sees: what happens, line by line, and a table that refreshes.
//!
//! Always: on a terminal the table stands at the top and the last events below it; elsewhere events are
//! printed as they come and the table every six simulated hours; with `--json` everything is one JSON
//! object a line. Not here: what happened (`tally`).

use super::tally::clock_text;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write, stdout};
use wattbook_types::{Balance, Energy, Power, Price, Timestamp};

/// How many events stay on a terminal below the table.
const KEPT_EVENTS: usize = 14;
const SIX_HOURS: u64 = 6 * 3_600_000;

/// Everything that the table shows.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Ledger time.
    pub time: Timestamp,
    /// Height of the last final block.
    pub height: u64,
    /// Stored by the battery's last report.
    pub stored_wh: Energy,
    /// What it can hold.
    pub capacity_wh: Energy,
    /// Of what is stored: promised.
    pub reserved_wh: Energy,
    /// What sellers are paid.
    pub selling: Price,
    /// What buyers are advised to offer.
    pub buying: Price,
    /// What buyers offered on average in the last clearing.
    pub average_offered: Option<Price>,
    /// The homes.
    pub homes: Vec<HomeRow>,
}

/// A home's row.
#[derive(Clone, Debug, Serialize)]
pub struct HomeRow {
    /// Its name.
    pub name: String,
    /// What it generates now.
    pub generation_w: Power,
    /// What it uses now.
    pub consumption_w: Power,
    /// Sold so far.
    pub sold_wh: Energy,
    /// Bought so far.
    pub bought_wh: Energy,
    /// What it holds.
    pub balance: Balance,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Terminal,
    Lines,
    Json,
}

/// Where it is shown.
pub struct Screen {
    style: Style,
    events: VecDeque<String>,
    header: Vec<String>,
    last_table: Option<Timestamp>,
}

impl Screen {
    /// A screen; `header` is what stays visible: where the pages are, how to stop.
    pub fn new(json: bool, header: Vec<String>) -> Self {
        let style = match (json, stdout().is_terminal()) {
            (true, _) => Style::Json,
            (false, true) => Style::Terminal,
            (false, false) => Style::Lines,
        };
        let screen = Self { style, events: VecDeque::new(), header, last_table: None };
        match style {
            Style::Lines => screen.header.iter().for_each(|line| say(line)),
            Style::Json => screen.header.iter().for_each(|line| say_json("note", line)),
            Style::Terminal => {}
        }
        screen
    }

    /// Something happened.
    pub fn event(&mut self, time: Timestamp, text: &str) {
        let line = format!("{}  {text}", clock_text(time));
        match self.style {
            Style::Json => say_json("event", &(time, text)),
            Style::Lines => say(&line),
            Style::Terminal => {
                if self.events.len() == KEPT_EVENTS {
                    self.events.pop_front();
                }
                self.events.push_back(line);
            }
        }
    }

    /// How everything stands.
    pub fn table(&mut self, snapshot: &Snapshot) {
        let due = self.last_table.is_none_or(|last| snapshot.time.millis_since(last) >= SIX_HOURS);
        match self.style {
            Style::Terminal => self.redraw(snapshot),
            Style::Lines if due => say(&format!("\n{}\n", drawn(snapshot))),
            Style::Json if due => say_json("table", snapshot),
            _ => return,
        }
        self.last_table =
            Some(if self.style == Style::Terminal { Timestamp::default() } else { snapshot.time });
    }

    fn redraw(&self, snapshot: &Snapshot) {
        let mut text = "\x1b[2J\x1b[H".to_owned();
        for line in &self.header {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&format!("\n{}\n\n", drawn(snapshot)));
        for line in &self.events {
            text.push_str(line);
            text.push('\n');
        }
        let mut out = stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Something for the end, that stays.
    pub fn finally(&self, text: &str) {
        match self.style {
            Style::Json => say_json("note", &text),
            _ => say(text),
        }
    }
}

/// Prints a line; a reader that has gone away is no reason to fail.
fn say(line: &str) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn say_json(kind: &str, value: &impl Serialize) {
    say(&serde_json::json!({ kind: value }).to_string());
}

fn drawn(snapshot: &Snapshot) -> String {
    let days = snapshot.time.millis() / 86_400_000;
    let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days as i64));
    let average = snapshot.average_offered.map_or("-".to_owned(), |price| price.to_string());
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["home", "generates", "uses", "sold", "bought", "balance"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for home in &snapshot.homes {
        table.add_row([
            home.name.clone(),
            home.generation_w.to_string(),
            home.consumption_w.to_string(),
            home.sold_wh.to_string(),
            home.bought_wh.to_string(),
            home.balance.to_string(),
        ]);
    }
    format!(
        "{date} {} UTC, block {}\nBattery: {} of {} stored, {} promised\n\
         Prices: sellers get {}, buyers are advised {} (offered last: {average})\n{table}",
        clock_text(snapshot.time),
        snapshot.height,
        snapshot.stored_wh,
        snapshot.capacity_wh,
        snapshot.reserved_wh,
        snapshot.selling,
        snapshot.buying,
    )
}
