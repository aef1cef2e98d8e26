//! The parts as processes: `wattbook server|storage|home --config FILE`.
//!
//! Always: a part ends cleanly (exit code 0) on SIGTERM, SIGINT, and, where it was started with
//! `--with-parent`, when its standard input ends. Not here: what a service manager is told (`service`).

use crate::service::serving;
use clap::Args;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use wattbook_setup::read_config;

/// Options of a part.
#[derive(Args, Debug)]
pub struct Options {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Keep what must outlive the process in this folder, not in the one that the configuration names
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Stop when standard input ends, as it does when the process that started this one is gone
    #[arg(long)]
    pub with_parent: bool,
}

/// `wattbook server`: runs one, or does what its subcommand says.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ServerOptions {
    #[command(subcommand)]
    command: Option<crate::joining::Server>,
    #[command(flatten)]
    run: Option<Options>,
}

impl ServerOptions {
    /// Does it.
    pub async fn run(&self) -> anyhow::Result<()> {
        match (&self.command, &self.run) {
            (Some(command), _) => crate::joining::server(command).await,
            (None, Some(options)) => server(options).await,
            (None, None) => anyhow::bail!("name the configuration with --config FILE"),
        }
    }
}

/// A future that completes when the process should stop.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Completes when the process should stop.
pub fn shutdown(with_parent: bool) -> Shutdown {
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("signals can be handled");
    Box::pin(async move {
        let orphaned = async {
            if !with_parent {
                std::future::pending::<()>().await;
            }
            let mut nothing = [0; 64];
            let mut input = tokio::io::stdin();
            while matches!(input.read(&mut nothing).await, Ok(read) if read > 0) {}
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = orphaned => {}
        }
    })
}

/// Puts the folder of the command line in the place of the configuration's.
fn put(data: &mut PathBuf, options: &Options) {
    if let Some(folder) = &options.data {
        data.clone_from(folder);
    }
}

/// Runs an authentication server until it is told to stop.
async fn server(options: &Options) -> anyhow::Result<()> {
    let mut config: wattbook_server::config::Config = read_config(&options.config)?;
    put(&mut config.data, options);
    Ok(wattbook_server::run::serve(config, serving(shutdown(options.with_parent))).await?)
}

/// Runs a storage manager until it is told to stop.
pub async fn storage(options: &Options) -> anyhow::Result<()> {
    let mut config: wattbook_storage::Config = read_config(&options.config)?;
    put(&mut config.data, options);
    Ok(wattbook_storage::run(config, serving(shutdown(options.with_parent))).await?)
}

/// Runs the controller of one or many homes until it is told to stop.
pub async fn home(options: &Options) -> anyhow::Result<()> {
    let mut config: wattbook_home::Config = read_config(&options.config)?;
    put(&mut config.data, options);
    Ok(wattbook_home::run(config, serving(shutdown(options.with_parent))).await?)
}
