//! Who may look at a home and command it at a protected port: its owner, by certificate.
//!
//! Always: a home is shown to who holds a certificate of its account, as a person or as the home itself, and
//! to nobody else of the community; whether there is a home of some name is not told to others. A plain port
//! is open to this machine only, and shows everything. Not here: how connections are protected (crate
//! `link`).

use super::{App, Fault, ProblemAnswer, with};
use crate::home::Home;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Mutex;
use wattbook_link::{Failure, Peer, Role, is_for_this_machine};

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Viewer {
    /// Somebody on this machine.
    Here,
    /// Somebody with a certificate.
    Holder(Peer),
}

impl Viewer {
    /// Whether he may see and command a home.
    pub(super) fn may_see(&self, home: &Mutex<Home>) -> bool {
        let Self::Holder(peer) = self else { return true };
        let account = with(home, |home| home.identity.address.to_string());
        [Role::Member, Role::Home].into_iter().any(|role| peer.is(role, &account))
    }
}

/// At a plain port: whoever is on this machine, and calls it by a name of this machine. A page of another
/// site in a browser here calls it by that site's name.
pub(super) async fn this_machine(mut request: Request, next: Next) -> Response {
    if !is_for_this_machine(request.headers()) {
        return ProblemAnswer::from(Fault::ForeignHost).into_response();
    }
    request.extensions_mut().insert(Viewer::Here);
    next.run(request).await
}

/// At a protected port: owners, and each his own homes.
pub(super) async fn owners_only(
    State(app): State<App>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let refused = |why: String| ProblemAnswer::from(Fault::NotYours(why)).into_response();
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>().cloned() else {
        return refused("Nobody knows who asks.".to_owned());
    };
    if let Err(error) = peer.check() {
        return refused(format!("Your certificate is good no more ({}).", Failure::of(&error).code()));
    }
    let viewer = Viewer::Holder(peer);
    let parameters = parameters.ok();
    let mut named = parameters.iter().flat_map(|all| all.iter()).filter(|(key, _)| *key == "name");
    let may_see = |name: &str| app.homes.get(name).is_some_and(|home| viewer.may_see(home));
    if !named.all(|(_, name)| may_see(name)) {
        return refused("Your certificate is not that of this home or its owner.".to_owned());
    }
    request.extensions_mut().insert(viewer);
    next.run(request).await
}
