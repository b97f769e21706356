//! ES10b.LoadBoundProfilePackage, segment by segment (SGP.22 2.5.5, 5.5, 5.7.6): InitialiseSecureChannel,
//! ConfigureISDP, StoreMetadata, ReplaceSessionKeys, and the profile's elements.
//!
//! A command holds whole data objects or heads of sequences. What has come is kept beside the installed profiles until
//! the last segment: then the profile is installed as a whole, or not at all.

use super::Euicc;
use super::bsp::{Bsp, BspError, KEY_LENGTH, KEY_TYPE_AES};
use super::download::{Prepared, Session};
use super::es10::{Function, Refusal};
use super::install::Installation;
use super::state::State;
use applet_model::sgp::notification::{BppCommandId, ErrorReason};
use applet_model::sgp::{Decode, download::StoreMetadataRequest};
use applet_model::status::Sw;
use applet_model::tlv::{self, Tlv};

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// BF36's head.
    Package,
    /// InitialiseSecureChannel, BF23.
    Channel,
    /// A0's head.
    ConfigureHead,
    /// `87` of A0.
    Configure,
    /// A1's head.
    MetadataHead,
    /// `88` of A1.
    Metadata,
    /// A2's head, or A3's.
    KeysHead,
    /// `87` of A2.
    Keys,
    /// A3's head.
    ElementsHead,
    /// `86` of A3.
    Elements,
    /// Nothing.
    End,
}

/// Why the package isn't taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub command: BppCommandId,
    pub reason: ErrorReason,
    /// `simaResponse`, if profile elements were looked at.
    pub sima: Vec<u8>,
}

/// A package on its way in.
#[derive(Clone)]
pub(super) struct Load {
    stage: Stage,
    /// Bytes of BF36 that are still to come.
    package: usize,
    /// Bytes of the sequence that are still to come.
    sequence: usize,
    bsp: Option<Bsp>,
    /// Plain text of the sequence's segments so far.
    plain: Vec<u8>,
    /// `dpProprietaryData` of ConfigureISDP, its content.
    pub dp_proprietary: Vec<u8>,
    /// The metadata and what becomes of them.
    pub installation: Option<Box<Installation>>,
}

impl Load {
    pub fn new() -> Self {
        Load {
            stage: Stage::Package,
            package: 0,
            sequence: 0,
            bsp: None,
            plain: Vec::new(),
            dp_proprietary: Vec::new(),
            installation: None,
        }
    }

    /// The part of the package that is being loaded.
    pub fn command(&self) -> BppCommandId {
        match self.stage {
            Stage::Package | Stage::Channel => BppCommandId::InitialiseSecureChannel,
            Stage::ConfigureHead | Stage::Configure => BppCommandId::ConfigureIsdp,
            Stage::MetadataHead | Stage::Metadata => BppCommandId::StoreMetadata,
            Stage::KeysHead | Stage::Keys => BppCommandId::ReplaceSessionKeys,
            Stage::ElementsHead | Stage::Elements | Stage::End => BppCommandId::LoadProfileElements,
        }
    }

    fn refuse(&self, reason: ErrorReason) -> Refused {
        Refused {
            command: self.command(),
            reason,
            sima: Vec::new(),
        }
    }

    fn structure(&self) -> Refused {
        self.refuse(ErrorReason::Scp03tStructureError)
    }

    /// A head of a sequence: its length must fit in what is left of the package.
    fn enter(&mut self, header: &tlv::Header, next: Stage) -> Result<(), Refused> {
        let whole = header.header_len + header.value_len;
        if whole > self.package || header.value_len == 0 {
            return Err(self.structure());
        }
        self.package -= whole;
        self.sequence = header.value_len;
        self.plain.clear();
        self.stage = next;
        Ok(())
    }

    /// A segment: checked, decrypted, added to the sequence's plain text. True if it was the sequence's last.
    fn segment(&mut self, segment: &Tlv<'_>) -> Result<bool, Refused> {
        if segment.raw.len() > self.sequence {
            return Err(self.structure());
        }
        let opened = match &mut self.bsp {
            Some(bsp) => bsp.open(segment),
            None => return Err(self.structure()),
        };
        let plain = opened.map_err(|e| {
            self.refuse(match e {
                BspError::Security => ErrorReason::Scp03tSecurityError,
                _ => ErrorReason::Scp03tStructureError,
            })
        })?;
        self.sequence -= segment.raw.len();
        self.plain.extend_from_slice(&plain);
        Ok(self.sequence == 0)
    }

    /// InitialiseSecureChannel (SGP.22 5.5.1).
    fn initialise(
        &mut self,
        request: &Tlv<'_>,
        transaction_id: &[u8],
        prepared: &Prepared,
        eid: &[u8; 16],
    ) -> Result<(), Refused> {
        let refuse = |reason| Refused {
            command: BppCommandId::InitialiseSecureChannel,
            reason,
            sima: Vec::new(),
        };
        let values = |_| refuse(ErrorReason::IncorrectInputValues);
        let signature = tlv::require(request.value, 0x5F37).map_err(values)?;
        let signed = request.value.len().checked_sub(signature.raw.len());
        let mut message = signed
            .and_then(|length| request.value.get(..length))
            .ok_or_else(|| refuse(ErrorReason::IncorrectInputValues))?
            .to_vec();
        message.extend(tlv::write(0x5F49, &prepared.otpk));
        if !prepared.key.verify(&message, signature.value) {
            return Err(refuse(ErrorReason::InvalidSignature));
        }
        let field = |tag| tlv::require(request.value, tag).map_err(values);
        if field(0x80)?.value != transaction_id {
            return Err(refuse(ErrorReason::InvalidTransactionId));
        }
        if field(0x82)?.value != [1] {
            return Err(refuse(ErrorReason::UnsupportedRemoteOperationType));
        }
        let template = field(0xA6)?;
        let inside = |tag| tlv::require(template.value, tag).map_err(values);
        if inside(0x80)?.value != [KEY_TYPE_AES] || inside(0x81)?.value != [KEY_LENGTH] {
            return Err(refuse(ErrorReason::UnsupportedCrtValues));
        }
        let host_id = inside(0x84)?;
        if !(1..=16).contains(&host_id.value.len()) {
            return Err(refuse(ErrorReason::UnsupportedCrtValues));
        }
        let secret = prepared
            .one_time
            .agree(field(0x5F49)?.value)
            .map_err(|_| refuse(ErrorReason::IncorrectInputValues))?;
        let bsp = Bsp::derive(secret.as_slice(), host_id.value, eid)
            .map_err(|_| refuse(ErrorReason::UnsupportedCrtValues))?;
        self.bsp = Some(bsp);
        Ok(())
    }

    /// ConfigureISDP (SGP.22 5.5.2).
    fn configure(&mut self) -> Result<(), Refused> {
        let values = || self.refuse(ErrorReason::IncorrectInputValues);
        let request = tlv::expect(&self.plain, 0xBF24).map_err(|_| values())?;
        let data = request.find(0xB8).map_err(|_| values())?;
        // SGP.22 2.4.3.1: up to 128 bytes.
        let data = data.map(|d| d.value.to_vec()).unwrap_or_default();
        if data.len() > 128 {
            return Err(values());
        }
        self.dp_proprietary = data;
        Ok(())
    }

    /// ReplaceSessionKeys (SGP.22 5.5.4).
    fn replace_keys(&mut self) -> Result<(), Refused> {
        let values = || self.refuse(ErrorReason::IncorrectInputValues);
        let request = tlv::expect(&self.plain, 0xBF26).map_err(|_| values())?;
        let field = |tag| tlv::require(request.value, tag).map_err(|_| values());
        let bsp = Bsp::new(field(0x81)?.value, field(0x82)?.value, field(0x80)?.value)
            .map_err(|_| values())?;
        self.bsp = Some(bsp);
        Ok(())
    }
}

/// A command that goes on with a package: heads of its sequences, and segments.
pub(super) fn is_segment(command: &[u8]) -> bool {
    matches!(command.first(), Some(0x86..=0x88 | 0xA0..=0xA3))
}

impl Euicc {
    /// A piece of a bound package. Nothing is answered until the last one, or the one that is wrong: then the
    /// signed ProfileInstallationResult, which is kept as a notification too.
    pub(super) fn load_bound_profile_package(&mut self, command: &[u8]) -> Function {
        let nothing = Err(Refusal::Status(Sw::CONDITIONS_NOT_SATISFIED));
        let Some(mut session) = self.rsp.session.take() else {
            return nothing;
        };
        let Some(prepared) = session.prepared.clone() else {
            self.rsp.session = Some(session);
            return nothing;
        };
        let begins = command.starts_with(&[0xBF, 0x36]);
        let mut load = match session.load.take() {
            Some(load) if !begins => load,
            // The same package from its beginning: what came of it before is dropped.
            _ if begins => Load::new(),
            _ => {
                self.rsp.session = Some(session);
                return nothing;
            }
        };
        let fed = self.feed(&mut load, command, &session, &prepared);
        match fed {
            Ok(false) => {
                session.load = Some(load);
                self.rsp.session = Some(session);
                Ok((Vec::new(), None))
            }
            Ok(true) => self.installed(&session, load),
            Err(refused) => {
                let (result, state) = self.not_installed(&session, &load, &refused)?;
                Ok((result, Some(state)))
            }
        }
    }

    /// The signed result of a load that something else came in between, and the state that holds it.
    pub(super) fn interrupted(&mut self) -> Result<Option<State>, Refusal> {
        let Some(session) = self.rsp.session.take() else {
            return Ok(None);
        };
        let Some(load) = &session.load else {
            return Ok(None);
        };
        let refused = load.refuse(ErrorReason::Interruption);
        let (_, mut state) = self.not_installed(&session, load, &refused)?;
        // Interrupted isn't refused: the server may send the same package again.
        state.one_time.clone_from(&self.state.one_time);
        Ok(Some(state))
    }

    /// Takes the data objects of a command. True when the package is complete.
    fn feed(
        &mut self,
        load: &mut Load,
        command: &[u8],
        session: &Session,
        prepared: &Prepared,
    ) -> Result<bool, Refused> {
        let mut rest = command;
        while !rest.is_empty() {
            let header = tlv::read_header(rest).map_err(|_| load.structure())?;
            let head = |next| (next, rest.get(header.header_len..).unwrap_or_default());
            let entered = match (load.stage, header.tag) {
                (Stage::Package, 0xBF36) => {
                    load.package = header.value_len;
                    load.stage = Stage::Channel;
                    rest = rest.get(header.header_len..).unwrap_or_default();
                    continue;
                }
                (Stage::ConfigureHead, 0xA0) => Some(head(Stage::Configure)),
                (Stage::MetadataHead, 0xA1) => Some(head(Stage::Metadata)),
                (Stage::KeysHead, 0xA2) => Some(head(Stage::Keys)),
                (Stage::KeysHead | Stage::ElementsHead, 0xA3) => {
                    load.stage = Stage::ElementsHead;
                    Some(head(Stage::Elements))
                }
                _ => None,
            };
            if let Some((next, after)) = entered {
                load.enter(&header, next)?;
                rest = after;
                continue;
            }
            let (object, after) = tlv::read(rest).map_err(|_| load.structure())?;
            rest = after;
            match (load.stage, object.tag) {
                (Stage::Channel, 0xBF23) => {
                    load.package = load
                        .package
                        .checked_sub(object.raw.len())
                        .ok_or_else(|| load.structure())?;
                    let eid = *self.eid.as_bytes();
                    load.initialise(&object, &session.transaction_id, prepared, &eid)?;
                    load.stage = Stage::ConfigureHead;
                }
                (Stage::Configure, 0x87) => {
                    if load.segment(&object)? {
                        load.configure()?;
                        load.stage = Stage::MetadataHead;
                    }
                }
                (Stage::Metadata, 0x88) => {
                    if load.segment(&object)? {
                        load.installation = Some(Box::new(self.store_metadata(load)?));
                        load.stage = Stage::KeysHead;
                    }
                }
                (Stage::Keys, 0x87) => {
                    if load.segment(&object)? {
                        load.replace_keys()?;
                        load.stage = Stage::ElementsHead;
                    }
                }
                (Stage::Elements, 0x86) => {
                    let last = load.segment(&object)?;
                    if load.plain.len() > self.free_profile_memory() {
                        return Err(load.refuse(ErrorReason::InsufficientMemory));
                    }
                    self.rsp.written = true;
                    if last {
                        if load.package != 0 || !rest.is_empty() {
                            return Err(load.structure());
                        }
                        load.stage = Stage::End;
                        if let Some(installation) = &mut load.installation {
                            installation.package = std::mem::take(&mut load.plain);
                        }
                        return Ok(true);
                    }
                }
                _ => return Err(load.structure()),
            }
        }
        Ok(false)
    }

    /// StoreMetadata (SGP.22 5.5.3).
    fn store_metadata(&self, load: &Load) -> Result<Installation, Refused> {
        let metadata = StoreMetadataRequest::from_der(&load.plain)
            .map_err(|_| load.refuse(ErrorReason::IncorrectInputValues))?;
        self.accept_metadata(&metadata, &load.dp_proprietary)
            .map_err(|reason| load.refuse(reason))
    }
}
