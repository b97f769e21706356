//! ProfileRollback: back to the profile that was enabled before, and a result that says so (SGP.32 3.3.2, 5.9.16).

use super::Euicc;
use super::choices::ROLLBACK_REPEATS_RESULTS;
use super::es10::Function;
use super::local::refresh_flag;
use super::package::result_data;
use applet_model::sgp::es10::ProfileRollbackResult;
use applet_model::tlv::{self, Tlv};

impl Euicc {
    /// ES10b.ProfileRollback. Once for a grant: it is used up. The new result replaces the package's own; it
    /// keeps eimId, counter and transaction. Both profiles' notifications say what happened.
    pub(super) fn profile_rollback(&mut self, request: &Tlv<'_>) -> Function {
        let refuse = |code: ProfileRollbackResult| {
            Ok((
                tlv::write(0xBF58, &tlv::write(0x02, &[code.code() as u8])),
                None,
            ))
        };
        let Ok(refresh) = refresh_flag(request, 0x80) else {
            return refuse(ProfileRollbackResult::CommandError);
        };
        let Some(grant) = self
            .state
            .rollback
            .clone()
            .filter(|_| !self.state.emergency())
        else {
            return refuse(ProfileRollbackResult::RollbackNotAllowed);
        };
        if self.cat_is_busy() {
            return refuse(ProfileRollbackResult::CatBusy);
        }
        let mut state = self.state.clone();
        state.rollback = None;
        state.results.retain(|r| r.seq != grant.result_seq);
        // rollbackResult ok(0).
        let rolled_back = tlv::write(0x8C, &[0]);
        let results = if ROLLBACK_REPEATS_RESULTS {
            [grant.results, rolled_back].concat()
        } else {
            rolled_back
        };
        let seq = state.take_seq();
        let data = result_data(&grant.head, seq, &results);
        let result = self.signed_result(0xA0, &data, &grant.ci_key_id, &grant.ending)?;
        self.store_result(&mut state, seq, &result);
        self.switch(&mut state, Some(grant.previous));
        self.at_once = !refresh;
        let mut answer = tlv::write(0x02, &[0]);
        answer.extend(result);
        Ok((tlv::write(0xBF58, &answer), Some(state)))
    }
}
