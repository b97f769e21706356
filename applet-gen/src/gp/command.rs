//! The GlobalPlatform commands (GlobalPlatform Card Specification 2.3.1, chapter 11), as builders.
//!
//! Builders make plain commands; [`super::scp03::SecureChannel::wrap`] protects them.

pub use super::privilege::Privileges;
use applet_model::apdu::Command;
use applet_model::tlv;

/// SELECT.
pub const INS_SELECT: u8 = 0xA4;
/// GET DATA.
pub const INS_GET_DATA: u8 = 0xCA;
/// GET STATUS.
pub const INS_GET_STATUS: u8 = 0xF2;
/// SET STATUS.
pub const INS_SET_STATUS: u8 = 0xF0;
/// INSTALL.
pub const INS_INSTALL: u8 = 0xE6;
/// LOAD.
pub const INS_LOAD: u8 = 0xE8;
/// DELETE.
pub const INS_DELETE: u8 = 0xE4;
/// PUT KEY.
pub const INS_PUT_KEY: u8 = 0xD8;
/// STORE DATA.
pub const INS_STORE_DATA: u8 = 0xE2;
/// BEGIN R-MAC SESSION (Amendment D 7.1.3).
pub const INS_BEGIN_R_MAC_SESSION: u8 = 0x7A;
/// END R-MAC SESSION (Amendment D 7.1.4).
pub const INS_END_R_MAC_SESSION: u8 = 0x78;

/// Tag of the card production life cycle data for [`get_data`] (GPCS table H.2).
pub const TAG_CPLC: u16 = 0x9F7F;
/// Tag of the key information template (GPCS 11.3.3.1).
pub const TAG_KEY_INFORMATION: u16 = 0x00E0;
/// Tag of the extended card resources information (ETSI TS 102 226 8.2.1.7.2).
pub const TAG_EXTENDED_CARD_RESOURCES: u16 = 0xFF21;

/// What GET STATUS lists (GPCS table 11-29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StatusKind {
    /// The issuer security domain.
    IssuerSecurityDomain = 0x80,
    /// Applications and supplementary security domains.
    Applications = 0x40,
    /// Executable load files.
    LoadFiles = 0x20,
    /// Executable load files and their modules.
    LoadFilesAndModules = 0x10,
}

/// What SET STATUS is about (GPCS table 11-86).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StatusType {
    /// The card, whose state the issuer security domain has.
    Card = 0x80,
    /// An application or supplementary security domain.
    Application = 0x40,
    /// A security domain and everything below it: locking and unlocking only.
    DomainAndApplications = 0x60,
}

/// AID of the load file that security domains are installed from on most cards.
pub const SSD_PACKAGE: [u8; 7] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x53, 0x50];
/// AID of its module.
pub const SSD_MODULE: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x53, 0x50, 0x41];

/// A byte with the length before the value, as INSTALL's fields have it. Values of up to 255 bytes;
/// lengths from 128 are coded `81 LL` (GPCS 11.1.5).
pub(super) fn lv(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 2);
    if value.len() > 0x7F {
        out.push(0x81);
    }
    out.push(value.len() as u8);
    out.extend_from_slice(value);
    out
}

/// SELECT by AID, first occurrence (GPCS 11.9).
pub fn select(aid: &[u8]) -> Command {
    Command::new(0x00, INS_SELECT, 0x04, 0x00)
        .with_data(aid)
        .with_le(256)
}

/// SELECT by AID or its beginning, next occurrence (GPCS 11.9).
pub fn select_next(aid: &[u8]) -> Command {
    Command::new(0x00, INS_SELECT, 0x04, 0x02)
        .with_data(aid)
        .with_le(256)
}

/// GET DATA for a tag (GPCS 11.3).
pub fn get_data(tag: u16) -> Command {
    let [p1, p2] = tag.to_be_bytes();
    Command::new(0x80, INS_GET_DATA, p1, p2).with_le(256)
}

/// GET STATUS in the TLV form; `aid` empty for all, `next` for the continuation after 6310 (GPCS 11.4).
pub fn get_status(kind: StatusKind, aid: &[u8], next: bool) -> Command {
    Command::new(0x80, INS_GET_STATUS, kind as u8, 0x02 | u8::from(next))
        .with_data(tlv::write(0x4F, aid))
        .with_le(256)
}

/// INSTALL \[for load\] (GPCS 11.5.2.3.1). `security_domain` empty for the one selected; `hash` and
/// `token` empty if there are none; `parameters` as TLV list.
pub fn install_for_load(
    package: &[u8],
    security_domain: &[u8],
    hash: &[u8],
    parameters: &[u8],
    token: &[u8],
) -> Command {
    let data = [
        lv(package),
        lv(security_domain),
        lv(hash),
        lv(parameters),
        lv(token),
    ]
    .concat();
    Command::new(0x80, INS_INSTALL, 0x02, 0x00)
        .with_data(data)
        .with_le(256)
}

/// The fields of INSTALL \[for install\] (GPCS 11.5.2.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install<'a> {
    /// Executable load file AID.
    pub package: &'a [u8],
    /// Executable module AID.
    pub module: &'a [u8],
    /// Application (instance) AID.
    pub instance: &'a [u8],
    /// Privileges; the one-byte form is sent if bytes 2 and 3 are zero.
    pub privileges: Privileges,
    /// Install parameters: see [`super::uicc_params::InstallParameters::encode`].
    pub parameters: &'a [u8],
    /// Install token, empty if there is none.
    pub token: &'a [u8],
}

impl Install<'_> {
    fn command(&self, p1: u8) -> Command {
        let privileges: &[u8] = match &self.privileges {
            [first, 0, 0] => core::slice::from_ref(first),
            all => all,
        };
        let data = [
            lv(self.package),
            lv(self.module),
            lv(self.instance),
            lv(privileges),
            lv(self.parameters),
            lv(self.token),
        ]
        .concat();
        Command::new(0x80, INS_INSTALL, p1, 0x00)
            .with_data(data)
            .with_le(256)
    }

    /// INSTALL \[for install\].
    pub fn for_install(&self) -> Command {
        self.command(0x04)
    }

    /// INSTALL \[for install and make selectable\].
    pub fn for_install_and_make_selectable(&self) -> Command {
        self.command(0x0C)
    }
}

/// INSTALL \[for make selectable\] (GPCS 11.5.2.3.3).
pub fn install_for_make_selectable(instance: &[u8], privileges: Privileges) -> Command {
    let data = [
        vec![0, 0],
        lv(instance),
        lv(&privileges[..1]),
        vec![0],
        vec![0],
    ]
    .concat();
    Command::new(0x80, INS_INSTALL, 0x08, 0x00)
        .with_data(data)
        .with_le(256)
}

/// INSTALL \[for extradition\] (GPCS 11.5.2.3.4): an application or load file goes to another security
/// domain. It is sent to the domain that has it now.
pub fn install_for_extradition(
    security_domain: &[u8],
    object: &[u8],
    parameters: &[u8],
) -> Command {
    let data = [
        lv(security_domain),
        vec![0],
        lv(object),
        vec![0],
        lv(parameters),
        vec![0],
    ]
    .concat();
    Command::new(0x80, INS_INSTALL, 0x10, 0x00)
        .with_data(data)
        .with_le(256)
}

/// The fields of INSTALL \[for registry update\] (GPCS 11.5.2.3.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryUpdate<'a> {
    /// Security domain to extradite to; empty to leave the application where it is.
    pub security_domain: &'a [u8],
    /// Application AID.
    pub application: &'a [u8],
    /// New privileges; `None` to leave them.
    pub privileges: Option<Privileges>,
    /// Parameters: EF with implicit selection (CF), see [`implicit_selection`].
    pub parameters: &'a [u8],
}

impl RegistryUpdate<'_> {
    /// The command, without token.
    pub fn command(&self) -> Command {
        let privileges = self.privileges.unwrap_or_default();
        let data = [
            lv(self.security_domain),
            vec![0],
            lv(self.application),
            lv(match self.privileges {
                Some(_) => &privileges,
                None => &[],
            }),
            lv(self.parameters),
            vec![0],
        ]
        .concat();
        Command::new(0x80, INS_INSTALL, 0x40, 0x00)
            .with_data(data)
            .with_le(256)
    }
}

/// System specific parameters (EF) with an implicit selection parameter (CF; GPCS 11.1.7): the application is
/// selected by itself on this logical channel of the contact interface.
pub fn implicit_selection(channel: u8) -> Vec<u8> {
    tlv::write(0xEF, &tlv::write(0xCF, &[0x40 | channel & 0x1F]))
}

/// INSTALL \[for personalization\]: the STORE DATA commands that follow go to this application (GPCS 11.5.2.3.6).
pub fn install_for_personalization(application: &[u8]) -> Command {
    let data = [vec![0, 0], lv(application), vec![0, 0, 0]].concat();
    Command::new(0x80, INS_INSTALL, 0x20, 0x00)
        .with_data(data)
        .with_le(256)
}

/// DELETE of an application or a load file; `related` also deletes the applications made from it (GPCS 11.2).
pub fn delete(aid: &[u8], related: bool) -> Command {
    let p2 = if related { 0x80 } else { 0x00 };
    Command::new(0x80, INS_DELETE, 0x00, p2)
        .with_data(tlv::write(0x4F, aid))
        .with_le(256)
}

/// DELETE of keys (GPCS 11.2.2.3.2): by version, by identifier, or the one that both name.
pub fn delete_keys(version: Option<u8>, identifier: Option<u8>) -> Command {
    let objects = [(0xD0, identifier), (0xD2, version)];
    let data: Vec<u8> = objects
        .into_iter()
        .filter_map(|(tag, value)| Some(tlv::write(tag, &[value?])))
        .flatten()
        .collect();
    Command::new(0x80, INS_DELETE, 0x00, 0x00)
        .with_data(data)
        .with_le(256)
}

/// SET STATUS (GPCS 11.10): `kind` 0x80 for the issuer security domain (the card), 0x40 for an
/// application, 0x60 for a domain with its applications ([`StatusType`]). Some states (TERMINATED) can't be left
/// again: the caller asks first.
pub fn set_status(kind: u8, state: u8, aid: &[u8]) -> Command {
    Command::new(0x80, INS_SET_STATUS, kind, state).with_data(aid)
}

/// BEGIN R-MAC SESSION (Amendment D 7.1.3): responses from the next on carry R-MAC, with `encrypted` R-ENCRYPTION,
/// too. `data` (up to 127 bytes) goes into the MAC and isn't looked at.
pub fn begin_r_mac_session(encrypted: bool, data: &[u8]) -> Command {
    let p1 = if encrypted { 0x30 } else { 0x10 };
    let data = if data.is_empty() {
        Vec::new()
    } else {
        lv(data)
    };
    Command::new(0x80, INS_BEGIN_R_MAC_SESSION, p1, 0x01).with_data(data)
}

/// END R-MAC SESSION (Amendment D 7.1.4): its response is the last of the session.
pub fn end_r_mac_session() -> Command {
    Command::new(0x80, INS_END_R_MAC_SESSION, 0x00, 0x03).with_le(256)
}

/// STORE DATA (GPCS 11.11): the data in blocks of at most `block` bytes, numbered; P1 is `encoding`
/// with bit 8 set in the last block. Empty data makes one empty block.
pub fn store_data(data: &[u8], block: usize, encoding: u8) -> Vec<Command> {
    let mut chunks: Vec<&[u8]> = data.chunks(block.clamp(1, 255)).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let last = chunks.len() - 1;
    chunks
        .iter()
        .enumerate()
        .map(|(i, chunk)| {
            let p1 = encoding & 0x7F | if i == last { 0x80 } else { 0 };
            // The block number has one byte and starts again after 255 (SGP.22 5.7.2 does the same).
            Command::new(0x80, INS_STORE_DATA, p1, i as u8).with_data(*chunk)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex_of(command: &Command) -> String {
        hex::encode_upper(command.to_bytes())
    }

    #[test]
    fn commands_have_the_published_form() {
        // SELECT of the ISD and DELETE as GlobalPlatformPro's traces show them.
        assert_eq!(
            hex_of(&select(applet_model::aid::ISD)),
            "00A4040008A00000015100000000"
        );
        assert_eq!(
            hex_of(&delete(&[1, 2, 3, 4, 5], true)),
            "80E40080074F05010203040500"
        );
        assert_eq!(
            hex_of(&get_status(StatusKind::Applications, &[], false)),
            "80F24002024F0000"
        );
        assert_eq!(hex_of(&get_data(TAG_CPLC)), "80CA9F7F00");
    }

    #[test]
    fn install_of_a_public_trace() {
        // GlobalPlatformPro #306: INSTALL for install and make selectable, 84E60C0028..., without its MAC.
        let package = hex::decode("A0000001515350").unwrap();
        let module = hex::decode("A000000151535041").unwrap();
        let instance = hex::decode("A000000151000001").unwrap();
        let install = Install {
            package: &package,
            module: &module,
            instance: &instance,
            privileges: [0x80, 0, 0],
            parameters: &[0xC9, 0x00],
            token: &[],
        };
        assert_eq!(
            hex::encode_upper(install.for_install_and_make_selectable().data),
            "07A000000151535008A00000015153504108A000000151000001018002C90000"
        );
    }

    #[test]
    fn extradition_and_registry_update_have_the_published_form() {
        // As GlobalPlatformPro's extradite sends it, the empty token included.
        let extradition = install_for_extradition(&[0xA0; 5], &[0xB0; 6], &[]);
        assert_eq!(
            hex_of(&extradition),
            "80E610001105A0A0A0A0A00006B0B0B0B0B0B0000000 00".replace(' ', "")
        );
        let update = RegistryUpdate {
            application: &[0xB0; 5],
            privileges: Some([0x80, 0, 0]),
            parameters: &implicit_selection(1),
            ..RegistryUpdate::default()
        };
        assert_eq!(
            hex_of(&update.command()),
            "80E6400013000005B0B0B0B0B00380000005EF03CF01410000"
        );
        assert_eq!(hex_of(&delete_keys(Some(0x30), None)), "80E4000003D2013000");
        assert_eq!(
            hex_of(&delete_keys(Some(0x30), Some(1))),
            "80E4000006D00101D2013000"
        );
        assert_eq!(hex_of(&select_next(&[1; 5])), "00A4040205010101010100");
    }

    #[test]
    fn long_parameters_have_a_two_byte_length() {
        let parameters = vec![0xAA; 0x90];
        let command = install_for_load(&[1; 5], &[], &[], &parameters, &[]);
        assert_eq!(command.data[8..10], [0x81, 0x90]);
    }

    #[test]
    fn store_data_marks_the_last_block() {
        let commands = store_data(&[7; 300], 120, 0x11);
        let heads: Vec<(u8, u8, usize)> = commands
            .iter()
            .map(|c| (c.p1, c.p2, c.data.len()))
            .collect();
        assert_eq!(heads, [(0x11, 0, 120), (0x11, 1, 120), (0x91, 2, 60)]);
        assert_eq!(store_data(&[], 120, 0x11).len(), 1);
    }
}
