//! The Card Application Toolkit's data objects: COMPREHENSION-TLV, proactive commands, terminal
//! responses, envelopes and the terminal profile (ETSI TS 102 223, tags of ETSI TS 101 220 7.2).
//!
//! Here live the tables of codes with their names and the parsers and builders over plain bytes.
//! What a terminal or a card *does* with them does not: the terminal lives in `host-bridge`, the
//! toolkit framework in `cards`, the applet's use of them in the machine.

mod code;
mod command;
mod describe;
mod device;
mod envelope;
mod event;
#[cfg(test)]
mod golden;
mod proactive;
mod profile;
mod response;
mod result;
mod tag;
mod tlv;
mod value;

pub use command::{CommandType, qualifier};
pub use describe::{describe_envelope, describe_list, describe_proactive, describe_response};
pub use device::Device;
pub use envelope::Envelope;
pub use event::Event;
pub use proactive::{Detail, OpenChannel, ProactiveCommand};
pub use profile::{Feature, TerminalProfile};
pub use response::TerminalResponse;
pub use result::{BipError, GeneralResult, ResultClass, TerminalProblem};
pub use tag::{Ber, Tag};
pub use tlv::{CatError, OwnedTlv, Tlv, TlvList, unwrap_ber, wrap_ber, write};
pub use value::{
    Bearer, BearerDescription, ChannelStatus, Duration, IpAddress, LocationStatus,
    NetworkAccessName, TimerValue, Transport, TransportLevel,
};
