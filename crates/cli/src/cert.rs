//! `wattbook cert …`: the certificates of a community that was made by hand: who has which, new ones, and
//! taking them back.
//!
//! Always: what is issued stands in the authority's book before anybody has it, so that it can be revoked;
//! a revoked key gets no certificate any more; which files must be brought to which machine is said by name.
//! Not here: making a community (`init`) and bringing others in (`member`, `server`).

mod book;

use crate::init::secrets::PassphraseOptions;
use crate::table::table;
use anyhow::{Result, bail};
use book::{Book, Holder, today};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};
use wattbook_link::authority::LEAF_DAYS;
use wattbook_link::register::Entry;
use wattbook_link::{Role, date};

/// Seconds in a day.
const DAY_S: i64 = 86_400;
/// What ends sooner is renewed where nobody is named, in days.
const SOON_DAYS: u16 = 60;

/// `wattbook cert …`.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show the certificates of a community, and when they end
    List(List),
    /// Give somebody whose pages a browser shows over HTTPS a certificate: the owner of a home
    Issue(Issue),
    /// Issue certificates anew, for the same keys or new ones, before they end
    Renew(Renew),
    /// Take back all certificates of somebody, from now on
    Revoke(Revoke),
}

/// Options of `wattbook cert list`.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// The community's folder
    #[arg(long, value_name = "DIR")]
    community: PathBuf,
    /// Also those that newer ones have replaced
    #[arg(long)]
    all: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Options of `wattbook cert issue`.
#[derive(Args, Clone, Debug)]
pub struct Issue {
    /// The person's name: letters, digits, '-', '_' and '.'
    #[arg(value_name = "NAME")]
    name: String,
    /// The home whose owner it is
    #[arg(long, value_name = "HOME")]
    home: String,
    /// How long it is good
    #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS,
        value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    #[command(flatten)]
    place: Place,
}

/// Options of `wattbook cert renew`.
#[derive(Args, Clone, Debug)]
pub struct Renew {
    /// Whose, such as server-1, or server/north where several are called so; all that end soon otherwise
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Also a new key; needed after the old one was revoked or may have been read by others
    #[arg(long, requires = "name")]
    new_key: bool,
    /// How long a new certificate is good
    #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS,
        value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    #[command(flatten)]
    place: Place,
}

/// Options of `wattbook cert revoke`.
#[derive(Args, Clone, Debug)]
pub struct Revoke {
    /// Whose, such as home-1, or server/north where several are called so
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Where the authority is, and what opens its key.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The community's folder
    #[arg(long, value_name = "DIR")]
    community: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was done, for people and scripts.
#[derive(Serialize)]
struct Done {
    what: &'static str,
    role: Role,
    name: String,
    /// Until when the new certificate is good, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<i64>,
    /// Files that must reach the party's machine.
    files: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// Where the folder is none of a community, its key cannot be opened, or nobody is called so.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::List(options) => list(options),
        Command::Issue(options) => issue(options),
        Command::Renew(options) => renew(options),
        Command::Revoke(options) => revoke(options),
    }
}

/// A certificate in the list.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    state: String,
}

fn list(options: &List) -> Result<()> {
    let book = Book::open(&options.community)?;
    let entries = book.register.entries();
    let is_latest = |entry: &Entry| {
        book.register.latest(entry.role, &entry.name).is_some_and(|latest| latest.serial == entry.serial)
    };
    let shown = entries.iter().filter(|entry| options.all || is_latest(entry));
    let rows = shown.map(|entry| Row { entry, state: state(entry, is_latest(entry), today()) });
    let rows: Vec<Row> = rows.collect();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let cells = rows.iter().map(|Row { entry, state }| {
        let hosts = if entry.hosts.is_empty() { "-".to_owned() } else { entry.hosts.join(", ") };
        vec![entry.role.to_string(), entry.name.clone(), hosts, date(entry.not_after), state.clone()]
    });
    println!("{}", table(&["role", "name", "reached at", "until", "state"], &[], cells));
    Ok(())
}

fn state(entry: &Entry, is_latest: bool, now: i64) -> String {
    if let Some(at) = entry.revoked {
        return format!("revoked on {}", date(at));
    }
    let days = (entry.not_after - now) / DAY_S;
    if entry.not_after < now {
        "ended".to_owned()
    } else if !is_latest {
        "replaced".to_owned()
    } else if days < i64::from(SOON_DAYS) {
        format!("ends in {days} days: renew it")
    } else {
        "good".to_owned()
    }
}

fn issue(options: &Issue) -> Result<()> {
    let mut book = Book::open(&options.place.community)?;
    let files = book.issue_person(&options.name, &options.home, options.days, &options.place)?;
    let certificate = files.certificate.clone();
    let done = Done {
        what: "issued",
        role: Role::Member,
        name: options.name.clone(),
        not_after: Some(files.not_after),
        files: vec![files.certificate, files.key],
    };
    if options.place.json {
        return print(&[done]);
    }
    println!("{} may look at {} until {}.", options.name, options.home, date(files.not_after));
    println!("A browser takes certificate and key in one file, which this makes:");
    let folder = certificate.parent().unwrap_or(Path::new(".")).display();
    println!(
        "  openssl pkcs12 -export -in {folder}/tls.crt -inkey {folder}/tls.key -out {0}.p12",
        options.name
    );
    println!("(an encrypted key is first decrypted with `age -d`).");
    Ok(())
}

fn renew(options: &Renew) -> Result<()> {
    let mut book = Book::open(&options.place.community)?;
    let holders = match &options.name {
        Some(name) => vec![book.holder(name)?],
        None => book.ending_within(today() + i64::from(SOON_DAYS) * DAY_S),
    };
    let mut done = Vec::new();
    for holder in holders {
        let renewed = book.renew(&holder, options.new_key, options.days, &options.place)?;
        let Holder { role, name } = holder;
        let mut files = vec![renewed.certificate];
        files.extend(options.new_key.then_some(renewed.key));
        let not_after = Some(renewed.not_after);
        done.push(Done { what: "renewed", role, name, not_after, files });
    }
    if options.place.json {
        return print(&done);
    }
    if done.is_empty() {
        println!("No certificate ends within {SOON_DAYS} days; name one to renew it anyway.");
    }
    for Done { role, name, not_after, files, .. } in &done {
        println!("{role} {name}: good until {}.", date(not_after.unwrap_or_default()));
        for file in files {
            println!("  bring {} to its machine; the part takes it up within seconds", file.display());
        }
    }
    Ok(())
}

fn revoke(options: &Revoke) -> Result<()> {
    let mut book = Book::open(&options.place.community)?;
    let Holder { role, name } = book.holder(&options.name)?;
    let files = book.revoke(role, &name, &options.place)?;
    if options.place.json {
        return print(&[Done { what: "revoked", role, name, not_after: None, files }]);
    }
    println!("{role} {name}: all its certificates are revoked.");
    println!("Bring the list to every party's machine; each part takes it up within seconds:");
    for file in &files {
        println!("  {}", file.display());
    }
    if role == Role::Server {
        println!(
            "The others stop calling this server and let it write nothing. Its vote among the servers hangs on \
             its signing key, which stays in the genesis: stop its process as well."
        );
    }
    Ok(())
}

fn print(done: &[Done]) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(done)?);
    Ok(())
}

/// Whom a name means: `NAME`, or `ROLE/NAME` where several have it.
fn holder(entries: &[Entry], text: &str) -> Result<Holder> {
    let (role, name) = match text.split_once('/') {
        Some((role, name)) => (Some(role.parse::<Role>()?), name),
        None => (None, text),
    };
    let fits = |entry: &&Entry| entry.name == name && role.is_none_or(|role| role == entry.role);
    let mut roles: Vec<Role> = entries.iter().filter(fits).map(|entry| entry.role).collect();
    roles.sort_unstable();
    roles.dedup();
    match roles[..] {
        [role] => Ok(Holder { role, name: name.to_owned() }),
        [] => {
            let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            bail!("nobody called {text:?} has a certificate; there are {}", names.join(", "))
        }
        _ => {
            let forms: Vec<String> = roles.iter().map(|role| format!("{role}/{name}")).collect();
            bail!("{text:?} may be {}: say which", forms.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(role: Role, name: &str) -> Entry {
        Entry {
            serial: "01".to_owned(),
            role,
            name: name.to_owned(),
            accounts: vec![],
            hosts: vec![],
            not_after: 100 * DAY_S,
            revoked: None,
        }
    }

    #[test]
    fn a_name_means_one_holder_or_says_why_not() {
        let entries = [
            entry(Role::Server, "north"),
            entry(Role::Server, "north"),
            entry(Role::Home, "north"),
            entry(Role::Home, "oak"),
        ];
        let found = |text| holder(&entries, text).map(|Holder { role, name }| (role, name));
        assert_eq!(found("oak").unwrap(), (Role::Home, "oak".to_owned()));
        assert_eq!(found("server/north").unwrap(), (Role::Server, "north".to_owned()));
        assert!(found("north").unwrap_err().to_string().contains("server/north or home/north"));
        assert!(found("elm").unwrap_err().to_string().contains("there are north, oak"));
        assert!(found("member/oak").is_err());
    }

    #[test]
    fn p7_what_is_said_of_a_certificate() {
        let fresh = entry(Role::Home, "oak");
        let revoked = Entry { revoked: Some(DAY_S), ..fresh.clone() };
        let rows = [
            (&fresh, true, 0, "good"),
            (&fresh, true, 90 * DAY_S, "ends in 10 days: renew it"),
            (&fresh, false, 0, "replaced"),
            (&fresh, true, 101 * DAY_S, "ended"),
            (&revoked, true, 2 * DAY_S, "revoked on 1970-01-02"),
        ];
        for (entry, is_latest, now, words) in rows {
            assert_eq!(state(entry, is_latest, now), words);
        }
    }
}
