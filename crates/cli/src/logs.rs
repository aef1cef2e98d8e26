//! What is logged, and how a line looks: `--log`, `--log-format`, `WATTBOOK_LOG`.
//!
//! Always: logs go to the standard error output; one event is one line, whatever a stranger put into it;
//! a level that does not exist is refused in words. Under systemd a line begins with its priority and has
//! no time, because the journal keeps both. Not here: what is worth a line (that stands where it happens),
//! log files and their rotation (the service manager's).

use clap::{Args, ValueEnum};
use std::fmt;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Where levels stand when the command line names none.
const VARIABLE: &str = "WATTBOOK_LOG";
/// Where systemd says which file its journal reads.
const JOURNAL: &str = "JOURNAL_STREAM";
/// What all our targets begin with.
const OURS: &str = "wattbook";

/// Options of every command.
#[derive(Args, Debug)]
pub struct Options {
    /// What to log: off, error, warn, info, debug or trace; more exactly by target, as in
    /// info,wattbook_home=debug [default: info for the parts, warn for commands]
    #[arg(long = "log", value_name = "LEVEL", global = true)]
    levels: Option<Levels>,
    /// How a line of the log looks
    #[arg(long = "log-format", value_name = "FORMAT", global = true, default_value = "text")]
    format: Form,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Which events are logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(Targets);

impl Levels {
    /// This level for what is ours; of libraries, no more than warnings.
    pub fn of(level: LevelFilter) -> Self {
        Self(Targets::new().with_default(level.min(LevelFilter::WARN)).with_target(OURS, level))
    }
}

impl FromStr for Levels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What is said for everything first: a level for one target holds within it, wherever it stands.
        let (mut base, mut targets) = (LevelFilter::WARN, Vec::new());
        for item in text.split(',').map(str::trim) {
            match item.split_once('=') {
                None => base = level(item)?,
                Some((target, wanted)) if is_target(target) => {
                    targets.push((target.to_owned(), level(wanted)?));
                }
                Some((target, _)) => {
                    return Err(format!("`{target}` names no part of a program, such as wattbook_home"));
                }
            }
        }
        let mut levels = Self::of(base);
        levels.0.extend(targets);
        Ok(levels)
    }
}

fn level(word: &str) -> Result<LevelFilter, String> {
    Ok(match word {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => {
            return Err(format!(
                "there is no level `{word}`; say off, error, warn, info, debug or trace, or TARGET=LEVEL"
            ));
        }
    })
}

fn is_target(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

/// Begins to log; `usual` is the level that holds where nobody named one.
///
/// # Errors
/// In words, where the environment names a level that does not exist.
pub fn start(options: &Options, usual: LevelFilter) -> Result<(), String> {
    let levels = match (&options.levels, std::env::var(VARIABLE)) {
        (Some(levels), _) => levels.clone(),
        (None, Ok(text)) if !text.is_empty() => {
            text.parse().map_err(|problem| format!("{VARIABLE}={text}: {problem}"))?
        }
        _ => Levels::of(usual),
    };
    let journal = journal_reads();
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(levels.0);
    match options.format {
        Form::Json => {
            let inner = Format::default().json().flatten_event(true);
            let output = output.fmt_fields(JsonFields::new());
            registry.with(output.event_format(OneLine { inner, journal })).init();
        }
        Form::Text if journal => {
            let inner = Format::default().without_time().with_level(false).with_ansi(false);
            registry.with(output.with_ansi(false).event_format(OneLine { inner, journal })).init();
        }
        Form::Text => {
            // Parts of a demonstration write into files, where colours would be noise.
            let colours = std::io::stderr().is_terminal();
            let inner = Format::default().with_ansi(colours);
            registry.with(output.with_ansi(colours).event_format(OneLine { inner, journal })).init();
        }
    }
    Ok(())
}

/// Whether the standard error output is what the journal of systemd reads: it says so by the file's
/// device and number, since a child may inherit the variable and write elsewhere.
fn journal_reads() -> bool {
    let Ok(named) = std::env::var(JOURNAL) else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| named == format!("{}:{}", file.dev(), file.ino()))
}

/// Writes an event as one line.
struct OneLine<F> {
    inner: F,
    /// Whether a line begins with its priority, as `sd-daemon(3)` has it.
    journal: bool,
}

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.inner.format_event(context, Writer::new(&mut text), event)?;
        if self.journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        writeln!(writer, "{}", text.trim_end().replace('\r', "\\r").replace('\n', "\\n"))
    }
}

/// The priority of `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled(text: &str, target: &str, level: Level) -> bool {
        text.parse::<Levels>().expect(text).0.would_enable(target, &level)
    }

    #[test]
    fn a_level_is_for_what_is_ours_and_directives_are_for_the_rest() {
        for (text, target, level, expected) in [
            ("info", "wattbook_home::run", Level::INFO, true),
            ("info", "wattbook::demo", Level::INFO, true),
            ("info", "wattbook_home::run", Level::DEBUG, false),
            ("trace", "hyper_util", Level::INFO, false),
            ("trace", "hyper_util", Level::WARN, true),
            ("error", "hyper_util", Level::WARN, false),
            ("off", "wattbook_home", Level::ERROR, false),
            ("off", "hyper_util", Level::ERROR, false),
            ("info,hyper_util=debug", "hyper_util::actor", Level::DEBUG, true),
            ("info,wattbook_home=trace", "wattbook_home::run", Level::TRACE, true),
            ("info,wattbook_home=trace", "wattbook_server", Level::DEBUG, false),
            ("wattbook_home=debug", "wattbook_server", Level::WARN, true),
            ("wattbook_home=debug", "wattbook_server", Level::INFO, false),
        ] {
            assert_eq!(enabled(text, target, level), expected, "{text}: {target} at {level}");
        }
    }

    #[test]
    fn a_level_that_does_not_exist_is_refused_in_words() {
        for (text, words) in [
            ("inof", "there is no level `inof`; say off, error, warn, info, debug or trace"),
            ("", "there is no level ``"),
            ("info,wattbook_home=loud", "there is no level `loud`"),
            ("wattbook home=info", "`wattbook home` names no part of a program"),
            ("[span]=info", "`[span]` names no part"),
        ] {
            let problem = text.parse::<Levels>().expect_err(text);
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }
}
