//! `/accounts/ADDR`: an address, what it holds, and its rows in the lists.

use super::super::Api;
use super::super::params::parse;
use super::super::problem::Own;
use super::super::view::{ListQuery, ServerView};
use super::lists::{List, part};
use super::{Page, layout, page, words};
use axum::extract::{Path, State};
use maud::{Markup, html};
use wattbook_client::api::AccountInfo;
use wattbook_types::AccountId;

/// Rows of each list.
const ROWS: usize = 20;

pub(super) async fn show(State(api): State<Api>, Path(address): Path<String>) -> Page {
    let address: AccountId = parse("The address", &address)?;
    let made = api
        .read(move |view| {
            let account = view.account(&address)?;
            let title = words::holder(view.genesis(), &address);
            Some(layout::around(view.genesis(), &title, true, body(view, &title, &account)))
        })
        .await;
    Ok(page(made.ok_or_else(|| Own::NotFound.because("The address is not registered in this community."))?))
}

fn body(view: &dyn ServerView, title: &str, account: &AccountInfo) -> Markup {
    let query = ListQuery { limit: ROWS, before: None, address: Some(account.address) };
    html! {
        h1 { "Account of " (title) }
        p { code { (account.address) } }
        @if account.suspended { p.bad { "Suspended: no new requests are accepted from this member." } }
        dl.facts {
            div { dt { "Balance" } dd { (words::points(account.balance)) } }
            div { dt { "Set aside for open requests" } dd { (words::points(account.pending)) } }
            div { dt { "May still spend" } dd { (words::points(account.available)) } }
            div { dt { "Agreed credit" } dd { (words::points(account.credit)) } }
            div { dt { "After block" } dd { a href=(format!("/blocks/{}", account.height)) { (account.height) } } }
        }
        @for list in List::ALL {
            h2 { (list.title()) }
            (part(view, list, &query))
        }
    }
}
