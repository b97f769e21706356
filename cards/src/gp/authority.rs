//! Who may manage content: Authorized Management, or Delegated Management with a token, which is answered
//! by a confirmation (GlobalPlatform Card Specification 9.1.3, C.4, C.5).

use super::Stop;
use super::open::Open;
use super::registry::Aid;
use crate::power::Nvm;
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::receipt::{Confirmation, Operation};
use applet_gen::gp::token::{TAG_SIGNATURE_TEMPLATE, token_input};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// The confirmation counter goes no further (C.5: cards need not support more).
const LAST_CONFIRMATION: u16 = 0x7FFF;

/// A command as its token signs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub command: &'a Command,
    /// Data without the token (and, for INSTALL, without its length).
    pub unsigned: &'a [u8],
    /// The token, empty if there is none.
    pub token: &'a [u8],
    /// The data objects among which the control reference template (B6) may stand.
    pub parameters: &'a [u8],
}

/// Leave to do what a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// By delegated management: a confirmation is due.
    delegated: bool,
    token_identifier: Option<Vec<u8>>,
}

impl Grant {
    /// Without a token.
    pub const PLAIN: Grant = Grant {
        delegated: false,
        token_identifier: None,
    };
}

impl Open {
    /// Lets a domain manage content, or says why not. A wrong token is answered 6982.
    pub(crate) fn authorize(&mut self, by: &Aid, request: Request<'_>) -> Result<Grant, Stop> {
        if !self.is_personalized(by) {
            let why = "the security domain isn't PERSONALIZED: put keys into it first";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if self.has(by, Privilege::AuthorizedManagement) {
            // The off-card entity has the domain's keys: it is its provider (10.4), and needs no token.
            if !request.token.is_empty() {
                let why = "a token where the domain has Authorized Management";
                return Err(self.refuse(Sw::WRONG_DATA, why));
            }
            return Ok(Grant::PLAIN);
        }
        if !self.has(by, Privilege::DelegatedManagement) {
            let why = "the security domain has neither Authorized nor Delegated Management";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        self.check_token(request)
    }

    fn check_token(&mut self, request: Request<'_>) -> Result<Grant, Stop> {
        if request.token.is_empty() {
            let why = "Delegated Management without a token";
            return Err(self.refuse(Sw::SECURITY_NOT_SATISFIED, why));
        }
        let verifier = self.domain_with(Privilege::TokenVerification);
        let verifier = verifier.and_then(|aid| {
            let domain = self.domain(&aid).ok()?;
            Some((domain.token_key()?, domain.iin.clone(), domain.cin.clone()))
        });
        let Some((key, iin, cin)) = verifier else {
            let why = "no security domain has Token Verification and its key (version 70)";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        };
        let input = token_input(request.command.p1, request.command.p2, request.unsigned);
        if !key.verify(&input, request.token) {
            return Err(self.refuse(
                Sw::SECURITY_NOT_SATISFIED,
                "the token is not this command's",
            ));
        }
        let template = tlv::find(request.parameters, TAG_SIGNATURE_TEMPLATE);
        let mut token_identifier = None;
        if let Some(template) = template.map_err(|_| Sw::WRONG_DATA)? {
            for object in template.children() {
                let object = object.map_err(|_| Sw::WRONG_DATA)?;
                match object.tag {
                    0x42 if object.value != iin => {
                        let why = "the token's identification number (42) is another domain's";
                        return Err(self.refuse(Sw::WRONG_DATA, why));
                    }
                    0x45 if object.value != cin => {
                        let why = "the token's image number (45) is another domain's";
                        return Err(self.refuse(Sw::WRONG_DATA, why));
                    }
                    0x93 => token_identifier = Some(object.value.to_vec()),
                    _ => {}
                }
            }
        }
        // C.1.1.2: without the key for the receipt, the operation fails, too.
        let maker = self.domain_with(Privilege::ReceiptGeneration);
        let maker = maker.and_then(|aid| self.domain(&aid).ok());
        let able = maker.is_some_and(|maker| {
            maker.receipt_key().is_some() && maker.confirmations < LAST_CONFIRMATION
        });
        if !able {
            let why = "no security domain has Receipt Generation, its key (version 71) and a counter below 7FFF";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        Ok(Grant {
            delegated: true,
            token_identifier,
        })
    }

    /// The answer to what was done: a confirmation if a token let it, else the byte 00.
    pub(crate) fn confirm(
        &mut self,
        grant: Grant,
        operation: &Operation<'_>,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        if !grant.delegated {
            return Ok(self.no_receipt(command));
        }
        let maker = self.domain_with(Privilege::ReceiptGeneration);
        let maker = maker.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        let maker = self.domain_mut(&maker)?;
        let key = maker.receipt_key().ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        nvm.commit()?;
        // The first receipt carries the counter's first value, zero (C.5).
        let counter = maker.confirmations;
        maker.confirmations = counter.saturating_add(1);
        let unique = [&maker.iin[..], &maker.cin].concat();
        let confirmation =
            Confirmation::sign(counter, &unique, grant.token_identifier, operation, &key);
        Ok(Response::ok(confirmation.to_bytes()))
    }
}
