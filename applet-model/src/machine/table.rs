//! The transition table: state and event to guard, actions and next state.
//!
//! It is data: the model interprets it, the generator emits it for the Java runtime, `check`
//! explores it, `diagram` draws it. Rows of one state and event are tried in order; the first whose
//! guard holds is taken.

use super::codes::{Action, Event, Guard, State, goal, mode, query, reason, tx};
use std::sync::LazyLock;

/// One transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// In this state…
    pub state: State,
    /// …on this event…
    pub event: Event,
    /// …if this holds…
    pub guard: Guard,
    /// …the machine goes to this state…
    pub next: State,
    /// …and does these actions, each with its argument (0 if it takes none).
    pub actions: &'static [(Action, u8)],
}

/// A line of the source table: several events may share it.
struct Line {
    state: State,
    events: &'static [Event],
    guard: Guard,
    actions: &'static [(Action, u8)],
    next: State,
}

macro_rules! lines {
    ($($state:ident { $( ($($event:ident)|+) $([$guard:ident])? => $($action:ident $(($arg:expr))?),* => $next:ident; )* })*) => {
        &[$($(
            Line {
                state: State::$state,
                events: &[$(Event::$event),+],
                guard: lines!(@guard $($guard)?),
                actions: &[$((Action::$action, lines!(@arg $($arg)?))),*],
                next: State::$next,
            },
        )*)*]
    };
    (@guard) => { Guard::Always };
    (@guard $guard:ident) => { Guard::$guard };
    (@arg) => { 0 };
    (@arg $arg:expr) => { $arg };
}

const FAIL: u8 = Event::Fail as u8;
const START: u8 = Event::Start as u8;
const NEXT: u8 = Event::Next as u8;
const NEXT_ACK: u8 = Event::NextAck as u8;
const CLOSED: u8 = Event::Closed as u8;
const TIMER: u8 = Event::Timer as u8;
const TR_OK: u8 = Event::TrOk as u8;

#[rustfmt::skip]
const LINES: &[Line] = lines! {
    Unpersonalized {
        (Configured) => Log(reason::CONFIGURED), Commit => Idle;
    }
    Idle {
        (Boot) [NoBip] => Log(reason::BOOT_NO_BIP) => Idle;
        (Boot) [Confirmed] => DelayBoot, StartTimer => Scheduling;
        (Boot) => LoadTries, DelayCheck, StartTimer => Scheduling;
        (Timer) => BeginSession, Raise(START) => Query;
        (StatusCommand) [Due] => BeginSession, Raise(START) => Query;
        (StatusCommand) [Counting] => CountTick => Idle;
        (Configured) => Log(reason::CONFIGURED), Commit => Idle;
        (Lock) => Log(reason::LOCKED), Commit => Locked;
    }
    Backoff {
        (Boot) => DelayBackoff, StartTimer => Scheduling;
        (Timer) => BeginSession, Raise(START) => Query;
        (StatusCommand) [Due] => BeginSession, Raise(START) => Query;
        (StatusCommand) [Counting] => CountTick => Backoff;
        (Configured) => Log(reason::CONFIGURED), Commit => Backoff;
        (Lock) => Log(reason::LOCKED), Commit => Locked;
    }
    CheckWait {
        (Boot) => DelayCheck, StartTimer => Scheduling;
        (Timer) => BeginSession, Raise(START) => Query;
        (StatusCommand) [Due] => BeginSession, Raise(START) => Query;
        (StatusCommand) [Counting] => CountTick => CheckWait;
        (Configured) => Log(reason::CONFIGURED), Commit => CheckWait;
        (Lock) => Log(reason::LOCKED), Commit => Locked;
    }
    Query {
        (Start) [EidUnknown] => Ask(query::EID) => Query;
        (Start) => Ask(query::EIM) => Query;
        (EsOk | ScanMore) => ReadAnswer => Query;
        (EsError) => Log(reason::ES10), Raise(FAIL) => Closing;
        (EsData) => Scan => Query;
        (ScanBad) => Log(reason::EUICC_ANSWER), Raise(FAIL) => Closing;
        (ScanDone) [EidMissing] => Log(reason::EUICC_ANSWER), Raise(FAIL) => Closing;
        (ScanDone) [QueryEid] => Ask(query::EIM) => Query;
        (ScanDone) [QueryEim] => ResolveEim => Query;
        (EimFound) [ResultsUnknown] => Ask(query::RESULTS) => Query;
        (EimFound) => PrepareRequest(tx::POLL), OpenChannel => Opening;
        (Fail) => Log(reason::NO_EIM), Raise(FAIL) => Closing;
        // The power may have gone between the eUICC's switch and the applet's note of it: treat
        // such a result as an unconfirmed change. If it was none, the eUICC refuses the rollback.
        (ScanDone) [ResultFromBefore] => Log(reason::RESULT_FOUND), SetMode(mode::SWITCHED), LoadTries, Commit, Ask(query::NOTIFICATIONS) => Query;
        (ScanDone) [ResultFound] => Ask(query::NOTIFICATIONS) => Query;
        (ScanDone) [NoResult] => Ask(query::NOTICE) => Query;
        (ScanDone) [NoResultLeft] => Log(reason::CONFIRMED), SetMode(mode::NORMAL), Commit, Ask(query::NOTICE) => Query;
        (ScanDone) [NoticeFound] => PrepareRequest(tx::NOTICE), OpenChannel => Opening;
        (ScanDone) [QueryNotice] => ResultsNone, PrepareRequest(tx::POLL), OpenChannel => Opening;
        (ScanDone) => PrepareRequest(tx::RESULT), OpenChannel => Opening;
    }
    Opening {
        (TrOk) => NoteChannel => Opening;
        (Start | Next) => DelayResponse, StartTimer => Guarding;
        (TrBusy | TrBeyond | TrBip | TrRefused | Fail) => Log(reason::OPEN_REFUSED), Raise(FAIL) => Closing;
        (Exhausted) => Log(reason::ROUNDS), SetGoal(goal::END), CloseChannel => Closing;
    }
    Guarding {
        (TrOk) => Raise(NEXT) => Sending;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::NO_TIMER), TimerRefused, Raise(NEXT) => Sending;
    }
    Sending {
        (Next) => Produce => Sending;
        (TxQuery) => AskPart => Sending;
        (EsOk | TxRead) => ReadPart => Sending;
        (EsData) => TakePart => Sending;
        (EsError) => Log(reason::ES10), Raise(FAIL) => Closing;
        (ScanBad) => Log(reason::EUICC_ANSWER), Raise(FAIL) => Closing;
        (TxSend) => SendData => Sending;
        (TrOk) => EmptyBlock, Raise(NEXT) => Sending;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::SEND_REFUSED), Raise(FAIL) => Closing;
        (TxDone) => BeginAnswer => Waiting;
    }
    Waiting {
        (DataAvailable) => NoteAvailable, ReceiveData => Receiving;
        // A profile takes longer than an answer may take to begin.
        (Timer) [Progress] => DelayResponse, StartTimer => Extending;
        (Timer) => Log(reason::NO_ANSWER), Raise(FAIL) => Closing;
        (ChannelStatus) => Log(reason::LINK_LOST), Raise(FAIL) => Closing;
        (StatusCommand) [Due] => Raise(TIMER) => Waiting;
        (StatusCommand) [Counting] => CountTick => Waiting;
    }
    Receiving {
        (TrOk) => TakeData, Feed => Receiving;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::RECEIVE_REFUSED), Raise(FAIL) => Closing;
        (RxMore) => ReceiveData => Receiving;
        (RxWait) => => Waiting;
        (RxBlock) [Downloading] => StoreBlock(0) => Loading;
        (RxLast) [Downloading] => StoreBlock(1) => Loading;
        (RxBlock) => StoreBlock(0) => Relaying;
        (RxLast) => StoreBlock(1) => Relaying;
        (RxNone) => CountPoll, SetGoal(goal::END), CloseChannel => Closing;
        // The server has ended the session itself.
        (RxCode) [Downloading] => Log(reason::EIM_CODE), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (RxCode) [TxCancel] => Log(reason::EIM_CODE), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (RxCode) => Log(reason::EIM_CODE), Raise(FAIL) => Closing;
        (RxTrigger) => BeginDownload => Preparing;
        (RxData) => BeginData => Gathering;
        (RxUnfit) => Log(reason::ANSWER_UNFIT), SetGoal(goal::CANCEL), CloseChannel => Closing;
        (RxTaken) => Raise(NEXT_ACK) => Removing;
        (RxAcks) => Raise(NEXT_ACK) => Removing;
        // The eIM has the result, though it leaves it in the eUICC's store: the network works.
        (RxEmpty) [TxUnconfirmed] => Log(reason::NOT_ACKNOWLEDGED), Log(reason::CONFIRMED), SetMode(mode::NORMAL), Commit, ResultsNone, PrepareRequest(tx::POLL), OpenChannel => Opening;
        (RxEmpty) [TxResult] => Log(reason::NOT_ACKNOWLEDGED), ResultsNone, PrepareRequest(tx::POLL), OpenChannel => Opening;
        (RxEmpty) [TxCancel] => PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (RxEmpty) => PrepareRequest(tx::POLL), OpenChannel => Opening;
        (RxUnknown) => Log(reason::PACKAGE_UNKNOWN), PrepareRequest(tx::UNKNOWN_PACKAGE), OpenChannel => Opening;
        (RxRefused) => PrepareRequest(tx::UNDEFINED), OpenChannel => Opening;
        // An eIM that takes no notifications must not keep the applet from polling.
        (RxHttp) [TxNoticeAgain] => Log(reason::HTTP_STATUS), SetGoal(goal::POLL), CloseChannel => Closing;
        (RxHttp) => Log(reason::HTTP_STATUS), Raise(FAIL) => Closing;
        (RxBad) => Log(reason::ANSWER_BAD), Raise(FAIL) => Closing;
    }
    Relaying {
        (EsOk) [BlockMore] => EmptyBlock, Feed => Receiving;
        (EsOk) => EmptyBlock, ReadAnswer => ReadingResult;
        // The rest of the body must be taken off the channel before the next request.
        (EsError) [BlockMore] => Log(reason::ES10), EmptyBlock, DropPackage, Feed => Receiving;
        (EsError) => Log(reason::ES10), EmptyBlock, PrepareRequest(tx::UNDEFINED), OpenChannel => Opening;
    }
    ReadingResult {
        (EsData) => Scan => ReadingResult;
        (ScanMore) => ReadAnswer => ReadingResult;
        (ScanDone) [ResultChanged] => Log(reason::PACKAGE), CountSwitch, SetMode(mode::SWITCHED), LoadTries, Commit, SetGoal(goal::REFRESH), CloseChannel => Closing;
        (ScanDone) [ResultSigned] => Log(reason::PACKAGE), Ask(query::RESULTS) => Query;
        (ScanDone) [ResultKept] => Log(reason::PACKAGE_REFUSED), PrepareRequest(tx::ERROR), OpenChannel => Opening;
        // The package may have been executed and have changed the enabled profile: a reset makes the
        // device follow, and the stored result, if there is one, is found and delivered after it.
        (ScanDone) [ResultUnknown] => Log(reason::EUICC_ANSWER), SetMode(mode::SWITCHED), LoadTries, Commit, SetGoal(goal::REFRESH), CloseChannel => Closing;
        (ScanBad) => Log(reason::EUICC_ANSWER), SetMode(mode::SWITCHED), LoadTries, Commit, SetGoal(goal::REFRESH), CloseChannel => Closing;
        (ScanDone) => Log(reason::PACKAGE_REFUSED), PrepareRequest(tx::UNDEFINED), OpenChannel => Opening;
    }
    Removing {
        (NextAck) [AcksLeft] => StoreAck => Removing;
        (EsOk) => DropAck, Raise(NEXT_ACK) => Removing;
        // Asked again now, the eUICC would give the same notification.
        (EsError) [TxNotice] => Log(reason::ES10), DropAck, PrepareRequest(tx::POLL), OpenChannel => Opening;
        (EsError) => Log(reason::ES10), DropAck, Raise(NEXT_ACK) => Removing;
        (NextAck) [Confirmed] => Ask(query::RESULTS) => Query;
        (NextAck) => Log(reason::CONFIRMED), SetMode(mode::NORMAL), Commit, Ask(query::RESULTS) => Query;
    }
    Closing {
        (Fail) => SetGoal(goal::FAIL), CountFailure, CloseChannel => Closing;
        (TrOk | TrBusy | TrBeyond | TrBip | TrRefused) => ForgetChannel, Raise(CLOSED) => Closing;
        (Closed) [GoalRefresh] => Refresh => Refreshing;
        (Closed) [GoalPoll] => PrepareRequest(tx::POLL), OpenChannel => Opening;
        (Closed) [GoalFinish] => Ask(query::IMMEDIATE) => Finishing;
        (Closed) [GoalCancel] => Raise(START) => Cancelling;
        (Closed) [GoalEnd] => DelayPoll, StartTimer => Scheduling;
        (Closed) [MayRollBack] => Ask(query::ROLLBACK) => RollingBack;
        (Closed) [MayFollow] => LoadTries, Refresh => Refreshing;
        (Closed) [Checking] => DelayCheck, StartTimer => Scheduling;
        (Closed) => DelayBackoff, StartTimer => Scheduling;
    }
    Refreshing {
        (TrOk) => DelayRefresh, StartTimer => AwaitRefresh;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::REFRESH_REFUSED), DelayRefresh, StartTimer => AwaitRefresh;
    }
    AwaitRefresh {
        (Boot) => LoadTries, DelayCheck, StartTimer => Scheduling;
        (TrOk) => => AwaitRefresh;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::NO_TIMER), TimerRefused => AwaitRefresh;
        (StatusCommand) [Due] => Raise(TIMER) => AwaitRefresh;
        (StatusCommand) [Counting] => CountTick => AwaitRefresh;
        (Timer) [RefreshTriesLeft] => Log(reason::REFRESH_NOT_FOLLOWED), CountRefresh, Refresh => Refreshing;
        // A change that the device does not follow is undone, so that the result says so.
        (Timer) [MayUndo] => Log(reason::REFRESH_NOT_FOLLOWED), Ask(query::ROLLBACK) => RollingBack;
        (Timer) => Log(reason::REFRESH_NOT_FOLLOWED), DelayCheck, StartTimer => Scheduling;
    }
    RollingBack {
        (EsOk | ScanMore) => ReadAnswer => RollingBack;
        (EsData) => Scan => RollingBack;
        (EsError) => Log(reason::ES10), LoadTries, DelayBackoff, StartTimer => Scheduling;
        // The eUICC may have rolled back: a reset makes the device follow.
        (ScanBad) => Log(reason::EUICC_ANSWER), LoadTries, Refresh => Refreshing;
        (ScanDone) [CodeOk] => Log(reason::ROLLBACK), CountRollback, SetMode(mode::ROLLED_BACK), LoadTries, Commit, Refresh => Refreshing;
        // No tries are left, so the next failure asks again.
        (ScanDone) [CatBusy] => Log(reason::ROLLBACK_REFUSED), DelayBackoff, StartTimer => Scheduling;
        (ScanDone) => Log(reason::ROLLBACK_REFUSED), LoadTries, DelayBackoff, StartTimer => Scheduling;
    }
    Scheduling {
        (TrOk) [Unconfirmed] => => CheckWait;
        (TrOk) [Failing] => => Backoff;
        (TrOk) => => Idle;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::NO_TIMER), TimerRefused, Raise(TR_OK) => Scheduling;
    }
    Locked {
        (Unlock) => Log(reason::UNLOCKED), Commit => Idle;
    }
    Extending {
        (TrOk) => => Waiting;
        (TrBusy | TrBeyond | TrBip | TrRefused) => Log(reason::NO_TIMER), TimerRefused => Waiting;
    }
    Gathering {
        (Next) => AskData => Gathering;
        (EsOk | ScanMore) => ReadAnswer => Gathering;
        (EsData) => Scan => Gathering;
        (ScanDone | ScanBad | EsError) => NotePart, Raise(NEXT) => Gathering;
        (Gathered) => PrepareRequest(tx::DATA), OpenChannel => Opening;
        (Fail) => Log(reason::TAGS_UNKNOWN), PrepareRequest(tx::DATA_ERROR), OpenChannel => Opening;
    }
    // SGP.32 3.2.3.2: indirect profile download.
    Preparing {
        (Start) => Ask(query::INFO) => Preparing;
        (Fail) => Log(reason::TRIGGER_UNFIT), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (EsOk | ScanMore) => ReadAnswer => Preparing;
        (EsData) => Scan => Preparing;
        (EsError) => Log(reason::ES10), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (ScanDone) [QueryInfo] => Ask(query::CHALLENGE) => Preparing;
        (ScanDone) [ChallengeKnown] => PrepareRequest(tx::INITIATE), OpenChannel => Opening;
        (ScanDone | ScanBad) => Log(reason::EUICC_ANSWER), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
    }
    Loading {
        (EsOk) [BlockMore] => EmptyBlock, Feed => Receiving;
        (EsOk) => EmptyBlock, ReadAnswer => Loading;
        (EsData) [NothingRead] => Feed => Receiving;
        (EsData) => BeginReading, Scan => Answering;
        (EsError) => Log(reason::ES10), SetGoal(goal::CANCEL), CloseChannel => Closing;
    }
    Answering {
        (EsData) => Scan => Answering;
        (ScanMore) => ReadAnswer => Answering;
        (ScanDone) [Authenticated] => PrepareRequest(tx::AUTHENTICATE), OpenChannel => Opening;
        (ScanDone) [Prepared] => PrepareRequest(tx::PACKAGE), OpenChannel => Opening;
        (ScanDone) [LoadedWhole] => Log(reason::LOADED), Commit, Ask(query::IMMEDIATE) => Finishing;
        // The rest of the package is dropped with the channel.
        (ScanDone) [Loaded] => Log(reason::LOADED), Commit, SetGoal(goal::FINISH), CloseChannel => Closing;
        (ScanDone | ScanBad) => Log(reason::EUICC_ANSWER), SetGoal(goal::CANCEL), CloseChannel => Closing;
    }
    // The eUICC keeps its ProfileInstallationResult: it is the next notification that is delivered.
    Finishing {
        (EsOk | ScanMore) => ReadAnswer => Finishing;
        (EsData) => Scan => Finishing;
        (ScanDone) [CodeOk] => Log(reason::ENABLED), CountSwitch, LoadTries, Commit, SetGoal(goal::REFRESH), CloseChannel => Closing;
        (ScanDone | EsError) => Ask(query::RESULTS) => Query;
        // The profile may have been enabled: a reset makes the device follow.
        (ScanBad) => Log(reason::EUICC_ANSWER), LoadTries, SetGoal(goal::REFRESH), CloseChannel => Closing;
    }
    Cancelling {
        (Start) [SessionKnown] => Ask(query::CANCEL) => Cancelling;
        (Start) => PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (EsOk | ScanMore) => ReadAnswer => Cancelling;
        (EsData) => Scan => Cancelling;
        (ScanDone) [Cancelled] => PrepareRequest(tx::CANCEL), OpenChannel => Opening;
        (ScanDone | ScanBad) => Log(reason::EUICC_ANSWER), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
        (EsError) => Log(reason::ES10), PrepareRequest(tx::NOT_DOWNLOADED), OpenChannel => Opening;
    }
};

/// The table, a row for each event, in the order in which rows are tried.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let mut rows = Vec::new();
        for line in LINES {
            for &event in line.events {
                let Line {
                    state,
                    guard,
                    actions,
                    next,
                    ..
                } = *line;
                rows.push(Row {
                    state,
                    event,
                    guard,
                    next,
                    actions,
                });
            }
        }
        rows
    });
    &ROWS
}

/// Events that come from outside and may come at any time the applet waits for none of its own
/// commands' answers. Where no row takes one of them, it is ignored on purpose.
pub const IGNORABLE: &[Event] = &[
    Event::Boot,
    Event::Timer,
    Event::DataAvailable,
    Event::ChannelStatus,
    Event::StatusCommand,
];

/// What the table says of a state and an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// At least one row.
    Transition,
    /// No row, declared ignored.
    Ignored,
    /// No row: the event cannot come in this state; `check` proves it for all it explores.
    Impossible,
}

/// What the table says of this pair.
pub fn coverage(state: State, event: Event) -> Coverage {
    if rows().iter().any(|r| r.state == state && r.event == event) {
        Coverage::Transition
    } else if IGNORABLE.contains(&event) {
        Coverage::Ignored
    } else {
        Coverage::Impossible
    }
}
