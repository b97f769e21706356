//! The card's side of the handshake: answers INITIALIZE UPDATE, judges EXTERNAL AUTHENTICATE.

use super::channel::InitializeUpdateResponse;
use super::crypto::StaticKeys;
use super::derive::SessionKeys;
use super::keys::CardKeysError;
use super::session::{SecurityLevel, Session};
use applet_model::apdu::Command;
use applet_model::status::Sw;
use subtle::ConstantTimeEq;

/// What a security domain puts into its response to INITIALIZE UPDATE.
#[derive(Debug, Clone)]
pub struct CardParameters {
    /// Key diversification data.
    pub diversification: [u8; 10],
    /// Key version number.
    pub kvn: u8,
    /// The "i" parameter; it also states the mode.
    pub i: u8,
    /// Card challenge, as long as the host's.
    pub card_challenge: Vec<u8>,
    /// Sequence counter, with pseudo-random challenges.
    pub sequence_counter: Option<[u8; 3]>,
}

/// A card between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE.
#[derive(Debug, Clone)]
pub struct CardPending {
    session: Session,
    i: u8,
}

impl CardPending {
    /// The response to INITIALIZE UPDATE and the state to keep for EXTERNAL AUTHENTICATE.
    ///
    /// # Errors
    /// [`CardKeysError`] as in [`SessionKeys::derive`].
    pub fn initialize_update(
        keys: &StaticKeys,
        card: CardParameters,
        host_challenge: &[u8],
    ) -> Result<(InitializeUpdateResponse, Self), CardKeysError> {
        let mode = super::Mode::of_i_parameter(card.i);
        let session_keys = SessionKeys::derive(keys, mode, host_challenge, &card.card_challenge)?;
        let response = InitializeUpdateResponse {
            diversification: card.diversification,
            kvn: card.kvn,
            scp: 3,
            i: card.i,
            card_cryptogram: session_keys.card_cryptogram(),
            card_challenge: card.card_challenge,
            sequence_counter: card.sequence_counter,
        };
        let session = Session::new(session_keys);
        Ok((response, CardPending { session, i: card.i }))
    }

    /// Checks MAC, host cryptogram and level of EXTERNAL AUTHENTICATE; the session it opens.
    ///
    /// # Errors
    /// The status word to answer with: 6982 for a wrong MAC, 6300 for a wrong cryptogram (the
    /// card's try counter is to count both), 6A86 for a level that "i" excludes.
    pub fn external_authenticate(mut self, command: &Command) -> Result<Session, Sw> {
        let level = SecurityLevel::from_byte(command.p1).ok_or(Sw::INCORRECT_P1_P2)?;
        let supported = (!level.r_mac() || self.i & 0x20 != 0)
            && (!level.r_enc() || self.i & 0x60 == 0x60)
            && command.p2 == 0;
        if !supported {
            return Err(Sw::INCORRECT_P1_P2);
        }
        let plain = self
            .session
            .unwrap_command(command)
            .map_err(|_| Sw::SECURITY_NOT_SATISFIED)?;
        let expected = self.session.keys().host_cryptogram();
        if !bool::from(expected.ct_eq(&plain.data)) {
            return Err(Sw::AUTHENTICATION_FAILED);
        }
        self.session.restart_counter();
        self.session.set_level(level);
        Ok(self.session)
    }
}
