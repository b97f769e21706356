//! The machine's small numbers: states, events, guards, actions, and the values of registers.
//!
//! Each list stands here once; the generator emits it as the constants of the Java runtime.

macro_rules! codes {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        $vis enum $name { $(#[doc = $text] $(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value, in the order of its code.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// What it means, in words.
            pub fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value with this code.
            pub fn from_code(code: u8) -> Option<$name> {
                $name::ALL.get(usize::from(code)).copied()
            }
        }
    };
}

codes! {
    /// Where the applet waits for something from outside.
    pub enum State {
        Unpersonalized "installed, no configuration yet",
        Idle "waiting for the next poll",
        Backoff "waiting to try again after a failure",
        CheckWait "profile changed: waiting for the network before the connectivity check",
        Query "asking the eUICC (EID, eIM configuration, results, notifications)",
        Opening "OPEN CHANNEL sent",
        Guarding "channel open, response timer being started",
        Sending "request under way to the eIM",
        Waiting "waiting for the eIM's answer",
        Receiving "RECEIVE DATA sent",
        Relaying "package block given to the eUICC",
        ReadingResult "reading the eUICC's answer to the package",
        Removing "removing acknowledged results and notifications",
        Closing "CLOSE CHANNEL sent",
        Refreshing "REFRESH sent",
        AwaitRefresh "waiting for the reset that REFRESH asked for",
        RollingBack "ProfileRollback sent to the eUICC",
        Scheduling "timer for the next session being started",
        Locked "locked: answers reads only",
        Preparing "download: asking the eUICC (EUICCInfo1, challenge)",
        Loading "download: block given to the eUICC",
        Answering "download: reading the eUICC's answer",
        Finishing "download: ImmediateEnable sent to the eUICC",
        Cancelling "download: CancelSession sent to the eUICC",
        Extending "data still come: response timer being started again",
        Gathering "IPA eUICC data: asking the eUICC for the size of a part",
    }
}

codes! {
    /// What moves the machine.
    pub enum Event {
        Boot "profile download: the terminal started the card",
        Timer "the applet's timer expired",
        DataAvailable "data wait in the terminal's BIP buffer",
        ChannelStatus "the link of the channel was lost",
        StatusCommand "STATUS command of the terminal",
        TrOk "TERMINAL RESPONSE: performed (00 to 0F)",
        TrBusy "TERMINAL RESPONSE: terminal or network unable at present (20, 21)",
        TrBeyond "TERMINAL RESPONSE: beyond the terminal's capabilities (30)",
        TrBip "TERMINAL RESPONSE: bearer independent protocol error (3A)",
        TrRefused "TERMINAL RESPONSE: any other refusal",
        EsOk "ES10 block accepted",
        EsError "ES10 block refused",
        EsData "ES10 response bytes",
        Start "a session begins",
        Next "produce the next part of the request",
        TxQuery "a part of the request must be asked for at the eUICC",
        TxRead "a part of the request must be read from the eUICC",
        TxSend "the block buffer is ready for SEND DATA",
        TxDone "the request is complete",
        ScanMore "the answer of the eUICC goes on",
        ScanDone "the answer of the eUICC is complete",
        ScanBad "the answer of the eUICC is not understood",
        RxMore "more bytes wait in the terminal",
        RxWait "the eIM's answer goes on, nothing waits in the terminal",
        RxBlock "a package block is full",
        RxLast "the last package block is ready",
        RxNone "eIM: noEimPackageAvailable",
        RxCode "eIM: another error code",
        RxAcks "eIM: acknowledgements",
        RxEmpty "eIM: empty response",
        RxUnknown "eIM: a package of a kind that this applet does not know",
        RxHttp "eIM: HTTP status other than 200",
        RxBad "eIM: answer not understood",
        RxRefused "the eUICC refused a block of the package",
        NextAck "remove the next acknowledged entry",
        EimFound "the eIM and its address are known",
        Exhausted "no request is left in this session",
        Fail "the session failed",
        Closed "no channel is open any more",
        Configured "configuration stored by APDU",
        Lock "locked by APDU",
        Unlock "unlocked by APDU",
        RxTrigger "eIM: a profile download trigger",
        RxTaken "eIM: a notification was taken",
        RxData "eIM: an IPA eUICC data request",
        Gathered "the parts of the IPA eUICC data are measured",
        RxUnfit "eIM: an answer that can't be given to the eUICC, or to which the eUICC has no answer",
    }
}

codes! {
    /// Condition of a transition; rows of one state and event are tried in the table's order.
    pub enum Guard {
        Always "always",
        NoBip "the TERMINAL PROFILE lacks BIP over TCP",
        Confirmed "mode is normal",
        Unconfirmed "a profile change or rollback is not yet confirmed",
        Checking "a profile change is not yet confirmed and tries of the connectivity check are left",
        Failing "the last session failed",
        MayRollBack "a profile change is not yet confirmed, no tries are left, the configuration allows rollback",
        MayFollow "a rollback is not yet reported and no tries are left: the device may not have followed it",
        MayUndo "a profile change is not yet confirmed, no tries of REFRESH are left, the configuration allows rollback",
        RefreshTriesLeft "tries of REFRESH are left",
        Due "a poll was asked for, or STATUS commands replace the timer and are all counted",
        Counting "STATUS commands replace the timer",
        EidUnknown "the EID is not known",
        EidMissing "the query is the EID, and the answer held none",
        QueryEid "the query is the EID",
        QueryEim "the query is the eIM configuration",
        ResultFromBefore "a result waits that this session did not make, mode is normal",
        ResultFound "a result waits",
        NoResult "no result waits, mode is normal",
        NoResultLeft "no result waits, a change was not yet confirmed",
        ResultsUnknown "results may wait in the eUICC",
        BlockMore "the block was not the last one",
        ResultChanged "the package was executed and changed the enabled profile",
        ResultSigned "the package was executed",
        ResultKept "the package was refused and the refusal is in the receive buffer",
        ResultUnknown "the answer to the package says nothing",
        TxUnconfirmed "the request delivered a stored result, and a change or rollback is not yet confirmed",
        TxResult "the request delivered a stored result",
        AcksLeft "acknowledged entries are left",
        GoalRefresh "the goal is REFRESH",
        GoalEnd "the goal is the end of the session",
        CodeOk "the eUICC answered ok",
        CatBusy "the eUICC answered catBusy",
        NoticeFound "a notification waits",
        QueryNotice "the query is the first notification",
        QueryInfo "the query is EUICCInfo1",
        ChallengeKnown "the eUICC gave a challenge",
        Downloading "the request is a step of a download",
        TxCancel "the request cancelled a download",
        TxNotice "the request delivered a notification",
        TxNoticeAgain "the request delivered a notification, and the session before failed",
        NothingRead "the eUICC has no answer",
        Authenticated "the eUICC has answered AuthenticateServer; the beginning is in the receive buffer",
        Prepared "the eUICC has answered PrepareDownload; the beginning is in the receive buffer",
        LoadedWhole "the eUICC has installed the profile, and the eIM's answer is complete",
        Loaded "the eUICC has given a ProfileInstallationResult",
        Cancelled "the eUICC has answered CancelSession; the answer is in the receive buffer",
        Progress "data came since the timer was started",
        GoalPoll "the goal is to poll",
        GoalFinish "the goal is to finish a download",
        GoalCancel "the goal is to cancel a download",
        SessionKnown "the download has a transaction",
    }
}

codes! {
    /// What a transition does. An action that sends something is the last of its transition: the
    /// answer is the next event. The argument is noted where there is one.
    pub enum Action {
        Log "note a log entry; argument: reason",
        Commit "write the working record to persistent memory",
        Raise "raise an event; argument: event",
        BeginSession "forget the last session",
        SetGoal "set the goal; argument: goal",
        SetMode "set the mode; argument: mode",
        LoadTries "load the tries of connectivity check and REFRESH",
        CountPoll "count a poll that found nothing",
        CountFailure "count a failed session and a try, choose the next eIM",
        CountSwitch "count a profile change",
        CountRollback "count a rollback",
        CountRefresh "count a try of REFRESH",
        DelayBoot "delay: boot delay",
        DelayPoll "delay: poll interval",
        DelayBackoff "delay: back-off, doubled with each failure, up to a quarter less by the EID",
        DelayCheck "delay: connectivity check",
        DelayRefresh "delay: reset after REFRESH",
        DelayResponse "delay: the eIM's answer",
        StartTimer "send TIMER MANAGEMENT",
        TimerRefused "count STATUS commands instead of the timer",
        CountTick "count a STATUS command",
        OpenChannel "send OPEN CHANNEL; raise Next if one is open, Exhausted if no request is left",
        NoteChannel "note the channel of the TERMINAL RESPONSE; raise Start, or Fail if there is none",
        CloseChannel "send CLOSE CHANNEL; raise Closed if none is open",
        ForgetChannel "no channel is open",
        SendData "send SEND DATA with the block buffer",
        ReceiveData "send RECEIVE DATA",
        Refresh "send REFRESH",
        Ask "send a query to the eUICC; argument: query",
        ReadAnswer "read the next bytes of the eUICC's answer",
        Scan "scan the bytes of the eUICC's answer; raise ScanMore, ScanDone or ScanBad",
        ResolveEim "find out the address of the eIM; raise EimFound or Fail",
        ResultsNone "note that no result waits",
        PrepareRequest "prepare a request; argument: tx",
        Produce "produce the next part of the request; raise TxQuery, TxRead, TxSend or TxDone",
        AskPart "ask the eUICC for the part of the request",
        ReadPart "read the part of the request from the eUICC",
        TakePart "append what was read to the block buffer; raise Next, TxRead or ScanBad",
        EmptyBlock "empty the block buffer",
        BeginAnswer "get ready for the eIM's answer",
        NoteAvailable "note how many bytes wait in the terminal",
        TakeData "take the bytes of RECEIVE DATA",
        Feed "go through the received bytes; raise one of the Rx events",
        StoreBlock "give the block buffer to the eUICC; argument: 0 more follow, 1 last",
        DropPackage "relay no more of the package",
        StoreAck "send RemoveNotificationFromList for the next acknowledged entry",
        DropAck "forget the acknowledged entry",
        BeginDownload "take the trigger's activation code apart; raise Start or Fail",
        BeginData "look at the tag list of an IPA eUICC data request; raise Next or Fail",
        AskData "ask the eUICC for the next part of the IPA eUICC data; raise Gathered if there is none",
        NotePart "note place and size of the part",
        BeginReading "get ready for the eUICC's answer to a step of a download",
    }
}

macro_rules! values {
    ($(#[$doc:meta])* $module:ident { $($name:ident = $value:literal, $text:literal;)* }) => {
        $(#[$doc])*
        pub mod $module {
            $(#[doc = $text] pub const $name: u8 = $value;)*
            /// Name, value and meaning of each.
            pub const TABLE: &[(&str, u8, &str)] = &[$((stringify!($name), $value, $text),)*];
        }
    };
}

values! {
    /// Register `LIFE`.
    life {
        NEW = 0, "not personalized";
        OPERATIONAL = 1, "personalized";
        LOCKED = 2, "locked";
    }
}
values! {
    /// Register `MODE`.
    mode {
        NORMAL = 0, "normal";
        SWITCHED = 1, "a profile change is not yet confirmed by the eIM";
        ROLLED_BACK = 2, "a rollback is not yet reported to the eIM";
    }
}
values! {
    /// Register `GOAL`.
    goal {
        FAIL = 0, "the session failed";
        END = 1, "the session is complete";
        REFRESH = 2, "the profile was switched";
        FINISH = 3, "a download has its result";
        CANCEL = 4, "a download is cancelled";
        POLL = 5, "the eIM takes no notifications";
    }
}
values! {
    /// Register `QUERY`.
    query {
        EID = 0, "ES10c.GetEID (SGP.22 5.7.20)";
        EIM = 1, "ES10b.GetEimConfigurationData (SGP.32 5.9.18)";
        RESULTS = 2, "ES10b.RetrieveNotificationsList of package results (SGP.32 5.9.11)";
        NOTIFICATIONS = 3, "ES10b.RetrieveNotificationsList";
        ROLLBACK = 4, "ES10b.ProfileRollback (SGP.32 5.9.16)";
        NOTICE = 5, "ES10b.RetrieveNotificationsList, the first notification";
        INFO = 6, "ES10b.GetEUICCInfo1 (SGP.22 5.7.8)";
        CHALLENGE = 7, "ES10b.GetEUICCChallenge (SGP.22 5.7.7)";
        IMMEDIATE = 8, "ES10b.ImmediateEnable (SGP.32 5.9.15)";
        CANCEL = 9, "ES10b.CancelSession (SGP.22 5.7.14)";
    }
}
values! {
    /// Register `KIND`.
    kind {
        NONE = 0, "nothing yet";
        SIGNED = 1, "euiccPackageResultSigned";
        ERROR = 2, "euiccPackageErrorSigned or euiccPackageErrorUnsigned";
        PACKAGE = 3, "EuiccPackageRequest";
        CODE = 4, "an error code";
        ACKS = 5, "eimAcknowledgements";
        EMPTY = 6, "emptyResponse";
        UNKNOWN = 7, "a package of another kind";
        REFUSED = 8, "a package of which the eUICC refused a block";
        TRIGGER = 9, "ProfileDownloadTriggerRequest without data: the eIM handles them";
        STEP = 10, "what the eUICC needs for a step of a download";
        INSTALLED = 11, "ProfileInstallationResult with successResult";
        NOT_INSTALLED = 12, "ProfileInstallationResult with errorResult";
        ORDERED = 13, "ProfileDownloadTriggerRequest with data";
        DATA = 14, "IpaEuiccDataRequest";
    }
}
values! {
    /// Register `TX_KIND`: the ESipa request.
    tx {
        POLL = 0, "GetEimPackage (SGP.32 5.14.5)";
        RESULT = 1, "ProvideEimPackageResult with a stored result and notifications (SGP.32 5.14.6)";
        ERROR = 2, "ProvideEimPackageResult with the refusal in the receive buffer";
        UNKNOWN_PACKAGE = 3, "ProvideEimPackageResult with eimPackageResultResponseError";
        UNDEFINED = 4, "ProvideEimPackageResult with eimPackageResultResponseError undefinedError";
        INITIATE = 5, "InitiateAuthentication (SGP.32 5.14.1)";
        AUTHENTICATE = 6, "AuthenticateClient (SGP.32 5.14.2)";
        PACKAGE = 7, "GetBoundProfilePackage (SGP.32 5.14.3)";
        CANCEL = 8, "CancelSession (SGP.32 5.14.4)";
        NOT_DOWNLOADED = 9, "ProvideEimPackageResult with profileDownloadError";
        NOTICE = 10, "HandleNotification with the first notification (SGP.32 5.14.7)";
        DATA = 11, "ProvideEimPackageResult with ipaEuiccData";
        DATA_ERROR = 12, "ProvideEimPackageResult with ipaEuiccDataResponseError";
    }
}
values! {
    /// Register `TX_PHASE`.
    phase {
        HEAD = 0, "HTTP header";
        PREFIX = 1, "beginning of the body";
        ASK1 = 2, "ask for the package result";
        PART1 = 3, "package result";
        ASK2 = 4, "ask for the notifications";
        PART2 = 5, "notifications";
        KEPT = 6, "what is in the receive buffer";
        FLUSH = 7, "rest of the block buffer";
        DONE = 8, "complete";
        TAIL = 9, "end of the body";
        ASK_DATA = 10, "ask for the next part of the IPA eUICC data";
        DATA = 11, "a part of the IPA eUICC data";
    }
}
values! {
    /// Register `HTTP`.
    http {
        STATUS = 0, "status line";
        NAME = 1, "header name";
        LENGTH = 2, "value of Content-Length";
        SKIP = 3, "rest of the line";
        BODY = 4, "body";
        BAD = 5, "not understood";
    }
}
values! {
    /// Why a log entry was made.
    reason {
        BOOT_NO_BIP = 1, "the device has no BIP over TCP; detail: first TERMINAL PROFILE byte that lacks it";
        NO_TIMER = 2, "TIMER MANAGEMENT refused; detail: general result";
        NO_EIM = 3, "no usable eIM is associated; detail: eIMs listed";
        OPEN_REFUSED = 4, "OPEN CHANNEL refused; detail: general result and additional information";
        SEND_REFUSED = 5, "SEND DATA refused; detail: general result and additional information";
        RECEIVE_REFUSED = 6, "RECEIVE DATA refused; detail: general result and additional information";
        NO_ANSWER = 7, "the eIM did not answer in time";
        LINK_LOST = 8, "the link was lost before the answer was complete";
        ES10 = 9, "the eUICC refused an ES10 command; detail: status word";
        ANSWER_BAD = 10, "the eIM's answer is not understood; detail: HTTP parser state and bytes";
        HTTP_STATUS = 11, "HTTP status other than 200; detail: status";
        EIM_CODE = 12, "the eIM answered an error code; detail: code";
        PACKAGE = 13, "a package was executed; detail: kind, and 1 if it changed the enabled profile";
        PACKAGE_REFUSED = 14, "the eUICC refused a package";
        PACKAGE_UNKNOWN = 15, "a package of an unknown kind";
        NOT_ACKNOWLEDGED = 16, "the eIM took a result without acknowledging it; detail: code, if any";
        REFRESH_REFUSED = 17, "REFRESH refused; detail: general result";
        REFRESH_NOT_FOLLOWED = 18, "REFRESH accepted, but no reset followed";
        ROLLBACK = 19, "the profile change was rolled back";
        ROLLBACK_REFUSED = 20, "ProfileRollback refused; detail: result code (1 rollbackNotAllowed, 5 catBusy)";
        CONFIRMED = 21, "the eIM has the result of the profile change or rollback";
        ROUNDS = 22, "too many requests in one session";
        RESULT_FOUND = 23, "an undelivered result was found after a restart";
        CONFIGURED = 24, "configuration stored";
        LOCKED = 25, "locked";
        UNLOCKED = 26, "unlocked";
        EUICC_ANSWER = 27, "the eUICC's answer is not understood; detail: query and scanner step";
        LOADED = 28, "a bound profile package was loaded; detail: kind (11 installed, 12 not) and the eUICC's error reason";
        TRIGGER_UNFIT = 29, "a download trigger without an activation code that this applet can carry out";
        ANSWER_UNFIT = 30, "a download's answer of the eIM can't be given to the eUICC, or has no answer; detail: request and scanner step";
        ENABLED = 31, "the downloaded profile was enabled at once";
        TAGS_UNKNOWN = 32, "an IPA eUICC data request asks for what this applet does not know";
    }
}
