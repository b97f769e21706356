//! The way to the eUICC.

use super::{PushError, unreadable};
use crate::smdp::client::Es9;
use crate::transport::{self, CardLink};
use applet_model::aid;
use applet_model::apdu::{Command, Response as Apdu};
use applet_model::sgp::asn1::Explicit;
use applet_model::sgp::download::{
    CancelSessionReason, CancelSessionRequest, CancelSessionRequestEsipa, CancelSessionResponse,
};
use applet_model::sgp::es9::{HandleNotification, RemoteProfileProvisioningRequest as Request};
use applet_model::sgp::notification::{
    NotificationSentRequest, NotificationSentResponse, PendingNotification,
    RetrieveNotificationsListRequest, RetrieveNotificationsListResponse,
};
use applet_model::sgp::{Decode, Encode, TransactionId};
use applet_model::status::Sw;

/// The card on the way to its ISD-R.
pub struct Lpa<'a> {
    link: &'a mut dyn CardLink,
    channel: u8,
    pub(super) apdus: u64,
    pub(super) bytes: u64,
}

impl<'a> Lpa<'a> {
    /// Resets the card, declares an assistant in the device (SGP.32 3.8.2), so that an IPAe keeps off, and selects
    /// the ISD-R on a logical channel of its own.
    ///
    /// # Errors
    /// [`PushError::Link`] or [`PushError::Card`].
    pub fn open(link: &'a mut dyn CardLink) -> Result<Self, PushError> {
        link.reset()?;
        let mut lpa = Lpa {
            link,
            channel: 0,
            apdus: 0,
            bytes: 0,
        };
        let capability = Command::new(0x80, 0xAA, 0, 0).with_data([0xA9, 3, 0x84, 1, 1]);
        // Cards without the command have no IPAe to keep off.
        lpa.transmit(&capability)?;
        let opened = lpa.transmit(&Command::new(0x00, 0x70, 0, 0).with_le(1))?;
        lpa.channel = match (opened.sw, opened.data.first()) {
            (Sw::OK, Some(channel @ 1..=3)) => *channel,
            (sw, _) => {
                return Err(PushError::Card {
                    what: "MANAGE CHANNEL",
                    sw,
                });
            }
        };
        let select = Command::new(lpa.channel, 0xA4, 4, 0).with_data(aid::ISD_R);
        let selected = lpa.transmit(&select)?;
        if selected.sw != Sw::OK {
            return Err(PushError::Card {
                what: "SELECT of the ISD-R",
                sw: selected.sw,
            });
        }
        Ok(lpa)
    }

    fn transmit(&mut self, command: &Command) -> Result<Apdu, PushError> {
        let answer = transport::exchange(self.link, command)?;
        self.apdus += 1;
        self.bytes += (5 + command.data.len() + answer.data.len() + 2) as u64;
        Ok(answer)
    }

    /// Sends an ES10 command in STORE DATA blocks and gives its answer (SGP.22 5.7.2).
    ///
    /// # Errors
    /// [`PushError::Link`] or [`PushError::Card`].
    pub fn es10(&mut self, what: &'static str, command: &[u8]) -> Result<Vec<u8>, PushError> {
        let count = command.len().div_ceil(255);
        let mut answer = Vec::new();
        for (number, block) in command.chunks(255).enumerate() {
            let p1 = if number + 1 == count { 0x91 } else { 0x11 };
            let store = Command::new(0x80 | self.channel, 0xE2, p1, number as u8).with_data(block);
            let response = self.transmit(&store)?;
            if response.sw != Sw::OK {
                return Err(PushError::Card {
                    what,
                    sw: response.sw,
                });
            }
            answer = response.data;
        }
        Ok(answer)
    }

    pub(super) fn ask<T: for<'d> Decode<'d, Error = der::Error>>(
        &mut self,
        what: &'static str,
        request: &impl Encode,
    ) -> Result<T, PushError> {
        let command = request.to_der().map_err(unreadable(what))?;
        T::from_der(&self.es10(what, &command)?).map_err(unreadable(what))
    }

    /// Closes the channel.
    pub(super) fn close(&mut self) -> Result<(), PushError> {
        let close = Command::new(0x00, 0x70, 0x80, self.channel);
        self.transmit(&close).map(|_| ())
    }

    /// Tells the SM-DP+ of notifications that are for it, and drops those from the card; gives their number.
    ///
    /// # Errors
    /// Any [`PushError`]; what was not told stays in the card.
    pub fn notify(&mut self, smdp: &mut dyn Es9, address: &str) -> Result<usize, PushError> {
        const WHAT: &str = "RetrieveNotificationsList";
        let list = match self.ask(WHAT, &RetrieveNotificationsListRequest::default())? {
            RetrieveNotificationsListResponse::NotificationList(list) => list,
            _ => {
                return Err(PushError::Euicc {
                    what: WHAT,
                    code: "undefinedError",
                });
            }
        };
        let mut told = 0;
        for notification in list {
            let to = match &notification {
                PendingNotification::ProfileInstallationResult(result) => {
                    let data = &result.profile_installation_result_data;
                    &data.notification_metadata.notification_address
                }
                PendingNotification::OtherSignedNotification(signed) => {
                    &signed.tbs_other_notification.notification_address
                }
                _ => continue,
            };
            if !to.eq_ignore_ascii_case(address) {
                continue;
            }
            let seq_number = notification.seq_number();
            smdp.call(&Request::HandleNotification(HandleNotification {
                pending_notification: notification,
            }))?;
            let _: NotificationSentResponse = self.ask(
                "RemoveNotificationFromList",
                &NotificationSentRequest { seq_number },
            )?;
            told += 1;
        }
        Ok(told)
    }

    pub(super) fn cancel(
        &mut self,
        smdp: &mut dyn Es9,
        transaction: &TransactionId,
        reason: CancelSessionReason,
    ) -> Result<(), PushError> {
        let response: CancelSessionResponse = self.ask(
            "CancelSession",
            &CancelSessionRequest {
                transaction_id: transaction.clone(),
                reason,
            },
        )?;
        smdp.call(&Request::CancelSessionRequestEs9(
            CancelSessionRequestEsipa {
                transaction_id: transaction.clone(),
                cancel_session_response: Explicit(response),
            },
        ))?;
        Ok(())
    }
}
