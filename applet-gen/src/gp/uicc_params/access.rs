//! Access parameters: which files an application may reach (ETSI TS 102 226 8.2.1.3.2.2.2 and .3).

use super::ParameterError;
use super::reader::{Reader, put_lv};

/// What an application may do in a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDomain {
    /// Access domain parameter and data: 00 full access, 02 UICC access mechanism with three bytes, FF none.
    pub domain: Vec<u8>,
    /// Access domain DAP; empty if there is none.
    pub dap: Vec<u8>,
}

impl AccessDomain {
    /// Access domain 00: full access.
    pub fn full() -> Self {
        AccessDomain {
            domain: vec![0x00],
            dap: Vec::new(),
        }
    }

    /// Access domain FF: no access.
    pub fn none() -> Self {
        AccessDomain {
            domain: vec![0xFF],
            dap: Vec::new(),
        }
    }
}

/// Access to the files under an ADF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdfAccess {
    /// AID of the ADF.
    pub aid: Vec<u8>,
    /// What is allowed there.
    pub access: AccessDomain,
}

/// The value of tag 81 or 82.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessParameters {
    /// Access to the UICC shared file system.
    pub uicc: Option<AccessDomain>,
    /// Access by ADF.
    pub adfs: Vec<AdfAccess>,
}

impl AccessParameters {
    pub(super) fn encode(&self) -> Result<Vec<u8>, ParameterError> {
        let mut out = Vec::new();
        // A file system AID of length zero stands for the UICC shared file system.
        let uicc = self.uicc.iter().map(|access| (&[][..], access));
        let adfs = self.adfs.iter().map(|adf| (&adf.aid[..], &adf.access));
        for (aid, access) in uicc.chain(adfs) {
            put_lv(&mut out, "AID of the ADF", aid)?;
            put_lv(&mut out, "access domain", &access.domain)?;
            put_lv(&mut out, "access domain DAP", &access.dap)?;
        }
        Ok(out)
    }

    pub(super) fn decode(mut bytes: Reader<'_>) -> Result<Self, ParameterError> {
        let mut out = AccessParameters::default();
        while !bytes.is_empty() {
            let aid = bytes.lv("AID of the ADF")?;
            let domain = bytes.lv("access domain")?.to_vec();
            let dap = bytes.lv("access domain DAP")?.to_vec();
            let access = AccessDomain { domain, dap };
            if aid.is_empty() {
                out.uicc = Some(access);
            } else {
                out.adfs.push(AdfAccess {
                    aid: aid.to_vec(),
                    access,
                });
            }
        }
        Ok(out)
    }
}
