//! Bringing others into a community before its ledger begins: `wattbook member …` and `wattbook server
//! invite|join|add|list`.
//!
//! Who joins makes the keys on their own machine and sends a request with the public parts; whoever holds the
//! authority adds them and sends back a folder with everything else. Keys never travel.
//!
//! Always: a ledger that has begun is not changed (`begun`); a request is believed only if the key that it
//! names has signed it. Not here: taking in and excluding by a running ledger's own agreement, which is to
//! come.

mod add;
mod begun;
mod files;
mod invite;
mod revise;

use crate::init::secrets::PassphraseOptions;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;
use wattbook_link::Role;
use wattbook_types::transaction::Generation;

/// `wattbook member …`.
#[derive(Subcommand, Clone, Debug)]
pub enum Member {
    /// Add a home, whose keys are made here or which sent a request
    Add(AddHome),
    /// Show the homes of a community
    List(List),
    /// Write an invitation, with which a member makes keys on a machine of their own
    Invite(Invite),
    /// Answer an invitation: make keys here and a request to send back
    Join(JoinHome),
}

/// `wattbook server invite|join|add|list`.
#[derive(Subcommand, Clone, Debug)]
pub enum Server {
    /// Write an invitation, with which somebody else makes a server's keys on a machine of their own
    Invite(Invite),
    /// Answer an invitation: make keys here and a request to send back
    Join(JoinServer),
    /// Add a server that sent a request, or put it in another's place
    Add(AddServer),
    /// Show the servers of a community
    List(List),
}

/// Whose certificates can be issued: the community's folder, and what opens its authority's key.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The community's folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseOptions,
    /// Issue the certificate without asking
    #[arg(long)]
    pub yes: bool,
    /// The ledger has begun, even if nothing here shows it
    #[arg(long)]
    pub begun: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `wattbook member add`.
#[derive(Args, Clone, Debug)]
pub struct AddHome {
    #[command(flatten)]
    pub place: Place,
    /// The home's name: its keys are made here
    #[arg(long, value_name = "NAME", required_unless_present = "request")]
    pub name: Option<String>,
    /// The request that the member sent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "host", "generation"])]
    pub request: Option<PathBuf>,
    /// The address of its machine, where its pages should be seen from others
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<IpAddr>,
    /// How it generates: solar, wind or gas
    #[arg(long, value_name = "KIND", value_parser = generation)]
    pub generation: Option<Generation>,
}

/// Options of `wattbook server add`.
#[derive(Args, Clone, Debug)]
pub struct AddServer {
    #[command(flatten)]
    pub place: Place,
    /// The request that was sent
    #[arg(long, value_name = "FILE")]
    pub request: PathBuf,
    /// The server that it replaces, whose keys were made here
    #[arg(long, value_name = "NAME")]
    pub in_place_of: Option<String>,
}

/// Options of `wattbook member list` and `wattbook server list`.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// The community's folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `wattbook member invite` and `wattbook server invite`.
#[derive(Args, Clone, Debug)]
pub struct Invite {
    /// The community's folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// What the new party will be called
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Where to write the invitation (default: NAME.invitation.toml here)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `wattbook member join`.
#[derive(Args, Clone, Debug)]
pub struct JoinHome {
    #[command(flatten)]
    pub join: Join,
    /// How the home generates: solar, wind or gas
    #[arg(long, value_name = "KIND", default_value = "solar", value_parser = generation)]
    pub generation: Generation,
    /// The address of this machine, where the home's pages should be seen from others
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<IpAddr>,
}

/// Options of `wattbook server join`.
#[derive(Args, Clone, Debug)]
pub struct JoinServer {
    #[command(flatten)]
    pub join: Join,
    /// The address of this machine, by which the other parties reach it
    #[arg(long, value_name = "ADDRESS")]
    pub host: IpAddr,
    /// The first of the three ports that it uses
    #[arg(long, value_name = "PORT", default_value_t = 8400)]
    pub base_port: u16,
}

/// What every answer to an invitation needs.
#[derive(Args, Clone, Debug)]
pub struct Join {
    /// The invitation
    #[arg(value_name = "INVITATION")]
    pub invitation: PathBuf,
    /// The folder for the keys (default: the party's name)
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: PassphraseOptions,
}

fn generation(text: &str) -> Result<Generation, String> {
    match text {
        "solar" => Ok(Generation::Solar),
        "wind" => Ok(Generation::Wind),
        "gas" => Ok(Generation::Gas),
        _ => Err(format!("'{text}' is none of solar, wind and gas")),
    }
}

/// `wattbook member …`.
///
/// # Errors
/// With what is wrong and what to do.
pub async fn member(command: &Member) -> Result<()> {
    match command {
        Member::Add(options) => add::home(options).await,
        Member::List(options) => files::list(options, Role::Home),
        Member::Invite(options) => invite::invite(options, Role::Home),
        Member::Join(options) => invite::join_home(options),
    }
}

/// `wattbook server invite|join|add|list`.
///
/// # Errors
/// With what is wrong and what to do.
pub async fn server(command: &Server) -> Result<()> {
    match command {
        Server::Invite(options) => invite::invite(options, Role::Server),
        Server::Join(options) => invite::join_server(options),
        Server::Add(options) => add::server(options).await,
        Server::List(options) => files::list(options, Role::Server),
    }
}
