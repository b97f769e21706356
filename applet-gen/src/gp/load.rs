//! Loading a package: INSTALL \[for load\] and the LOAD blocks (GPCS 11.5 and 11.6).

use super::command::INS_LOAD;
use applet_model::apdu::Command;
use applet_model::tlv;

/// A load file that doesn't fit the block numbers of LOAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There are no components.
    #[error("the load file is empty")]
    Empty,
    /// More than 256 blocks.
    #[error(
        "the load file of {bytes} bytes takes {blocks} LOAD commands of {block} bytes, 256 are possible (GPCS 11.6.2.2)"
    )]
    TooLong {
        /// Bytes with the C4 header.
        bytes: usize,
        /// Blocks that would be needed.
        blocks: usize,
        /// Bytes of a block.
        block: usize,
    },
}

/// The LOAD commands for a load file data block: tag C4, cut into blocks of at most `block` bytes,
/// numbered from 0, P1 bit 8 in the last.
///
/// # Errors
/// [`LoadError`].
pub fn load_commands(load_file: &[u8], block: usize) -> Result<Vec<Command>, LoadError> {
    if load_file.is_empty() {
        return Err(LoadError::Empty);
    }
    let data = tlv::write(0xC4, load_file);
    let block = block.clamp(1, 255);
    let blocks = data.len().div_ceil(block);
    if blocks > 256 {
        return Err(LoadError::TooLong {
            bytes: data.len(),
            blocks,
            block,
        });
    }
    let command = |(i, chunk): (usize, &[u8])| {
        let p1 = if i + 1 == blocks { 0x80 } else { 0x00 };
        Command::new(0x80, INS_LOAD, p1, i as u8)
            .with_data(chunk)
            .with_le(256)
    };
    Ok(data.chunks(block).enumerate().map(command).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_join_to_the_load_file(file in proptest::collection::vec(any::<u8>(), 1..3000), block in 16usize..=255) {
            let commands = load_commands(&file, block).unwrap();
            let joined: Vec<u8> = commands.iter().flat_map(|c| c.data.clone()).collect();
            let read = tlv::read_one(&joined).unwrap();
            prop_assert_eq!(read.tag, 0xC4);
            prop_assert_eq!(read.value, &file[..]);
            for (i, command) in commands.iter().enumerate() {
                prop_assert_eq!(usize::from(command.p2), i);
                prop_assert_eq!(command.p1 == 0x80, i + 1 == commands.len());
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(load_commands(&[], 200), Err(LoadError::Empty));
        assert!(matches!(
            load_commands(&vec![0; 60_000], 200),
            Err(LoadError::TooLong { .. })
        ));
    }
}
