//! Errors as RFC 9457 problem documents.
//!
//! Always: every refusal has one HTTP status; every error has a stable code, either a refusal's or one of
//! the HTTP layer's own, which stand here. Not here: the refusals themselves.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use wattbook_client::api::{PROBLEM_JSON, Problem};
use wattbook_types::Refusal;

/// Seconds after which a client may ask again where waiting helps.
const RETRY_AFTER: &str = "1";

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError(pub(super) Problem);

macro_rules! own_problems {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $retry:literal, $title:literal;)*) => {
        /// The HTTP layer's own problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Own { $(#[doc = $title] $name),* }

        impl Own {
            /// All of them.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Status, code, whether asking again may help, and what is wrong.
            const fn parts(self) -> (u16, &'static str, bool, &'static str) {
                match self { $(Self::$name => ($status, $code, $retry, $title)),* }
            }
        }
    };
}

own_problems! {
    BadRequest = 400, "bad-request", false, "The request cannot be read.";
    CertificateRequired = 403, "certificate-required", false, "Who writes shows a certificate of the community.";
    NotFound = 404, "not-found", false, "There is no such thing.";
    NoSuchRoute = 404, "no-such-route", false, "There is nothing at this address.";
    MethodNotAllowed = 405, "method-not-allowed", false, "This address does not answer this method.";
    BodyTooLarge = 413, "body-too-large", false, "The request is larger than any may be.";
    NotJson = 415, "not-json", false, "The request's body is not said to be JSON.";
    ForeignHost = 421, "foreign-host", false, "This port is not called by that name.";
    Internal = 500, "internal", true, "The server failed to answer.";
    NotReady = 503, "not-ready", true, "The server cannot do its work now.";
    Overloaded = 503, "overloaded", true, "The server answers as many requests as it can.";
    TimedOut = 503, "timed-out", true, "The request took too long.";
}

impl Own {
    /// The code for programs.
    pub(super) const fn code(self) -> &'static str {
        self.parts().1
    }

    /// The HTTP status.
    pub(super) const fn status(self) -> u16 {
        self.parts().0
    }

    /// The problem with what exactly is wrong.
    pub(super) fn because(self, detail: impl Into<String>) -> ApiError {
        let (status, code, retry, title) = self.parts();
        ApiError(Problem {
            kind: format!("/problems/{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            retry,
        })
    }

    /// The problem that a bare status stands for.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let same = |own: &&Self| own.status() == status.as_u16();
        let fallback = if status.is_server_error() { Self::Internal } else { Self::BadRequest };
        Self::ALL.iter().find(same).copied().unwrap_or(fallback)
    }
}

/// The HTTP status of a refusal.
pub(super) const fn status_of(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::Malformed => 400,
        Refusal::AlreadySeen
        | Refusal::ReceptionAlreadyClaimed
        | Refusal::ReportSuperseded
        | Refusal::ReportConflict => 409,
        Refusal::TooLarge => 413,
        Refusal::Busy | Refusal::WaitingForServers | Refusal::NotAgreed => 503,
        // What can be read and is new, but breaks a rule.
        _ => 422,
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self(Problem::of_refusal(refusal, status_of(refusal)))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).expect("a problem is JSON");
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}
