//! What opens a card, and what it gets in its place.

use super::Work;
use super::session::Session;
use crate::exit::{self, ExitCode};
use crate::gp::{Authentication, Domain, GpError, Notice};
use crate::journal::Rotation;
use crate::order::KeySet;
use crate::personalize::{Event, PersonalizeError};
use applet_gen::gp::put_key::{expected_answer, put_key_set};
use applet_gen::gp::scp03::CardKeysError;

/// The secure channel with the keys that the card has.
///
/// Where the journal has a PUT KEY that was begun, the new set is compared first, then the old one: the
/// card's cryptogram in the response to INITIALIZE UPDATE tells, and EXTERNAL AUTHENTICATE goes out only
/// with the set that fits. No try is spent on finding out.
pub(super) fn open(
    session: &mut Session<'_>,
    work: &mut Work<'_, '_>,
) -> Result<(), PersonalizeError> {
    let row = work.task.row;
    if let Some(new) = &row.new_keys
        && let Some(begun) = work.task.journal.rotation(&work.eid)?
    {
        match session.authenticate(work, new) {
            Ok(()) => {
                session.rotated = true;
                return Ok(());
            }
            Err(error) if error.exit() == exit::WRONG_KEYS && !begun.confirmed => {}
            Err(error) => return Err(error),
        }
    }
    session.authenticate(work, &row.keys)
}

pub(super) fn of_keys(set: &str) -> impl Fn(CardKeysError) -> PersonalizeError {
    let set = set.to_owned();
    move |source| {
        PersonalizeError::Gp(GpError::Scp {
            set: set.clone(),
            source: source.into(),
        })
    }
}

/// Gives the card the order's new keys in place of those that opened the channel. What it is to get is
/// in the journal before PUT KEY goes out, so that a card never has keys that nobody can name.
pub(super) fn rotate(
    session: &mut Session<'_>,
    work: &mut Work<'_, '_>,
    new: &KeySet,
) -> Result<((), String), PersonalizeError> {
    let journal = work.task.journal;
    if session.rotated {
        if let Some(mut rotation) = journal.rotation(&work.eid)? {
            rotation.confirmed = true;
            journal.set_rotation(&work.eid, &rotation)?;
        }
        return Ok(((), "the card has them since an earlier run".to_owned()));
    }
    let isd = session.secure(work)?;
    let Some(current) = isd.key_set().cloned() else {
        return Err(PersonalizeError::Interrupted);
    };
    let failed = of_keys(&new.name);
    let own = new.of_card(isd.diversification()).map_err(&failed)?;
    let put = put_key_set(current.kvn, own.kvn, &*own.keys, &*current.keys).map_err(&failed)?;
    let expected = expected_answer(own.kvn, &*own.keys).map_err(&failed)?;
    let mut rotation = Rotation {
        from: current.name,
        from_kvn: current.kvn,
        to: own.name.clone(),
        to_kvn: own.kvn,
        check_values: own.check_values().map_err(&failed)?,
        source: format!("line {} of the order", work.task.row.line),
        confirmed: false,
    };
    journal.set_rotation(&work.eid, &rotation)?;
    let answer = isd.send("PUT KEY (the order's new key set)", &put)?;
    if answer != expected {
        return Err(PersonalizeError::Verify {
            what: "key version and check values in the answer to PUT KEY".to_owned(),
            expected: hex::encode_upper(expected),
            found: hex::encode_upper(answer),
        });
    }
    session.authenticate(work, new)?;
    rotation.confirmed = true;
    journal.set_rotation(&work.eid, &rotation)?;
    let detail = format!("key set {}, version {:02X}", rotation.to, rotation.to_kvn);
    Ok(((), detail))
}

/// The secure channel, one attempt; what it tells goes to the run's observer.
pub(super) fn authenticate(
    isd: &mut Domain<'_>,
    work: &mut Work<'_, '_>,
    set: &KeySet,
) -> Result<(), PersonalizeError> {
    let options = work.options;
    let observer = &mut *work.observer;
    let attempts = options.attempts();
    let mut how = Authentication {
        level: None,
        attempts: Some(&attempts),
        random: &mut |bytes| (options.random)(bytes),
        observer: &mut |notice| {
            observer(&match notice.clone() {
                Notice::KeySet {
                    name,
                    kvn,
                    check_values,
                } => Event::KeySet {
                    name,
                    kvn,
                    check_values,
                },
                Notice::KeysFit => Event::KeysFit,
            })
        },
    };
    Ok(isd.authenticate(set, &mut how)?)
}
