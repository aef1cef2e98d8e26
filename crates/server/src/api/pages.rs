//! The public pages.

use super::Api;
use axum::Router;

pub(super) fn routes() -> Router<Api> {
    Router::new()
}
