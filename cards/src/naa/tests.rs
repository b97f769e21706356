//! The published test sets, and what a USIM does with a token.

use super::*;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// K, RAND, SQN, AMF, OPc, f1, f1*, f2, f3, f4, f5, f5*.
type Set = [&'static str; 12];

/// 3GPP TS 35.207 4.3 to 6.3 (the same as TS 35.208's), sets 1 to 6.
const MILENAGE: &[Set] = &[
    [
        "465b5ce8b199b49faa5f0a2ee238a6bc",
        "23553cbe9637a89d218ae64dae47bf35",
        "ff9bb4d0b607",
        "b9b9",
        "cd63cb71954a9f4e48a5994e37a02baf",
        "4a9ffac354dfafb3",
        "01cfaf9ec4e871e9",
        "a54211d5e3ba50bf",
        "b40ba9a3c58b2a05bbf0d987b21bf8cb",
        "f769bcd751044604127672711c6d3441",
        "aa689c648370",
        "451e8beca43b",
    ],
    [
        "0396eb317b6d1c36f19c1c84cd6ffd16",
        "c00d603103dcee52c4478119494202e8",
        "fd8eef40df7d",
        "af17",
        "53c15671c60a4b731c55b4a441c0bde2",
        "5df5b31807e258b0",
        "a8c016e51ef4a343",
        "d3a628ed988620f0",
        "58c433ff7a7082acd424220f2b67c556",
        "21a8c1f929702adb3e738488b9f5c5da",
        "c47783995f72",
        "30f1197061c1",
    ],
    [
        "fec86ba6eb707ed08905757b1bb44b8f",
        "9f7c8d021accf4db213ccff0c7f71a6a",
        "9d0277595ffc",
        "725c",
        "1006020f0a478bf6b699f15c062e42b3",
        "9cabc3e99baf7281",
        "95814ba2b3044324",
        "8011c48c0c214ed2",
        "5dbdbb2954e8f3cde665b046179a5098",
        "59a92d3b476a0443487055cf88b2307b",
        "33484dc2136b",
        "deacdd848cc6",
    ],
    [
        "9e5944aea94b81165c82fbf9f32db751",
        "ce83dbc54ac0274a157c17f80d017bd6",
        "0b604a81eca8",
        "9e09",
        "a64a507ae1a2a98bb88eb4210135dc87",
        "74a58220cba84c49",
        "ac2cc74a96871837",
        "f365cd683cd92e96",
        "e203edb3971574f5a94b0d61b816345d",
        "0c4524adeac041c4dd830d20854fc46b",
        "f0b9c08ad02e",
        "6085a86c6f63",
    ],
    [
        "4ab1deb05ca6ceb051fc98e77d026a84",
        "74b0cd6031a1c8339b2b6ce2b8c4a186",
        "e880a1b580b6",
        "9f07",
        "dcf07cbd51855290b92a07a9891e523e",
        "49e785dd12626ef2",
        "9e85790336bb3fa2",
        "5860fc1bce351e7e",
        "7657766b373d1c2138f307e3de9242f9",
        "1c42e960d89b8fa99f2744e0708ccb53",
        "31e11a609118",
        "fe2555e54aa9",
    ],
    [
        "6c38a116ac280c454f59332ee35c8c4f",
        "ee6466bc96202c5a557abbeff8babf63",
        "414b98222181",
        "4464",
        "3803ef5363b947c6aaa225e58fae3934",
        "078adfb488241a57",
        "80246b8d0186bcf1",
        "16c8233f05a0ac28",
        "3f8c7587fe8e4b233af676aede30ba3b",
        "a7466cc1e6b2a1337d49d3b66e95d7b4",
        "45b0f69ab06c",
        "1f53cd2b1113",
    ],
];

/// 3GPP TS 35.233 6.3 to 6.8 (the sets of TS 35.232); in place of OPc, TOPc and the iterations. MACs of 128 and 256 bits
/// aren't used by a USIM: their sets are checked from f2 on.
const TUAK: &[(Set, u8)] = &[
    (
        [
            "abababababababababababababababab",
            "42424242424242424242424242424242",
            "111111111111",
            "ffff",
            "bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff",
            "f9a54e6aeaa8618d",
            "e94b4dc6c7297df3",
            "657acd64",
            "d71a1e5c6caffe986a26f783e5c78be1",
            "be849fa2564f869aecee6f62d4337e72",
            "719f1e9b9054",
            "e7af6b3d0e38",
        ],
        1,
    ),
    (
        [
            "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0",
            "0123456789abcdef0123456789abcdef",
            "0123456789ab",
            "abcd",
            "305425427e18c503c8a4b294ea72c95d0c36c6c6b29d0c65de5974d5977f8524",
            "",
            "",
            "e9d749dc4eea0035",
            "a4cb6f6529ab17f8337f27baa8234d47",
            "2274155ccf4199d5e2abcbf621907f90",
            "480a9345cc1e",
            "f84eb338848c",
        ],
        1,
    ),
    (
        [
            "b8da837a50652d6ac7c97da14f6acc61",
            "6887e55425a966bd86c9661a5fa72be8",
            "0dea2ee2c5af",
            "df1e",
            "2bc16eb657a68e1f446f08f57c0efb1d493527a2e652ce281eb6ca0e4487760a",
            "",
            "",
            "4041ce438e3e38e8aa96562eed83ac43",
            "3e3bc01bea0cd914c4c2c83ce2d92757",
            "666a8e6f577b1aa77b7fd53cebb8a3d6",
            "1f880d005119",
            "45e617d77fe5",
        ],
        1,
    ),
    (
        [
            "1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5",
            "c570aac68cde651fb1e3088322498bef",
            "c89bb71f3a41",
            "297d",
            "3c6052e41532a28a47aa3cbb89f223e8f3aaa976aecd48bc3e7d6165a55eff62",
            "d7340dad02b4cb01",
            "c6021e2e66accb15",
            "",
            "",
            "",
            "",
            "ca9655264986",
        ],
        1,
    ),
    (
        [
            "1574ca56881d05c189c82880f789c9cd4244955f4426aa2b69c29f15770e5aa5",
            "c570aac68cde651fb1e3088322498bef",
            "c89bb71f3a41",
            "297d",
            "b04a66f26c62fcd6c82de22a179ab65506ecf47f56245cd149966cfa9cec7a51",
            "",
            "",
            "",
            "",
            "",
            "",
            "8c5f33b61f4e",
        ],
        2,
    ),
];

fn milenage(set: &Set) -> Algorithm {
    let keys = Milenage::new(
        bytes(set[0]),
        bytes(set[4]),
        milenage::ROTATIONS,
        milenage::constants(),
    );
    Algorithm::Milenage(Box::new(keys))
}

fn agrees(algorithm: &Algorithm, set: &Set) {
    let rand = bytes(set[1]);
    let (a, s) = algorithm.macs(rand, bytes(set[2]), bytes(set[3]));
    let vector = algorithm.vector(rand);
    let found = [
        &a[..],
        &s[..],
        &vector.res,
        &vector.ck,
        &vector.ik,
        &vector.ak,
        &vector.ak_star,
    ];
    for (number, (found, expected)) in found.iter().zip(&set[5..]).enumerate() {
        if !expected.is_empty() {
            assert_eq!(
                hex::encode(found),
                *expected,
                "value {number} of K {}",
                set[0]
            );
        }
    }
}

#[test]
fn milenage_gives_the_values_of_the_test_sets() {
    for set in MILENAGE {
        agrees(&milenage(set), set);
    }
}

#[test]
fn tuak_gives_the_values_of_the_test_sets() {
    for (set, iterations) in TUAK {
        let res = match set[7].len() {
            0 => 8,
            digits => u8::try_from(digits / 2).unwrap(),
        };
        let (k, topc) = (hex::decode(set[0]).unwrap(), hex::decode(set[4]).unwrap());
        let keys = Tuak::new(&k, &topc, *iterations, res).unwrap();
        agrees(&Algorithm::Tuak(Box::new(keys)), set);
    }
    assert!(Tuak::new(&[0; 16], &[0; 16], 1, 8).is_none());
    assert!(Tuak::new(&[0; 16], &[0; 32], 0, 8).is_none());
}

/// The token that a network makes for a sequence number.
fn autn(naa: &Naa, rand: [u8; 16], sqn: [u8; 6], amf: [u8; 2]) -> [u8; 16] {
    let (mac, _) = naa.algorithm.macs(rand, sqn, amf);
    let ak = naa.algorithm.vector(rand).ak;
    let concealed = sqn.iter().zip(ak).map(|(sqn, ak)| sqn ^ ak);
    let all: Vec<u8> = concealed.chain(amf).chain(mac).collect();
    all.try_into().unwrap()
}

fn naa(options: u8) -> Naa {
    Naa {
        adfs: vec![FileId(1)],
        algorithm: milenage(&MILENAGE[0]),
        sequence: Sequence::new(options, 1 << 28, 16, &[]),
        left: None,
    }
}

fn present(naa: &mut Naa, seq: u64, index: u8) -> &'static str {
    let rand = [7; 16];
    match naa.check(rand, autn(naa, rand, super::bytes(seq, index), [0x80, 0])) {
        Verdict::Authentic(_, sqn) => {
            naa.accept(sqn);
            "authentic"
        }
        Verdict::Resynchronise(_) => "resynchronise",
        Verdict::Forged => "forged",
    }
}

#[test]
fn sequence_numbers_are_fresh_for_their_index() {
    let mut usim = naa(CHECK_DELTA);
    assert_eq!(present(&mut usim, 0, 0), "resynchronise");
    assert_eq!(present(&mut usim, 100, 1), "authentic");
    assert_eq!(present(&mut usim, 100, 1), "resynchronise");
    assert_eq!(present(&mut usim, 99, 1), "resynchronise");
    // Another index has its own: out of order, but not replayed.
    assert_eq!(present(&mut usim, 50, 2), "authentic");
    assert_eq!(present(&mut usim, 50, 2), "resynchronise");
    // Too far ahead (C.2.2): what would wrap the counter around.
    assert_eq!(present(&mut usim, 100 + (1 << 28) + 1, 3), "resynchronise");
    assert_eq!(present(&mut usim, 100 + (1 << 28), 3), "authentic");
}

#[test]
fn an_age_limit_refuses_what_is_old() {
    let mut usim = naa(CHECK_AGE);
    assert_eq!(present(&mut usim, 100, 1), "authentic");
    assert_eq!(present(&mut usim, 85, 2), "authentic");
    assert_eq!(present(&mut usim, 84, 3), "resynchronise");
}

#[test]
fn resynchronisation_tells_the_highest_number() {
    let mut usim = naa(CHECK_DELTA);
    assert_eq!(present(&mut usim, 100, 9), "authentic");
    assert_eq!(present(&mut usim, 40, 3), "authentic");
    let rand = [9; 16];
    let Verdict::Resynchronise(auts) =
        usim.check(rand, autn(&usim, rand, super::bytes(40, 3), [0; 2]))
    else {
        panic!("not refused");
    };
    let star = usim.algorithm.vector(rand).ak_star;
    let sqn: Vec<u8> = auts.iter().zip(star).map(|(a, b)| a ^ b).collect();
    assert_eq!(number(sqn.clone().try_into().unwrap()), (100, 9));
    let (_, mac) = usim.algorithm.macs(rand, sqn.try_into().unwrap(), [0, 0]);
    assert_eq!(auts[6..], mac);
}

#[test]
fn forged_tokens_change_nothing() {
    let usim = naa(CHECK_DELTA);
    let rand = [1; 16];
    let good = autn(&usim, rand, super::bytes(1, 0), [0; 2]);
    for at in 0..16 {
        let mut bad = good;
        bad[at] ^= 0x10;
        assert!(
            matches!(usim.check(rand, bad), Verdict::Forged),
            "byte {at}"
        );
    }
}

#[test]
fn the_test_algorithm_does_as_ts_34_108_says() {
    let key = bytes("000102030405060708090a0b0c0d0e0f");
    let usim = Naa {
        algorithm: Algorithm::Test { key, res: 16 },
        ..naa(0)
    };
    let rand = bytes("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
    let vector = usim.algorithm.vector(rand);
    // K xor RAND is 16 times A0.
    assert_eq!(
        (vector.res.as_slice(), vector.ak),
        (&[0xA0; 16][..], [0xA0; 6])
    );
    assert_eq!(vector.gsm(), ([0; 4], [0; 8]));
    let ok = usim.check(rand, autn(&usim, rand, [0; 6], [0; 2]));
    assert!(matches!(ok, Verdict::Authentic(..)));
    let again = usim.check(rand, autn(&usim, rand, [0; 6], [0xFF; 2]));
    assert!(matches!(again, Verdict::Resynchronise(auts) if auts == [0xA0; 14]));
}
