//! Elliptic curves over prime fields (FIPS 186-4 D.1.2, RFC 5639 3): their domain parameters, and what keys on
//! them do.

use crate::definition::Curve;

/// How many domain parameters the setters of `ECKey` set, K aside: field, A, B, G, R.
pub(crate) const PARAMETERS: usize = 5;

/// A curve as `ECKey` knows it.
pub(crate) struct Domain {
    pub curve: Curve,
    /// KeyBuilder.LENGTH_EC_FP_*.
    pub bits: i16,
    /// Field, A, B, G (uncompressed), R in hexadecimal; the cofactor K is 1.
    parameters: [&'static str; PARAMETERS],
}

/// Of curves of one size, the first that a card has is the default of `KeyPair.genKeyPair`.
pub(crate) const DOMAINS: [Domain; 5] = [
    Domain {
        curve: Curve::P256,
        bits: 256,
        parameters: [
            "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
            "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC",
            "5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B",
            "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
            "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
        ],
    },
    Domain {
        curve: Curve::P384,
        bits: 384,
        parameters: [
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC",
            "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
            "04AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB73617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F",
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        ],
    },
    Domain {
        curve: Curve::P521,
        bits: 521,
        parameters: [
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC",
            "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
            "0400C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650",
            "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        ],
    },
    Domain {
        curve: Curve::BrainpoolP256r1,
        bits: 256,
        parameters: [
            "A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377",
            "7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9",
            "26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6",
            "048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997",
            "A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7",
        ],
    },
    Domain {
        curve: Curve::BrainpoolP384r1,
        bits: 384,
        parameters: [
            "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123ACD3A729901D1A71874700133107EC53",
            "7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826",
            "04A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11",
            "041D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C5315",
            "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565",
        ],
    },
];

impl Domain {
    /// The table's entry.
    pub fn of(curve: Curve) -> Option<&'static Domain> {
        DOMAINS.iter().find(|domain| domain.curve == curve)
    }

    /// A domain parameter by its index in [`Domain::parameters`].
    pub fn parameter(&self, index: usize) -> Vec<u8> {
        let text = self.parameters.get(index);
        text.and_then(|text| hex::decode(text).ok())
            .unwrap_or_default()
    }

    /// Bytes of a coordinate.
    pub fn bytes(&self) -> usize {
        usize::from(self.bits.unsigned_abs()).div_ceil(8)
    }
}

/// The operations on one curve, with the hash of its strength for the nonces of RFC 6979.
macro_rules! operations {
    ($name:ident, $curve:ty, $hash:ty) => {
        mod $name {
            use ecdsa::Signature;
            use ecdsa::hazmat::{sign_prehashed_rfc6979, verify_prehashed};
            use p256::elliptic_curve::sec1::ToSec1Point;
            use p256::elliptic_curve::{ProjectivePoint, PublicKey, SecretKey};

            type Projective = ProjectivePoint<$curve>;

            pub fn public(scalar: &[u8]) -> Option<Vec<u8>> {
                let public = SecretKey::<$curve>::from_slice(scalar).ok()?.public_key();
                Some(public.to_sec1_point(false).as_bytes().to_vec())
            }

            pub fn is_point(point: &[u8]) -> bool {
                PublicKey::<$curve>::from_sec1_bytes(point).is_ok()
            }

            pub fn sign(scalar: &[u8], hash: &[u8], plain: bool) -> Option<Vec<u8>> {
                let key = SecretKey::<$curve>::from_slice(scalar).ok()?;
                let scalar = key.to_nonzero_scalar();
                let (signature, _) = sign_prehashed_rfc6979::<$curve, $hash>(&scalar, hash, &[]);
                Some(match plain {
                    true => signature.to_bytes().to_vec(),
                    false => signature.to_der().as_bytes().to_vec(),
                })
            }

            pub fn verify(point: &[u8], hash: &[u8], signature: &[u8], plain: bool) -> bool {
                let signature = match plain {
                    true => Signature::<$curve>::from_slice(signature),
                    false => Signature::<$curve>::from_der(signature),
                };
                let key = PublicKey::<$curve>::from_sec1_bytes(point);
                let (Ok(signature), Ok(key)) = (signature, key) else {
                    return false;
                };
                verify_prehashed(&Projective::from(*key.as_affine()), hash, &signature).is_ok()
            }

            pub fn agree(scalar: &[u8], point: &[u8]) -> Option<Vec<u8>> {
                let key = SecretKey::<$curve>::from_slice(scalar).ok()?;
                let point = PublicKey::<$curve>::from_sec1_bytes(point).ok()?;
                let shared = Projective::from(*point.as_affine()) * *key.to_nonzero_scalar();
                let shared = PublicKey::<$curve>::from_affine(shared.to_affine()).ok()?;
                Some(shared.to_sec1_point(false).as_bytes().to_vec())
            }
        }
    };
}

operations!(nist256, p256::NistP256, sha2::Sha256);
operations!(nist384, p384::NistP384, sha2::Sha384);
operations!(nist521, p521::NistP521, sha2::Sha512);
operations!(brainpool256, bp256::BrainpoolP256r1, sha2::Sha256);
operations!(brainpool384, bp384::BrainpoolP384r1, sha2::Sha384);

/// Calls an operation of the curve.
macro_rules! on {
    ($curve:expr, $operation:ident($($argument:expr),*)) => {
        match $curve {
            Curve::P256 => nist256::$operation($($argument),*),
            Curve::P384 => nist384::$operation($($argument),*),
            Curve::P521 => nist521::$operation($($argument),*),
            Curve::BrainpoolP256r1 => brainpool256::$operation($($argument),*),
            Curve::BrainpoolP384r1 => brainpool384::$operation($($argument),*),
        }
    };
}

/// The uncompressed point of a scalar; `None` if it is not between 1 and the order.
pub(crate) fn public_of(curve: Curve, scalar: &[u8]) -> Option<Vec<u8>> {
    on!(curve, public(scalar))
}

/// True for a point of the curve, uncompressed.
pub(crate) fn is_point(curve: Curve, point: &[u8]) -> bool {
    point.first() == Some(&4) && on!(curve, is_point(point))
}

/// An ECDSA signature of a hash, in DER or plain (r and s).
pub(crate) fn sign(curve: Curve, scalar: &[u8], hash: &[u8], plain: bool) -> Option<Vec<u8>> {
    let hash = filled(curve, hash);
    on!(curve, sign(scalar, &hash, plain))
}

/// Whether the signature is right.
pub(crate) fn verify(
    curve: Curve,
    point: &[u8],
    hash: &[u8],
    signature: &[u8],
    plain: bool,
) -> bool {
    let hash = filled(curve, hash);
    on!(curve, verify(point, &hash, signature, plain))
}

/// The shared point of ECDH, uncompressed.
pub(crate) fn agree(curve: Curve, scalar: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    if point.first() != Some(&4) {
        return None;
    }
    on!(curve, agree(scalar, point))
}

/// A hash that is shorter than the order is a number as it stands (FIPS 186-4 6.4): zeros in front.
fn filled(curve: Curve, hash: &[u8]) -> Vec<u8> {
    let bytes = Domain::of(curve).map_or(0, Domain::bytes);
    let mut filled = vec![0; bytes.saturating_sub(hash.len())];
    filled.extend_from_slice(hash);
    filled
}
