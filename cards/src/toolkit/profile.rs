//! `uicc.toolkit.TerminalProfile`: the terminal profile as applets ask for it.

use super::Reason;

/// Bits of a terminal profile; bit 0 is bit 1 of the first byte. What it doesn't have is 0.
pub(super) fn bit(profile: &[u8], index: i16) -> bool {
    let Ok(index) = usize::try_from(index) else {
        return false;
    };
    profile
        .get(index / 8)
        .is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

/// `check(byte[])`: all bits of the mask are set.
pub(super) fn has_all(profile: &[u8], mask: &[u8]) -> bool {
    mask.iter()
        .enumerate()
        .all(|(at, mask)| profile.get(at).copied().unwrap_or(0) & mask == *mask)
}

/// `copy`: bytes of the profile; those behind its end are 0.
pub(super) fn part(profile: &[u8], offset: i16, length: i16) -> Result<Vec<u8>, Reason> {
    let bad = |_| Reason::BadInputParameter;
    let (offset, length) = (
        usize::try_from(offset).map_err(bad)?,
        usize::try_from(length).map_err(bad)?,
    );
    let behind = core::iter::repeat(&0);
    Ok(profile
        .iter()
        .chain(behind)
        .skip(offset)
        .take(length)
        .copied()
        .collect())
}

/// `getValue`: the bits from `msb` down to `lsb`, at most 16.
pub(super) fn value(profile: &[u8], msb: i16, lsb: i16) -> Result<i16, Reason> {
    if lsb < 0 || msb < lsb || i32::from(msb) - i32::from(lsb) > 15 {
        return Err(Reason::BadInputParameter);
    }
    let bits = (lsb..=msb).rev().fold(0u16, |value, index| {
        value << 1 | u16::from(bit(profile, index))
    });
    Ok(bits.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_from_the_first_bytes_lowest() {
        let profile = [0b0000_0001, 0b1000_0000, 0b0000_0011];
        assert!(bit(&profile, 0) && !bit(&profile, 1) && bit(&profile, 15) && bit(&profile, 16));
        assert!(!bit(&profile, 24) && !bit(&profile, -1));
        assert!(has_all(&profile, &[1, 0x80]) && !has_all(&profile, &[1, 0x81]));
        assert!(!has_all(&profile, &[0, 0, 0, 1]));
        assert_eq!(value(&profile, 17, 15), Ok(0b111));
        assert_eq!(value(&profile, 15, 0), Ok(0x8001u16.cast_signed()));
        assert_eq!(value(&profile, 16, 0), Err(Reason::BadInputParameter));
        assert_eq!(value(&profile, 0, 1), Err(Reason::BadInputParameter));
        assert_eq!(part(&profile, 2, 3), Ok(vec![3, 0, 0]));
        assert_eq!(part(&profile, 40, 1), Ok(vec![0]));
        assert_eq!(part(&profile, -1, 1), Err(Reason::BadInputParameter));
    }
}
