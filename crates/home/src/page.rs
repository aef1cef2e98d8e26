//! The household's pages: what is going on, and the forms to sell and to buy with a yes or no (D1-D5).
//!
//! Always: plain words; works without scripts and on a phone; everything that is shown is escaped by the
//! template. The one script replaces the live part of a page every two seconds. Not here: what is done when
//! a form is sent (`http`).

use crate::config::{Offer, SellAmount};
use crate::home::Live;
use crate::record::{Origin, SlotReading};
use crate::selling::OnceAmount;
use crate::view::{HomeStatus, HomeSummary, TransactionView};
use crate::words::{Calendar, points, unit_price};
use maud::{DOCTYPE, Markup, html};
use wattbook_types::{Balance, Energy, Interval, Money, Power, Price, Slot};

/// The style sheet.
pub const CSS: &str = include_str!("page.css");
/// The script.
pub const JS: &str = include_str!("page.js");

/// What a form proposes for buying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuyProposal {
    /// Slots that can be bought for, the proposed one first.
    pub slots: Vec<Slot>,
    /// How much is proposed.
    pub energy: Energy,
    /// The unit price proposed.
    pub offered: Price,
}

/// A question to be answered yes or no before something is asked of the community.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// What follows from a yes.
    pub note: String,
    /// Where a yes goes.
    pub action: String,
    /// What goes with it.
    pub fields: Vec<(&'static str, String)>,
}

fn frame(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body { main { (body) } }
        }
    }
}

/// The list of homes.
pub fn list(homes: &[HomeSummary]) -> Markup {
    frame(
        "Homes",
        &html! {
            h1 { "Homes" }
            div #live data-from="/live" { (list_live(homes)) }
        },
    )
}

/// The part of the list that is refreshed.
pub fn list_live(homes: &[HomeSummary]) -> Markup {
    html! {
        table {
            thead { tr { th { "Home" } th { "Generates" } th { "Uses" } th { "Sold" } th { "Bought" } th { "Balance" } } }
            tbody {
                @for home in homes {
                    tr {
                        td { a href={ "/homes/" (home.name) } { (home.name) } }
                        td { (home.now.map_or("–".to_owned(), |now| watts(now.generation))) }
                        td { (home.now.map_or("–".to_owned(), |now| watts(now.load))) }
                        td { (home.totals.sold_wh) }
                        td { (home.totals.bought_wh) }
                        td { (balance(home.balance_milli)) }
                    }
                }
            }
        }
    }
}

/// A home's page.
pub fn home(status: &HomeStatus, calendar: &Calendar, proposal: &BuyProposal) -> Markup {
    frame(
        &status.name,
        &html! {
            p { a href="/" { "All homes" } }
            h1 { (status.name) }
            div #live data-from={ "/homes/" (status.name) "/live" } { (home_live(status, calendar)) }
            (sell_form(status))
            (buy_form(status, calendar, proposal))
            (settings_form(status))
        },
    )
}

/// The part of a home's page that is refreshed.
pub fn home_live(status: &HomeStatus, calendar: &Calendar) -> Markup {
    html! {
        p.time { (calendar.date_time(status.time)) }
        @if let Some(trouble) = &status.trouble { p.trouble role="alert" { (trouble) } }
        (now(status))
        (prices(status))
        section {
            h2 { "Sales and purchases" }
            @for order in &status.sell_orders {
                p.order {
                    "You asked to sell " (amount(order.amount)) "; " (order.sent) " sent so far."
                    form method="post" action={ "/homes/" (status.name) "/sell/withdraw" } {
                        input type="hidden" name="number" value=(order.number);
                        button { "Withdraw the rest" }
                    }
                }
            }
            @if let Some(not_bought) = &status.not_bought {
                p.note {
                    "Nothing asked for " (calendar.interval(Interval::of_slot(not_bought.slot, calendar.slot_length)))
                    ": " (not_bought.text)
                }
            }
            @if status.transactions.is_empty() { p { "Nothing yet." } }
            @for transaction in &status.transactions { (steps(transaction)) }
        }
        (totals(status))
        (readings(&status.readings, calendar))
    }
}

fn now(status: &HomeStatus) -> Markup {
    html! {
        section {
            h2 { "Now" }
            @match &status.now {
                None => p { "The meter has not answered yet." },
                Some(Live { generation, load, sending, drawing, grid_import, grid_export, .. }) => dl {
                    dt { "Generated" } dd { (watts(*generation)) }
                    dt { "Used" } dd { (watts(*load)) }
                    dt { "To the battery" } dd { (watts(*sending)) }
                    dt { "From the battery" } dd { (watts(*drawing)) }
                    dt { "To the utility" } dd { (watts(*grid_export)) }
                    dt { "From the utility" } dd { (watts(*grid_import)) }
                },
            }
            @if let Some(reason) = status.grant.as_ref().and_then(|grant| grant.reason.as_ref()) {
                p.note { "The battery takes less than you could send: " (reason) }
            }
        }
    }
}

fn prices(status: &HomeStatus) -> Markup {
    html! {
        section {
            h2 { "Prices and balance" }
            dl {
                dt { "Your balance" } dd { (balance(status.balance_milli)) }
                @if let Some(prices) = &status.prices {
                    dt { "You are paid" } dd { (unit_price(prices.selling)) " per kWh" }
                    dt { "You pay about" } dd { (unit_price(prices.buying)) " per kWh" }
                    @if let Some(average) = prices.average_offered {
                        dt { "Offered lately on average" } dd { (unit_price(average)) " per kWh" }
                    }
                }
                dt { "The utility charges" } dd { (unit_price(status.utility)) " per kWh" }
                @if let Some(energy) = status.for_sale_wh { dt { "For sale in the battery" } dd { (energy) } }
            }
        }
    }
}

fn steps(transaction: &TransactionView) -> Markup {
    html! {
        article {
            h3 {
                (transaction.heading)
                @if transaction.origin == Origin::Owner { " (asked by you)" }
            }
            ol.steps {
                @for step in &transaction.steps {
                    li class=(format!("{:?}", step.state).to_lowercase()) {
                        span.sign aria-hidden="true" { (step.state.sign()) } " "
                        strong { (step.title) }
                        @if !step.detail.is_empty() { span.detail { (step.detail) } }
                    }
                }
            }
        }
    }
}

fn totals(status: &HomeStatus) -> Markup {
    let totals = &status.totals;
    html! {
        section {
            h2 { "So far" }
            dl {
                dt { "Generated" } dd { (totals.generated_wh) }
                dt { "Used" } dd { (totals.consumed_wh) }
                dt { "Sold" } dd { (totals.sold_wh) " for " (points(totals.earned_milli)) }
                dt { "Bought" } dd { (totals.bought_wh) " for " (points(totals.paid_milli)) }
                dt { "The utility would have charged for that" } dd { (points(totals.utility_instead_milli)) }
                dt { "Taken from the utility" } dd {
                    (totals.grid_import_wh) " for " (points(totals.utility_cost_milli))
                }
                dt { "Given to the utility" } dd { (totals.grid_export_wh) }
            }
        }
    }
}

fn readings(readings: &[SlotReading], calendar: &Calendar) -> Markup {
    html! {
        section {
            h2 { "Measured lately" }
            div.wide {
                table {
                    thead { tr { th { "When" } th { "Generated" } th { "Used" } th { "Sent" } th { "Arrived" } } }
                    tbody {
                        @for reading in readings.iter().rev().take(12) {
                            tr {
                                td { (calendar.interval(Interval::of_slot(reading.slot, calendar.slot_length))) }
                                @if reading.measured {
                                    td { (reading.generated) } td { (reading.consumed) }
                                } @else {
                                    td { "not measured" } td { "not measured" }
                                }
                                td { (reading.sent) } td { (reading.arrived) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn sell_form(status: &HomeStatus) -> Markup {
    let surplus = status.now.map_or(Power::ZERO, |now| now.generation.saturating_sub(now.load));
    let proposed = surplus.over_seconds(3600).max(Energy::from_wh(500));
    html! {
        section {
            h2 { "Sell once" }
            form method="post" action={ "/homes/" (status.name) "/sell/confirm" } {
                label { input type="radio" name="kind" value="energy" checked; " Energy, in kWh" }
                label { input type="radio" name="kind" value="share"; " Share of generation in the next slot, in %" }
                label { "How much " input name="amount" inputmode="decimal" required value=(kwh(proposed)); }
                button { "Go on" }
            }
        }
    }
}

fn buy_form(status: &HomeStatus, calendar: &Calendar, proposal: &BuyProposal) -> Markup {
    html! {
        section {
            h2 { "Buy" }
            form method="post" action={ "/homes/" (status.name) "/buy/confirm" } {
                label { "When "
                    select name="slot" {
                        @for slot in &proposal.slots {
                            option value=(slot.number()) {
                                (calendar.interval(Interval::of_slot(*slot, calendar.slot_length)))
                            }
                        }
                    }
                }
                label { "Energy, in kWh "
                    input name="energy" inputmode="decimal" required value=(kwh(proposal.energy));
                }
                label { "Price offered, in points per kWh "
                    input name="offered" inputmode="decimal" required
                        value=(Money::from_milli(proposal.offered.milli_per_kwh()));
                }
                button { "Go on" }
            }
        }
    }
}

fn settings_form(status: &HomeStatus) -> Markup {
    let (sell, buy) = (&status.settings.sell, &status.settings.buy);
    let how = match sell.amount {
        SellAmount::All => "all of it".to_owned(),
        SellAmount::Power(power) => format!("up to {}", watts(power)),
        SellAmount::Energy(energy) => format!("up to {energy} in a slot"),
        SellAmount::Share(share) => format!("up to {} % of generation", percent(share.get())),
    };
    let price = match buy.offer {
        Offer::Recommended => "the recommended price".to_owned(),
        Offer::Fixed(price) => format!("{} per kWh", unit_price(price)),
    };
    html! {
        section {
            h2 { "Automatic" }
            form method="post" action={ "/homes/" (status.name) "/settings" } {
                label {
                    input type="checkbox" name="sell_automatic" value="yes" checked[sell.automatic];
                    " Sell surplus (" (how) ")"
                }
                label { "when it is at least, in W "
                    input name="sell_threshold" inputmode="numeric" required value=(sell.threshold.watts());
                }
                label {
                    input type="checkbox" name="buy_automatic" value="yes" checked[buy.automatic];
                    " Buy what the home is expected to need (at " (price) ", while the utility is dearer)"
                }
                label { "when that is at least, in kWh "
                    input name="buy_threshold" inputmode="decimal" required value=(kwh(buy.threshold));
                }
                button { "Save" }
            }
        }
    }
}

/// A question with yes and no (D1).
pub fn question(home: &str, question: &Question) -> Markup {
    frame(
        home,
        &html! {
            h1 { (home) }
            section {
                p.question { (question.text) }
                p.note { (question.note) }
                form method="post" action=(question.action) {
                    @for (name, value) in &question.fields { input type="hidden" name=(name) value=(value); }
                    button name="answer" value="yes" { "Yes" }
                    " "
                    a.button href={ "/homes/" (home) } { "No" }
                }
            }
        },
    )
}

/// What went wrong, and the way back.
pub fn failure(home: &str, title: &str, detail: &str) -> Markup {
    frame(
        title,
        &html! {
            h1 { (title) }
            p.trouble role="alert" { (detail) }
            p { a href={ "/homes/" (home) } { "Back" } }
        },
    )
}

/// What the owner asked to sell, in words.
pub fn amount(amount: OnceAmount) -> String {
    match amount {
        OnceAmount::Energy(energy) => energy.to_string(),
        OnceAmount::Share(share) => format!("{} % of what is generated in one slot", percent(share.get())),
    }
}

fn percent(per_mille: u16) -> String {
    format!("{}.{}", per_mille / 10, per_mille % 10)
}

fn watts(power: Power) -> String {
    format!("{} W", power.watts())
}

/// Energy as it is typed into a form.
fn kwh(energy: Energy) -> String {
    format!("{}.{:03}", energy.wh() / 1000, energy.wh() % 1000)
}

fn balance(balance: Option<Balance>) -> String {
    balance.map_or("–".to_owned(), |balance| format!("{balance} points"))
}
