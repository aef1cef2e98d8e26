//! Reading what a request says in its path and query.
//!
//! Always: what cannot be read is refused with words that name it; a parameter that the route does not
//! know, or that comes twice, is refused rather than ignored.

use super::problem::{ApiError, Own};
use axum::extract::Query;
use axum::http::Uri;
use std::fmt::Display;
use std::str::FromStr;

/// The query of a request.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query in which only these names may stand, each once.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Own::BadRequest.because(error.body_text()))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let detail = format!("There is no parameter {name:?} here; there is {}.", listed(known));
                return Err(Own::BadRequest.because(detail));
            }
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Own::BadRequest.because(format!("The parameter {name:?} comes twice.")));
            }
        }
        Ok(Self(pairs))
    }

    /// A parameter, if it is there.
    pub(super) fn get<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let value = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        value.map(|value| parse(name, value)).transpose()
    }
}

fn listed(known: &[&str]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// Reads one value of a path or query.
pub(super) fn parse<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|error| Own::BadRequest.because(format!("{name} {value:?}: {error}.")))
}
