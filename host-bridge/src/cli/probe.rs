//! `ipae probe`: what a card is and whether its eUICC exposes the IPA interface.

use super::card::LinkArgs;
use super::failure::Failure;
use super::output::{Out, style};
use clap::Args;
use host_bridge::probe::{Info2, Issuer, Probe, Verdict, probe};
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae probe --reader \"ACR38\"
  ipae probe --card run1/cards/89049032000000000000000000000163.card
  ipae probe --reader \"ACR38\" --json | jq -r .verdict

It reads, and changes nothing: no key is tried, no function that writes is called, no TERMINAL PROFILE is
sent. The card is reset before, between its sessions and at the end. The verdict is one of

  ipae                  an eUICC of SGP.32 with an IPAe
  ipad                  an eUICC of SGP.32 whose assistant is the device's
  sgp22                 an eUICC of SGP.22 alone
  isd-r-without-es10    an ISD-R that answers no ES10 function
  uicc                  no eUICC

`ipa_interface` of --json says if the functions that SGP.32 adds to ES10b answer from outside of the card.
Names of EUMs, certificate issuers and products, and reported quirks, are public ones with their source;
what isn't among them is unknown. Fields of --json keep their names within a `format`.")]
pub struct ProbeArgs {
    /// A PC/SC reader, or a part of its name that no other has
    #[arg(long, value_name = "NAME", required_unless_present = "card")]
    reader: Option<String>,
    /// The file of a virtual card
    #[arg(
        long,
        visible_alias = "file",
        value_name = "FILE.card",
        conflicts_with = "reader"
    )]
    card: Option<PathBuf>,
}

impl ProbeArgs {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let link = LinkArgs {
            reader: self.reader,
            file: self.card,
        };
        let found = probe(link.look()?.as_mut())?;
        out.print(&found, |w| write(w, &found))
    }
}

fn line(w: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(w, "  {name:<22} {value}")
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn or_unknown(name: Option<&String>) -> &str {
    name.map_or("unknown", String::as_str)
}

fn write(w: &mut dyn Write, probe: &Probe) -> io::Result<()> {
    let (head, good, hint, dim) = (style::HEAD, style::GOOD, style::HINT, style::DIM);
    writeln!(w, "{head}{}{head:#}", probe.link)?;
    let shade = match probe.verdict {
        Verdict::Ipae | Verdict::Ipad => good,
        _ => hint,
    };
    writeln!(w, "  {shade}{}{shade:#}", probe.says)?;
    line(w, "IPA interface (ES10b)", yes_no(probe.ipa_interface))?;
    line(w, "ATR", &probe.atr.hex)?;
    line(w, "", &probe.atr.says)?;
    line(w, "product", or_unknown(probe.product.as_ref()))?;
    if let Some(eid) = &probe.eid {
        let digits = match eid.check_digits_fit {
            true => "check digits fit",
            false => "check digits don't fit",
        };
        line(w, "EID", &format!("{}, {digits}", eid.eid))?;
        line(w, "EUM by its prefix", or_unknown(eid.eum.as_ref()))?;
    }
    if let Some(isd_r) = &probe.isd_r {
        line(
            w,
            "ISD-R",
            &format!("{} ({}), channel {}", isd_r.aid, isd_r.of, isd_r.channel),
        )?;
        if let Some(version) = &isd_r.fci.sgp22 {
            line(w, "", &format!("says SGP.22 v{version}"))?;
        }
        if let Some(configuration) = isd_r.fci.euicc_configuration {
            let text = format!(
                "IPAe supported: {}; a profile enabled: {}",
                yes_no(configuration.ipae_supported),
                yes_no(configuration.enabled_profile)
            );
            line(w, "", &text)?;
        }
    }
    if let Some(info) = &probe.info1 {
        line(
            w,
            "SGP.22 version",
            info.svn.as_deref().unwrap_or("not told"),
        )?;
    }
    if let Some(info) = &probe.info2 {
        info2(w, info)?;
    }
    assistant(w, probe)?;
    for eim in probe.eims.iter().flatten() {
        let fqdn = eim.fqdn.as_deref().unwrap_or("no FQDN");
        let protocols = match eim.protocols.as_slice() {
            [] => "protocol not told".to_owned(),
            all => all.join(" "),
        };
        line(w, "eIM", &format!("{}, {fqdn}, {protocols}", eim.id))?;
    }
    if probe.eims.as_ref().is_some_and(Vec::is_empty) {
        line(w, "eIM", "none is associated")?;
    }
    for quirk in &probe.quirks {
        let text = format!("{} {dim}({}){dim:#}", quirk.what, quirk.source);
        line(w, "reported of such cards", &text)?;
    }
    for observation in &probe.observations {
        line(w, "observed", observation)?;
    }
    for refused in &probe.refused {
        let text = format!(
            "{dim}{}: {} ({}){dim:#}",
            refused.what, refused.sw, refused.meaning
        );
        line(w, "refused", &text)?;
    }
    let error = style::ERROR;
    for problem in &probe.problems {
        line(w, "can't be read", &format!("{error}{problem}{error:#}"))?;
    }
    Ok(())
}

fn issuers(w: &mut dyn Write, what: &str, list: &[Issuer]) -> io::Result<()> {
    for issuer in list {
        let name = or_unknown(issuer.name.as_ref());
        line(w, what, &format!("{} {name}", issuer.key_id))?;
    }
    Ok(())
}

fn info2(w: &mut dyn Write, info: &Info2) -> io::Result<()> {
    let versions = [
        ("firmware", &info.firmware),
        ("profile packages", &info.profile_package),
        ("TS 102 241", &info.ts_102_241),
        ("GlobalPlatform", &info.globalplatform),
        ("SAS accreditation", &info.sas),
        ("category", &info.category),
    ];
    for (name, value) in versions {
        if let Some(value) = value {
            line(w, name, value)?;
        }
    }
    if let Some(memory) = info.memory {
        let text = format!(
            "{} bytes non-volatile, {} volatile",
            memory.non_volatile, memory.volatile
        );
        line(w, "free memory", &text)?;
    }
    for (name, list) in [("UICC", &info.uicc), ("RSP", &info.rsp)] {
        if !list.is_empty() {
            line(w, name, &list.join(" "))?;
        }
    }
    issuers(w, "issuer, verification", &info.issuers_for_verification)?;
    issuers(w, "issuer, signing", &info.issuers_for_signing)?;
    if info.iot_specific_info {
        let mut text = match info.sgp32.as_slice() {
            [] => "version not told".to_owned(),
            all => format!("v{}", all.join(", v")),
        };
        for (has, what) in [(info.ecall, "eCall"), (info.fallback, "fallback")] {
            if has {
                text.push_str(&format!(", {what}"));
            }
        }
        line(w, "SGP.32", &text)?;
    }
    Ok(())
}

fn assistant(w: &mut dyn Write, probe: &Probe) -> io::Result<()> {
    let ipa = &probe.ipa;
    if let Some(mode) = &ipa.mode {
        line(w, "IPA mode", mode)?;
    }
    line(
        w,
        "IPAe applet",
        match ipa.applet_visible {
            true => "this project's is there (`ipae card inspect` reads it)",
            false => "this project's is not there",
        },
    )?;
    let switched = match ipa.switched_by {
        None => return Ok(()),
        Some("none") => "no TERMINAL CAPABILITY changed the mode".to_owned(),
        Some("any") => "TERMINAL CAPABILITY on any channel".to_owned(),
        Some(channel) => format!("TERMINAL CAPABILITY on the {channel} channel"),
    };
    line(w, "switched to IPAd by", &switched)
}
