//! Any other part's JSON interface, for who knows its shapes.

use super::{ClientError, Links, Request};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use wattbook_link::{Link, Role};

/// A part of a community by the address of its HTTP interface; for example the homes.
#[derive(Clone)]
pub struct Part(Links);

impl Part {
    /// A part by its plain base address (`http://host:port`).
    ///
    /// # Errors
    /// `BadAddress` where it is not such an address.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Self::linked(base, None, Role::Home)
    }

    /// The same by a protected address (`https://host:port`) as well: only a part of the link's community in
    /// this role is believed.
    ///
    /// # Errors
    /// As [`Part::new`], or where the address is protected and there is no link.
    pub fn linked(base: &str, link: Option<&Arc<Link>>, role: Role) -> Result<Self, ClientError> {
        Links::new([base], link, role).map(Self)
    }

    /// What the part answers to a `GET`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.0.json(&Request::get(path)).await
    }

    /// What the part answers to a `GET`, as it is.
    pub async fn text(&self, path: &str) -> Result<String, ClientError> {
        let (_, bytes) = self.0.bytes(&Request::get(path)).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What the part answers to a `POST`. Sent once: whether it may be repeated is for the caller to know.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.0.json(&Request::post(path, body)).await
    }
}
