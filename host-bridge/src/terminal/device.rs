//! What a device can do and how it misbehaves, as data.

use applet_model::cat::{CommandType, Feature, GeneralResult, TerminalProfile};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A device: its capabilities, its habits, its faults. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct DeviceProfile {
    /// Name for reports.
    pub name: String,
    /// Number of BIP channels, 0 to 7.
    pub channels: u8,
    /// Largest BIP buffer in bytes; a larger request is cut down ("performed with modification").
    pub buffer_size: u16,
    /// Most channel data bytes in one answer to RECEIVE DATA. 237 is what fits a TERMINAL RESPONSE
    /// with everything else in it.
    pub receive_size: u8,
    /// False: no TIMER MANAGEMENT and no timer expiration, neither advertised nor done.
    pub timers: bool,
    /// Seconds between STATUS commands until the card asks for another interval; 0 for none.
    pub status_interval: u32,
    /// TERMINAL CAPABILITY's value (`A9…`), upper-case hexadecimal; empty: not sent. With bit 1 of
    /// `84` set the device says that it has an IPAd, and the IPAe stays off (SGP.32 3.8).
    #[serde(with = "hex::serde")]
    pub terminal_capability: Vec<u8>,
    /// TERMINAL PROFILE's bytes in hexadecimal; empty: made from the fields above.
    #[serde(with = "hex::serde")]
    pub terminal_profile: Vec<u8>,
    /// IMEI, 15 digits.
    pub imei: String,
    /// The virtual world's beginning in seconds since 1970 UTC, for PROVIDE LOCAL INFORMATION.
    pub epoch: u64,
    /// Answer to OPEN CHANNEL without service: general result and additional information.
    #[serde(with = "hex::serde")]
    pub no_service_result: Vec<u8>,
    /// Answer to OPEN CHANNEL (or to SEND DATA on demand) when the peer can't be reached.
    #[serde(with = "hex::serde")]
    pub unreachable_result: Vec<u8>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Default for DeviceProfile {
    fn default() -> Self {
        DeviceProfile {
            name: "plain IoT module".into(),
            channels: 2,
            buffer_size: 1500,
            receive_size: 237,
            timers: true,
            status_interval: 30,
            terminal_capability: Vec::new(),
            terminal_profile: Vec::new(),
            imei: "490154203237518".into(),
            epoch: 1_767_225_600,
            // Terminal currently unable to process command, no service.
            no_service_result: vec![0x20, 0x04],
            // Network currently unable to process command, no cause.
            unreachable_result: vec![0x21, 0x00],
            faults: Vec::new(),
        }
    }
}

/// One thing that a device does wrong. `times` counts down; without it, it happens always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "fault",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Fault {
    /// Every BIP channel is in use by somebody else: OPEN CHANNEL answers `3A01`.
    NoChannelFree {
        /// How many times.
        #[serde(default)]
        times: Option<u32>,
    },
    /// The command is advertised and then answered with this result, without being done:
    /// `30` beyond capabilities, `20xx` busy, `3Axx`, `21xx`, …
    Answer {
        /// The command, by its name in ETSI TS 102 223: `OPEN CHANNEL`.
        #[serde(with = "command_name")]
        command: CommandType,
        /// General result and additional information, in hexadecimal.
        #[serde(with = "hex::serde")]
        result: Vec<u8>,
        /// How many times.
        #[serde(default)]
        times: Option<u32>,
    },
    /// REFRESH is answered `00`, and nothing happens.
    RefreshNeverHappens {
        /// How many times.
        #[serde(default)]
        times: Option<u32>,
    },
    /// REFRESH (UICC reset) gets a TERMINAL RESPONSE before the reset.
    RefreshAnswersFirst,
    /// The link drops after this many bytes came from the network on a channel.
    LinkDropsAfter {
        /// Bytes.
        bytes: u64,
        /// How many times.
        #[serde(default)]
        times: Option<u32>,
    },
    /// Event download is never sent, although SET UP EVENT LIST is answered `00`.
    EventsNeverSent,
    /// CLOSE CHANNEL after the peer's close is answered `3A03` instead of `00`.
    CloseAfterDropRefused,
    /// Timers run, but expirations come this many seconds late.
    TimersLate {
        /// Seconds.
        seconds: u32,
    },
}

impl Fault {
    /// "Beyond the terminal's capabilities" for an advertised command.
    pub fn beyond_capabilities(command: CommandType) -> Fault {
        Fault::Answer {
            command,
            result: vec![GeneralResult::BEYOND_CAPABILITIES.0],
            times: None,
        }
    }

    /// Busy (`2002`, on a call) `times` times for this command.
    pub fn busy(command: CommandType, times: u32) -> Fault {
        Fault::Answer {
            command,
            result: vec![GeneralResult::TERMINAL_UNABLE.0, 0x02],
            times: Some(times),
        }
    }

    fn times(&mut self) -> Option<&mut u32> {
        match self {
            Fault::NoChannelFree { times }
            | Fault::Answer { times, .. }
            | Fault::RefreshNeverHappens { times }
            | Fault::LinkDropsAfter { times, .. } => times.as_mut(),
            Fault::RefreshAnswersFirst
            | Fault::EventsNeverSent
            | Fault::CloseAfterDropRefused
            | Fault::TimersLate { .. } => None,
        }
    }
}

impl DeviceProfile {
    /// What TERMINAL PROFILE sends.
    pub fn terminal_profile(&self) -> TerminalProfile {
        if !self.terminal_profile.is_empty() {
            return TerminalProfile(self.terminal_profile.clone());
        }
        let mut profile = TerminalProfile::with(&[
            Feature::PROFILE_DOWNLOAD,
            Feature::SMS_PP_DOWNLOAD,
            Feature::COMMAND_RESULT,
            Feature::MORE_TIME,
            Feature::POLL_INTERVAL,
            Feature::POLLING_OFF,
            Feature::REFRESH,
            Feature::LOCAL_INFORMATION,
            Feature::SET_UP_EVENT_LIST,
            Feature::EVENT_LOCATION_STATUS,
            Feature::LOCAL_DATE_TIME,
            Feature::LOCAL_LANGUAGE,
            Feature::LOCAL_ACCESS_TECHNOLOGY,
            Feature::LOCAL_IMEISV,
            Feature::NO_DISPLAY,
            Feature::NO_KEYPAD,
        ]);
        if self.channels > 0 {
            for feature in [
                Feature::EVENT_DATA_AVAILABLE,
                Feature::EVENT_CHANNEL_STATUS,
                Feature::OPEN_CHANNEL,
                Feature::CLOSE_CHANNEL,
                Feature::RECEIVE_DATA,
                Feature::SEND_DATA,
                Feature::GET_CHANNEL_STATUS,
                Feature::BEARER_GPRS,
                Feature::TCP_CLIENT_REMOTE,
                Feature::UDP_CLIENT_REMOTE,
                Feature::E_UTRAN,
            ] {
                profile.set(feature, true);
            }
            profile.set_channels(self.channels);
        }
        for feature in [
            Feature::TIMER_EXPIRATION,
            Feature::TIMER_START_STOP,
            Feature::TIMER_GET_VALUE,
        ] {
            profile.set(feature, self.timers);
        }
        profile
    }

    /// Takes one use of the first fault that `matches`, if its count isn't used up.
    pub(super) fn take_fault<T>(&mut self, matches: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        for fault in &mut self.faults {
            let Some(found) = matches(fault) else {
                continue;
            };
            match fault.times() {
                Some(0) => continue,
                Some(n) => *n -= 1,
                None => {}
            }
            return Some(found);
        }
        None
    }

    /// True if a fault that has no count is there.
    pub(super) fn has_fault(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }
}

/// Commands by their name in the specification.
mod command_name {
    use super::{CommandType, Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(c: &CommandType, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(c)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<CommandType, D::Error> {
        let name = String::deserialize(d)?;
        CommandType::TABLE
            .iter()
            .find(|row| row.2 == name)
            .map(|row| row.0)
            .ok_or_else(|| {
                de::Error::custom(format!(
                    "{name:?} is not a proactive command of ETSI TS 102 223 9.4"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_data() {
        let text = r#"
            name = "module that forgets"
            channels = 1
            timers = false
            [[faults]]
            fault = "answer"
            command = "OPEN CHANNEL"
            result = "3a01"
            times = 2
            [[faults]]
            fault = "refresh-never-happens"
        "#;
        let device: DeviceProfile = toml::from_str(text).unwrap();
        assert_eq!(device.channels, 1);
        assert_eq!(device.faults.len(), 2);
        let again: DeviceProfile =
            serde_json::from_str(&serde_json::to_string(&device).unwrap()).unwrap();
        assert_eq!(again, device);
        let profile = device.terminal_profile();
        assert!(!profile.has(Feature::TIMER_START_STOP) && profile.channels() == 1);
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(toml::from_str::<DeviceProfile>("chanels = 1").is_err());
        let e = toml::from_str::<DeviceProfile>(
            "faults = [{fault = \"answer\", command = \"OPEN WINDOW\", result = \"30\"}]",
        )
        .unwrap_err();
        assert!(e.to_string().contains("OPEN WINDOW"), "{e}");
    }

    #[test]
    fn counted_faults_run_out() {
        let mut device = DeviceProfile {
            faults: vec![Fault::busy(CommandType::REFRESH, 2)],
            ..DeviceProfile::default()
        };
        let mut hit = || device.take_fault(|f| matches!(f, Fault::Answer { .. }).then_some(()));
        assert_eq!((hit(), hit(), hit()), (Some(()), Some(()), None));
    }
}
