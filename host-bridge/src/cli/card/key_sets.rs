//! `ipae card keys`: the key sets of a security domain.

use super::super::failure::{Failure, OrExit};
use super::super::output::{Out, style};
use super::LinkArgs;
use super::session::{self, SessionArgs, byte};
use applet_gen::gp::put_key::expected_answer;
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::gp::{KeyRecord, KeyState, SecurityDomain, plan};
use host_bridge::survey;

#[derive(Subcommand)]
pub enum Keys {
    /// List the keys of a security domain: versions, identifiers, types; no cryptogram is sent
    List(List),
    /// Put a whole key set, check its key check values, try it, take the old one away
    Put(Put),
    /// Delete a key set
    Delete(Delete),
}

impl Keys {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        match self {
            Keys::List(list) => list.run(out),
            Keys::Put(put) => put.run(out),
            Keys::Delete(delete) => delete.run(out),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card keys list --reader \"ACR38\" --card my-card.toml
  ipae card keys list --file my.card --card virtual-lab --domain A0000001515350FF --json")]
pub struct List {
    #[command(flatten)]
    link: LinkArgs,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF")]
    card: String,
    /// AID of the security domain; without it the issuer's
    #[arg(long, value_name = "AID")]
    domain: Option<session::Aid>,
}

impl List {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = super::find(&self.card)?;
        let mut link = self.link.open()?;
        link.reset()?;
        let aid = match &self.domain {
            Some(aid) => aid.0.clone(),
            None => definition.isd.aid.bytes().to_vec(),
        };
        let mut domain = SecurityDomain::select(link, &definition, &aid, 0)?;
        let keys = survey::key_facts(&domain.key_information()?);
        out.print(&keys, |w| {
            keys.iter()
                .try_for_each(|fact| writeln!(w, "{:<10} {}", fact.name, fact.value))
        })
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card keys put --new-set prod --new-kvn 31 --verify --reader \"ACR38\" --card my.toml --key-set lab
  ipae card keys put --new-set prod --new-kvn 30 --replace 30 --reader \"ACR38\" --card my.toml --key-set lab
  ipae card keys put --new-set prod --new-kvn 31 --verify --delete-old --reader \"ACR38\" --card my.toml --key-set lab

The new set's name is written to the record of attempts, durably, before PUT KEY is sent: no card is
left with keys that nobody knows. The card's answer is compared with the new keys' check values.
--verify opens a new session under the new keys; --delete-old takes the session's set away, and only
after that.")]
pub struct Put {
    #[command(flatten)]
    session: SessionArgs,
    /// Name of the new key set
    #[arg(long, value_name = "NAME")]
    new_set: String,
    /// Its key version on the card, in hexadecimal; without it as the set says
    #[arg(long, value_name = "KVN", value_parser = byte)]
    new_kvn: Option<u8>,
    /// Put it in the place of this key version; without it the set is added
    #[arg(long, value_name = "KVN", value_parser = byte)]
    replace: Option<u8>,
    /// Open a session under the new keys
    #[arg(long)]
    verify: bool,
    /// Delete the key set of this session after the new one was tried
    #[arg(long, requires = "verify", conflicts_with = "replace")]
    delete_old: bool,
}

impl Put {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let session = &self.session;
        let definition = session.definition()?;
        let mut new = session.find_keys(&self.new_set, &definition)?;
        new.kvn = self.new_kvn.unwrap_or(new.kvn);
        if !(0x01..=0x7F).contains(&new.kvn) {
            return Err(Failure::new(
                exit::USAGE,
                format!(
                    "key version {:02X}: 01 to 7F are possible (GPCS 11.8.2.3)",
                    new.kvn
                ),
            ));
        }
        let replaced = self.replace.unwrap_or(0);
        let set = session.key_set(&definition)?;
        let title = format!("key set {} as version {:02X}", new.name, new.kvn);
        if session.is_dry() {
            // PUT KEY carries keys under the card's DEK: it is described, never printed.
            let value = serde_json::json!({
                "done": title, "commands": ["PUT KEY"], "ok": false, "sent": false,
            });
            return out.print(&value, |w| writeln!(w, "{title}: PUT KEY; none sent"));
        }
        if replaced == 0 && new.kvn == set.kvn {
            return Err(Failure::new(
                exit::USAGE,
                format!(
                    "key version {:02X} is the one of this session; nothing was sent",
                    new.kvn
                ),
            )
            .next("give another --new-kvn, or --replace it"));
        }
        let attempts = session.attempts()?;
        let mut domain = session.select(&definition)?;
        session.authenticate(&mut domain, &set, out)?;
        let (current, card) = match (domain.key_set(), domain.card()) {
            (Some(current), Some(card)) => (current.clone(), card.to_owned()),
            _ => return Err(Failure::new(exit::FAILED, "no session")),
        };
        let new = new.of_card(domain.diversification()).or_exit(exit::KEYS)?;
        let step =
            plan::put_keys(replaced, new.kvn, &*new.keys, &*current.keys).or_exit(exit::KEYS)?;
        let expected = expected_answer(new.kvn, &*new.keys).or_exit(exit::KEYS)?;
        let mut record = KeyRecord {
            card,
            domain: hex::encode_upper(domain.aid()),
            kvn: new.kvn,
            set: new.name.clone(),
            check_values: new.check_values().or_exit(exit::KEYS)?.join(" "),
            state: KeyState::Begun,
        };
        attempts.note_keys(&record)?;
        let answer = domain.exchange(&step.command)?;
        if let Err(error) = plan::judge(&step, &answer) {
            record.state = KeyState::Refused;
            attempts.note_keys(&record)?;
            return Err(error.into());
        }
        if answer.data != expected {
            return Err(Failure::new(
                exit::VERIFY,
                format!(
                    "PUT KEY was answered with version and check values {}, the new keys have {}",
                    hex::encode_upper(&answer.data),
                    hex::encode_upper(&expected)
                ),
            )
            .next("the old key set is still there: nothing was deleted; look at `ipae card keys list`"));
        }
        record.state = KeyState::Put;
        attempts.note_keys(&record)?;
        out.note("PUT KEY was accepted, the check values fit");
        let mut steps = 1;
        if self.verify {
            session.authenticate(&mut domain, &new, out)?;
            record.state = KeyState::Verified;
            attempts.note_keys(&record)?;
            out.note("a session under the new keys is open");
            steps += 2;
        }
        if self.delete_old {
            for step in plan::delete_keys(current.kvn, None) {
                let answer = domain.exchange(&step.command)?;
                plan::judge(&step, &answer)?;
                steps += 1;
            }
        }
        let value = serde_json::json!({
            "done": title, "commands": steps, "verified": self.verify, "ok": true,
            "check_values": record.check_values,
        });
        out.print(&value, |w| {
            let good = style::GOOD;
            writeln!(
                w,
                "{good}done{good:#} {title}, check values {}",
                record.check_values
            )
        })
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae card keys delete 30 --reader \"ACR38\" --card my-card.toml --keys keys.toml --key-set prod

The set of the session itself, and the last one of the domain, are not deleted without --last: the
domain can't be managed any more.")]
pub struct Delete {
    /// Key version, in hexadecimal
    #[arg(value_parser = byte)]
    kvn: u8,
    #[command(flatten)]
    session: SessionArgs,
    /// Delete it though it is the session's own or the last one
    #[arg(long)]
    last: bool,
}

impl Delete {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        let title = format!("delete of key version {:02X}", self.kvn);
        let steps = plan::delete_keys(self.kvn, None);
        if self.session.is_dry() {
            return self.session.show(&title, &definition, steps, out);
        }
        let set = self.session.key_set(&definition)?;
        let mut domain = self.session.select(&definition)?;
        let keys = domain.key_information()?;
        let others = keys.iter().any(|key| key.kvn != self.kvn);
        if !self.last && (!others || set.kvn == self.kvn) {
            let what = match others {
                true => "this session's own key set",
                false => "the domain's last key set",
            };
            return Err(Failure::new(
                exit::USAGE,
                format!("key version {:02X} is {what}; nothing was sent", self.kvn),
            )
            .next("put another set first (`ipae card keys put`), or say --last"));
        }
        self.session.authenticate(&mut domain, &set, out)?;
        session::send(&mut domain, &title, &steps, out)
    }
}
