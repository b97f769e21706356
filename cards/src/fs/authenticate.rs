//! AUTHENTICATE (3GPP TS 31.102 7.1, TS 31.103 7.1): the GSM and the 3G security context, the second of which EPS and 5G
//! use, too.

use super::security::Rights;
use super::tree::{FileId, Kind, Position};
use super::{FileError, FileSystems, USIM};
use crate::naa::{Naa, Verdict};
use crate::power::Nvm;
use applet_model::apdu::{Command, Response};

/// P2 (7.1.2.2): "specific reference data" and the context.
const GSM: u8 = 0x80;
const UMTS: u8 = 0x81;
/// First byte of the answers in the 3G context (7.1.2.1).
const AUTHENTICATED: u8 = 0xDB;
const SYNCHRONISATION_FAILURE: u8 = 0xDC;
/// EF.UST, and its services 27 (GSM access) and 38 (GSM security context; TS 31.102 4.2.8).
const UST: u16 = 0x6F38;
const GSM_ACCESS: usize = 27;
const GSM_SECURITY_CONTEXT: usize = 38;
/// Bytes of an AID that tell a USIM from other applications.
const APPLICATION: usize = 7;

/// A value behind its length.
fn measured(value: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::try_from(value.len()).unwrap_or(u8::MAX)];
    out.extend(value);
    out
}

/// RAND or AUTN behind its length, and what follows it.
fn block(data: &[u8]) -> Result<([u8; 16], &[u8]), FileError> {
    match data.split_first_chunk::<17>() {
        Some((&[16, ref block @ ..], rest)) => Ok((*block, rest)),
        _ => Err(FileError::Length),
    }
}

impl FileSystems {
    pub(super) fn authenticate(
        &mut self,
        nvm: &mut Nvm,
        position: &Position,
        command: &Command,
    ) -> Result<Response, FileError> {
        if self.volume().naas.is_empty() {
            // The lab's default files come without keys.
            return Err(FileError::Function);
        }
        if command.p1 != 0 || !matches!(command.p2, GSM | UMTS) {
            return Err(FileError::Mode);
        }
        let adf = position.adf.ok_or(FileError::Conditions)?;
        let at = self
            .volume()
            .naas
            .iter()
            .position(|naa| naa.adfs.contains(&adf));
        let at = at.ok_or(FileError::Conditions)?;
        self.may_authenticate(adf)?;
        let naa = self.volume().naas.get(at).ok_or(FileError::Conditions)?;
        if naa.is_used_up() {
            return Err(FileError::Conditions);
        }
        let (rand, rest) = block(&command.data)?;
        if command.p2 == GSM {
            return self.gsm(adf, naa, rand, rest);
        }
        let (autn, rest) = block(rest)?;
        if !rest.is_empty() {
            return Err(FileError::Length);
        }
        let (vector, sqn) = match naa.check(rand, autn) {
            Verdict::Forged => return Err(FileError::Mac),
            Verdict::Resynchronise(auts) => {
                let mut data = vec![SYNCHRONISATION_FAILURE];
                data.extend(measured(&auts));
                return Ok(Response::ok(data));
            }
            Verdict::Authentic(vector, sqn) => (vector, sqn),
        };
        let mut data = vec![AUTHENTICATED];
        data.extend(measured(&vector.res));
        data.extend(measured(&vector.ck));
        data.extend(measured(&vector.ik));
        if self.has_service(adf, GSM_ACCESS) {
            data.extend(measured(&vector.gsm().1));
        }
        nvm.commit()?;
        if let Some(naa) = self.volume_mut().naas.get_mut(at) {
            naa.accept(sqn);
        }
        Ok(Response::ok(data))
    }

    /// The GSM security context: SRES and Kc, if the USIM has that service. It has no sequence number to note.
    fn gsm(
        &self,
        adf: FileId,
        naa: &Naa,
        rand: [u8; 16],
        rest: &[u8],
    ) -> Result<Response, FileError> {
        if !rest.is_empty() {
            return Err(FileError::Length);
        }
        if !self.has_service(adf, GSM_SECURITY_CONTEXT) {
            return Err(FileError::Context);
        }
        let (sres, kc) = naa.algorithm.vector(rand).gsm();
        let mut data = measured(&sres);
        data.extend(measured(&kc));
        Ok(Response::ok(data))
    }

    /// The application's PIN has to be verified (7.1.1.1): the first of its directory's.
    fn may_authenticate(&self, adf: FileId) -> Result<(), FileError> {
        let Kind::Directory { pins, .. } = &self.tree().get(adf)?.kind else {
            return Err(FileError::Conditions);
        };
        let keys = self.satisfied(adf);
        let rights = Rights::Terminal(&keys);
        let pin = pins
            .iter()
            .find(|reference| (0x01..=0x08).contains(*reference));
        match pin {
            Some(pin) if !rights.satisfy(&super::security::Condition::Key(*pin)) => {
                Err(FileError::Security)
            }
            _ => Ok(()),
        }
    }

    /// True if a USIM's EF.UST has a service. An ISIM has none of them.
    fn has_service(&self, adf: FileId, service: usize) -> bool {
        let tree = self.tree();
        let usim = tree.get(adf).is_ok_and(|node| {
            node.adf_name().and_then(|name| name.get(..APPLICATION)) == USIM.get(..APPLICATION)
        });
        let table = tree.child(adf, UST).and_then(|ust| tree.contents(ust).ok());
        let byte = table.and_then(|(_, table)| table.data.get((service - 1) / 8));
        usim && byte.is_some_and(|byte| byte & 1 << ((service - 1) % 8) != 0)
    }
}
