//! The named checks that a card definition has to pass.

use super::{Algorithm, Definition, Es10Binding, Use};
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::scp03::{AesKey, SecurityLevel};
use applet_model::atr::Atr;
use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

/// A check: its name, what it asks for, and what it found wrong.
pub struct Check {
    /// Name, as findings carry it.
    pub name: &'static str,
    /// What has to hold.
    pub asks: &'static str,
    /// What is wrong, in words; nothing if it holds.
    run: fn(&Definition) -> Vec<String>,
}

/// Something that a check found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.message)
    }
}

/// Keys that stand in public manuals and tools: first byte of sixteen that count up.
const PUBLIC_KEY_STARTS: [u8; 5] = [0x00, 0x10, 0x20, 0x30, 0x40];

/// True for keys that everyone knows: the ones that count up from 00, 10, 20, 30 or 40 (404142…4F is
/// GlobalPlatform's own example), and sixteen equal bytes, at any AES length.
///
/// It goes by [`AesKey::fingerprint`], which is to be had of keys in an HSM too; check values are too
/// short for orders of many thousand keys.
pub fn is_public_test_key(fingerprint: &[u8; 16]) -> bool {
    static KNOWN: OnceLock<HashSet<[u8; 16]>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let mut known = HashSet::new();
        for length in [16, 24, 32] {
            let counting = PUBLIC_KEY_STARTS.iter().flat_map(|&start| {
                let repeated = (0..length).map(move |i| start + (i % 16) as u8);
                let further = (0..length).map(move |i| start + i as u8);
                [repeated.collect::<Vec<u8>>(), further.collect()]
            });
            let equal = (0..=0xFF).map(|byte: u8| vec![byte; length]);
            let keys = counting
                .chain(equal)
                .filter_map(|bytes| AesKey::new(&bytes).ok());
            known.extend(keys.map(|key| key.fingerprint()));
        }
        known
    });
    known.contains(fingerprint)
}

/// Every check.
pub const CHECKS: &[Check] = &[
    Check {
        name: "format",
        asks: "the form's version is 1",
        run: |d| {
            unless(d.format == 1, || {
                format!("format is {}, these tools know 1", d.format)
            })
        },
    },
    Check {
        name: "files",
        asks: "the files can be made: paths, sizes, records, access rules",
        run: |d| {
            crate::fs::FileSystems::new(d.file_system.as_ref())
                .err()
                .map(|error| error.to_string())
                .into_iter()
                .collect()
        },
    },
    Check {
        name: "names",
        asks: "EUM and product are not empty",
        run: |d| {
            unless(
                !d.eum.trim().is_empty() && !d.product.trim().is_empty(),
                || "eum and product must not be empty".to_owned(),
            )
        },
    },
    Check {
        name: "atr",
        asks: "the ATR has 2 to 33 bytes and starts with 3B or 3F (ISO/IEC 7816-3 8.2)",
        run: |d| {
            let atr = d.atr.bytes();
            unless(
                (2..=33).contains(&atr.len()) && matches!(atr.first(), Some(0x3B | 0x3F)),
                || format!("{} is no answer to reset", d.atr),
            )
        },
    },
    Check {
        name: "atr-check-byte",
        asks: "if the ATR offers a protocol other than T=0, its bytes from T0 on add up to zero by XOR (ISO/IEC 7816-3 8.2.5)",
        run: |d| {
            // A UICC's ATR names T=15 or T=1 and so carries TCK.
            let sum = d.atr.bytes().iter().skip(1).fold(0, |a, b| a ^ b);
            unless(sum == 0, || format!("{}: TCK is wrong by {sum:02X}", d.atr))
        },
    },
    Check {
        name: "aids",
        asks: "every AID has 5 to 16 bytes (ISO/IEC 7816-4 12.2.3)",
        run: |d| {
            let of_euicc = d
                .euicc
                .iter()
                .flat_map(|euicc| [("euicc.isd_r", &euicc.isd_r), ("euicc.ecasd", &euicc.ecasd)]);
            let named = core::iter::once(("isd.aid", &d.isd.aid)).chain(of_euicc);
            let packages = d.java_card.packages.iter();
            named
                .chain(packages.map(|p| (p.name.as_str(), &p.aid)))
                .filter(|(_, aid)| !(5..=16).contains(&aid.bytes().len()))
                .map(|(name, aid)| format!("{name}: AID {aid} has {} bytes", aid.bytes().len()))
                .collect()
        },
    },
    Check {
        name: "packages",
        asks: "no package stands twice, and what every applet imports is there",
        run: |d| {
            let packages = &d.java_card.packages;
            let twice = packages.iter().enumerate().filter_map(|(i, p)| {
                let again = packages
                    .iter()
                    .take(i)
                    .any(|q| q.aid == p.aid || q.name == p.name);
                again.then(|| format!("{} stands twice", p.name))
            });
            let missing = [
                "java/lang",
                "javacard/framework",
                "uicc/toolkit",
                "uicc/access",
            ]
            .into_iter()
            .filter(|name| !packages.iter().any(|p| p.name == *name))
            .map(|name| format!("{name} is missing"));
            twice.chain(missing).collect()
        },
    },
    Check {
        name: "algorithms",
        asks: "an algorithm's API package is there, ECDSA and ECDH have a curve, AEAD ciphers their API version",
        run: |d| {
            let j = &d.java_card;
            let minor = |name: &str| j.packages.iter().find(|p| p.name == name).map(|p| p.minor);
            let (security, crypto) = (minor("javacard/security"), minor("javacardx/crypto"));
            let named = |a: &Algorithm| serde_json::to_value(a).unwrap_or_default().to_string();
            let wrong = |a: &&Algorithm| match a {
                Algorithm::Aes | Algorithm::AesCtr | Algorithm::Des => crypto.is_none(),
                Algorithm::AesGcm | Algorithm::AesCcm => crypto.is_none_or(|minor| minor < 6),
                Algorithm::EcdsaSha1
                | Algorithm::EcdsaSha224
                | Algorithm::EcdsaSha256
                | Algorithm::EcdsaSha384
                | Algorithm::EcdsaSha512
                | Algorithm::Ecdh => security.is_none() || j.curves.is_empty(),
                _ => security.is_none(),
            };
            j.algorithms
                .iter()
                .filter(wrong)
                .map(|a| {
                    format!(
                        "{} needs a package (version) or a curve that is not listed",
                        named(a)
                    )
                })
                .collect()
        },
    },
    Check {
        name: "scp03-i",
        asks: "bits of the parameter i are those of Amendment D table 5-1",
        run: |d| {
            let i = d.isd.scp03.i;
            unless(i & 0x8E == 0 && i & 0x60 != 0x40, || {
                format!("i = {i:02X} has reserved bits or R-ENCRYPTION without R-MAC")
            })
        },
    },
    Check {
        name: "scp03-level",
        asks: "the personalization level exists, has C-MAC, and i supports it",
        run: |d| {
            let scp = &d.isd.scp03;
            match SecurityLevel::from_byte(scp.level) {
                Some(level) => unless(
                    level.c_mac()
                        && (!level.r_mac() || scp.i & 0x20 != 0)
                        && (!level.r_enc() || scp.i & 0x60 == 0x60),
                    || format!("level {level} is not possible with i = {:02X}", scp.i),
                ),
                None => vec![format!("{:02X} is no security level", scp.level)],
            }
        },
    },
    Check {
        name: "scp03-keys",
        asks: "the key length is AES's and the key version is in SCP03's range 30 to 3F, or FF (initial keys)",
        run: |d| {
            let scp = &d.isd.scp03;
            let mut out = unless(matches!(scp.key_length, 16 | 24 | 32), || {
                format!("key_length {} is not 16, 24 or 32", scp.key_length)
            });
            out.extend(unless(matches!(scp.kvn, 0x30..=0x3F | 0xFF), || {
                format!("kvn {:02X} is outside 30 to 3F, and not FF", scp.kvn)
            }));
            if let Some(keys) = &scp.test_keys {
                for (name, key) in [("enc", &keys.enc), ("mac", &keys.mac), ("dek", &keys.dek)] {
                    out.extend(unless(
                        key.bytes().len() == usize::from(scp.key_length),
                        || {
                            format!(
                                "test_keys.{name} has {} bytes, key_length is {}",
                                key.bytes().len(),
                                scp.key_length
                            )
                        },
                    ));
                    // A definition is public: a key in it must be one that is no secret.
                    let public = AesKey::new(key.bytes())
                        .is_ok_and(|key| is_public_test_key(&key.fingerprint()));
                    out.extend(unless(public, || {
                        format!("test_keys.{name} is not a public test key: keys don't belong into a definition")
                    }));
                }
            }
            out
        },
    },
    Check {
        name: "production-keys",
        asks: "a production definition states no keys",
        run: |d| {
            unless(
                d.use_ == Use::Lab || d.isd.scp03.test_keys.is_none(),
                || "use is production, but test_keys are stated".to_owned(),
            )
        },
    },
    Check {
        name: "security-domains",
        asks: "security domains: 1 or more, with AIDs and privileges that there are",
        run: |d| {
            let Some(domains) = &d.security_domains else {
                return Vec::new();
            };
            let mut out = unless(domains.max > 0, || "security_domains.max is 0".to_owned());
            for (name, aid) in [("package", &domains.package), ("module", &domains.module)] {
                out.extend(unless((5..=16).contains(&aid.bytes().len()), || {
                    format!(
                        "security_domains.{name}: AID {aid} has {} bytes",
                        aid.bytes().len()
                    )
                }));
            }
            let unknown = domains
                .privileges
                .iter()
                .filter(|name| Privilege::by_name(name).is_none());
            out.extend(unknown.map(|name| format!("{name:?} is no privilege")));
            out
        },
    },
    Check {
        name: "es10",
        asks: "the ES10 block is 1 to 255 and a vendor binding names its package",
        run: |d| {
            let Some(euicc) = &d.euicc else {
                return Vec::new();
            };
            let mut out = unless(euicc.es10_block > 0, || "es10_block is 0".to_owned());
            let vendor = euicc.es10_binding == Es10Binding::Vendor;
            out.extend(unless(vendor == euicc.es10_package.is_some(), || {
                "es10_package is to be given with the vendor binding, and only then".to_owned()
            }));
            out
        },
    },
    Check {
        name: "toolkit",
        asks: "BIP channels are 1 to 7, timers 1 to 8 (ETSI TS 102 223 8.6, 8.37)",
        run: |d| {
            unless(
                (1..=7).contains(&d.toolkit.bip_channels) && (1..=8).contains(&d.toolkit.timers),
                || {
                    format!(
                        "bip_channels {} or timers {} out of range",
                        d.toolkit.bip_channels, d.toolkit.timers
                    )
                },
            )
        },
    },
    Check {
        name: "apdu",
        asks: "short APDU limits are 1 to 255 and 1 to 256, logical channels 1 to 20; extended length goes with an ATR that offers T=1 first and doesn't deny it (ISO/IEC 7816-4 12.1.1.9)",
        run: |d| {
            let a = &d.apdu;
            if let (true, Ok(atr)) = (a.extended_length, Atr::parse(d.atr.bytes())) {
                if atr.protocols().first() != Some(&1) {
                    return vec!["extended_length, but the ATR doesn't offer T=1 first: T=0 carries short APDUs".to_owned()];
                }
                if atr.extended_length() == Some(false) {
                    return vec!["extended_length, but the card capabilities in the ATR's historical bytes deny it".to_owned()];
                }
            }
            let (command, response) = if a.extended_length {
                (65535, 65535)
            } else {
                (255, 256)
            };
            unless(
                (1..=command).contains(&a.max_command_data)
                    && (1..=response).contains(&a.max_response_data)
                    && (1..=20).contains(&a.logical_channels),
                || "a limit is out of range".to_owned(),
            )
        },
    },
    Check {
        name: "cost",
        asks: "what predicts a time says what it rests on, and divides by nothing that is 0",
        run: |d| {
            d.cost
                .iter()
                .filter(|cost| {
                    cost.basis.trim().is_empty()
                        || cost.nvm.page_bytes == 0
                        || cost.apdu.bits_per_second == 0
                })
                .map(|_| "basis is empty, or page_bytes or bits_per_second is 0".to_owned())
                .collect()
        },
    },
    Check {
        name: "memory",
        asks: "the APDU buffer has at least 133 bytes (Java Card RE 4.6.1), transient memory fits the buffers",
        run: |d| {
            unless(d.memory.apdu_buffer >= 133, || {
                format!("apdu_buffer {} is below 133", d.memory.apdu_buffer)
            })
        },
    },
];

fn unless(holds: bool, message: impl FnOnce() -> String) -> Vec<String> {
    if holds { Vec::new() } else { vec![message()] }
}

/// Runs every check.
pub(super) fn run(definition: &Definition) -> Vec<Finding> {
    let found = |check: &Check| {
        let name = check.name;
        (check.run)(definition)
            .into_iter()
            .map(move |message| Finding {
                check: name,
                message,
            })
    };
    CHECKS.iter().flat_map(found).collect()
}
