//! Functions that tell what the eUICC is: EID, capabilities, certificates, rules, addresses.

use super::Euicc;
use super::choices::FCI_SHOWS_ENABLED_PROFILE;
use super::es10::{Function, Refusal, answer};
use super::profile::{PolicyRules, named_bits};
use crate::pki::package::integer;
use applet_model::tlv::{self, Tlv};
use sha2::{Digest, Sha256};

impl Euicc {
    /// See [`Euicc::isdr_fci`].
    pub(super) fn select_response(&self, aid: &[u8]) -> Vec<u8> {
        let mut fci = tlv::write(0x84, aid);
        // GlobalPlatform 11.9.3: proprietary data with the maximum length of a command's data field.
        fci.extend(tlv::write(0xA5, &tlv::write(0x9F65, &[0xFF])));
        fci.extend(tlv::write(
            0xE0,
            &tlv::write(0x82, &self.constants.versions.svn),
        ));
        if !self.sgp22_only {
            // ISDRProprietaryApplicationTemplateIoT: ipaeSupported(0), enabledProfile(1).
            let shown = FCI_SHOWS_ENABLED_PROFILE && self.enabled_profile().is_some();
            let mask = u8::from(self.assistant.ipae_supported()) << 7 | u8::from(shown) << 6;
            fci.extend(tlv::write(0xE1, &tlv::write(0x80, &named_bits(mask))));
        }
        tlv::write(0x6F, &fci)
    }

    /// ES10c.GetEID (SGP.22 5.7.20).
    pub(super) fn get_euicc_data(&self, request: &Tlv<'_>) -> Function {
        let tags = tlv::require(request.value, 0x5C)?;
        if tags.value != [0x5A] {
            return Err(Refusal::Data);
        }
        answer(0xBF3E, &tlv::write(0x5A, self.eid.as_bytes()))
    }

    /// The lists `euiccCiPKIdListForVerification` (A9) and `euiccCiPKIdListForSigning` (AA).
    fn ci_lists(&self) -> Vec<u8> {
        let list: Vec<u8> = self
            .credentials
            .iter()
            .flat_map(|c| tlv::write(0x04, &c.ci_key_id))
            .collect();
        let mut out = tlv::write(0xA9, &list);
        out.extend(tlv::write(0xAA, &list));
        out
    }

    /// ES10b.GetEUICCInfo, EUICCInfo1 (SGP.22 5.7.8).
    pub(super) fn euicc_info1(&self) -> Function {
        let mut info = tlv::write(0x82, &self.constants.versions.svn);
        info.extend(self.ci_lists());
        answer(0xBF20, &info)
    }

    /// ES10b.GetEUICCInfo, EUICCInfo2 (SGP.22 5.7.8, with SGP.32's ipaMode and iotSpecificInfo).
    pub(super) fn euicc_info2(&self) -> Function {
        Ok((self.info2(), None))
    }

    /// `EUICCInfo2` (BF22).
    pub(super) fn info2(&self) -> Vec<u8> {
        let versions = &self.constants.versions;
        let mut info = Vec::new();
        let mut add = |tag, value: &[u8]| info.extend(tlv::write(tag, value));
        add(0x81, &versions.profile);
        add(0x82, &versions.svn);
        add(0x83, &versions.firmware);
        // extCardResource (ETSI TS 102 226 8.2.1.7.2): installed applications, free non-volatile and volatile memory.
        let mut resource = tlv::write(0x81, &[self.state.profiles.len() as u8]);
        resource.extend(tlv::write(
            0x82,
            &integer(self.free_profile_memory() as u64),
        ));
        let volatile = self.limits().volatile_memory as u64;
        resource.extend(tlv::write(0x83, &integer(volatile)));
        add(0x84, &resource);
        // uiccCapability: usimSupport(1), isimSupport(2), akaMilenage(4), javacard(14).
        add(0x85, &[1, 0b0110_1000, 0b0000_0010]);
        add(0x86, &versions.ts102241);
        add(0x87, &versions.globalplatform);
        // rspCapability: additionalProfile(0), crlSupport(1), testProfileSupport(3), serviceSpecificDataSupport(5).
        add(0x88, &named_bits(0b1101_0100));
        info.extend(self.ci_lists());
        let mut add = |tag, value: &[u8]| info.extend(tlv::write(tag, value));
        let rules = &self.constants.rules;
        let forbidden = PolicyRules {
            ppr1_no_disable: !rules.iter().any(|rule| rule.ppr1),
            ppr2_no_delete: !rules.iter().any(|rule| rule.ppr2),
        };
        if forbidden != PolicyRules::default() {
            add(0x99, &named_bits(forbidden.mask()));
        }
        add(0x04, &versions.protection_profile);
        add(0x0C, self.constants.sas_number.as_bytes());
        if self.sgp22_only {
            return tlv::write(0xBF22, &info);
        }
        // ipaMode: ipad(0), ipae(1).
        add(0x90, &[self.assistant.mode()]);
        let versions: Vec<u8> = versions
            .iot
            .iter()
            .flat_map(|v| tlv::write(0x04, v))
            .collect();
        // ecallSupported and fallbackSupported.
        let iot = [
            tlv::write(0xA0, &versions),
            tlv::write(0x81, &[]),
            tlv::write(0x82, &[]),
        ];
        add(0xB4, &iot.concat());
        tlv::write(0xBF22, &info)
    }

    /// True if SGP.32 v1.0 is the version that this eUICC speaks.
    pub(super) fn speaks_first_version(&self) -> bool {
        self.speaks(&|version| *version < [1, 1, 0])
            && !self.speaks(&|version| *version >= [1, 1, 0])
    }

    /// True if one of the versions of SGP.32 that it speaks is such.
    pub(super) fn speaks(&self, such: &dyn Fn(&[u8; 3]) -> bool) -> bool {
        self.constants.versions.iot.iter().any(such)
    }

    /// The next 16 bytes of the seed's sequence.
    pub(super) fn random_16(&mut self, label: &[u8]) -> [u8; 16] {
        let hash = Sha256::new()
            .chain_update(label)
            .chain_update(self.eid.as_bytes())
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.drawn.to_be_bytes())
            .finalize();
        self.drawn += 1;
        hash.first_chunk().copied().unwrap_or_default()
    }

    /// ES10b.GetCerts (SGP.32 5.9.10).
    pub(super) fn get_certs(&self, request: &Tlv<'_>) -> Function {
        let credential = match request.find(0x80)? {
            Some(id) => self.credential(id.value),
            None => self.credentials.first(),
        };
        let Some(credential) = credential else {
            // invalidCiPKId(1).
            return answer(0xBF56, &tlv::write(0x81, &[1]));
        };
        let inside = |der: &[u8]| tlv::expect(der, 0x30).map(|c| c.value.to_vec());
        let mut certs = tlv::write(0xA5, &inside(&credential.eum_certificate)?);
        certs.extend(tlv::write(0xA6, &inside(&credential.euicc_certificate)?));
        answer(0xBF56, &tlv::write(0xA0, &certs))
    }

    /// The content of `RulesAuthorisationTable`.
    pub(super) fn rules_authorisation_table(&self) -> Vec<u8> {
        self.constants
            .rules
            .iter()
            .flat_map(|rule| {
                let mask = u8::from(rule.ppr1) << 6 | u8::from(rule.ppr2) << 5;
                let operators: Vec<u8> = rule
                    .operators
                    .iter()
                    .flat_map(|o| tlv::write(0x30, &o.encode()))
                    .collect();
                let mut item = tlv::write(0x80, &named_bits(mask));
                item.extend(tlv::write(0xA1, &operators));
                let flags = if rule.consent_required { 0x80 } else { 0 };
                item.extend(tlv::write(0x82, &named_bits(flags)));
                tlv::write(0x30, &item)
            })
            .collect()
    }

    /// ES10b.GetRAT (SGP.22 5.7.22).
    pub(super) fn get_rat(&self) -> Function {
        answer(0xBF43, &tlv::write(0xA0, &self.rules_authorisation_table()))
    }

    /// ES10a.GetEuiccConfiguredAddresses (SGP.22 5.7.3).
    pub(super) fn euicc_configured_addresses(&self) -> Function {
        let mut out = Vec::new();
        if !self.state.default_smdp.is_empty() {
            out.extend(tlv::write(0x80, self.state.default_smdp.as_bytes()));
        }
        out.extend(tlv::write(0x81, self.constants.root_smds.as_bytes()));
        answer(0xBF3C, &out)
    }

    /// ES10b.GetConnectivityParameters (SGP.32 5.9.24): of the enabled profile; none → parametersNotAvailable(1).
    pub(super) fn get_connectivity_parameters(&self) -> Function {
        match self.enabled_profile() {
            Some(profile) if !profile.http_params.is_empty() => answer(
                0xBF5F,
                &tlv::write(0xA0, &tlv::write(0x81, &profile.http_params)),
            ),
            _ => answer(0xBF5F, &tlv::write(0x81, &[1])),
        }
    }

    /// ES10b.IpaeActivation (SGP.32 5.9.14): ok(0), or notSupported(1) if activateIpae isn't asked for
    /// or there is no IPAe.
    pub(super) fn ipae_activation(&mut self, request: &Tlv<'_>) -> Function {
        let option = tlv::require(request.value, 0x80)?;
        let asked =
            option.value.get(1).is_some_and(|b| b & 0x80 != 0) && self.assistant.ipae_supported();
        self.ipae_activated |= asked;
        answer(0xBF42, &tlv::write(0x80, &[u8::from(!asked)]))
    }
}
