//! What stands around every route: who may write, limits, counting, and that no error leaves without a
//! problem document.

use super::Api;
use super::problem::{ApiError, Own};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Mutex;
use wattbook_client::api::PROBLEM_JSON;
use wattbook_link::{FOREIGN_HOST, Failure, Peer, is_for_this_machine};

/// How many requests were answered, by route and status.
#[derive(Default)]
pub(super) struct Counters(Mutex<BTreeMap<(String, u16), u64>>);

impl Counters {
    fn count(&self, route: &str, status: StatusCode) {
        let mut counts = self.0.lock().expect("nobody panics while counting");
        *counts.entry((route.to_owned(), status.as_u16())).or_default() += 1;
    }

    /// The counts, by route and status.
    pub(super) fn read(&self) -> BTreeMap<(String, u16), u64> {
        self.0.lock().expect("nobody panics while counting").clone()
    }
}

/// Puts the guard around routes.
pub(super) fn around(api: &Api, routes: Router<Api>) -> Router {
    routes
        .fallback(async || Own::NoSuchRoute.because("See /api/openapi.json for what there is."))
        .method_not_allowed_fallback(async || Own::MethodNotAllowed.because("See /api/openapi.json."))
        .layer(DefaultBodyLimit::max(api.0.limits.body_bytes))
        .layer(from_fn_with_state(api.clone(), guard))
        .with_state(api.clone())
}

async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| path.as_str()).to_owned();
    let response = match may_come(&request) {
        Ok(()) => answer(&api, request, next).await,
        Err(refused) => refused.into_response(),
    };
    let mut response = with_problem(response);
    api.0.counters.count(&route, response.status());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Anybody may read. Who writes shows a certificate of the community, or is on this machine: which a page of
/// another site in a browser here is not, whatever its name points at.
fn may_come(request: &Request) -> Result<(), ApiError> {
    let is_plain = request.extensions().get::<Peer>().is_some_and(|peer| !peer.is_protected());
    if is_plain && !is_for_this_machine(request.headers()) {
        return Err(Own::ForeignHost.because(FOREIGN_HOST));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let refused = |why: &str| {
        let why = format!("{why} Reading needs none. `[tls]` names the certificate that a part shows.");
        Err(Own::CertificateRequired.because(why))
    };
    match request.extensions().get::<Peer>() {
        Some(peer) if !peer.is_protected() => Ok(()),
        Some(peer) if peer.role().is_some() => match peer.check() {
            Ok(()) => Ok(()),
            Err(error) => refused(&format!("Yours is good no more ({}).", Failure::of(&error).code())),
        },
        _ => refused("None was shown."),
    }
}

async fn answer(api: &Api, request: Request, next: Next) -> Response {
    match api.0.requests.try_acquire() {
        Ok(_place) => match tokio::time::timeout(api.0.limits.request_time, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Own::TimedOut.because("Send it again; what is sent twice counts once.").into_response(),
        },
        Err(_) => Own::Overloaded.because("Ask again in a moment, or another server.").into_response(),
    }
}

/// An error that the framework itself made is turned into a problem document.
fn with_problem(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_ours = kind.is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(PROBLEM_JSON.as_bytes()) || kind.starts_with(b"text/html")
    });
    if is_ours {
        return response;
    }
    let own = Own::of_status(status);
    own.because("The request does not have the form that this address expects.").into_response()
}
