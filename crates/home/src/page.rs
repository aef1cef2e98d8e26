//! The household's pages: what is going on, and the forms to sell and to buy with a yes or no (D1-D5).
//!
//! Always: plain words; works without scripts and on a phone; everything that is shown is escaped by the
//! template. The one script brings the live part of a page up to date every two seconds. Not here: what is
//! done when a form is sent (`http`).

use crate::config::{Offer, SellAmount};
use crate::home::Live;
use crate::record::{Origin, SlotReading};
use crate::selling::OnceAmount;
use crate::view::{HomeStatus, HomeSummary, TransactionView};
use crate::words::{Calendar, Step, StepState, points, unit_price};
use maud::{DOCTYPE, Markup, html};
use wattbook_types::{Balance, Energy, Interval, Money, Power, Price, Slot};

/// The style sheet.
pub const CSS: &str = include_str!("page.css");
/// The script.
pub const JS: &str = include_str!("page.js");
/// The icon.
pub const ICON: &str = include_str!("icon.svg");

/// Ended transactions whose steps stay unfolded.
const UNFOLDED: usize = 2;
/// Readings that are shown.
const READINGS: usize = 12;

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
                title { (title) " - wattbook" }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body { main { (body) } }
        }
    }
}

/// The part that is refreshed, with the words for when that fails.
fn live(from: &str, part: &Markup) -> Markup {
    html! {
        p #silence .trouble role="status" hidden { "The home does not answer. This is how things stood before." }
        div #live data-from=(from) { (part) }
    }
}

fn demonstration(accelerated: bool) -> Markup {
    html! {
        @if accelerated { p.note { "A demonstration: time runs faster here than in reality." } }
    }
}

/// The list of homes.
pub fn list(homes: &[HomeSummary], accelerated: bool) -> Markup {
    frame(
        "Homes",
        &html! {
            h1 { "Homes" }
            (demonstration(accelerated))
            (live("/live", &list_live(homes)))
        },
    )
}

/// The part of the list that is refreshed.
pub fn list_live(homes: &[HomeSummary]) -> Markup {
    let power = |power: Option<Power>| power.map_or("–".to_owned(), |power| power.watts().to_string());
    html! {
        @if homes.is_empty() { p { "No homes yet." } }
        div.wide { table {
            thead { tr {
                th scope="col" { "Home" }
                (column("Generates", "W")) (column("Uses", "W"))
                (column("Sold", "kWh")) (column("Bought", "kWh")) (column("Balance", "points"))
            } }
            tbody {
                @for home in homes {
                    tr {
                        th scope="row" { a href={ "/homes/" (home.name) } { (home.name) } }
                        td { (power(home.now.map(|now| now.generation))) }
                        td { (power(home.now.map(|now| now.load))) }
                        td { (kwh(home.totals.sold_wh)) }
                        td { (kwh(home.totals.bought_wh)) }
                        td { (home.balance_milli.map_or("–".to_owned(), |balance| balance.to_string())) }
                    }
                }
            }
        } }
        @for home in homes {
            @if let Some(trouble) = &home.trouble { p.trouble { (home.name) ": " (trouble) } }
        }
    }
}

/// The head of a column of numbers, with their unit.
fn column(name: &str, unit: &str) -> Markup {
    html! { th scope="col" { (name) " " span.unit { (unit) } } }
}

/// A home's page; `accelerated` where time runs faster than in reality.
pub fn home(status: &HomeStatus, calendar: &Calendar, proposal: &BuyProposal, accelerated: bool) -> Markup {
    frame(
        &status.name,
        &html! {
            p { a href="/" { "All homes" } }
            h1 { (status.name) }
            (demonstration(accelerated))
            nav aria-label="On this page" {
                a href="#trades" { "Sales and purchases" }
                a href="#sell" { "Sell" }
                a href="#buy" { "Buy" }
                a href="#automatic" { "Automatic" }
            }
            (live(&format!("/homes/{}/live", status.name), &home_live(status, calendar)))
            (sell_form(status, calendar))
            (buy_form(status, calendar, proposal))
            (settings_form(status, calendar))
            p.note { "This home's address in the community's books: " code { (status.address) } }
        },
    )
}

/// The part of a home's page that is refreshed.
pub fn home_live(status: &HomeStatus, calendar: &Calendar) -> Markup {
    html! {
        p.time { (calendar.date_time(status.time)) " " (calendar.zone()) }
        @if let Some(trouble) = &status.trouble { p.trouble role="alert" { (trouble) } }
        (now(status))
        (prices(status))
        (trades(status, calendar))
        (totals(status))
        (readings(&status.readings, calendar))
        (notices(status, calendar))
    }
}

/// What was wrong with the devices lately.
fn notices(status: &HomeStatus, calendar: &Calendar) -> Markup {
    html! {
        @if !status.notices.is_empty() {
            section {
                h2 { "Devices" }
                @for notice in &status.notices {
                    p.note { (calendar.date_time(notice.when)) " " (notice.words) " (" (notice.address) ")" }
                }
            }
        }
    }
}

fn trades(status: &HomeStatus, calendar: &Calendar) -> Markup {
    html! {
        section #trades {
            h2 { "Sales and purchases" }
            @for order in &status.sell_orders {
                div.order {
                    p { "You asked to sell " (amount(order.amount, calendar)) "; " (order.sent) " sent so far." }
                    form method="post" action={ "/homes/" (status.name) "/sell/withdraw" } {
                        input type="hidden" name="number" value=(order.number);
                        button #{ "withdraw-" (order.number) } { "Withdraw the rest" }
                    }
                }
            }
            @if let Some(not_bought) = &status.not_bought {
                p.note {
                    "No automatic purchase for "
                    (calendar.interval(Interval::of_slot(not_bought.slot, calendar.slot_length)))
                    ". " (not_bought.text)
                }
            }
            @if status.transactions.is_empty() { p { "Nothing sold or bought yet." } }
            div {
                @for (place, transaction) in status.transactions.iter().enumerate() {
                    (steps(transaction, place < UNFOLDED))
                }
            }
        }
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
                p.note { "The battery takes less than this home could send: " (reason) }
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
                @if let Some(available) = status.available_milli {
                    dt { "You can still spend, agreed credit included" } dd { (balance(Some(available))) }
                }
                @if let Some(prices) = &status.prices {
                    dt { "You are paid, per kWh" } dd { (unit_price(prices.selling)) }
                    dt { "Buyers are advised to offer, per kWh" } dd { (unit_price(prices.buying)) }
                    @if let Some(average) = prices.average_offered {
                        dt { "Buyers offered lately on average, per kWh" } dd { (unit_price(average)) }
                    }
                }
                dt { "The utility charges, per kWh" } dd { (unit_price(status.utility)) }
                @if let Some(energy) = status.for_sale_wh { dt { "For sale in the battery" } dd { (energy) } }
            }
            @if status.prices.is_none() { p.note { "The community's servers have not told their prices yet." } }
        }
    }
}

/// A transaction, folded up to one line once it has ended and is no longer new.
fn steps(transaction: &TransactionView, new: bool) -> Markup {
    let reached = transaction.steps.iter().rfind(|step| step.state != StepState::Later);
    html! {
        details #{ "trade-" (transaction.number) } open[new || !transaction.ended] {
            summary #{ "fold-" (transaction.number) } {
                strong { (transaction.heading) }
                @if transaction.origin == Origin::Owner { " (asked by you)" }
                @if let Some(step) = reached { span.reached { (sign(step)) " " (step.title) } }
            }
            ol.steps {
                @for step in &transaction.steps {
                    li class=(class(step.state)) {
                        (sign(step)) " "
                        strong { (step.title) }
                        span.unseen { " (" (step.state.word()) ")" }
                        @if !step.detail.is_empty() { span.detail { (step.detail) } }
                    }
                }
            }
        }
    }
}

fn sign(step: &Step) -> Markup {
    html! { span class={ "sign " (class(step.state)) } aria-hidden="true" { (step.state.sign()) } }
}

const fn class(state: StepState) -> &'static str {
    match state {
        StepState::Done => "done",
        StepState::Now => "now",
        StepState::Later => "later",
        StepState::Failed => "failed",
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
                dt { "Sent to the battery" } dd { (totals.sent_wh) }
                dt { "Sold: received by the battery and verified" } dd { (totals.sold_wh) }
                dt { "Earned for that" } dd { (points(totals.earned_milli)) }
                dt { "Bought: delivered by the battery" } dd { (totals.bought_wh) }
                dt { "Paid for that" } dd { (points(totals.paid_milli)) }
                dt { "The utility would have charged for that" } dd { (points(totals.utility_instead_milli)) }
                dt { "Taken from the utility" } dd { (totals.grid_import_wh) }
                dt { "The utility charges for that" } dd { (points(totals.utility_cost_milli)) }
                dt { "Given to the utility" } dd { (totals.grid_export_wh) }
            }
        }
    }
}

fn readings(readings: &[SlotReading], calendar: &Calendar) -> Markup {
    let mut day = String::new();
    let shown = readings.iter().rev().take(READINGS).map(|reading| {
        let interval = Interval::of_slot(reading.slot, calendar.slot_length);
        let date = calendar.date(interval.start);
        let new_day = (date != day).then(|| date.clone());
        day = date;
        (reading, interval, new_day)
    });
    html! {
        section {
            h2 { "Measured lately" }
            @if readings.is_empty() { p { "Nothing yet." } }
            @else { div.wide { table {
                thead { tr {
                    th scope="col" { "When" }
                    (column("Generated", "kWh")) (column("Used", "kWh"))
                    (column("To battery", "kWh")) (column("From battery", "kWh"))
                } }
                tbody { @for (reading, interval, new_day) in shown {
                    @let about = if reading.substituted { "≈ " } else { "" };
                    @if let Some(date) = new_day { tr { th scope="rowgroup" colspan="5" { (date) } } }
                    tr {
                        td { (calendar.times(interval)) }
                        @if reading.measured {
                            td { (about) (kwh(reading.generated)) } td { (about) (kwh(reading.consumed)) }
                        } @else {
                            td { "not measured" } td { "not measured" }
                        }
                        @if reading.counted {
                            td { (about) (kwh(reading.sent)) } td { (about) (kwh(reading.arrived)) }
                        } @else {
                            td { "not counted, not sold" } td { "not counted" }
                        }
                    }
                } }
            } }
            @if readings.iter().rev().take(READINGS).any(|reading| reading.substituted) {
                p.note { "≈: a meter was not read just at the end; worked out from what it showed before and after." }
            } }
        }
    }
}

fn sell_form(status: &HomeStatus, calendar: &Calendar) -> Markup {
    let surplus = status.now.map_or(Power::ZERO, |now| now.generation.saturating_sub(now.load));
    let proposed = surplus.over_seconds(3600).max(Energy::from_wh(500));
    let (name, period) = (&status.name, calendar.slot_words());
    html! {
        section #sell {
            h2 { "Sell" }
            @if status.settings.sell.automatic {
                p.note {
                    "Surplus is sold automatically at present (see " a href="#automatic" { "Automatic" }
                    "). Ask here for what that leaves out."
                }
            }
            dl {
                dt { "When" } dd.words { "From now on, whenever more is generated than used" }
                dt { "Unit price" } dd.words {
                    @match &status.prices {
                        Some(prices) => { (unit_price(prices.selling)) " per kWh, set by the community" },
                        None => "Set by the community; not known yet",
                    }
                }
            }
            form method="post" action={ "/homes/" (name) "/sell/confirm" } {
                fieldset {
                    legend { "How much" }
                    label { input type="radio" name="kind" value="energy" checked; " Energy, in kWh" }
                    label {
                        input type="radio" name="kind" value="share";
                        " Share of what is generated in a period of " (period) ", in %"
                    }
                    label { "Amount, in kWh or % " input name="amount" inputmode="decimal" required value=(kwh(proposed)); }
                }
                button { "Continue" }
            }
        }
    }
}

fn buy_form(status: &HomeStatus, calendar: &Calendar, proposal: &BuyProposal) -> Markup {
    html! {
        section #buy {
            h2 { "Buy" }
            p.note { "You pay for what is delivered, at most the price that you offer." }
            form method="post" action={ "/homes/" (status.name) "/buy/confirm" } {
                label { "When (" (calendar.zone()) ") "
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
                button { "Continue" }
            }
        }
    }
}

fn settings_form(status: &HomeStatus, calendar: &Calendar) -> Markup {
    let (sell, buy) = (&status.settings.sell, &status.settings.buy);
    let how = match sell.amount {
        SellAmount::All => "all of it".to_owned(),
        SellAmount::Power(power) => format!("up to {}", watts(power)),
        SellAmount::Energy(energy) => format!("up to {energy} in {}", calendar.slot_words()),
        SellAmount::Share(share) => format!("up to {} % of generation", percent(share.get())),
    };
    let price = match buy.offer {
        Offer::Recommended => "the recommended price".to_owned(),
        Offer::Fixed(price) => format!("{} per kWh", unit_price(price)),
    };
    html! {
        section #automatic {
            h2 { "Automatic" }
            form method="post" action={ "/homes/" (status.name) "/settings" } {
                label {
                    input type="checkbox" name="sell_automatic" value="yes" checked[sell.automatic];
                    " Sell surplus (" (how) ")"
                }
                label { "Sell when the surplus is at least, in W "
                    input name="sell_threshold" inputmode="numeric" required value=(sell.threshold.watts());
                }
                label {
                    input type="checkbox" name="buy_automatic" value="yes" checked[buy.automatic];
                    " Buy what the home is expected to need (at " (price) ", while the utility is dearer)"
                }
                label { "Buy when the expected need is at least, in kWh "
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
        &format!("{home}: yes or no?"),
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

/// What went wrong, and the way back: to the home's page, or the list where there is no such home.
pub fn failure(home: Option<&str>, title: &str, detail: &str) -> Markup {
    frame(
        title,
        &html! {
            h1 { (title) }
            p.trouble role="alert" { (detail) }
            p {
                @match home {
                    Some(home) => a href={ "/homes/" (home) } { "Back to " (home) },
                    None => a href="/" { "All homes" },
                }
            }
        },
    )
}

/// What the owner asked to sell, in words.
pub fn amount(amount: OnceAmount, calendar: &Calendar) -> String {
    match amount {
        OnceAmount::Energy(energy) => energy.to_string(),
        OnceAmount::Share(share) => {
            let period = calendar.slot_words();
            format!("{} % of what is generated in a period of {period}", percent(share.get()))
        }
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
