//! Questions of `wattbook init` on a terminal, for what flags do not say.
//!
//! Always: every question shows what holds if it is answered with nothing; an answer that cannot be is
//! refused with the reason and asked again. Not here: what is asked for secretly (`secrets`).

use super::plan::{Devices, FEWEST_SERVERS, HomePlan, Plan, ServerPlan, TOLERANT_SERVERS};
use crate::units::{energy, power};
use anyhow::{Result, bail};
use std::fmt::Display;
use std::io::{BufRead, Write};
use std::net::IpAddr;
use wattbook_setup::Configuration;

/// What was said already and is not asked again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// The name.
    pub name: bool,
    /// How many servers.
    pub servers: bool,
    /// How many homes.
    pub homes: bool,
    /// What the battery holds.
    pub battery: bool,
    /// What it takes in and gives out.
    pub power: bool,
    /// How long a slot is.
    pub slot: bool,
    /// The currency.
    pub currency: bool,
    /// Whether devices are simulated.
    pub devices: bool,
    /// Where parties are.
    pub hosts: bool,
}

/// Asks on one side and answers on the other.
pub struct Asking<R, W> {
    /// Where answers come from.
    pub answers: R,
    /// Where questions go.
    pub questions: W,
}

impl<R: BufRead, W: Write> Asking<R, W> {
    /// Asks for everything that was not said.
    ///
    /// # Errors
    /// Where the answers end.
    pub fn fill(&mut self, plan: &mut Plan, said: Said) -> Result<()> {
        let without_empty = |text: &str| match text.trim() {
            "" => Err("it needs a name".to_owned()),
            name => Ok(name.to_owned()),
        };
        if !said.name {
            plan.name = self.ask("Name of the community", &plan.name, without_empty)?;
        }
        if !said.servers {
            let count = self.ask("Authentication servers", &plan.servers.len(), servers)?;
            plan.servers = (1..=count).map(|number| ServerPlan::new(format!("server-{number}"))).collect();
        }
        if plan.servers.len() == FEWEST_SERVERS {
            writeln!(self.questions, "  {THREE}")?;
        }
        if !said.homes {
            let count = self.ask("Homes", &plan.homes.len(), homes)?;
            plan.homes = (1..=count).map(|number| HomePlan::new(format!("home-{number}"))).collect();
        }
        if !said.battery {
            plan.battery.capacity = self.ask("The battery holds", &plan.battery.capacity, energy)?;
        }
        if !said.power {
            plan.battery.power = self.ask("It takes in and gives out", &plan.battery.power, power)?;
        }
        if !said.slot {
            plan.slot_minutes = self.ask("Length of a slot in minutes", &plan.slot_minutes, slot)?;
        }
        if !said.currency {
            let (current, model) = (plan.currency.clone(), plan.clone());
            plan.currency = self.ask("Currency", &current, |text| currency(&model, text))?;
        }
        if !said.devices {
            let simulated = self.ask("Simulated devices (yes or no)", &"yes", yes)?;
            plan.devices = if simulated { Devices::Sim } else { Devices::None };
        }
        if !said.hosts && !self.ask("All parts on this machine (yes or no)", &"yes", yes)? {
            self.hosts(plan)?;
        }
        Ok(())
    }

    /// Asks where every party is.
    fn hosts(&mut self, plan: &mut Plan) -> Result<()> {
        let mut parties: Vec<String> = plan.servers.iter().map(|server| server.name.clone()).collect();
        parties.push(super::plan::STORAGE.to_owned());
        if plan.devices == Devices::Sim {
            parties.push(super::plan::DEVICES.to_owned());
        }
        for party in parties {
            let host = self.ask(&format!("Address of {party}'s machine"), &"", |text| {
                text.parse::<IpAddr>().map_err(|_| "say its number, such as 192.0.2.7".to_owned())
            })?;
            plan.put(&party, host)?;
        }
        Ok(())
    }

    /// One question, asked until the answer can be.
    fn ask<T>(
        &mut self,
        question: &str,
        usual: &impl Display,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        loop {
            let usual = usual.to_string();
            let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
            write!(self.questions, "{question}{shown}: ")?;
            self.questions.flush()?;
            let mut answer = String::new();
            if self.answers.read_line(&mut answer)? == 0 {
                bail!("the answers ended; nothing was made");
            }
            let answer = answer.trim();
            match read(if answer.is_empty() { &usual } else { answer }) {
                Ok(value) => return Ok(value),
                Err(why) => writeln!(self.questions, "  {why}")?,
            }
        }
    }
}

/// What is said of three servers.
pub const THREE: &str = "Three servers tolerate none absent: more than two thirds of three is all three. Four or \
                         more tolerate a faulty one.";

fn servers(text: &str) -> Result<usize, String> {
    let count = text.parse().map_err(|_| "say a number".to_owned())?;
    checked(&Plan::usual(count, 1))?;
    Ok(count)
}

fn homes(text: &str) -> Result<usize, String> {
    let count = text.parse().map_err(|_| "say a number".to_owned())?;
    checked(&Plan::usual(TOLERANT_SERVERS, count))?;
    Ok(count)
}

fn slot(text: &str) -> Result<u32, String> {
    let minutes = text.parse().map_err(|_| "say a number of minutes".to_owned())?;
    checked(&Plan { slot_minutes: minutes, ..Plan::usual(TOLERANT_SERVERS, 1) })?;
    Ok(minutes)
}

fn currency(plan: &Plan, text: &str) -> Result<String, String> {
    let plan = Plan { currency: text.to_uppercase(), ..plan.clone() };
    plan.prices().map_err(|wrong| wrong.why)?;
    Ok(plan.currency)
}

fn checked(plan: &Plan) -> Result<(), String> {
    plan.check().map_err(|wrong| wrong.why)
}

fn yes(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "yes" | "y" => Ok(true),
        "no" | "n" => Ok(false),
        _ => Err("say yes or no".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &str, said: Said) -> (Result<Plan>, String) {
        let mut plan = Plan::usual(TOLERANT_SERVERS, 2);
        let mut shown = Vec::new();
        let mut asking = Asking { answers: answers.as_bytes(), questions: &mut shown };
        let result = asking.fill(&mut plan, said).map(|()| plan);
        (result, String::from_utf8(shown).expect("text"))
    }

    #[test]
    fn nothing_is_what_is_shown() {
        let (plan, shown) = asked(&"\n".repeat(9), Said::default());
        assert_eq!(plan.expect("a plan"), Plan::usual(4, 2));
        assert!(
            shown.contains("Authentication servers [4]: ") && shown.contains("The battery holds ["),
            "{shown}"
        );
    }

    #[test]
    fn what_cannot_be_is_asked_again_with_the_reason() {
        let answers = "Oak Street\n2\n3\n0\nmany\n5\n20kWh\n10kW\n7\n15\nXYZ\nJPY\nperhaps\nno\nyes\n";
        let (plan, shown) = asked(answers, Said::default());
        let plan = plan.expect("a plan");
        assert_eq!((plan.name.as_str(), plan.servers.len(), plan.homes.len()), ("Oak Street", 3, 5));
        assert_eq!((plan.slot_minutes, plan.currency.as_str(), plan.devices), (15, "JPY", Devices::None));
        for reason in [
            "three servers at least, here are 2",
            "tolerate none absent",
            "nobody could trade",
            "say a number",
            "do not divide a day evenly",
            "no prices are usual in XYZ",
            "say yes or no",
        ] {
            assert!(shown.contains(reason), "{reason} is not in:\n{shown}");
        }
    }

    #[test]
    fn what_was_said_is_not_asked_and_hosts_are() {
        let said = Said { servers: true, homes: true, slot: true, currency: true, ..Said::default() };
        let hosts = "10.0.0.1\n10.0.0.2\nnorth\n10.0.0.3\n10.0.0.4\n10.0.0.5\n10.0.0.6\n";
        let (plan, shown) = asked(&format!("Oak\n\n\n\nno\n{hosts}"), said);
        let plan = plan.expect("a plan");
        assert!(!shown.contains("Homes") && shown.contains("Address of storage's machine: "), "{shown}");
        assert_eq!(plan.servers[2].host.to_string(), "10.0.0.3");
        assert_eq!(
            (plan.battery.host.to_string(), plan.devices_host.to_string()),
            ("10.0.0.5".into(), "10.0.0.6".into())
        );
        assert!(asked("Oak\n", said).0.is_err(), "the answers end");
    }
}
