//! Notifications and stored results: made, listed, removed (SGP.22 3.5, SGP.32 2.11.2, 5.9.11 to 5.9.13).

use super::Euicc;
use super::choices::SEQ_NUMBER_FINDS_RESULTS;
use super::es10::{Function, Refusal, answer, code, unsigned};
use super::profile::{Event, Profile, named_bits};
use super::state::{State, StoredNotification};
use crate::pki::package::integer;
use applet_model::tlv::{self, Tlv};

/// `NotificationEvent` as a mask on its first byte.
fn event_mask(tlv: &Tlv<'_>) -> u8 {
    tlv.value.get(1).copied().unwrap_or(0)
}

impl Euicc {
    /// Stores what the profile's `notificationConfigurationInfo` asks for after an operation, one signed
    /// notification for each address; the oldest ones make room.
    pub(super) fn notify(&self, state: &mut State, profile: &Profile, event: Event) {
        let Some(credential) = self.credentials.first() else {
            return;
        };
        for config in &profile.notifications {
            if !config.events.contains(&event) {
                continue;
            }
            let seq = state.take_seq();
            let mut metadata = tlv::write(0x80, &integer(seq));
            metadata.extend(tlv::write(0x81, &named_bits(event.mask())));
            metadata.extend(tlv::write(0x0C, config.address.as_bytes()));
            metadata.extend(tlv::write(0x5A, profile.iccid.as_bytes()));
            let metadata = tlv::write(0xBF2F, &metadata);
            // A key that was accepted when the eUICC was made signs.
            let Ok(signature) = credential.key.sign(&metadata) else {
                continue;
            };
            state.notifications.push(StoredNotification {
                seq,
                event,
                metadata,
                result: Vec::new(),
                signature: signature.to_vec(),
            });
        }
        self.make_room(state);
    }

    /// Stores a notification; the oldest one makes room.
    pub(super) fn store_notification(&self, state: &mut State, notification: StoredNotification) {
        state.notifications.push(notification);
        self.make_room(state);
    }

    fn make_room(&self, state: &mut State) {
        let over = state
            .notifications
            .len()
            .saturating_sub(self.limits().notifications);
        state.notifications.drain(..over);
    }

    /// `PendingNotification`: a `ProfileInstallationResult` (BF37), or an `OtherSignedNotification` (30) of
    /// metadata, signature, eUICC and EUM certificates.
    pub(super) fn pending_notification(&self, notification: &StoredNotification) -> Vec<u8> {
        if !notification.result.is_empty() {
            let mut out = notification.result.clone();
            out.extend(tlv::write(0x5F37, &notification.signature));
            return tlv::write(0xBF37, &out);
        }
        let mut out = notification.metadata.clone();
        out.extend(tlv::write(0x5F37, &notification.signature));
        if let Some(credential) = self.credentials.first() {
            out.extend(&credential.euicc_certificate);
            out.extend(&credential.eum_certificate);
        }
        tlv::write(0x30, &out)
    }

    /// ES10b.ListNotification (SGP.22 5.7.9).
    pub(super) fn list_notification(&self, request: &Tlv<'_>) -> Function {
        let mask = request.find(0x81)?.map_or(0xFF, |t| event_mask(&t));
        let list: Vec<u8> = self
            .state
            .notifications
            .iter()
            .filter(|n| n.event.mask() & mask != 0)
            .flat_map(|n| n.metadata.iter().copied())
            .collect();
        answer(0xBF28, &tlv::write(0xA0, &list))
    }

    /// ES10b.RetrieveNotificationsList (SGP.32 5.9.12): notifications in A0, results in A2.
    pub(super) fn retrieve_notifications_list(&self, request: &Tlv<'_>) -> Function {
        let criterion = match request.find(0xA0)? {
            Some(criteria) => Some(tlv::read_one(criteria.value)?),
            None => None,
        };
        let notifications = |wanted: &dyn Fn(&StoredNotification) -> bool| {
            let list: Vec<u8> = self
                .state
                .notifications
                .iter()
                .filter(|n| wanted(n))
                .flat_map(|n| self.pending_notification(n))
                .collect();
            answer(0xBF2B, &tlv::write(0xA0, &list))
        };
        let results = |seq: Option<u64>| {
            let list: Vec<u8> = self
                .state
                .results
                .iter()
                .filter(|r| seq.is_none_or(|s| r.seq == s))
                .flat_map(|r| r.bytes.iter().copied())
                .collect();
            answer(0xBF2B, &tlv::write(0xA2, &list))
        };
        match criterion {
            None => notifications(&|_| true),
            Some(c) if c.tag == 0x80 => {
                let seq = unsigned(c.value).ok_or(Refusal::Data)?;
                let is_result = self.state.results.iter().any(|r| r.seq == seq);
                if is_result && SEQ_NUMBER_FINDS_RESULTS {
                    results(Some(seq))
                } else {
                    notifications(&|n| n.seq == seq)
                }
            }
            Some(c) if c.tag == 0x81 => {
                let mask = event_mask(&c);
                notifications(&|n| n.event.mask() & mask != 0)
            }
            Some(c) if c.tag == 0x82 => results(None),
            Some(_) => Err(Refusal::Data),
        }
    }

    /// ES10b.RemoveNotificationFromList (SGP.22 5.7.11): of a notification or a result; ok(0) or nothingToDelete(1).
    pub(super) fn notification_sent(&self, request: &Tlv<'_>) -> Function {
        let seq = unsigned(tlv::require(request.value, 0x80)?.value).ok_or(Refusal::Data)?;
        let mut state = self.state.clone();
        state.results.retain(|r| r.seq != seq);
        state.notifications.retain(|n| n.seq != seq);
        if state == self.state {
            return Ok((code(0xBF30, 0x80, 1), None));
        }
        Ok((code(0xBF30, 0x80, 0), Some(state)))
    }
}
