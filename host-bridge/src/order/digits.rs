//! Check digits of ICCIDs.

/// True if the last digit is the Luhn check digit of those before it (ITU-T E.118).
pub fn iccid_check_digit_fits(digits: &str) -> bool {
    let Some((head, _)) = digits.split_at_checked(digits.len().saturating_sub(1)) else {
        return false;
    };
    iccid_with_check_digit(head).as_deref() == Some(digits)
}

/// The digits with their Luhn check digit; `None` if there are none or others than decimal ones.
pub fn iccid_with_check_digit(digits: &str) -> Option<String> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0');
            match i % 2 {
                0 if digit > 4 => digit * 2 - 9,
                0 => digit * 2,
                _ => digit,
            }
        })
        .sum();
    Some(format!("{digits}{}", (10 - sum % 10) % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_check() {
        // ICCIDs of public SIM dumps (osmocom/pysim tests/card_sanitizer).
        assert!(iccid_check_digit_fits("89445310150011013678"));
        assert!(iccid_check_digit_fits("8988211000000467343"));
        assert!(!iccid_check_digit_fits("89445310150011013679"));
        assert!(!iccid_check_digit_fits(""));
    }
}
