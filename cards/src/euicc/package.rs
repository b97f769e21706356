//! LoadEuiccPackage: verification, execution in order, the signed result (SGP.32 2.11, 3.3.1, 5.9.1).

use super::Euicc;
use super::choices::{
    SIZE_IS_CHECKED_LAST, TERMINATED_AFTER_FAILURE, UNREADABLE_EIM_ID, UPDATED_COUNTER_STANDS,
};
use super::es10::{Function, Refusal};
use super::psmo::Marks;
use super::state::{Eim, RollbackGrant, State, StoredResult};
use crate::pki::PublicKey;
use crate::pki::package::integer;
use applet_model::sgp::eim_config::EimConfigurationData;
use applet_model::sgp::euicc_package::{
    Eco, EuiccPackage, EuiccPackageRequest, EuiccPackageSigned, Psmo, association_token_object,
};
use applet_model::sgp::euicc_result::{
    DeleteEimResult, EuiccPackageErrorCode, EuiccResultData, ProcessingTerminated,
};
use applet_model::sgp::{Decode, Encode, TransactionId};
use applet_model::tlv;

/// `EuiccPackageRequest` and `EuiccPackageResult`.
pub(super) const EUICC_PACKAGE: u32 = 0xBF51;

/// The result of one operation, encoded.
pub(super) struct Done {
    bytes: Vec<u8>,
    ok: bool,
}

impl Done {
    /// A list that is answered as raw data objects, and whether it is one.
    pub(super) fn raw(bytes: Vec<u8>, ok: bool) -> Self {
        Done { bytes, ok }
    }
}

impl From<EuiccResultData> for Done {
    fn from(result: EuiccResultData) -> Self {
        let ok = result.is_ok();
        match result.to_der() {
            Ok(bytes) => Done { bytes, ok },
            // processingTerminated undefinedError(127): no value made here is that large.
            Err(_) => Done {
                bytes: tlv::write(0x02, &[127]),
                ok: false,
            },
        }
    }
}

/// One operation of a package.
enum Operation<'a> {
    Psmo(&'a Psmo),
    Eco(&'a Eco),
}

pub(super) fn terminated(reason: ProcessingTerminated) -> Done {
    EuiccResultData::ProcessingTerminated(reason).into()
}

/// eimId, counterValue and eimTransactionId, as every signed answer begins.
fn head(package: &EuiccPackageSigned) -> Vec<u8> {
    let mut head = tlv::write(0x80, package.eim_id.as_bytes());
    head.extend(tlv::write(0x81, &integer(package.counter_value)));
    if let Some(id) = &package.eim_transaction_id {
        head.extend(tlv::write(0x82, id.as_bytes()));
    }
    head
}

/// listEim's result as v1.0 has it: `eimIdType` is [4].
fn first_list(state: &State) -> Vec<u8> {
    let entry = |eim: &Eim| {
        let mut info = tlv::write(0x80, eim.eim_id.as_bytes());
        let data = EimConfigurationData::from_der(&eim.data).ok();
        if let Some(kind) = data.and_then(|data| data.eim_id_type) {
            info.extend(tlv::write(0x84, &integer(kind.code().unsigned_abs())));
        }
        tlv::write(0x30, &info)
    };
    let list: Vec<u8> = state.eims.iter().flat_map(entry).collect();
    tlv::write(0xAB, &tlv::write(0xA0, &list))
}

/// `euiccPackageErrorUnsigned`. Only v1.3 has a code in it.
fn unsigned_error(
    eim_id: &str,
    transaction: Option<&[u8]>,
    token: Option<u32>,
    code: Option<EuiccPackageErrorCode>,
) -> Function {
    let mut error = tlv::write(0x80, eim_id.as_bytes());
    if let Some(id) = transaction {
        error.extend(tlv::write(0x82, id));
    }
    if let Some(token) = token {
        error.extend(tlv::write(0x84, &integer(u64::from(token))));
    }
    if let Some(code) = code {
        error.extend(tlv::write(0x8F, &[code.code() as u8]));
    }
    Ok((tlv::write(EUICC_PACKAGE, &tlv::write(0xA2, &error)), None))
}

impl Euicc {
    /// The data object `data` (30…) signed for an eIM, in `EuiccPackageResult` under `choice` (A0 or A1). `ending` is what
    /// the signature's input ends with.
    pub(super) fn signed_result(
        &self,
        choice: u32,
        data: &[u8],
        ci_key_id: &[u8],
        ending: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let undefined = Refusal::Status(applet_model::status::Sw::EXECUTION_ERROR);
        let Some(credential) = self.credential(ci_key_id) else {
            return Err(undefined);
        };
        let Ok(signature) = credential.key.sign(&[data, ending].concat()) else {
            return Err(undefined);
        };
        let mut inner = data.to_vec();
        inner.extend(tlv::write(0x5F37, &signature));
        Ok(tlv::write(EUICC_PACKAGE, &tlv::write(choice, &inner)))
    }

    /// Stores a result; the oldest one makes room.
    pub(super) fn store_result(&self, state: &mut State, seq: u64, bytes: &[u8]) {
        state.results.push(StoredResult {
            seq,
            bytes: bytes.to_vec(),
        });
        let over = state.results.len().saturating_sub(self.limits().results);
        state.results.drain(..over);
    }

    /// ES10b.LoadEuiccPackage. `command` is the whole BF51 as received.
    pub(super) fn load_euicc_package(&mut self, command: &[u8]) -> Function {
        let too_large = command.len() > self.limits().package;
        if too_large && self.speaks(&|version| *version >= [1, 3, 0]) {
            return self.unreadable(command, Some(EuiccPackageErrorCode::SizeOverflow));
        }
        let Ok(request) = EuiccPackageRequest::from_der(command) else {
            return self.unreadable(command, None);
        };
        let package = &request.euicc_package_signed;
        let transaction = package
            .eim_transaction_id
            .as_ref()
            .map(TransactionId::as_bytes);
        let Some(eim) = self.state.eim(&package.eim_id).cloned() else {
            return unsigned_error(&package.eim_id, transaction, None, None);
        };
        let Some(ending) = self.signed_by(&eim, package.bytes(), request.eim_signature.as_bytes())
        else {
            return unsigned_error(&package.eim_id, transaction, eim.token, None);
        };
        let refused = if too_large && !SIZE_IS_CHECKED_LAST {
            Some(EuiccPackageErrorCode::SizeOverflow)
        } else if package.eid_value.0 != *self.eid.as_bytes() {
            Some(EuiccPackageErrorCode::InvalidEid)
        } else if package.counter_value > self.limits().counter {
            Some(EuiccPackageErrorCode::CounterValueOutOfRange)
        } else if package.counter_value <= eim.counter {
            Some(EuiccPackageErrorCode::ReplayError)
        } else if self.state.emergency() {
            Some(EuiccPackageErrorCode::EcallActive)
        } else if too_large {
            Some(EuiccPackageErrorCode::SizeOverflow)
        } else {
            None
        };
        if let Some(code) = refused {
            let mut data = head(package);
            data.extend(tlv::write(0x02, &[code.code() as u8]));
            let data = tlv::write(0x30, &data);
            return Ok((
                self.signed_result(0xA1, &data, &eim.ci_key_id, &ending)?,
                None,
            ));
        }
        self.execute_package(package.value(), &eim, &ending)
    }

    /// Whether a package is signed by this eIM, in a version that this eUICC speaks; gives what the input of the answer's
    /// signature ends with: from v1.1 on the association token, as the package's own did (SGP.32 2.11.1.1, 2.11.2.1); in
    /// v1.0, whose eIM signed the package alone, the eIM's signature.
    fn signed_by(&self, eim: &Eim, signed: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        let key = PublicKey::from_spki(&eim.key).ok()?;
        let token = association_token_object(eim.token.map(i64::from));
        if self.speaks(&|version| *version >= [1, 1, 0])
            && key.verify(&[signed, &token].concat(), signature)
        {
            return Some(token);
        }
        let first = self.speaks(&|version| *version < [1, 1, 0]) && key.verify(signed, signature);
        first.then(|| tlv::write(0x5F37, signature))
    }

    /// The answer to what can't be decoded, or is too large to be: what can still be read of it is echoed.
    fn unreadable(&self, command: &[u8], code: Option<EuiccPackageErrorCode>) -> Function {
        let signed = tlv::path(command, &[EUICC_PACKAGE, 0x30]).ok();
        let field = |tag| signed.and_then(|s| s.find(tag).ok().flatten());
        let eim_id = field(0x80)
            .and_then(|t| String::from_utf8(t.value.to_vec()).ok())
            .unwrap_or_else(|| UNREADABLE_EIM_ID.to_owned());
        let transaction = field(0x82)
            .map(|t| t.value)
            .filter(|id| (1..=16).contains(&id.len()));
        let token = self.state.eim(&eim_id).and_then(|e| e.token);
        unsigned_error(&eim_id, transaction, token, code)
    }

    /// Executes a package that was accepted: operations in order up to the first that fails, then the result, the
    /// counter and the switch, all in one new state.
    fn execute_package(
        &mut self,
        package: &EuiccPackageSigned,
        eim: &Eim,
        ending: &[u8],
    ) -> Function {
        let mut state = self.state.clone();
        // Accepting a package withdraws an earlier grant.
        state.rollback = None;
        let previous = state.enabled().map(|p| p.iccid);
        let mut marks = Marks::default();
        let mut counter_set = false;
        let mut results = Vec::new();
        let (psmos, ecos): (&[_], &[_]) = match &package.euicc_package {
            EuiccPackage::PsmoList(list) => (list, &[]),
            EuiccPackage::EcoList(list) => (&[], list),
        };
        let operations = psmos
            .iter()
            .map(Operation::Psmo)
            .chain(ecos.iter().map(Operation::Eco));
        for operation in operations {
            let mut done = match operation {
                Operation::Psmo(op) => self.psmo(op, &mut state, &mut marks),
                Operation::Eco(op) => self.eco(op, &mut state, &eim.eim_id, &mut counter_set),
            };
            if results.len() + done.bytes.len() > self.limits().result {
                done = terminated(ProcessingTerminated::ResultSizeOverflow);
            }
            results.extend(&done.bytes);
            if !done.ok {
                if TERMINATED_AFTER_FAILURE && done.bytes.first() != Some(&0x02) {
                    results.extend(terminated(ProcessingTerminated::Interruption).bytes);
                }
                break;
            }
        }

        // The counter is stored after the execution, if the eIM is still there.
        let stands = counter_set && UPDATED_COUNTER_STANDS;
        if let Some(entry) = state.eims.iter_mut().find(|e| e.eim_id == eim.eim_id)
            && !stands
        {
            entry.counter = package.counter_value;
        }

        let head = head(package);
        let seq = state.take_seq();
        let data = result_data(&head, seq, &results);
        let answer = self.signed_result(0xA0, &data, &eim.ci_key_id, ending)?;
        self.store_result(&mut state, seq, &answer);

        // Step 8b: the switch, after the result is made.
        if let Some(enable) = &marks.enable {
            if let (true, Some(previous)) = (enable.rollback, previous) {
                state.rollback = Some(RollbackGrant {
                    previous,
                    enabled: enable.iccid,
                    eim_id: eim.eim_id.clone(),
                    ci_key_id: eim.ci_key_id.clone(),
                    ending: ending.to_vec(),
                    head,
                    results,
                    result_seq: seq,
                });
            }
            self.switch(&mut state, Some(enable.iccid));
        } else if marks.disable.is_some() {
            self.switch(&mut state, None);
        }
        Ok((answer, Some(state)))
    }

    /// Executes an eIM configuration operation. `counter_set` becomes true when it gives the commanding eIM a counter.
    fn eco(&self, op: &Eco, state: &mut State, commander: &str, counter_set: &mut bool) -> Done {
        match op {
            Eco::AddEim(data) => {
                let done: Done = EuiccResultData::AddEimResult(self.add_eim(state, data)).into();
                *counter_set |= done.ok && data.eim_id == commander;
                done
            }
            Eco::UpdateEim(data) => {
                let done: Done =
                    EuiccResultData::UpdateEimResult(self.update_eim(state, data)).into();
                *counter_set |= done.ok && data.eim_id == commander && data.counter_value.is_some();
                done
            }
            Eco::DeleteEim(op) => {
                let result: DeleteEimResult = Self::delete_eim(state, &op.eim_id);
                EuiccResultData::DeleteEimResult(result).into()
            }
            Eco::ListEim(_) if self.speaks_first_version() => Done::raw(first_list(state), true),
            Eco::ListEim(_) => EuiccResultData::ListEimResult(Self::list_eim(state)).into(),
            Eco::Unknown(_) => terminated(ProcessingTerminated::UnknownOrDamagedCommand),
        }
    }
}

/// `EuiccPackageResultDataSigned`.
pub(super) fn result_data(head: &[u8], seq: u64, results: &[u8]) -> Vec<u8> {
    let mut data = head.to_vec();
    data.extend(tlv::write(0x83, &integer(seq)));
    data.extend(tlv::write(0x30, results));
    tlv::write(0x30, &data)
}
