//! What crosses the applet's boundary, in order: the record that lock-step replays.
//!
//! A virtual card that runs the CAP file records a `Vec<Boundary>`; the model is fed the inputs of
//! the record and must give the outputs of the record, byte for byte. A difference is a defect in
//! one of them, always.

use crate::apdu::{Command, Response};
use crate::status::Sw;
use serde::{Deserialize, Serialize};

/// One thing that went into the applet or came out of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Boundary {
    /// In: `install()` was called with this parameter array (Java Card API `Applet.install`: instance AID,
    /// control information and applet data, each with its length).
    Install(Vec<u8>),
    /// In: the toolkit framework allocated this timer identifier to the applet (ETSI TS 102 241
    /// `ToolkitRegistry.allocateTimer`).
    TimerAllocated(u8),
    /// In: the card lost power or was reset: transient memory is gone, nothing on the stack survives.
    PowerLoss,
    /// In: the terminal's TERMINAL PROFILE as the framework stored it.
    TerminalProfile(Vec<u8>),
    /// In: `process()` was called with this command. SELECT of the applet is one of them.
    Apdu(Command),
    /// In: `processData()` was called with this STORE DATA command: it came through the security domain under
    /// its secure channel, plain by now (GlobalPlatform API `org.globalplatform.Application`).
    Personalization(Command),
    /// Out: the answer to [`Boundary::Apdu`] and [`Boundary::Personalization`] (without 61xx/6Cxx/91xx, which are the runtime's).
    Response(Response),
    /// In: `processToolkit()` was called with this event (constants of `ToolkitConstants`) and, for
    /// an ENVELOPE, the value of its BER-TLV.
    Event {
        /// `ToolkitConstants.EVENT_…`.
        event: i16,
        /// The envelope's TLV list; empty if the event is none.
        envelope: Vec<u8>,
    },
    /// Out: `processToolkit()` returned.
    Return,
    /// Out: `ProactiveHandler.send()` with these COMPREHENSION-TLVs: all that stands inside the
    /// proactive command's D0, command number set to 0.
    Proactive(Vec<u8>),
    /// In: the TERMINAL RESPONSE's TLVs (command number set to 0).
    TerminalResponse(Vec<u8>),
    /// In: `ProactiveHandler.send()` refused the command by exception; it did not go out.
    SendRefused,
    /// Out: a block of an ES10 command goes to the port (`Es10Port.storeData`).
    Es10Store {
        /// 0x11 more blocks, 0x91 last block.
        p1: u8,
        /// Block number.
        p2: u8,
        /// The block.
        data: Vec<u8>,
    },
    /// In: the port's status word for the block: 9000 or 61xx, or an error.
    Es10Status(Sw),
    /// Out: the applet asks the port for up to this many response bytes (`Es10Port.getResponse`).
    Es10Read(u16),
    /// In: the response bytes; empty when there are no more.
    Es10Data(Vec<u8>),
    /// In: random bytes that the applet drew (`RandomData`).
    Random(Vec<u8>),
    /// Out: a transaction of the applet was committed, or a single persistent write outside of one
    /// was made.
    Commit,
}

impl Boundary {
    /// True for what goes into the applet.
    pub fn is_input(&self) -> bool {
        !matches!(
            self,
            Boundary::Response(_)
                | Boundary::Return
                | Boundary::Proactive(_)
                | Boundary::Es10Store { .. }
                | Boundary::Es10Read(_)
                | Boundary::Commit
        )
    }
}
