//! What the API can't show by itself. Vectors of the algorithms stand in the conformance suite, where an
//! applet computes them.

use super::curve::{DOMAINS, is_point, public_of};
use super::digest::{DigestState, Hash};

/// Every curve's table against its implementation: base point and order.
#[test]
fn domain_parameters_are_those_of_the_curves() {
    for domain in &DOMAINS {
        let (generator, order) = (domain.parameter(3), domain.parameter(4));
        let mut scalar = vec![0; domain.bytes()];
        *scalar.last_mut().unwrap() = 1;
        let name = format!("{:?}", domain.curve);
        let one = public_of(domain.curve, &scalar);
        assert_eq!(one, Some(generator.clone()), "{name}");
        assert!(is_point(domain.curve, &generator), "{name}");
        assert_eq!(public_of(domain.curve, &order), None, "{name}");
        // The order is odd: one less is the largest scalar.
        let mut last = order.clone();
        *last.last_mut().unwrap() -= 1;
        let negative = public_of(domain.curve, &last).unwrap();
        assert_eq!(
            negative[..=domain.bytes()],
            generator[..=domain.bytes()],
            "{name}"
        );
        let mut off = generator;
        *off.last_mut().unwrap() ^= 1;
        assert!(!is_point(domain.curve, &off), "{name}");
    }
}

/// y^2 = x^3 + a x + b in the field, at the base point.
#[test]
fn field_a_and_b_are_those_of_the_base_point() {
    use schoolbook::{added, multiplied};
    for domain in &DOMAINS {
        let [p, a, b] = [0, 1, 2].map(|i| domain.parameter(i));
        let g = domain.parameter(3);
        let (x, y) = g[1..].split_at(domain.bytes());
        let left = multiplied(y, y, &p);
        let cube = multiplied(&multiplied(x, x, &p), x, &p);
        let right = added(&added(&cube, &multiplied(&a, x, &p), &p), &b, &p);
        assert_eq!(left, right, "{:?}", domain.curve);
    }
}

/// Arithmetic modulo p, most significant byte first: slow, and independent of the implementations.
mod schoolbook {
    pub fn added(a: &[u8], b: &[u8], p: &[u8]) -> Vec<u8> {
        let mut sum = vec![0; p.len() + 1];
        let mut carry = 0;
        for i in (0..p.len()).rev() {
            let digit = u16::from(a[i]) + u16::from(b[i]) + carry;
            sum[i + 1] = (digit & 0xFF) as u8;
            carry = digit >> 8;
        }
        sum[0] = carry as u8;
        let wide = [&[0], p].concat();
        if sum >= wide {
            let mut borrow = 0;
            for i in (0..sum.len()).rev() {
                let digit = i16::from(sum[i]) - i16::from(wide[i]) - borrow;
                borrow = i16::from(digit < 0);
                sum[i] = (digit & 0xFF) as u8;
            }
        }
        sum.split_off(1)
    }

    pub fn multiplied(a: &[u8], b: &[u8], p: &[u8]) -> Vec<u8> {
        let mut product = vec![0; p.len()];
        for byte in b {
            for bit in (0..8).rev() {
                product = added(&product, &product, p);
                if (byte >> bit) & 1 == 1 {
                    product = added(&product, a, p);
                }
            }
        }
        product
    }
}

/// SHA-256 of 64 times "a", then "abc": the value after the first block, and the digest.
#[test]
fn a_digest_goes_on_from_an_intermediate_value() {
    let value =
        hex::decode("df5bb81ce81e0626fb45a8944fd40f31b25e6816d6d499c1ab90492900635e66").unwrap();
    let mut digest = DigestState::new(Hash::Sha256);
    assert!(digest.resume(&value, 64));
    assert_eq!(
        hex::encode(digest.finish(b"abc")),
        "18917c887594f95a0a81701c589533ff21c74b1fb567e4521272f37815a64275"
    );
    for (value, count) in [(&value[1..], 64), (&value[..], 63), (&value[..], 0)] {
        assert!(!digest.resume(value, count));
    }
    for (hash, length) in [
        (Hash::Sha1, 20),
        (Hash::Sha224, 32),
        (Hash::Sha384, 64),
        (Hash::Sha512, 64),
    ] {
        let mut digest = DigestState::new(hash);
        assert!(digest.resume(&vec![7; length], 128), "{hash:?}");
        assert_eq!(digest.finish(&[]).len(), hash.length());
    }
}
