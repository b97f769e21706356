//! The worlds that are explored: what the eIM has in store, and what this device is like.

use super::download::Download;
use crate::config::Config;

/// A package that the eIM has in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Package {
    /// enable of a profile.
    Enable {
        /// Which.
        profile: u8,
        /// With rollbackFlag.
        rollback: bool,
    },
    /// listProfileInfo, with so many bytes in its result.
    List(u16),
    /// A request of so many bytes more.
    Long(u16),
    /// A package that the eUICC refuses with an error of so many bytes.
    Refused(u16),
    /// A profile download trigger for the default SM-DP+, which this applet does not ask.
    Trigger,
    /// A profile download trigger.
    Download(Download),
    /// A package of a kind that nobody knows.
    Unknown,
    /// An IPA eUICC data request for what this applet does not know.
    DataRequest,
    /// An IPA eUICC data request for all that there is.
    Data,
}

/// What is for ever odd about a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Nothing.
    None,
    /// It has no timers.
    NoTimers,
    /// It accepts REFRESH and does not reset.
    NeverResets,
    /// It refuses REFRESH.
    RefusesRefresh,
    /// It never has a channel free.
    NoChannel,
    /// It has no BIP over TCP.
    NoBip,
}

/// A world to explore.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Name.
    pub name: &'static str,
    /// The first eIM's queue.
    pub queue: &'static [Package],
    /// A bit for each profile whose network is dead.
    pub dead: u8,
    /// What the device is like.
    pub quirk: Quirk,
    /// eIMs that the eUICC lists.
    pub eims: u8,
    /// Configuration item: which eIM is polled.
    pub eim_choice: u8,
    /// Configuration item: 1 keeps trying after loss of connectivity.
    pub on_loss: u8,
    /// Most bytes that the device holds for RECEIVE DATA.
    pub buffer: usize,
    /// Most response bytes that the eUICC gives at a time.
    pub piece: usize,
    /// An operator personalizes, configures, locks, unlocks and asks for polls at any time; the
    /// applet begins without configuration.
    pub operator: bool,
    /// Events that don't concern the applet come at any time.
    pub noise: bool,
    /// The eIM configured immediate enable.
    pub immediate: bool,
    /// Notifications that a local assistant left in the eUICC.
    pub notices: u8,
    /// The eIM refuses notifications.
    pub refuses_notices: bool,
    /// Faults are placed up to this depth at most: what the scenario is about has been said then.
    pub deepest: u8,
}

impl Scenario {
    /// What personalization stores. Delays are short, so that few STATUS commands replace a timer,
    /// and the back-off reaches its maximum at the second failure.
    pub fn config(&self) -> Config {
        Config {
            poll_minutes: 1,
            boot_delay: 30,
            response_timeout: 30,
            backoff: 30,
            backoff_max: 60,
            check_delay: 30,
            check_tries: 2,
            refresh_timeout: 30,
            refresh_tries: 1,
            eim_choice: self.eim_choice,
            on_loss: self.on_loss,
            ..Config::default()
        }
    }

    /// True if a profile is downloaded.
    pub fn downloads(&self) -> bool {
        let download = |p: &Package| matches!(p, Package::Download(_));
        self.queue.iter().any(download)
    }

    /// True if the network of this profile works.
    pub fn is_alive(&self, profile: u8) -> bool {
        self.dead & (1 << profile) == 0
    }
}

const BASE: Scenario = Scenario {
    name: "nothing pending",
    queue: &[],
    dead: 0,
    quirk: Quirk::None,
    eims: 1,
    eim_choice: 1,
    on_loss: 0,
    buffer: 1400,
    piece: 255,
    operator: false,
    noise: false,
    immediate: false,
    notices: 0,
    refuses_notices: false,
    deepest: 9,
};

const SWITCH: Package = Package::Enable {
    profile: 1,
    rollback: true,
};

const DOWNLOAD: Download = Download {
    profile: 3,
    segment: 300,
    hashed: false,
    by_eim: false,
    certificate: 250,
};

/// The scenarios.
pub const SCENARIOS: &[Scenario] = &[
    BASE,
    Scenario {
        name: "enable with rollback flag, then a list",
        queue: &[SWITCH, Package::List(8)],
        ..BASE
    },
    Scenario {
        name: "enable with rollback flag, dead network",
        queue: &[SWITCH],
        dead: 2,
        ..BASE
    },
    Scenario {
        name: "enable without rollback flag",
        queue: &[Package::Enable {
            profile: 1,
            rollback: false,
        }],
        ..BASE
    },
    Scenario {
        name: "enable without rollback flag, dead network",
        queue: &[Package::Enable {
            profile: 1,
            rollback: false,
        }],
        dead: 2,
        ..BASE
    },
    Scenario {
        name: "enable, dead network, keep trying",
        queue: &[SWITCH],
        dead: 2,
        on_loss: 1,
        ..BASE
    },
    Scenario {
        name: "two enables",
        queue: &[
            SWITCH,
            Package::Enable {
                profile: 2,
                rollback: true,
            },
        ],
        ..BASE
    },
    Scenario {
        name: "list with a result of several blocks, in small pieces",
        queue: &[Package::List(600)],
        buffer: 30,
        piece: 100,
        ..BASE
    },
    Scenario {
        name: "a package of several blocks",
        queue: &[Package::Long(700)],
        ..BASE
    },
    Scenario {
        name: "a package of several blocks, the device holds 200 bytes",
        queue: &[Package::Long(700)],
        buffer: 200,
        ..BASE
    },
    Scenario {
        name: "packages that are refused or unknown",
        queue: &[
            Package::Refused(20),
            Package::Refused(400),
            Package::Trigger,
            Package::DataRequest,
            Package::Unknown,
        ],
        ..BASE
    },
    Scenario {
        name: "download, then enable",
        queue: &[
            Package::Download(DOWNLOAD),
            Package::Enable {
                profile: 3,
                rollback: true,
            },
        ],
        ..BASE
    },
    Scenario {
        name: "download with confirmation code, enabled at once",
        queue: &[Package::Download(Download {
            hashed: true,
            ..DOWNLOAD
        })],
        buffer: 500,
        immediate: true,
        ..BASE
    },
    Scenario {
        name: "download, the device holds 100 bytes",
        queue: &[Package::Download(DOWNLOAD)],
        buffer: 100,
        piece: 100,
        deepest: 1,
        ..BASE
    },
    Scenario {
        name: "download, the eIM handles the trigger's data",
        queue: &[Package::Download(Download {
            by_eim: true,
            certificate: 60,
            ..DOWNLOAD
        })],
        buffer: 500,
        deepest: 1,
        ..BASE
    },
    Scenario {
        name: "download, device without timers that holds 200 bytes",
        queue: &[Package::Download(DOWNLOAD)],
        quirk: Quirk::NoTimers,
        buffer: 200,
        deepest: 1,
        ..BASE
    },
    Scenario {
        name: "download, the eUICC gives two bytes at a time",
        queue: &[Package::Download(DOWNLOAD)],
        piece: 2,
        deepest: 0,
        ..BASE
    },
    Scenario {
        name: "IPA eUICC data",
        queue: &[Package::Data],
        notices: 1,
        ..BASE
    },
    Scenario {
        name: "notifications from before",
        notices: 3,
        ..BASE
    },
    Scenario {
        name: "notifications from before, the eIM takes none",
        queue: &[Package::List(8)],
        notices: 1,
        refuses_notices: true,
        ..BASE
    },
    Scenario {
        name: "two eIMs in turn",
        queue: &[SWITCH],
        eims: 2,
        eim_choice: 2,
        ..BASE
    },
    Scenario {
        name: "no eIM",
        eims: 0,
        ..BASE
    },
    Scenario {
        name: "device without timers",
        queue: &[SWITCH],
        quirk: Quirk::NoTimers,
        ..BASE
    },
    Scenario {
        name: "device that never resets",
        queue: &[SWITCH],
        quirk: Quirk::NeverResets,
        ..BASE
    },
    Scenario {
        name: "device that never resets, keep trying",
        queue: &[SWITCH],
        quirk: Quirk::NeverResets,
        on_loss: 1,
        ..BASE
    },
    Scenario {
        name: "device that refuses REFRESH",
        queue: &[SWITCH],
        quirk: Quirk::RefusesRefresh,
        ..BASE
    },
    Scenario {
        name: "device without a free channel",
        queue: &[SWITCH],
        quirk: Quirk::NoChannel,
        ..BASE
    },
    Scenario {
        name: "device without BIP",
        quirk: Quirk::NoBip,
        ..BASE
    },
    Scenario {
        name: "operator and events of no concern",
        queue: &[SWITCH],
        operator: true,
        noise: true,
        deepest: 1,
        ..BASE
    },
];

/// More packages than a session has requests for; explored without faults.
pub const LONG_QUEUE: Scenario = Scenario {
    name: "more packages than requests in a session",
    queue: &[Package::Trigger; 60],
    deepest: 0,
    ..BASE
};
