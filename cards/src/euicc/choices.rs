//! Where the specification's text is not known for sure, what this eUICC does: each doubt once, with a
//! name, so that another reading is one change here.

/// Code of an `enable` that follows another `enable` in the same package. SGP.32 3.4.1 makes it fail; no
/// code of its own is listed, so `undefinedError(127)`.
pub const SECOND_ENABLE: u8 = 127;

/// Whether `delete` looks at a profile's state as marked by earlier operations of the same package
/// (true), or as it was before the package (false). Enable and disable only mark (3.4.1, 3.4.2),
/// but 3.4.3 has a code for "this profile is the rollback's target", and the grant ends with the next package:
/// the code can only be met if a profile marked to be disabled passes the state check.
pub const DELETE_SEES_MARKS: bool = true;

/// Whether the result of a rollback repeats the package's own results before `rollbackResult` (true), or
/// holds `rollbackResult` alone (false). It replaces the result that was not delivered (5.9.16),
/// and the eIM would otherwise never learn what the other operations of the package did.
pub const ROLLBACK_REPEATS_RESULTS: bool = true;

/// Whether processingTerminated follows the result of an operation that failed (true) or is only for operations
/// that could not be understood (false). Sources differ; an eIM tolerates both (3.3.1 step 5).
pub const TERMINATED_AFTER_FAILURE: bool = false;

/// The `eimId` echoed in `euiccPackageErrorUnsigned` when the package is damaged so much that none can be read.
pub const UNREADABLE_EIM_ID: &str = "";

/// Status word for functions that this eUICC doesn't have, or not for the one who asks. SGP.22 5.7.1 gives "referenced data not found" for a data object that isn't supported; a
/// function's own `undefinedError` would say that it is there and failed.
pub const NOT_SUPPORTED: applet_model::status::Sw =
    applet_model::status::Sw::REFERENCED_DATA_NOT_FOUND;

/// Whether `sizeOverflow(15)` comes after the checks of EID and counter (true) or before them (false). In either case
/// eimId and signature come first: it is a signed error, and an eUICC must know whom it answers.
pub const SIZE_IS_CHECKED_LAST: bool = true;

/// Whether a `counterValue` that updateEim gives to the very eIM whose package is being executed stands (true), or is
/// overwritten by the package's counter, which is stored after execution (false).
pub const UPDATED_COUNTER_STANDS: bool = true;

/// Whether RetrieveNotificationsList by `seqNumber` also finds eUICC package results (true): they share
/// the counter (2.11.2), and a result found this way is answered in `euiccPackageResultList` (A2).
pub const SEQ_NUMBER_FINDS_RESULTS: bool = true;

/// Whether SetNickname with an empty text removes the nickname (SGP.22 5.7.21).
pub const EMPTY_NICKNAME_REMOVES: bool = true;

/// Data objects that listProfileInfo returns without a tag list, as SGP.32 2.11.1.1.3 (one source).
pub const LIST_PROFILE_INFO_TAGS: &[u32] =
    &[0x5A, 0x4F, 0x9F70, 0x91, 0x92, 0x95, 0x9F7B, 0x9F26, 0x9F67];

/// Data objects that ES10c.GetProfilesInfo returns without a tag list: SGP.22 5.7.15's, which has nickname and
/// icon beside those above.
pub const GET_PROFILES_INFO_TAGS: &[u32] = &[
    0x5A, 0x4F, 0x9F70, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x9F7B, 0x9F26, 0x9F67,
];

/// Whether `enabledProfile(1)` in the SELECT response (`euiccConfiguration`, E1) follows the state: read here as "a
/// profile is enabled". One vendor's card answers C0 with a profile enabled; what it answers without one isn't
/// known (SGP.32 5.9.2). With false the bit is never set.
pub const FCI_SHOWS_ENABLED_PROFILE: bool = true;

/// Whether a server certificate without an object identifier in its subject alternative name is `invalidOid(5)` (true) or
/// `invalidCertificate(1)` (false): SGP.22 5.7.13 lists the code and not its cause.
pub const MISSING_OID_IS_INVALID_OID: bool = true;

/// Whether `hashCc` is repeated in `euiccSigned2` only if the SM-DP+ asked for a confirmation code (SGP.22 5.7.5). If it is
/// missing where it was asked for, the SM-DP+ refuses it (confirmationCodeMissing).
pub const HASH_CC_ONLY_IF_ASKED: bool = true;

/// Whether a profile with PPR1 is refused while another operational profile is installed (SGP.22 2.9.3.1 asks
/// the LPA to; an IPA may be less careful).
pub const PPR1_WANTS_NO_OTHER_PROFILE: bool = true;

/// Whether the end of an emergency call is told to the notification receivers of both profiles (true) or to nobody
/// (false). SGP.32 5.9.22 forbids it for the beginning and 5.9.23 allows it for the end.
pub const EMERGENCY_IS_NOTIFIED: bool = true;

/// Whether disabling a test profile enables the profile again that was enabled before it (SGP.22 3.2.2).
pub const DISABLED_TEST_PROFILE_GIVES_BACK: bool = true;
