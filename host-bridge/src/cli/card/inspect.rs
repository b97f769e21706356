//! `ipae card inspect`: the IPAe applet on a card, in words.

use super::super::failure::{Failure, OrExit};
use super::super::output::{Out, style};
use super::LinkArgs;
use applet_gen::gp::command;
use applet_model::{aid, readout};
use clap::Args;
use host_bridge::exit;
use host_bridge::transport::{CardLink, exchange};

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card inspect --reader \"ACR38\"
  ipae card inspect --file run1/cards/89049032000000000000000000000163.card --json

The card is reset first: what the applet held in transient memory is gone. Nothing is changed.")]
pub struct Inspect {
    #[command(flatten)]
    link: LinkArgs,
}

impl Inspect {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut link = self.link.open()?;
        let select = command::select(aid::INSTANCE_IPAE);
        let answer = exchange(link.as_mut(), &select)?;
        if !answer.sw.is_ok() {
            let text = format!(
                "{} has no IPAe applet: SELECT of {} answered {}",
                link.name(),
                hex::encode_upper(aid::INSTANCE_IPAE),
                answer.sw
            );
            return Err(Failure::new(exit::CARD_REFUSED, text)
                .next("`ipae personalize` loads and installs it"));
        }
        let mut all = Vec::new();
        for object in readout::objects() {
            let answer = exchange(link.as_mut(), &readout::command(object))?;
            if !answer.sw.is_ok() {
                let text = format!("GET DATA of {} answered {}", object.name, answer.sw);
                return Err(Failure::new(exit::CARD_REFUSED, text));
            }
            all.push(readout::decode(object, &answer.data).or_exit(exit::CARD_REFUSED)?);
        }
        out.print(&all, |w| {
            let head = style::HEAD;
            for object in &all {
                writeln!(w, "{head}{}{head:#}", object.name)?;
                for field in &object.fields {
                    writeln!(w, "  {:<20} {}", field.name, field.value)?;
                }
            }
            Ok(())
        })
    }
}
