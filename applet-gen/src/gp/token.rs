//! Tokens of delegated management (GPCS C.4): a signature over a content management command, which
//! the command then carries.
//!
//! For INSTALL it is over P1, P2, the length of the data without the token field, and those data (tables
//! C-4 to C-8); for DELETE over the same without the object 9E (table C-9).

use super::command::{INS_DELETE, INS_INSTALL, lv};
use super::signature::SigningKey;
use applet_model::apdu::Command;
use applet_model::tlv;

/// Tag of the delete token.
pub const TAG_DELETE_TOKEN: u32 = 0x9E;
/// Tag of the control reference template for digital signature, which may stand in parameters and in DELETE.
pub const TAG_SIGNATURE_TEMPLATE: u32 = 0xB6;

/// Why a command takes no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Only INSTALL and DELETE carry one.
    #[error("a command with INS {0:02X} carries no token: INSTALL (E6) and DELETE (E4) do")]
    Command(u8),
    /// It isn't of the builders' form, or has a token.
    #[error(
        "the command does not end in an empty token field: it has a token, or is no complete INSTALL"
    )]
    Present,
    /// It would not fit.
    #[error("with its token the command has {0} data bytes, 255 are possible")]
    TooLong(usize),
}

/// What a token signs: P1, P2, length and data of the command without its token.
///
/// The length has one byte up to 255, else three.
pub fn token_input(p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
    let mut input = vec![p1, p2];
    match u8::try_from(data.len()) {
        Ok(length) => input.push(length),
        Err(_) => {
            input.push(0);
            input.extend((data.len() as u16).to_be_bytes());
        }
    }
    input.extend(data);
    input
}

/// Puts a token into a command that a builder made without one.
///
/// # Errors
/// [`TokenError`].
pub fn with_token(command: &Command, key: &SigningKey) -> Result<Command, TokenError> {
    let mut out = command.clone();
    match command.ins {
        INS_INSTALL => {
            if out.data.pop() != Some(0) {
                return Err(TokenError::Present);
            }
            let token = key.sign(&token_input(command.p1, command.p2, &out.data));
            out.data.extend(lv(&token));
        }
        INS_DELETE => {
            if !matches!(tlv::find(&out.data, TAG_DELETE_TOKEN), Ok(None)) {
                return Err(TokenError::Present);
            }
            let token = key.sign(&token_input(command.p1, command.p2, &out.data));
            out.data.extend(tlv::write(TAG_DELETE_TOKEN, &token));
        }
        ins => return Err(TokenError::Command(ins)),
    }
    match out.data.len() {
        0..=255 => Ok(out),
        length => Err(TokenError::TooLong(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::super::scp03::AesKey;
    use super::*;

    fn key() -> SigningKey {
        SigningKey::Aes(AesKey::new(&[0x42; 16]).unwrap())
    }

    #[test]
    fn the_signed_data_are_those_of_public_implementations() {
        // Layout as GlobalPlatformPro's DMTokenizer (dtbs) and gpshell's get_load_token_signature_data have it:
        // P1, P2, Lc without the token field, the fields up to the parameters.
        let load = command::install_for_load(&[1; 5], &[2; 5], &[3; 32], &[0xEF, 0], &[]);
        let fields = load.data.len() - 1;
        let expected = [&[0x02, 0x00, fields as u8][..], &load.data[..fields]].concat();
        let signed = with_token(&load, &key()).unwrap();
        let token = key().sign(&expected);
        assert_eq!(signed.data[fields], 16);
        assert_eq!(signed.data[fields + 1..], token);
        assert_eq!(
            with_token(&signed, &key()).unwrap_err(),
            TokenError::Present
        );
    }

    #[test]
    fn a_delete_token_stands_in_9e() {
        let delete = command::delete(&[1; 5], true);
        let signed = with_token(&delete, &key()).unwrap();
        let token = tlv::require(&signed.data, TAG_DELETE_TOKEN).unwrap();
        let input = [&[0x00, 0x80, 7][..], &delete.data].concat();
        assert_eq!(token.value, key().sign(&input));
    }

    #[test]
    fn what_takes_no_token_is_said() {
        let select = command::select(&[1; 5]);
        assert_eq!(
            with_token(&select, &key()).unwrap_err(),
            TokenError::Command(0xA4)
        );
        let long = command::install_for_load(&[1; 5], &[], &[], &[0xAA; 230], &[]);
        assert!(matches!(
            with_token(&long, &key()),
            Err(TokenError::TooLong(_))
        ));
        assert_eq!(token_input(0, 0, &[7; 256])[..5], [0, 0, 0, 1, 0]);
    }
}
