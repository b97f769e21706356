//! `ipae pki`: certificates and keys of a lab.

use super::failure::{Failure, OrExit, with_causes};
use super::output::{Out, style};
use cards::pki::{EimCredential, Hierarchy, HierarchyOptions, ServerRole};
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::smdp::{Tls, TlsError};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Pki {
    /// Make a test hierarchy: CI, EUM, eIM and SM-DP+, with certificates and keys
    Init(Init),
    /// Show a hierarchy: this tool's own form, or that of GSMA SGP.26
    Show(Show),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae pki init lab-pki
  ipae pki init lab-pki --seed my-lab --eim eim.my-lab.example

The same seed gives the same keys: whoever has the seed has them all. For laboratories only.")]
pub struct Init {
    /// Where to; must be empty or not exist
    dir: PathBuf,
    /// What the keys are derived from
    #[arg(long, default_value = "ipae lab")]
    seed: String,
    /// Domain name and identifier of the eIM
    #[arg(long, value_name = "FQDN", default_value = "eim.lab.example")]
    eim: String,
    /// Domain name of the SM-DP+: the address that its certificates are made for
    #[arg(long, value_name = "FQDN", default_value = "smdp.lab.example")]
    smdp: String,
    /// First digits of every EID that the EUM may certify
    #[arg(long, value_name = "DIGITS", default_value = "89049032")]
    eid_prefix: String,
    /// The EUM's organization
    #[arg(long, value_name = "NAME", default_value = "IPAe Lab EUM")]
    organization: String,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae pki show lab-pki
  ipae pki show sgp26 --json")]
pub struct Show {
    /// Its directory
    dir: PathBuf,
}

/// Which hierarchy to use.
#[derive(Debug, Args)]
pub struct Dir {
    /// Directory of the certificates and keys (`ipae pki init`, or SGP.26's form); without it the
    /// lab's own, the same everywhere
    #[arg(long = "pki", value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Dir {
    /// Loads it.
    pub fn load(&self) -> Result<Hierarchy, Failure> {
        match &self.dir {
            Some(dir) => Hierarchy::load(dir).or_exit(exit::KEYS),
            None => Hierarchy::lab().or_exit(exit::KEYS),
        }
    }
}

/// The hierarchy's eIM; one of the lab's name is issued if it has none.
pub fn eim(hierarchy: &Hierarchy) -> Result<EimCredential, Failure> {
    match &hierarchy.eim {
        Some(eim) => Ok(eim.clone()),
        None => hierarchy
            .issue_eim(&HierarchyOptions::default().eim_fqdn)
            .or_exit(exit::KEYS),
    }
}

impl Pki {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Pki::Init(init) => {
                let options = HierarchyOptions {
                    organization: init.organization,
                    eid_prefix: init.eid_prefix,
                    eim_fqdn: init.eim,
                    smdp_fqdn: init.smdp,
                };
                let made = Hierarchy::init(&init.dir, init.seed.as_bytes(), &options)
                    .or_exit(exit::OUTPUT)?;
                print(&made, &init.dir, out)
            }
            Pki::Show(show) => {
                let loaded = Hierarchy::load(&show.dir).or_exit(exit::KEYS)?;
                print(&loaded, &show.dir, out)
            }
        }
    }
}

fn print(hierarchy: &Hierarchy, dir: &std::path::Path, out: &Out) -> Result<(), Failure> {
    let row = |role: &str, certificate: &cards::pki::Cert, key: bool| {
        let body = certificate.parsed().tbs_certificate();
        serde_json::json!({
            "role": role,
            "subject": body.subject().to_string(),
            "valid_from": body.validity().not_before.to_string(),
            "valid_until": body.validity().not_after.to_string(),
            "key_id": certificate.subject_key_id().map(hex::encode_upper),
            "has_key": key,
        })
    };
    let mut rows = vec![
        row("CI", &hierarchy.ci.certificate, hierarchy.ci.key.is_some()),
        row(
            "EUM",
            &hierarchy.eum.certificate,
            hierarchy.eum.key.is_some(),
        ),
    ];
    if let Some(eim) = &hierarchy.eim {
        rows.push(row("eIM", &eim.certificate, true));
    }
    if let Some(smdp) = &hierarchy.smdp {
        rows.push(row("DPauth", &smdp.auth.certificate, true));
        rows.push(row("DPpb", &smdp.pb.certificate, true));
    }
    let value = serde_json::json!({
        "directory": dir,
        "test_keys": hierarchy.test_keys,
        "smdp_fqdn": hierarchy.smdp.as_ref().map(|smdp| &smdp.address),
        "eim_fqdn": hierarchy.eim.as_ref().map(|eim| &eim.fqdn),
        "certificates": rows,
    });
    out.print(&value, |w| {
        let (head, hint) = (style::HEAD, style::HINT);
        for row in &rows {
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            let key = if row["has_key"] == true {
                ""
            } else {
                " (no key here)"
            };
            writeln!(
                w,
                "{head}{:<6}{head:#} {}{key}",
                text("role"),
                text("subject")
            )?;
            writeln!(
                w,
                "       {} to {}",
                text("valid_from"),
                text("valid_until")
            )?;
            writeln!(w, "       key {}", text("key_id"))?;
        }
        if hierarchy.test_keys {
            writeln!(w, "{hint}TEST KEYS{hint:#}: for laboratories only.")?;
        }
        writeln!(w, "{}", dir.display())
    })
}

/// What a server shows in TLS: a certificate that the hierarchy's CI issues for it now.
pub fn tls_of(hierarchy: &Hierarchy, fqdn: &str, role: Option<ServerRole>) -> Result<Tls, Failure> {
    let shown = hierarchy.issue_tls(fqdn, role, (2020, 2050));
    let tls = shown
        .map_err(TlsError::from)
        .and_then(|shown| Tls::new(&shown));
    tls.map_err(tls_failed)
}

/// Turns an error of TLS into message and exit code.
pub fn tls_failed(error: TlsError) -> Failure {
    Failure::new(exit::KEYS, with_causes(&error))
}
