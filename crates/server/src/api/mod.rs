//! The server's HTTP side: the API under `/api/v1`, its description, events, metrics, health and the
//! public pages.

pub mod view;
