//! Why a request brought nothing, in words.
//!
//! Always: where a protected link did not come about, why it did not, which the HTTP library hides.

use crate::api::Problem;
use std::fmt;
use std::time::Duration;
use wattbook_link::Failure as LinkFailure;

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A base address that cannot be used.
    #[error("{address} is not an address to send requests to: {why}")]
    BadAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// None of the addresses answered.
    #[error("nobody answers: {}", Tried(.tried))]
    Unreachable {
        /// Who was asked, and what came of it.
        tried: Vec<Attempt>,
    },
    /// Somebody answered with an error.
    #[error("{server}: {} {} ({})", .problem.title, .problem.detail, .problem.code)]
    Problem {
        /// Who answered.
        server: String,
        /// What they said.
        problem: Box<Problem>,
        /// How long they asked to wait before the next request.
        retry_after: Option<Duration>,
    },
    /// Somebody answered, but not what the API says.
    #[error("{server} gave an answer that cannot be read: {what}")]
    MalformedAnswer {
        /// Who answered.
        server: String,
        /// What is wrong with the answer.
        what: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::BadAddress { .. } => false,
            Self::Unreachable { .. } | Self::MalformedAnswer { .. } => true,
            Self::Problem { problem, .. } => problem.retry || problem.status >= 500,
        }
    }

    /// Why a protected link did not come about, where that was it for the address asked last.
    pub fn link_failure(&self) -> Option<&LinkFailure> {
        match self {
            Self::Unreachable { tried } => tried.iter().rev().find_map(|attempt| attempt.failure.as_ref()),
            _ => None,
        }
    }

    /// Whether the answer was that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem { problem, .. } if problem.status == 404)
    }
}

/// One address that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The base address.
    pub server: String,
    /// What went wrong.
    pub why: String,
    /// Why the link to it could not be protected, where that was it.
    pub failure: Option<LinkFailure>,
}

impl Attempt {
    /// An attempt that failed for another reason than protection.
    pub fn new(server: String, why: String) -> Self {
        Self { server, why, failure: None }
    }

    /// An attempt by what the HTTP library says of it.
    pub(crate) fn of_error(server: String, error: &reqwest::Error) -> Self {
        let failure = LinkFailure::below(error);
        let why = match &failure {
            Some(failure) => failure.to_string(),
            None if error.is_connect() => "no connection".to_owned(),
            None => causes(error),
        };
        Self { server, why, failure }
    }
}

struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Attempt { server, why, .. }) in self.0.iter().enumerate() {
            let comma = if index > 0 { "; " } else { "" };
            write!(f, "{comma}{server}: {why}")?;
        }
        Ok(())
    }
}

/// An error with all its causes: reqwest's own text leaves out the one that matters.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
