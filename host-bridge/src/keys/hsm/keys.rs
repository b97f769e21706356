//! Key sets in a token.

use super::{Hsm, ObjectReference};
use applet_gen::gp::diversify::{Diversification, kdf3_input, needs_card};
use applet_gen::gp::scp03::crypto::{BLOCK, FINGERPRINT_TEXT};
use applet_gen::gp::scp03::{AesKey, CardKeys, CardKeysError, KeyRole, StaticKeys};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::ekdf::AesCbcDeriveParams;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use std::any::Any;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// A card's own keys, in a token.
pub struct HsmKeys {
    hsm: Arc<Hsm>,
    handles: [ObjectHandle; 3],
    length: usize,
    /// They were made for this card and are removed from the token with this value.
    temporary: bool,
}

impl HsmKeys {
    /// The keys that these references name.
    ///
    /// # Errors
    /// [`CardKeysError`]: not there, more than one, not of the same length.
    pub fn find(hsm: &Arc<Hsm>, references: &[ObjectReference; 3]) -> Result<Self, CardKeysError> {
        let (handles, length) = find_three(hsm, references)?;
        Ok(HsmKeys {
            hsm: Arc::clone(hsm),
            handles,
            length,
            temporary: false,
        })
    }

    fn handle(&self, role: KeyRole) -> ObjectHandle {
        of_role(self.handles, role)
    }
}

fn of_role([enc, mac, dek]: [ObjectHandle; 3], role: KeyRole) -> ObjectHandle {
    match role {
        KeyRole::Enc => enc,
        KeyRole::Mac => mac,
        KeyRole::Dek => dek,
    }
}

fn find_three(
    hsm: &Hsm,
    [enc, mac, dek]: &[ObjectReference; 3],
) -> Result<([ObjectHandle; 3], usize), CardKeysError> {
    let ((enc, a), (mac, b), (dek, c)) = (hsm.find(enc)?, hsm.find(mac)?, hsm.find(dek)?);
    match a == b && a == c {
        true => Ok(([enc, mac, dek], a)),
        false => Err(CardKeysError::Refused(format!(
            "the keys of a set have the same length, these have {a}, {b} and {c} bytes"
        ))),
    }
}

fn block(data: Vec<u8>) -> Result<[u8; BLOCK], CardKeysError> {
    let data = Zeroizing::new(data);
    data.as_slice().try_into().map_err(|_| {
        CardKeysError::Device(format!(
            "the token answered with {} bytes where 16 are due",
            data.len()
        ))
    })
}

impl Hsm {
    fn cmac(&self, key: ObjectHandle, data: &[u8]) -> Result<[u8; BLOCK], CardKeysError> {
        if !self.can(MechanismType::AES_CMAC) {
            return Err(CardKeysError::Refused(format!(
                "token {:?} has no CKM_AES_CMAC, which SCP03's session keys are made of",
                self.label()
            )));
        }
        block(self.with("CKM_AES_CMAC", |session| {
            session.sign(&Mechanism::AesCMac, key, data)
        })?)
    }

    fn encrypt_block(
        &self,
        key: ObjectHandle,
        data: [u8; BLOCK],
    ) -> Result<[u8; BLOCK], CardKeysError> {
        block(self.with("CKM_AES_ECB", |session| {
            session.encrypt(&Mechanism::AesEcb, key, &data)
        })?)
    }

    fn destroy(&self, key: ObjectHandle) {
        // Where the session is gone its objects are, too.
        let _ = self.with("C_DestroyObject", |session| session.destroy_object(key));
    }

    /// What a key of a card is allowed: its value does not leave the token, and it is gone with the session. PUT
    /// KEY takes it out encrypted under another card key of the token, which is what `Extractable` and
    /// `Wrap` are for; none of these keys decrypts, so that nothing in the token opens it again.
    fn template(length: usize, readable: bool) -> Vec<Attribute> {
        vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen((length as u64).into()),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(!readable),
            Attribute::Extractable(true),
            Attribute::Sign(true),
            Attribute::Encrypt(true),
            Attribute::Decrypt(false),
            Attribute::Wrap(true),
        ]
    }

    /// Unwraps three keys that came under a transport key. In the token; as values only where the operator
    /// allows it and `readable` asks for it.
    pub(in crate::keys) fn unwrap(
        self: &Arc<Self>,
        transport: ObjectHandle,
        mechanism: &Mechanism<'_>,
        wrapped: &[Vec<u8>; 3],
        length: usize,
        readable: bool,
    ) -> Result<Arc<dyn CardKeys>, CardKeysError> {
        if !self.can_unwrap(mechanism.mechanism_type()) {
            return Err(CardKeysError::Refused(format!(
                "token {:?} can't unwrap with {}: the vendor has to wrap in another way, or the transport key \
                 has to be one of a key file",
                self.label(),
                mechanism.mechanism_type()
            )));
        }
        let mut template = Self::template(length, readable);
        // C_UnwrapKey takes the length from what it unwraps.
        if !matches!(mechanism, Mechanism::AesCbc(_)) {
            template.retain(|attribute| !matches!(attribute, Attribute::ValueLen(_)));
        }
        let mut handles = Vec::new();
        for wrapped in wrapped {
            let unwrapped = self.with("C_UnwrapKey", |session| {
                session.unwrap_key(mechanism, transport, wrapped, &template)
            });
            match unwrapped {
                Ok(handle) => handles.push(handle),
                Err(e) => {
                    handles.into_iter().for_each(|handle| self.destroy(handle));
                    return Err(match e {
                        CardKeysError::Device(text) if text.contains("session") => {
                            CardKeysError::Device(text)
                        }
                        _ => CardKeysError::Refused(
                            "a wrapped key does not unwrap: it was wrapped under another transport key, or \
                             altered"
                                .to_owned(),
                        ),
                    });
                }
            }
        }
        let &[enc, mac, dek] = &handles[..] else {
            return Err(CardKeysError::Refused("three keys are due".to_owned()));
        };
        let keys = HsmKeys {
            hsm: Arc::clone(self),
            handles: [enc, mac, dek],
            length,
            temporary: true,
        };
        match readable {
            false => Ok(Arc::new(keys)),
            true => Ok(Arc::new(StaticKeys {
                enc: keys.read(KeyRole::Enc)?,
                mac: keys.read(KeyRole::Mac)?,
                dek: keys.read(KeyRole::Dek)?,
            })),
        }
    }

    /// The transport key of this reference.
    pub(in crate::keys) fn transport_key(
        &self,
        reference: &ObjectReference,
    ) -> Result<ObjectHandle, CardKeysError> {
        Ok(self.find(reference)?.0)
    }
}

impl HsmKeys {
    fn read(&self, role: KeyRole) -> Result<AesKey, CardKeysError> {
        let mut attributes = self.hsm.with("CKA_VALUE", |session| {
            session.get_attributes(self.handle(role), &[AttributeType::Value])
        })?;
        match attributes.first_mut() {
            Some(Attribute::Value(value)) => {
                let key = AesKey::new(value);
                value.zeroize();
                Ok(key?)
            }
            _ => Err(CardKeysError::Refused(
                "the token does not give the key's value".to_owned(),
            )),
        }
    }
}

impl Drop for HsmKeys {
    fn drop(&mut self) {
        if self.temporary {
            for handle in self.handles {
                self.hsm.destroy(handle);
            }
        }
    }
}

impl CardKeys for HsmKeys {
    fn key_length(&self) -> usize {
        self.length
    }

    fn cmac(&self, role: KeyRole, data: &[u8]) -> Result<[u8; BLOCK], CardKeysError> {
        self.hsm.cmac(self.handle(role), data)
    }

    fn encrypt_under_dek(&self, data: &mut [u8]) -> Result<(), CardKeysError> {
        let out = self.hsm.with("CKM_AES_CBC", |session| {
            session.encrypt(
                &Mechanism::AesCbc([0; BLOCK]),
                self.handle(KeyRole::Dek),
                data,
            )
        })?;
        if out.len() != data.len() {
            return Err(CardKeysError::Device(format!(
                "the token answered with {} bytes where {} are due",
                out.len(),
                data.len()
            )));
        }
        data.copy_from_slice(&out);
        Ok(())
    }

    fn value(&self, role: KeyRole) -> Result<AesKey, CardKeysError> {
        Err(CardKeysError::Refused(format!(
            "key {} is in token {:?} and does not leave it. PUT KEY takes it from the token where the card's \
             keys are there too, it came wrapped or by kdf3, and the token wraps with CKM_AES_CBC; else only with \
             --allow-keys-in-host",
            role.name(),
            self.hsm.label()
        )))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    /// In the token, where the other set is there too (CKM_AES_CBC of C_WrapKey fills the last block up with
    /// zeros, PKCS#11 3.0 2.10.5).
    fn encrypt_key(&self, new: &dyn CardKeys, role: KeyRole) -> Result<Vec<u8>, CardKeysError> {
        let inside = new.as_any().and_then(|any| any.downcast_ref::<HsmKeys>());
        let Some(inside) = inside.filter(|inside| Arc::ptr_eq(&inside.hsm, &self.hsm)) else {
            return self.encrypt_value(&new.value(role)?);
        };
        if !self.hsm.can_wrap_new_keys() {
            return self.encrypt_value(&new.value(role)?);
        }
        let (dek, key) = (self.handle(KeyRole::Dek), inside.handle(role));
        let refused = self.hsm.with("C_WrapKey", |session| {
            match session.wrap_key(&Mechanism::AesCbc([0; BLOCK]), dek, key) {
                Err(Error::Pkcs11(
                    code @ (RvError::KeyUnextractable
                    | RvError::KeyNotWrappable
                    | RvError::KeyFunctionNotPermitted
                    | RvError::WrappingKeyHandleInvalid),
                    _,
                )) => Ok(Err(code)),
                answer => answer.map(Ok),
            }
        })?;
        refused.map_err(|code| {
            CardKeysError::Refused(format!(
                "token {:?} does not give key {} out, not even under the card's Key-DEK ({code:?}): keys that the \
                 token keeps for good have to be CKA_EXTRACTABLE, the card's Key-DEK CKA_WRAP",
                self.hsm.label(),
                role.name()
            ))
        })
    }

    fn check_values(&self) -> Result<Option<[[u8; 3]; 3]>, CardKeysError> {
        let mut out = [[0; 3]; 3];
        for (out, handle) in out.iter_mut().zip(self.handles) {
            let answer = self.hsm.with("CKM_AES_ECB", |session| {
                match session.encrypt(&Mechanism::AesEcb, handle, &[1; BLOCK]) {
                    // A key for MACs only has no check value to show.
                    Err(Error::Pkcs11(RvError::KeyFunctionNotPermitted, _)) => Ok(None),
                    answer => answer.map(Some),
                }
            })?;
            let Some(answer) = answer else {
                return Ok(None);
            };
            let [a, b, c, ..] = block(answer)?;
            *out = [a, b, c];
        }
        Ok(Some(out))
    }

    fn fingerprints(&self) -> Result<Vec<[u8; BLOCK]>, CardKeysError> {
        self.handles
            .iter()
            .map(|&handle| self.hsm.cmac(handle, FINGERPRINT_TEXT))
            .collect()
    }
}

/// Master keys in a token, for kdf3.
pub struct HsmMaster {
    hsm: Arc<Hsm>,
    masters: [ObjectHandle; 3],
    length: usize,
}

impl HsmMaster {
    /// The masters that these references name; three times the same for one master.
    ///
    /// # Errors
    /// [`CardKeysError`]: not there, or a method that is not done in a token.
    pub fn find(
        hsm: &Arc<Hsm>,
        references: &[ObjectReference; 3],
        method: Diversification,
    ) -> Result<Self, CardKeysError> {
        if method != Diversification::Kdf3 {
            return Err(CardKeysError::Refused(format!(
                "diversify = {:?} is not done in an HSM, kdf3 is: triple DES would leave a DES key there",
                method.name()
            )));
        }
        let (masters, length) = find_three(hsm, references)?;
        if !(hsm.values_allowed() || length == BLOCK && hsm.can_derive()) {
            return Err(CardKeysError::Refused(format!(
                "token {:?} can't derive keys of {length} bytes by kdf3 without giving them out: that is done by \
                 CKM_AES_CBC_ENCRYPT_DATA with keys of 16 bytes; CKM_SP800_108_COUNTER_KDF is not used, as no \
                 token was there to prove it on. With \
                 --allow-keys-in-host each card's keys, never the master, are in this computer's memory \
                 while it is at work",
                hsm.label()
            )));
        }
        Ok(HsmMaster {
            hsm: Arc::clone(hsm),
            masters,
            length,
        })
    }

    /// A card's key that does not leave the token.
    ///
    /// The input of kdf3 is one block, whose CMAC is one encryption: of the block with the subkey K1 added
    /// (NIST SP 800-38B 6.2). A derivation by encryption gives the same as a key object.
    fn derive_inside(&self, role: KeyRole, data: &[u8; 10]) -> Result<ObjectHandle, CardKeysError> {
        let master = of_role(self.masters, role);
        let zero = Zeroizing::new(self.hsm.encrypt_block(master, [0; BLOCK])?);
        let mut input = u128::from_be_bytes(kdf3_input(1, role, data));
        let mut subkey = u128::from_be_bytes(*zero);
        subkey = (subkey << 1) ^ (0x87 * (subkey >> 127));
        input ^= subkey;
        subkey.zeroize();
        let input = Zeroizing::new(input.to_be_bytes());
        let params = AesCbcDeriveParams::new([0; BLOCK], &input[..]);
        let template = Hsm::template(BLOCK, false);
        self.hsm.with("CKM_AES_CBC_ENCRYPT_DATA", |session| {
            session.derive_key(&Mechanism::AesCbcEncryptData(params), master, &template)
        })
    }

    /// A card's key as a value, from the token's CMAC.
    fn derive_outside(&self, role: KeyRole, data: &[u8; 10]) -> Result<AesKey, CardKeysError> {
        let mut key = Zeroizing::new([0; 2 * BLOCK]);
        for (i, block) in key.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            *block = self.hsm.cmac(
                of_role(self.masters, role),
                &kdf3_input(i as u8 + 1, role, data),
            )?;
        }
        Ok(AesKey::new(key.get(..self.length).unwrap_or_default())?)
    }
}

impl CardKeys for HsmMaster {
    fn key_length(&self) -> usize {
        self.length
    }

    fn cmac(&self, _: KeyRole, _: &[u8]) -> Result<[u8; BLOCK], CardKeysError> {
        needs_card()
    }

    fn encrypt_under_dek(&self, _: &mut [u8]) -> Result<(), CardKeysError> {
        needs_card()
    }

    fn value(&self, _: KeyRole) -> Result<AesKey, CardKeysError> {
        needs_card()
    }

    fn check_values(&self) -> Result<Option<[[u8; 3]; 3]>, CardKeysError> {
        Ok(None)
    }

    fn fingerprints(&self) -> Result<Vec<[u8; BLOCK]>, CardKeysError> {
        self.masters
            .iter()
            .map(|&master| self.hsm.cmac(master, FINGERPRINT_TEXT))
            .collect()
    }

    fn of_card(
        &self,
        diversification: &[u8; 10],
    ) -> Result<Option<Arc<dyn CardKeys>>, CardKeysError> {
        // Where the operator allows values, they are had: PUT KEY of these keys needs them where the keys that
        // open the card are not in the same token.
        if self.hsm.values_allowed() {
            let key = |role| self.derive_outside(role, diversification);
            return Ok(Some(Arc::new(StaticKeys {
                enc: key(KeyRole::Enc)?,
                mac: key(KeyRole::Mac)?,
                dek: key(KeyRole::Dek)?,
            })));
        }
        let mut handles = Vec::new();
        for role in KeyRole::ALL {
            match self.derive_inside(role, diversification) {
                Ok(handle) => handles.push(handle),
                Err(e) => {
                    handles
                        .into_iter()
                        .for_each(|handle| self.hsm.destroy(handle));
                    return Err(e);
                }
            }
        }
        let &[enc, mac, dek] = &handles[..] else {
            return needs_card();
        };
        Ok(Some(Arc::new(HsmKeys {
            hsm: Arc::clone(&self.hsm),
            handles: [enc, mac, dek],
            length: self.length,
            temporary: true,
        })))
    }
}
