//! `/`: what this server knows, on one page.

use super::super::Api;
use super::super::blocks::summaries;
use super::super::view::{ListQuery, ServerView};
use super::lists::{List, part};
use super::{Page, layout, page, words};
use axum::extract::State;
use maud::{Markup, html};
use wattbook_client::api::{BatteryInfo, BlockSummary, PricesNow, ServerStatus};

/// Rows of each list.
const ROWS: usize = 8;
/// Blocks that are shown.
const BLOCKS: u64 = 8;

pub(super) async fn show(State(api): State<Api>) -> Page {
    Ok(page(api.read(overview).await))
}

fn overview(view: &dyn ServerView) -> Markup {
    let genesis = view.genesis();
    let status = view.status();
    let query = ListQuery { limit: ROWS, before: None, address: None };
    let body = html! {
        h1 { (genesis.name) }
        p {
            "What the server " strong { (status.name) } " knows. The community's " (genesis.servers.len())
            " servers check every trade against what the battery really received, and keep the same books."
        }
        (standing(view, &status))
        h2 { "Battery" }
        @for battery in view.batteries() { (battery_part(&battery)) }
        h2 { "Prices" }
        (prices(&view.prices()))
        h2 { "Books" }
        (books(&status))
        @for list in List::ALL {
            h2 { (list.title()) }
            (part(view, list, &query))
        }
        h2 { "Latest blocks" }
        (blocks(&summaries(view, None, BLOCKS)))
        h2 { "Servers" }
        ul { @for server in &genesis.servers { li { strong { (server.name) } " " code { (server.key) } } } }
    };
    layout::around(genesis, "Overview", true, body)
}

fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn standing(view: &dyn ServerView, status: &ServerStatus) -> Markup {
    let readiness = view.readiness();
    let others = view.genesis().servers.len().saturating_sub(1);
    html! {
        @if let Some(why) = &readiness.halted { p.bad { "This server has stopped for good: " (why) } }
        @else if !readiness.caught_up { p.bad { "This server is still fetching blocks that it missed." } }
        @else if !readiness.quorum { p.bad { "Waiting for servers: too few are there to agree." } }
        dl.facts {
            (fact("Newest block", html! { a href=(format!("/blocks/{}", status.height)) { (status.height) } }))
            (fact("Its time (UTC)", html! { (words::time(status.time)) }))
            (fact("Connected to", html! { (status.peers) " of " (others) " other servers" }))
            (fact("Transactions waiting", html! { (status.waiting) }))
        }
        p.note { "State of the books, the same on every server after the same block: " code { (status.state_root) } }
    }
}

fn battery_part(battery: &BatteryInfo) -> Markup {
    html! {
        p { strong { (battery.name) } ": " (battery.stored) " of " (battery.capacity) " stored" }
        meter aria-label={ "Stored in " (battery.name) } min="0" max=(battery.capacity.wh()) value=(battery.stored.wh()) {}
        dl.facts {
            (fact("Reserved", html! { (battery.reserved) }))
            (fact("For sale", html! { (battery.for_sale) }))
            (fact("Takes in at most", html! { (battery.charge_limit) }))
            (fact("Gives out at most", html! { (battery.discharge_limit) }))
            (fact("Last report (UTC)", html! { (words::time(battery.reported_at)) }))
        }
    }
}

fn prices(prices: &PricesNow) -> Markup {
    let or_none = |price: Option<wattbook_types::Price>| price.map_or("none yet".to_owned(), words::price);
    html! { dl.facts {
        (fact("A seller is paid", html! { (words::price(prices.selling)) }))
        (fact("Buyers are advised to offer", html! { (words::price(prices.buying)) }))
        (fact("No seller gets less than", html! { (words::price(prices.seller_floor)) }))
        (fact("No buyer is asked more than", html! { (words::price(prices.buyer_cap)) }))
        (fact("Buyers offered last, on average", html! { (or_none(prices.average_offered)) }))
        (fact("Cheapest stored energy", html! { (or_none(prices.lowest_floor)) }))
    } }
}

fn books(status: &ServerStatus) -> Markup {
    let totals = &status.totals;
    html! {
        p {
            "Received " strong { (totals.received) } " = stored " (totals.stored) " + delivered " (totals.delivered)
            " + lost " (totals.lost) ". All balances together, which must be 0: "
            strong { (words::points(totals.money_sum)) } "."
            @if !totals.conserved { " " span.bad { "The books do not balance." } }
        }
        dl.facts {
            (fact("Paid to sellers", html! { (words::points(totals.sellers_paid)) }))
            (fact("Paid by buyers", html! { (words::points(totals.buyers_paid)) }))
            (fact("Balance of the battery's pool", html! { (words::points(totals.pool)) }))
            (fact("Balance of the operator", html! { (words::points(totals.operator)) }))
            (fact("Balance of the community", html! { (words::points(totals.community)) }))
        }
    }
}

fn blocks(blocks: &[BlockSummary]) -> Markup {
    html! { div.wide { table {
        thead { tr {
            th scope="col" { "Block" } th scope="col" { "Time (UTC)" } th.number scope="col" { "Transactions" }
            th.number scope="col" { "Records" } th.number scope="col" { "Bytes" } th scope="col" { "Fingerprint" }
        } }
        tbody { @for block in blocks.iter().rev() { tr {
            td { a href=(format!("/blocks/{}", block.height)) { (block.height) } }
            td { (words::time(block.time)) }
            td.number { (block.transactions.len()) }
            td.number { (block.records.len()) }
            td.number { (block.bytes) }
            td { code title=(block.id) { (block.id.short()) } }
        } } }
    } } }
}
