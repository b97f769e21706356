//! What can this card do? Does its eUICC expose the IPA interface, and which assistant does it have?
//!
//! [`probe`] reads and changes nothing: no key is tried, no function is called that writes, no TERMINAL
//! PROFILE is sent (it would start the toolkit's applets). It resets the card before, between its sessions
//! and at the end. Whatever the card answers becomes a field, a refusal or a problem of [`Probe`]; only a link
//! that fails is an error. Names and reported quirks are those of `known.toml`.
//!
//! [`Probe`] is also the form of `ipae probe --json`: its field names don't change within a `format`, and
//! fields may be added.

pub mod known;
mod read;
mod talk;
#[cfg(test)]
mod tests;

use crate::transport::{CardLink, Counted, LinkError};
use applet_model::aid;
use applet_model::atr::Atr;
use applet_model::status::Sw;
use known::{Card, IsdR, known};
use read::Reader;
use serde::Serialize;
use talk::{EID, EIMS, INFO1, INFO2, Talk};

/// Number of this form of [`Probe`].
pub const FORMAT: u32 = 1;

/// What a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// An eUICC of SGP.32 with an IPAe.
    Ipae,
    /// An eUICC of SGP.32 whose assistant is the device's (IPAd).
    Ipad,
    /// An eUICC of SGP.22: an LPA can use it, an IPA can't.
    Sgp22,
    /// There is an ISD-R, but it answers no ES10 (an eUICC of SGP.02, for example).
    IsdRWithoutEs10,
    /// A UICC without remote provisioning.
    Uicc,
}

impl Verdict {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Ipae => "an eUICC of SGP.32 with an IPAe: it manages its profiles itself",
            Verdict::Ipad => {
                "an eUICC of SGP.32 without an active IPAe: an IPA in the device (IPAd) can manage it"
            }
            Verdict::Sgp22 => {
                "an eUICC of SGP.22 without the functions of SGP.32: an LPA can manage it, an IPA can't"
            }
            Verdict::IsdRWithoutEs10 => {
                "a card with an ISD-R that answers no ES10 function (an eUICC of SGP.02 is like that)"
            }
            Verdict::Uicc => "a UICC without remote provisioning: it has no ISD-R",
        }
    }
}

/// What [`probe`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// [`FORMAT`].
    pub format: u32,
    /// Reader or file.
    pub link: String,
    /// What the card is.
    pub verdict: Verdict,
    /// The verdict in words.
    pub says: &'static str,
    /// Whether the functions that SGP.32 adds to ES10b answer an IPA outside of the card.
    pub ipa_interface: bool,
    /// Answer to reset.
    pub atr: AtrFacts,
    /// Name of a product with this very ATR.
    pub product: Option<String>,
    /// The ISD-R.
    pub isd_r: Option<IsdRFacts>,
    /// The EID.
    pub eid: Option<EidFacts>,
    /// EUICCInfo1.
    pub info1: Option<Info1>,
    /// EUICCInfo2.
    pub info2: Option<Info2>,
    /// The IoT Profile Assistant.
    pub ipa: Ipa,
    /// Associated eIMs; `null` if the card doesn't tell.
    pub eims: Option<Vec<Eim>>,
    /// What was reported of such cards.
    pub quirks: Vec<ReportedQuirk>,
    /// What this very card did that not every card does.
    pub observations: Vec<String>,
    /// What the card refused.
    pub refused: Vec<Refused>,
    /// What of its answers can't be read.
    pub problems: Vec<String>,
    /// Commands sent, GET RESPONSE included.
    pub apdus: u64,
}

/// Answer to reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtrFacts {
    /// In hex.
    pub hex: String,
    /// In words, or why it is none.
    pub says: String,
    /// Protocols offered: T=0, T=1.
    pub protocols: Vec<u8>,
    /// It carries the eUICC flag; several eUICCs don't set it.
    pub euicc_flag: bool,
    /// What it says of extended length, if it does.
    pub extended_length: Option<bool>,
}

/// The ISD-R.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IsdRFacts {
    /// Its AID in hex.
    pub aid: String,
    /// Whose AID it is; `standard` for that of the specification.
    pub of: String,
    /// Channel on which it was selected.
    pub channel: u8,
    /// Its answer to SELECT.
    #[serde(flatten)]
    pub fci: Fci,
}

/// An answer to SELECT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fci {
    /// The answer in hex.
    pub hex: String,
    /// SGP.22 version in it.
    pub sgp22: Option<String>,
    /// What SGP.32 adds to it.
    pub euicc_configuration: Option<EuiccConfiguration>,
}

/// `euiccConfiguration` (SGP.32 5.9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EuiccConfiguration {
    /// The eUICC has an IPAe.
    pub ipae_supported: bool,
    /// A profile is enabled.
    pub enabled_profile: bool,
}

/// An EID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EidFacts {
    /// 32 digits.
    pub eid: String,
    /// Its check digits fit (ISO/IEC 7064 MOD 97-10).
    pub check_digits_fit: bool,
    /// The EUM by the first eight digits; `null` for unknown.
    pub eum: Option<String>,
}

/// A certificate issuer's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issuer {
    /// Subject key identifier in hex.
    pub key_id: String,
    /// Its owner; `null` for unknown.
    pub name: Option<String>,
}

/// EUICCInfo1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Info1 {
    /// SGP.22 version.
    pub svn: Option<String>,
    /// `euiccCiPKIdListForVerification`.
    pub issuers_for_verification: Vec<Issuer>,
    /// `euiccCiPKIdListForSigning`.
    pub issuers_for_signing: Vec<Issuer>,
}

/// Memory that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Applications installed.
    pub applications: u32,
    /// Free non-volatile bytes.
    pub non_volatile: u32,
    /// Free volatile bytes.
    pub volatile: u32,
}

/// EUICCInfo2.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Info2 {
    /// Version of the profile package specification.
    pub profile_package: Option<String>,
    /// SGP.22 version.
    pub svn: Option<String>,
    /// Highest SGP.22 version.
    pub highest_svn: Option<String>,
    /// Firmware.
    pub firmware: Option<String>,
    /// Free memory.
    pub memory: Option<Memory>,
    /// `uiccCapability`, names.
    pub uicc: Vec<String>,
    /// ETSI TS 102 241 version.
    pub ts_102_241: Option<String>,
    /// GlobalPlatform version.
    pub globalplatform: Option<String>,
    /// `rspCapability`, names.
    pub rsp: Vec<String>,
    /// `euiccCiPKIdListForVerification`.
    pub issuers_for_verification: Vec<Issuer>,
    /// `euiccCiPKIdListForSigning`.
    pub issuers_for_signing: Vec<Issuer>,
    /// `euiccCategory`.
    pub category: Option<String>,
    /// Protection profile version.
    pub protection_profile: Option<String>,
    /// SAS accreditation number.
    pub sas: Option<String>,
    /// `ipaMode`: `ipad` or `ipae`.
    pub ipa_mode: Option<String>,
    /// `iotSpecificInfo` is there.
    pub iot_specific_info: bool,
    /// SGP.32 versions in it.
    pub sgp32: Vec<String>,
    /// `ecallSupported`.
    pub ecall: bool,
    /// `fallbackSupported`.
    pub fallback: bool,
}

/// The IoT Profile Assistant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ipa {
    /// `ipaeSupported`; `null` if the card doesn't tell.
    pub ipae_supported: Option<bool>,
    /// `ipaMode` of a device that declares nothing.
    pub mode: Option<String>,
    /// This project's IPAe applet can be selected.
    pub applet_visible: bool,
    /// The channel over which a TERMINAL CAPABILITY that declares an assistant in the device switches the
    /// card to it: `any`, `basic`, `logical`, `none` if neither had an effect; `null` if it wasn't tried.
    pub switched_by: Option<&'static str>,
    /// The sessions in which that was tried.
    pub terminal_capability: Vec<Attempt>,
}

/// A session in which the device declared its assistant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// `basic` or `logical`.
    pub channel: &'static str,
    /// TERMINAL CAPABILITY's status word.
    pub sw: String,
    /// `ipaMode` then.
    pub ipa_mode: Option<String>,
    /// Why it isn't known.
    pub refused: Option<Refused>,
}

/// An associated eIM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Eim {
    /// `eimId`.
    pub id: String,
    /// `eimFqdn`.
    pub fqdn: Option<String>,
    /// `eimIdType`.
    pub id_type: Option<String>,
    /// `eimSupportedProtocol`, names.
    pub protocols: Vec<String>,
    /// The issuer that its eUICC packages are signed with.
    pub issuer: Option<Issuer>,
    /// `indirectProfileDownload`.
    pub indirect_profile_download: bool,
}

/// A quirk that was reported of such cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedQuirk {
    /// What was seen.
    pub what: String,
    /// Where that stands.
    pub source: String,
}

/// Something that the card refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The command or function.
    pub what: String,
    /// Status word.
    pub sw: String,
    /// Its meaning.
    pub meaning: String,
}

impl Refused {
    fn new(what: impl Into<String>, sw: Sw) -> Self {
        Refused {
            what: what.into(),
            sw: format!("{:04X}", sw.0),
            meaning: sw.meaning(),
        }
    }
}

/// Why a card can't be probed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A defect of the table of names.
    #[error("the table of known eUICCs can't be read: {0}")]
    Known(&'static str),
}

impl crate::exit::ExitCode for ProbeError {
    fn exit(&self) -> crate::exit::Exit {
        match self {
            ProbeError::Link(error) => error.exit(),
            ProbeError::Known(_) => crate::exit::FAILED,
        }
    }
}

/// Reads what a card tells to anybody, and changes nothing. The card is reset at the end, also of a probe that
/// failed, so that nothing stays selected.
///
/// # Errors
/// [`ProbeError`].
pub fn probe(link: &mut dyn CardLink) -> Result<Probe, ProbeError> {
    let mut link = Counted::new(link);
    let probe = look(&mut link);
    let reset = link.reset();
    let mut probe = probe?;
    reset?;
    probe.apdus = link.traffic.apdus;
    Ok(probe)
}

fn look(link: &mut dyn CardLink) -> Result<Probe, ProbeError> {
    let known = known().map_err(ProbeError::Known)?;
    let mut problems = Vec::new();
    let mut problem = |text: String| problems.push(text);
    let mut reader = Reader {
        known,
        problem: &mut problem,
    };
    let name = link.name();
    let (mut talk, atr) = Talk::begin(link)?;
    talk.open()?;
    let found = talk.isd_r(known.isd_rs())?;
    let (mut isd_r, mut eid, mut info1, mut info2, mut eims) = (None, None, None, None, None);
    if let Some((aid, fci)) = &found {
        isd_r = Some(IsdRFacts {
            aid: hex::encode_upper(&aid.aid),
            of: aid.of.clone(),
            channel: talk.channel,
            fci: reader.fci(fci),
        });
        let mut ask = |what: &talk::Ask| talk.ask(what);
        if let Some(data) = ask(&EID)? {
            let value = reader.value(EID.name, &data, EID.tag);
            eid = value
                .and_then(|value| reader.eid(value))
                .map(|eid| EidFacts {
                    check_digits_fit: eid
                        .parse::<cards::euicc::Eid>()
                        .is_ok_and(|eid| eid.check().is_ok()),
                    eum: known.eum(&eid).map(str::to_owned),
                    eid,
                });
        }
        if let Some(data) = ask(&INFO1)? {
            let value = reader.value(INFO1.name, &data, INFO1.tag);
            info1 = value.map(|value| reader.info1(value));
        }
        if let Some(data) = ask(&INFO2)? {
            let value = reader.value(INFO2.name, &data, INFO2.tag);
            info2 = value.map(|value| reader.info2(value));
        }
        if let Some(data) = ask(&EIMS)? {
            let value = reader.value(EIMS.name, &data, EIMS.tag);
            eims = value.map(|value| reader.eims(value));
        }
    }
    let mut ipa = Ipa {
        ipae_supported: isd_r
            .as_ref()
            .and_then(|isd_r| isd_r.fci.euicc_configuration)
            .map(|configuration| configuration.ipae_supported),
        mode: info2.as_ref().and_then(|info| info.ipa_mode.clone()),
        applet_visible: talk.select(aid::INSTANCE_IPAE)?.is_ok(),
        ..Ipa::default()
    };
    let channels = talk.channel != 0;
    talk.close()?;
    let refused = talk.refused;
    let iot = eims.is_some()
        || ipa.ipae_supported.is_some()
        || info2.as_ref().is_some_and(|info| info.iot_specific_info);
    if let (Some((aid, _)), true) = (&found, iot) {
        switch(link, aid, &mut ipa, &mut reader)?;
    }
    let answers = eid.is_some() || info1.is_some() || info2.is_some() || eims.is_some();
    let has_ipae = ipa.ipae_supported == Some(true) || ipa.mode.as_deref() == Some("ipae");
    let verdict = match (isd_r.is_some(), answers, iot, has_ipae) {
        (false, ..) => Verdict::Uicc,
        (_, _, true, true) => Verdict::Ipae,
        (_, _, true, false) => Verdict::Ipad,
        (_, true, false, _) => Verdict::Sgp22,
        (_, false, false, _) => Verdict::IsdRWithoutEs10,
    };
    let product = known.product(&atr).map(str::to_owned);
    let quirks = known.quirks(&Card {
        eum: eid.as_ref().and_then(|eid: &EidFacts| eid.eum.as_deref()),
        product: product.as_deref(),
        isd_r: isd_r.as_ref().map(|isd_r| isd_r.of.as_str()),
        iot,
    });
    let quirks = quirks.into_iter().map(|quirk| ReportedQuirk {
        what: quirk.what.clone(),
        source: quirk.source.clone(),
    });
    let mut probe = Probe {
        format: FORMAT,
        link: name,
        verdict,
        says: verdict.words(),
        ipa_interface: eims.is_some(),
        atr: atr_facts(&atr),
        product,
        isd_r,
        eid,
        info1,
        info2,
        ipa,
        eims,
        quirks: quirks.collect(),
        observations: Vec::new(),
        refused,
        problems,
        apdus: 0,
    };
    probe.observations = observations(&probe, channels);
    Ok(probe)
}

/// Over which channel TERMINAL CAPABILITY switches the card to an assistant in the device: each is tried in a
/// session of its own.
fn switch(
    link: &mut dyn CardLink,
    isd_r: &IsdR,
    ipa: &mut Ipa,
    reader: &mut Reader<'_>,
) -> Result<(), LinkError> {
    let mut mode = |data: &[u8]| {
        let value = reader.value(INFO2.name, data, INFO2.tag)?;
        reader.info2(value).ipa_mode
    };
    for logical in [false, true] {
        let attempt = talk::attempt(link, logical, isd_r, &mut mode)?;
        ipa.terminal_capability.extend(attempt);
    }
    if ipa.mode.as_deref() != Some("ipae") {
        // The device's assistant has the say already.
        return Ok(());
    }
    let switched = |channel: &str| {
        let mut tried = ipa.terminal_capability.iter();
        tried.any(|one| one.channel == channel && one.ipa_mode.as_deref() == Some("ipad"))
    };
    ipa.switched_by = Some(match (switched("basic"), switched("logical")) {
        (true, true) => "any",
        (true, false) => "basic",
        (false, true) => "logical",
        (false, false) => "none",
    });
    Ok(())
}

fn atr_facts(bytes: &[u8]) -> AtrFacts {
    let hex = hex::encode_upper(bytes);
    match Atr::parse(bytes) {
        Ok(atr) => AtrFacts {
            hex,
            says: atr.to_string(),
            protocols: atr.protocols(),
            euicc_flag: atr.is_euicc(),
            extended_length: atr.extended_length(),
        },
        Err(error) => AtrFacts {
            hex,
            says: error.to_string(),
            protocols: Vec::new(),
            euicc_flag: false,
            extended_length: None,
        },
    }
}

/// What not every card does, and one who builds on it should know.
fn observations(probe: &Probe, channels: bool) -> Vec<String> {
    let mut out = Vec::new();
    let mut note = |holds: bool, text: &str| {
        if holds {
            out.push(text.to_owned());
        }
    };
    let is_euicc = probe.isd_r.is_some();
    note(
        !channels,
        "the card gave no logical channel that works; the basic one was used",
    );
    note(
        is_euicc && !probe.atr.euicc_flag,
        "it is an eUICC, and its ATR doesn't carry the eUICC flag",
    );
    note(
        !is_euicc && probe.atr.euicc_flag,
        "its ATR carries the eUICC flag, but no ISD-R was found under the known AIDs",
    );
    let wrong_digits = probe.eid.as_ref().is_some_and(|eid| !eid.check_digits_fit);
    note(wrong_digits, "the EID's check digits don't fit");
    let no_issuer = |info: &Info1| info.issuers_for_signing.is_empty();
    note(
        probe.info1.as_ref().is_some_and(no_issuer),
        "the list of issuers for signing is empty: no server can authenticate it",
    );
    let ipa = &probe.ipa;
    note(
        ipa.ipae_supported == Some(true) && ipa.mode.as_deref() == Some("ipad"),
        "an IPAe is supported, but the device's assistant is in charge although none was declared",
    );
    let known = |issuer: &Issuer| issuer.name.is_some();
    let unknown = |info: &Info1| {
        !info.issuers_for_signing.is_empty() && !info.issuers_for_signing.iter().any(known)
    };
    note(
        probe.info1.as_ref().is_some_and(unknown),
        "none of its certificate issuers is known: a private or a test hierarchy",
    );
    out
}
