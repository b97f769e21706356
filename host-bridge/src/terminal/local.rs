//! PROVIDE LOCAL INFORMATION (ETSI TS 102 223 6.4.15): what the device says of itself.

use super::Terminal;
use crate::transport::CardLink;
use applet_model::cat::{
    GeneralResult, ProactiveCommand, Tag, TerminalProblem, TerminalResponse, qualifier,
};

impl<L: CardLink> Terminal<L> {
    pub(super) fn local_information(
        &mut self,
        command: &ProactiveCommand,
        what: u8,
    ) -> TerminalResponse {
        let ok = TerminalResponse::to(command, GeneralResult::OK);
        match what {
            qualifier::LOCAL_LOCATION if !self.has_service() => {
                TerminalResponse::unable(command, TerminalProblem::NO_SERVICE)
            }
            qualifier::LOCAL_LOCATION => {
                ok.with(Tag::LOCATION_INFORMATION, true, self.location().to_vec())
            }
            qualifier::LOCAL_IMEI => ok.with(Tag::IMEI, true, imei(&self.device.imei, None)),
            qualifier::LOCAL_IMEISV => {
                ok.with(Tag::IMEISV, true, imei(&self.device.imei, Some("01")))
            }
            qualifier::LOCAL_DATE_TIME => ok.with(Tag::DATE_TIME_ZONE, true, self.date_time()),
            qualifier::LOCAL_LANGUAGE => ok.with(Tag::LANGUAGE, true, *b"en"),
            // E-UTRAN (ETSI TS 102 223 8.61).
            qualifier::LOCAL_ACCESS_TECHNOLOGY => ok.with(Tag::ACCESS_TECHNOLOGY, true, [0x08]),
            _ => TerminalResponse::to(command, GeneralResult::BEYOND_CAPABILITIES),
        }
    }

    /// Location information (3GPP TS 31.111 8.19): the home network of the IMSI with a two-digit
    /// MNC, tracking area 1, cell 1.
    pub(super) fn location(&self) -> [u8; 9] {
        let imsi = self.identity().map_or("", |identity| &identity.imsi);
        let digit = |i: usize| {
            imsi.as_bytes()
                .get(i)
                .map_or(0, |b| b.wrapping_sub(b'0') & 0x0F)
        };
        [
            digit(1) << 4 | digit(0),
            0xF0 | digit(2),
            digit(4) << 4 | digit(3),
            0x00,
            0x01,
            0x00,
            0x00,
            0x00,
            0x1F,
        ]
    }

    /// Date, time and zone (3GPP TS 23.040 TP-SCTS): virtual time on the device's epoch, UTC.
    fn date_time(&self) -> Vec<u8> {
        let seconds = self.device.epoch.saturating_add(self.now / 1000);
        let seconds = i64::try_from(seconds).unwrap_or(0);
        let time = jiff::Timestamp::from_second(seconds)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned_datetime(jiff::tz::TimeZone::UTC);
        let bcd = |n: i16| ((n % 10) << 4 | (n / 10 % 10)) as u8;
        vec![
            bcd(time.year() % 100),
            bcd(time.month().into()),
            bcd(time.day().into()),
            bcd(time.hour().into()),
            bcd(time.minute().into()),
            bcd(time.second().into()),
            0x00,
        ]
    }
}

/// IMEI or IMEISV as 3GPP TS 24.008 10.5.1.4 codes a mobile identity: type and parity in the first
/// half byte, then digits in swapped pairs.
fn imei(digits: &str, version: Option<&str>) -> Vec<u8> {
    let all = match version {
        Some(version) => format!("3{}{version}F", digits.get(..14).unwrap_or(digits)),
        None => format!("A{digits}"),
    };
    let halves: Vec<u8> = all
        .chars()
        .map(|c| c.to_digit(16).unwrap_or(0) as u8)
        .collect();
    halves
        .chunks(2)
        .map(|pair| match pair {
            [low, high] => high << 4 | low,
            [low] => 0xF0 | low,
            _ => 0xFF,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::imei;

    #[test]
    fn imei_is_a_mobile_identity() {
        assert_eq!(
            hex::encode_upper(imei("490154203237518", None)),
            "4A09512430325781"
        );
        assert_eq!(
            hex::encode_upper(imei("490154203237518", Some("01"))),
            "4309512430325701F1"
        );
    }
}
