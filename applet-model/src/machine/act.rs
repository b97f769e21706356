//! What the actions do, but for the ones on proactive commands, requests, answers and scanning.

use super::codes::{Action, Event, goal, kind, mode, query, tx};
use super::grammar::node;
use super::layout::{BUFFER, PERSISTENT, reg};
use super::{Machine, Wait, data, templates};
use crate::trace::Boundary;

/// P1 of STORE DATA: more blocks follow (SGP.22 5.7.2).
pub const STORE_MORE: u8 = 0x11;
/// P1 of STORE DATA: last block.
pub const STORE_LAST: u8 = 0x91;
/// Requests in one session; more than a queue of any sane length needs.
pub const ROUNDS: u8 = 100;
/// In how many shares a delay is spread by the EID.
pub const SHARES: u16 = 128;
/// Seconds for which one STATUS command counts where the device has no timers.
pub const TICK_SECONDS: u16 = 30;

impl Machine {
    pub(super) fn act(&mut self, action: Action, argument: u8) {
        match action {
            Action::Log => self.log(argument),
            Action::Commit => {
                self.nv.copy_from_slice(&self.w[..PERSISTENT]);
                self.out = Some(Boundary::Commit);
            }
            Action::Raise => self.event = Event::from_code(argument),
            Action::BeginSession => self.begin_session(),
            Action::SetGoal => self.w[reg::GOAL] = argument,
            Action::SetMode => {
                self.w[reg::MODE] = argument;
                self.w[reg::RESULTS_KNOWN] = 0;
            }
            Action::LoadTries => {
                self.w[reg::TRIES] = self.w[reg::CHECK_TRIES];
                self.w[reg::REFRESH_LEFT] = self.w[reg::REFRESH_TRIES];
            }
            Action::CountPoll => {
                self.count(reg::POLLS);
                self.w[reg::FAILS] = 0;
                if self.w[reg::EIM_CHOICE] == 2 {
                    self.next_eim();
                }
            }
            Action::CountFailure => {
                self.count(reg::FAILURES);
                if self.w[reg::FAILS] < 15 {
                    self.w[reg::FAILS] += 1;
                }
                if self.w[reg::MODE] != mode::NORMAL && self.w[reg::TRIES] > 0 {
                    self.w[reg::TRIES] -= 1;
                }
                if self.w[reg::EIM_CHOICE] != 0 {
                    self.next_eim();
                }
            }
            Action::CountSwitch => self.count(reg::SWITCHES),
            Action::CountRollback => self.count(reg::ROLLBACKS),
            Action::CountRefresh => self.w[reg::REFRESH_LEFT] -= 1,
            Action::DelayBoot => self.delay(self.get16(reg::BOOT_DELAY)),
            Action::DelayPoll => self.delay_minutes(self.get16(reg::POLL)),
            Action::DelayBackoff => self.delay_backoff(),
            Action::DelayCheck => self.delay(self.get16(reg::CHECK)),
            Action::DelayRefresh => self.delay(self.get16(reg::REFRESH)),
            Action::DelayResponse => self.delay(self.get16(reg::RESPONSE)),
            Action::StartTimer => self.start_timer(),
            Action::TimerRefused => self.timer_refused(),
            Action::CountTick => {
                if self.w[reg::TICKS] > 0 {
                    self.w[reg::TICKS] -= 1;
                }
            }
            Action::OpenChannel => self.open_channel(),
            Action::NoteChannel => self.note_channel(),
            Action::CloseChannel => self.close_channel(),
            Action::ForgetChannel => self.w[reg::CHANNEL] = 0,
            Action::SendData => self.send_data(),
            Action::ReceiveData => self.receive_data(),
            Action::Refresh => self.refresh(),
            Action::Ask => self.ask(argument),
            Action::ReadAnswer => self.read(BUFFER as u16),
            Action::Scan => self.scan_answer(),
            Action::ResolveEim => self.resolve_eim(),
            Action::ResultsNone => self.w[reg::RESULTS_KNOWN] = 1,
            Action::PrepareRequest => self.prepare_request(argument),
            Action::Produce => self.produce(),
            Action::AskPart => self.ask_part(),
            Action::ReadPart => self.read_part(),
            Action::TakePart => self.take_part(),
            Action::EmptyBlock => self.put16(reg::SEG_LEN, 0),
            Action::BeginAnswer => self.begin_answer(),
            Action::NoteAvailable => self.note_available(),
            Action::TakeData => self.take_data(),
            Action::Feed => self.feed(),
            Action::StoreBlock => self.store_block(argument),
            Action::DropPackage => {
                self.w[reg::SC_RELAY] = 0;
                self.w[reg::KIND] = kind::REFUSED;
            }
            Action::StoreAck => self.store_ack(),
            Action::DropAck => self.drop_ack(),
            Action::BeginDownload => self.begin_download(),
            Action::BeginData => self.begin_data(),
            Action::AskData => self.ask_data(),
            Action::NotePart => self.note_part(),
            Action::BeginReading => {
                self.w[reg::BLOCK] = 0;
                self.put16(reg::LEN1, 0);
                self.begin_scan(match self.w[reg::TX_KIND] {
                    tx::INITIATE => node::AUTHENTICATED,
                    tx::AUTHENTICATE => node::PREPARED,
                    _ => node::LOADED,
                });
            }
        }
    }

    fn begin_session(&mut self) {
        self.w[reg::TRIGGERED] = 0;
        self.w[reg::ROUNDS] = ROUNDS;
        self.w[reg::PKG] = 0;
        self.w[reg::GOAL] = goal::FAIL;
        self.put16(reg::LEN1, 0);
        self.put16(reg::LEN2, 0);
    }

    fn next_eim(&mut self) {
        let next = self.w[reg::EIM_INDEX] + 1;
        self.w[reg::EIM_INDEX] = if next < self.w[reg::EIM_COUNT] {
            next
        } else {
            0
        };
    }

    /// Sets the delay to this many seconds, at least 1.
    fn delay(&mut self, seconds: u16) {
        let seconds = seconds.max(1);
        self.w[reg::DELAY] = (seconds / 3600) as u8;
        self.w[reg::DELAY + 1] = (seconds % 3600 / 60) as u8;
        self.w[reg::DELAY + 2] = (seconds % 60) as u8;
    }

    fn delay_minutes(&mut self, minutes: u16) {
        self.w[reg::DELAY] = (minutes / 60) as u8;
        self.w[reg::DELAY + 1] = (minutes % 60) as u8;
        self.w[reg::DELAY + 2] = 0;
    }

    fn delay_backoff(&mut self) {
        let most = self.get16(reg::BACKOFF_MAX);
        let mut seconds = self.get16(reg::BACKOFF);
        let mut n = 1;
        while n < self.w[reg::FAILS] && seconds < most {
            seconds = if seconds > most - seconds {
                most
            } else {
                seconds + seconds
            };
            n += 1;
        }
        let seconds = seconds.min(most);
        self.delay(seconds - self.spread(seconds / 4));
    }

    /// A part of this number that depends on the EID: after an outage, cards don't come back together. None of it where
    /// the EID isn't known.
    fn spread(&self, n: u16) -> u16 {
        let mut share = 0u16;
        for i in 0..u16::from(self.w[reg::EID_LEN]) {
            let b = u16::from(self.w[reg::EID + usize::from(i)]);
            share = (share * 31 + b) % SHARES;
        }
        n / SHARES * share + n % SHARES * share / SHARES
    }

    /// Without a timer, STATUS commands are counted: one for each [`TICK_SECONDS`] of the delay.
    fn timer_refused(&mut self) {
        let minutes = u16::from(self.w[reg::DELAY]) * 60 + u16::from(self.w[reg::DELAY + 1]);
        let per_minute = 60 / TICK_SECONDS;
        let ticks = minutes * per_minute + u16::from(self.w[reg::DELAY + 2]) / TICK_SECONDS;
        self.w[reg::NO_TIMER] = 1;
        self.w[reg::TICKS] = ticks.min(127) as u8;
    }

    /// Sends a whole ES10 command in one block.
    pub(super) fn es10(&mut self, command: &[u8]) {
        self.out = Some(Boundary::Es10Store {
            p1: STORE_LAST,
            p2: 0,
            data: command.to_vec(),
        });
        self.wait = Wait::Es10Status;
    }

    fn ask(&mut self, what: u8) {
        self.w[reg::QUERY] = what;
        let (command, start) = match what {
            query::EID => (templates::ES10_EID, node::EID),
            query::EIM => {
                self.w[reg::EIM_COUNT] = 0;
                self.w[reg::FQDN_LEN] = 0;
                (templates::ES10_EIM, node::EIM)
            }
            query::RESULTS => {
                self.put16(reg::LEN1, 0);
                self.put16(reg::LEN2, 0);
                (templates::ES10_RESULTS, node::RESULTS)
            }
            query::NOTIFICATIONS => (templates::ES10_NOTIFICATIONS, node::NOTIFICATIONS),
            query::NOTICE => {
                self.put16(reg::LEN1, 0);
                self.w[reg::ACKS] = 0;
                (templates::ES10_NOTIFICATIONS, node::NOTICE)
            }
            query::INFO => (templates::ES10_INFO, node::INFO),
            query::CHALLENGE => (templates::ES10_CHALLENGE, node::CHALLENGE),
            query::IMMEDIATE => (templates::ES10_IMMEDIATE, node::IMMEDIATE),
            query::CANCEL => {
                self.w[reg::BLOCK] = 0;
                self.put16(reg::LEN1, 0);
                self.begin_scan(node::CANCELLED);
                let command = self.cancel_command();
                return self.es10(&command);
            }
            _ => (templates::ES10_ROLLBACK, node::ROLLBACK),
        };
        self.begin_scan(start);
        self.es10(command);
    }

    /// Asks the eUICC for the part of the request that comes next.
    fn ask_part(&mut self) {
        let first = self.w[reg::TX_PHASE] == super::codes::phase::PART1;
        self.es10(match self.w[reg::TX_KIND] {
            tx::INITIATE => templates::ES10_INFO,
            tx::DATA => match data::PARTS.get(usize::from(self.w[reg::PART])) {
                Some(part) => part.command,
                None => templates::ES10_NOTIFICATIONS,
            },
            tx::RESULT if first => templates::ES10_RESULTS,
            _ => templates::ES10_NOTIFICATIONS,
        });
    }

    pub(super) fn read(&mut self, most: u16) {
        self.out = Some(Boundary::Es10Read(most));
        self.wait = Wait::Es10Data;
    }

    fn store_block(&mut self, last: u8) {
        let len = usize::from(self.get16(reg::SEG_LEN));
        self.w[reg::LAST] = last;
        self.out = Some(Boundary::Es10Store {
            p1: if last == 1 { STORE_LAST } else { STORE_MORE },
            p2: self.w[reg::BLOCK],
            data: self.seg[..len].to_vec(),
        });
        self.w[reg::BLOCK] = self.w[reg::BLOCK].wrapping_add(1);
        self.wait = Wait::Es10Status;
        if last == 1 {
            // From here on the eUICC may have a result.
            self.w[reg::RESULTS_KNOWN] = 0;
            self.w[reg::BLOCK] = 0;
            self.w[reg::ENDED] = 0;
            if !self.is_downloading() {
                self.w[reg::PKG] = 1;
                self.begin_scan(node::LOAD);
            }
        }
    }

    /// Sends RemoveNotificationFromList for the first acknowledged entry (SGP.22 5.7.11).
    fn store_ack(&mut self) {
        let len = usize::from(self.w[reg::ACK]);
        let mut command = vec![0xBF, 0x30, (2 + len) as u8, 0x80, len as u8];
        command.extend(&self.w[reg::ACK + 1..reg::ACK + 1 + len]);
        self.es10(&command);
    }

    fn drop_ack(&mut self) {
        let entry = 1 + super::layout::ACK_LEN;
        let all = super::layout::ACKS_MAX * entry;
        self.w
            .copy_within(reg::ACK + entry..reg::ACK + all, reg::ACK);
        self.w[reg::ACKS] -= 1;
    }
}
