//! `wattbook list`: the three public lists (Fig. 7A, 7B, 8).

use crate::table::table;
use crate::target::{Names, Target};
use crate::units::minute;
use anyhow::Result;
use clap::{Args, ValueEnum};
use comfy_table::Table;
use serde::Serialize;
use wattbook_client::api::{Cursor, Page, PurchaseRow, RequestRow, StorageRow};
use wattbook_client::http::ListFilter;
use wattbook_types::AccountId;

/// Options of `wattbook list`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Which list
    list: List,
    /// Print the servers' answer as JSON
    #[arg(long)]
    json: bool,
    /// At most so many rows, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only rows before this place, as the page before said
    #[arg(long, value_name = "PLACE")]
    before: Option<Cursor>,
    /// Only rows of this address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<AccountId>,
    #[command(flatten)]
    target: Target,
}

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum List {
    /// Who sent how much to the battery, and when
    Storage,
    /// Who wants how much from it, when, and at which price
    Requests,
    /// Who got how much from it, when, and at which price
    Purchases,
}

/// Runs the command.
pub async fn run(options: &Options) -> Result<()> {
    let servers = options.target.servers()?;
    let filter =
        ListFilter { limit: Some(options.limit.into()), before: options.before, address: options.address };
    let names = options.target.names();
    match options.list {
        List::Storage => show(options, &servers.storage_list(&filter).await?, |rows| storage(rows, &names)),
        List::Requests => show(options, &servers.request_list(&filter).await?, |rows| requests(rows, &names)),
        List::Purchases => {
            show(options, &servers.purchase_list(&filter).await?, |rows| purchases(rows, &names))
        }
    }
}

fn show<T: Serialize>(options: &Options, page: &Page<T>, lay_out: impl Fn(&[T]) -> Table) -> Result<()> {
    if options.json {
        println!("{}", serde_json::to_string_pretty(page)?);
        return Ok(());
    }
    if page.rows.is_empty() {
        println!("Nothing in this list after block {}.", page.height);
        return Ok(());
    }
    println!("{}", lay_out(&page.rows));
    println!("After block {} ({}). Times in UTC.", page.height, page.block.short());
    if let Some(next) = page.next {
        println!("More with --before {next}");
    }
    Ok(())
}

fn storage(rows: &[StorageRow], names: &Names) -> Table {
    let rows = rows.iter().map(|row| {
        vec![
            names.of(&row.address),
            minute(row.interval.start),
            row.energy.to_string(),
            row.left.to_string(),
            row.sale.short(),
        ]
    });
    table(&["Address", "Sent", "Energy", "For sale", "Sale"], &[2, 3], rows)
}

fn requests(rows: &[RequestRow], names: &Names) -> Table {
    let rows = rows.iter().map(|row| {
        vec![
            names.of(&row.address),
            minute(row.wanted),
            row.energy.to_string(),
            row.price.to_string(),
            row.purchase.short(),
        ]
    });
    table(&["Address", "Wanted", "Energy", "Unit price", "Request"], &[2, 3], rows)
}

fn purchases(rows: &[PurchaseRow], names: &Names) -> Table {
    let rows = rows.iter().map(|row| {
        vec![
            names.of(&row.address),
            minute(row.date),
            row.energy.to_string(),
            row.price.to_string(),
            row.purchase.short(),
        ]
    });
    table(&["Address", "Delivered", "Energy", "Unit price", "Request"], &[2, 3], rows)
}
