//! The pages and their forms: a form asks, a second page repeats the request in words, a yes carries it out
//! (D1).
//!
//! Always: a form's fields are checked before the question and again after the yes. Not here: how pages
//! look (`page`).

use super::json::{ask_to_buy, ask_to_sell, change_settings, summaries};
use super::owner::Viewer;
use super::{App, Fault, html, with};
use crate::buying;
use crate::home::{Home, Market};
use crate::page::{self, BuyProposal, Question};
use crate::record::Settings;
use crate::selling::OnceAmount;
use crate::signing::PurchaseOrder;
use crate::view::HomeStatus;
use crate::words::{self, Calendar, parse_kwh, parse_price, points, unit_price};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use std::collections::HashMap;
use wattbook_devices::Clock;
use wattbook_types::{Interval, Money, PerMille, Power, Price, Slot, Timestamp};

type Fields = Form<HashMap<String, String>>;

/// Slots that the form offers to buy for.
const SLOTS_OFFERED: u64 = 12;

/// What a person reads when a form is not carried out.
pub(super) struct Failure {
    home: String,
    fault: Fault,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = self.fault.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let home = (!matches!(self.fault, Fault::UnknownHome(_))).then_some(self.home.as_str());
        (status, html(&page::failure(home, &problem.title, &problem.detail))).into_response()
    }
}

fn failure(home: &str) -> impl Fn(Fault) -> Failure {
    move |fault| Failure { home: home.to_owned(), fault }
}

type Answer<T> = Result<T, Failure>;

/// Whether time runs faster than in reality.
fn accelerated(app: &App) -> bool {
    matches!(&app.clock, Clock::System(map) if map.accelerated)
}

pub(super) async fn list(State(app): State<App>, Extension(viewer): Extension<Viewer>) -> Html<String> {
    html(&page::list(&summaries(&app, &viewer), accelerated(&app)))
}

pub(super) async fn list_live(State(app): State<App>, Extension(viewer): Extension<Viewer>) -> Html<String> {
    html(&page::list_live(&summaries(&app, &viewer)))
}

pub(super) async fn home(State(app): State<App>, Path(name): Path<String>) -> Answer<Html<String>> {
    let (market, now) = (app.trader.market(), app.now());
    let shown = with(app.home(&name).map_err(failure(&name))?, |home| {
        let status = HomeStatus::of(home, &market, now);
        page::home(&status, &home.calendar(), &proposal(home, &market, now), accelerated(&app))
    });
    Ok(html(&shown))
}

pub(super) async fn home_live(State(app): State<App>, Path(name): Path<String>) -> Answer<Html<String>> {
    let (market, now) = (app.trader.market(), app.now());
    let shown = with(app.home(&name).map_err(failure(&name))?, |home| {
        page::home_live(&HomeStatus::of(home, &market, now), &home.calendar())
    });
    Ok(html(&shown))
}

/// A complete request to buy: the next slot, what the home is expected to need then, the recommended price.
fn proposal(home: &Home, market: &Market, now: Timestamp) -> BuyProposal {
    let first = home.first_open_slot(now);
    let need = home.expected(first).map(|expected| expected.need()).unwrap_or_default();
    let energy = buying::at_terminals(need, home.identity.feeder.line_loss);
    BuyProposal {
        slots: (0..SLOTS_OFFERED).map(|ahead| first.plus(ahead)).collect(),
        energy: energy.max(home.rules().smallest_order),
        offered: market.prices.as_ref().map(|prices| prices.buying).unwrap_or_default(),
    }
}

fn invalid(words: &str) -> Fault {
    Fault::Invalid(words.to_owned())
}

fn field<'a>(fields: &'a HashMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.trim())
}

fn amount(fields: &HashMap<String, String>) -> Result<OnceAmount, Fault> {
    let typed = field(fields, "amount");
    match field(fields, "kind") {
        "energy" => match parse_kwh(typed) {
            Some(energy) if !energy.is_zero() => Ok(OnceAmount::Energy(energy)),
            _ => Err(invalid(
                "How much energy? Type kilowatt-hours with at most three decimals, for example 1.5.",
            )),
        },
        "share" => {
            // Thousandths of a percent are typed like thousandths of a kilowatt-hour.
            let share = parse_kwh(typed).map(|percent| percent.wh() / 100);
            match share.and_then(|share| u16::try_from(share).ok()) {
                Some(share @ 1..=1000) => Ok(OnceAmount::Share(PerMille::new(share))),
                _ => Err(invalid("Which share? Type a percentage from 0.1 to 100.")),
            }
        }
        _ => Err(invalid("Choose whether to sell an amount of energy or a share of generation.")),
    }
}

fn order(fields: &HashMap<String, String>) -> Result<PurchaseOrder, Fault> {
    let slot = field(fields, "slot").parse().map_err(|_| invalid("Choose when you want the power."))?;
    let energy = parse_kwh(field(fields, "energy")).filter(|energy| !energy.is_zero()).ok_or_else(|| {
        invalid("How much energy? Type kilowatt-hours with at most three decimals, for example 1.5.")
    })?;
    let offered = parse_price(field(fields, "offered"))
        .filter(|price| *price > Price::ZERO)
        .ok_or_else(|| invalid("Which price? Type points per kilowatt-hour, for example 0.25."))?;
    Ok(PurchaseOrder { slot: Slot::from_number(slot), energy, offered })
}

pub(super) async fn sell_question(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(fields): Fields,
) -> Answer<Html<String>> {
    let fail = failure(&name);
    let calendar = with(app.home(&name).map_err(&fail)?, |home| home.calendar());
    let amount = amount(&fields).map_err(&fail)?;
    let paid = match (app.trader.market().prices, amount) {
        (Some(prices), OnceAmount::Energy(energy)) => {
            let earned = prices.selling.cost(energy).unwrap_or_default();
            format!("That earns about {}; what is lost on the way is not paid.", points(earned))
        }
        (Some(prices), OnceAmount::Share(_)) => {
            format!("You are paid {} for each kWh that arrives.", unit_price(prices.selling))
        }
        (None, _) => "You are paid for what arrives.".to_owned(),
    };
    let question = Question {
        text: format!("Sell {}?", page::amount(amount, &calendar)),
        note: format!("It is sent as soon as more is generated than used. {paid}"),
        action: format!("/homes/{name}/sell"),
        fields: vec![
            ("kind", field(&fields, "kind").to_owned()),
            ("amount", field(&fields, "amount").to_owned()),
        ],
    };
    Ok(html(&page::question(&name, &question)))
}

pub(super) async fn sell(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(fields): Fields,
) -> Answer<Redirect> {
    let fail = failure(&name);
    if field(&fields, "answer") == "yes" {
        let amount = amount(&fields).map_err(&fail)?;
        ask_to_sell(&app, &name, amount).await.map_err(&fail)?;
    }
    back(&app, &name, "trades").map_err(&fail)
}

pub(super) async fn withdraw(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(fields): Fields,
) -> Answer<Redirect> {
    let fail = failure(&name);
    let number = field(&fields, "number").parse().map_err(|_| fail(invalid("Withdraw what?")))?;
    let changes = with(app.home(&name).map_err(&fail)?, |home| home.withdraw_sell_order(number));
    if let Some(changes) = changes {
        app.settle(&name, changes).await.map_err(&fail)?;
    }
    back(&app, &name, "trades").map_err(&fail)
}

pub(super) async fn buy_question(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(fields): Fields,
) -> Answer<Html<String>> {
    let fail = failure(&name);
    let calendar = with(app.home(&name).map_err(&fail)?, |home| home.calendar());
    let order = order(&fields).map_err(&fail)?;
    let question = Question {
        text: buy_text(&order, &calendar),
        note: format!(
            "That costs at most {}. You pay for what is delivered, at most the price that you offer.",
            points(order.offered.cost_rounded_up(order.energy).unwrap_or(Money::MAX))
        ),
        action: format!("/homes/{name}/buy"),
        fields: ["slot", "energy", "offered"]
            .map(|name| (name, field(&fields, name).to_owned()))
            .into_iter()
            .collect(),
    };
    Ok(html(&page::question(&name, &question)))
}

fn buy_text(order: &PurchaseOrder, calendar: &Calendar) -> String {
    let when = calendar.interval(Interval::of_slot(order.slot, calendar.slot_length));
    format!("Buy {} for {when}, offering {} per kWh?", order.energy, words::unit_price(order.offered))
}

pub(super) async fn buy(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(fields): Fields,
) -> Answer<Redirect> {
    let fail = failure(&name);
    if field(&fields, "answer") == "yes" {
        let order = order(&fields).map_err(&fail)?;
        ask_to_buy(&app, &name, order).await.map_err(&fail)?;
    }
    back(&app, &name, "trades").map_err(&fail)
}

pub(super) async fn settings(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(fields): Fields,
) -> Answer<Redirect> {
    let fail = failure(&name);
    let Settings { mut sell, mut buy } = with(app.home(&name).map_err(&fail)?, |home| home.settings);
    sell.automatic = field(&fields, "sell_automatic") == "yes";
    buy.automatic = field(&fields, "buy_automatic") == "yes";
    sell.threshold = field(&fields, "sell_threshold")
        .parse()
        .map(Power::from_watts)
        .map_err(|_| fail(invalid("From which surplus on? Type whole watts, for example 50.")))?;
    buy.threshold = parse_kwh(field(&fields, "buy_threshold"))
        .ok_or_else(|| fail(invalid("From which need on? Type kilowatt-hours, for example 0.1.")))?;
    change_settings(&app, &name, Settings { sell, buy }).await.map_err(&fail)?;
    back(&app, &name, "automatic").map_err(&fail)
}

/// Back to a part of the home's page.
fn back(app: &App, name: &str, part: &str) -> Result<Redirect, Fault> {
    app.home(name)?;
    Ok(Redirect::to(&format!("/homes/{name}#{part}")))
}
