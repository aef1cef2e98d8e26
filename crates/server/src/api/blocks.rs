//! `/api/v1/blocks`: final blocks, in short, whole, as bytes, and the proof that they are final.

use super::Api;
use super::answers::{Answer, bytes, json};
use super::params::{Params, parse};
use super::problem::{ApiError, Own};
use super::view::ServerView;
use axum::extract::{Path, State};
use axum::http::Uri;
use std::sync::Arc;
use wattbook_client::api::{BlockSummary, FinalityAnswer};
use wattbook_types::{Block, Height, hex};

/// How many blocks are listed if the request does not say.
const LISTED: u64 = 20;
/// The most blocks that are listed at once.
const LISTED_AT_MOST: u64 = 200;

/// Blocks in short, ascending from a height; the newest ones where no height is said.
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Answer {
    let params = Params::read(&uri, &["from", "limit"])?;
    let limit = params.get("limit")?.unwrap_or(LISTED).clamp(1, LISTED_AT_MOST);
    let from: Option<u64> = params.get("from")?;
    json(&api.read(move |view| summaries(view, from, limit)).await)
}

/// So many blocks in short, ascending from a height, or the newest.
pub(super) fn summaries(view: &dyn ServerView, from: Option<u64>, limit: u64) -> Vec<BlockSummary> {
    let newest = view.height().number();
    let from = from.unwrap_or_else(|| newest.saturating_sub(limit - 1));
    let heights = (from..=newest).take(limit as usize).map(Height::from_number);
    heights.map_while(|height| view.block(height)).map(|block| BlockSummary::of(&block)).collect()
}

/// The newest block in short.
pub(super) async fn latest(State(api): State<Api>, uri: Uri) -> Answer {
    Params::read(&uri, &[])?;
    let newest = api.read(|view| view.block(view.height())).await;
    let newest = newest.ok_or_else(|| Own::Internal.because("The newest block is not at hand."))?;
    json(&BlockSummary::of(&newest))
}

/// A whole block.
pub(super) async fn show(State(api): State<Api>, uri: Uri, Path(height): Path<String>) -> Answer {
    Params::read(&uri, &[])?;
    json(&*find(&api, &height).await?)
}

/// A block's canonical bytes.
pub(super) async fn raw(State(api): State<Api>, uri: Uri, Path(height): Path<String>) -> Answer {
    Params::read(&uri, &[])?;
    bytes(find(&api, &height).await?.to_bytes())
}

/// What proves a block final.
pub(super) async fn finality(State(api): State<Api>, uri: Uri, Path(height): Path<String>) -> Answer {
    Params::read(&uri, &[])?;
    let height = parse_height(&height)?;
    match api.view().finality(height).await {
        Some(proof) => json(&FinalityAnswer { finality: hex::encode(&proof) }),
        None if height == Height::default() => {
            Err(Own::NotFound
                .because("The genesis block needs no proof: its name follows from the ledger's."))
        }
        None => Err(not_final(&api, height)),
    }
}

fn parse_height(text: &str) -> Result<Height, ApiError> {
    Ok(Height::from_number(parse("The height", text)?))
}

async fn find(api: &Api, height: &str) -> Result<Arc<Block>, ApiError> {
    let height = parse_height(height)?;
    api.read(move |view| view.block(height)).await.ok_or_else(|| not_final(api, height))
}

fn not_final(api: &Api, height: Height) -> ApiError {
    let newest = api.view().height();
    Own::NotFound.because(format!("Block {height} is not final here; the newest is {newest}."))
}
