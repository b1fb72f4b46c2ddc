//! Unit tests of the ABI: what Solidity's encoder writes is read, what its decoder refuses is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn encode(write: impl FnOnce(&mut Encoded)) -> Encoded {
    let mut encoded = Encoded::new();
    write(&mut encoded);
    encoded
}

/// `transfer(0x0102…14, 1000)` as a caller encodes it.
fn transfer_call() -> [u8; 68] {
    let mut data = [0; 68];
    data[..4].copy_from_slice(&[0xa9, 0x05, 0x9c, 0xbb]);
    for (byte, value) in data[16..36].iter_mut().zip(1..) {
        *byte = value;
    }
    data[66] = 0x03;
    data[67] = 0xe8;
    data
}

#[test]
fn a_call_is_split_into_selector_and_arguments() {
    let data = transfer_call();
    let (selector, arguments) = Arguments::of_call(&data).unwrap();
    assert_eq!(selector, 0xa905_9cbb);
    assert_eq!(arguments.address(0).unwrap(), core::array::from_fn(|i| i as u8 + 1));
    assert_eq!(arguments.uint256(1).unwrap(), U256::from(1000));
}

#[test]
fn call_data_shorter_than_a_selector_is_no_call() {
    for len in 0..4 {
        assert!(Arguments::of_call(&[0xff; 4][..len]).is_none());
    }
    let (selector, arguments) = Arguments::of_call(&[1, 2, 3, 4]).unwrap();
    assert_eq!(selector, 0x0102_0304);
    assert!(arguments.is_empty());
}

#[test]
fn an_argument_that_is_cut_short_is_refused_with_both_lengths() {
    let data = transfer_call();
    for len in 4..68 {
        let (_, arguments) = Arguments::of_call(&data[..len]).unwrap();
        let error = arguments.uint256(1).unwrap_err();
        assert_eq!(error, AbiError::TooShort { needed: 64, actual: len - 4 });
    }
}

#[test]
fn bytes_after_the_last_argument_do_not_matter() {
    let mut data = [0xff; 40];
    data[..32].copy_from_slice(&encode_u8(5));
    assert_eq!(Arguments::of_constructor(&data).uint256(0), Ok(U256::from(5)));
}

#[test]
fn an_index_beyond_all_memory_is_too_short_and_does_not_wrap() {
    let arguments = Arguments::of_constructor(&[0; 64]);
    assert!(matches!(arguments.word(usize::MAX), Err(AbiError::TooShort { actual: 64, .. })));
    assert!(matches!(arguments.word(usize::MAX / 32 + 1), Err(AbiError::TooShort { actual: 64, .. })));
}

#[test]
fn an_address_with_any_upper_bit_set_is_refused() {
    for bit in 0..96 {
        let mut word = encode_address(&[7; 20]);
        word[bit / 8] |= 1 << (bit % 8);
        let arguments = Arguments::of_constructor(&word);
        assert_eq!(arguments.address(0), Err(AbiError::AddressOutOfRange { index: 0 }));
    }
    assert_eq!(Arguments::of_constructor(&encode_address(&[0xff; 20])).address(0), Ok([0xff; 20]));
}

#[test]
fn a_bool_is_zero_or_one_and_nothing_else() {
    assert_eq!(Arguments::of_constructor(&encode_bool(false)).boolean(0), Ok(false));
    assert_eq!(Arguments::of_constructor(&encode_bool(true)).boolean(0), Ok(true));
    for bit in 1..256 {
        let mut word = [0; 32];
        word[31 - bit / 8] = 1 << (bit % 8);
        assert_eq!(Arguments::of_constructor(&word).boolean(0), Err(AbiError::BoolOutOfRange { index: 0 }));
    }
}

#[test]
fn numbers_are_big_endian_and_the_whole_range_comes_through() {
    assert_eq!(encode_uint256(U256::from(0x0102_u64))[30..], [1, 2]);
    for value in [U256::ZERO, U256::from(1), U256::from(u128::MAX), U256::MAX - U256::from(1), U256::MAX] {
        assert_eq!(Arguments::of_constructor(&encode_uint256(value)).uint256(0), Ok(value));
    }
}

#[test]
fn arithmetic_at_the_edge_of_256_bits_is_refused_not_wrapped() {
    let one: U256 = U256::from(1);
    assert_eq!(U256::MAX.checked_add(one), None);
    assert_eq!(U256::ZERO.checked_sub(one), None);
    assert_eq!(U256::MAX.checked_sub(U256::MAX), Some(U256::ZERO));
    // A carry through all four limbs.
    let lower: U256 = (one << 192_usize) - one;
    assert_eq!(lower.checked_add(one), Some(one << 192_usize));
    assert_eq!((lower + one).checked_sub(one), Some(lower));
}

#[test]
fn a_text_is_offset_length_and_padded_bytes() {
    const NAME: ShortText = ShortText::new("Token");
    let encoded = encode(|buffer| Reply::Text(NAME).encode(buffer));
    let bytes = encoded.as_bytes();
    assert_eq!(bytes.len(), 96);
    assert_eq!(bytes[..32], encode_u8(32));
    assert_eq!(bytes[32..64], encode_u8(5));
    assert_eq!(&bytes[64..69], b"Token");
    assert_eq!(bytes[69..], [0; 27]);
}

#[test]
fn the_longest_and_the_empty_text_fit() {
    const LONGEST: ShortText = ShortText::new("0123456789abcdef0123456789abcdef");
    assert_eq!(encode(|buffer| Reply::Text(LONGEST).encode(buffer)).as_bytes().len(), 96);
    assert_eq!(encode(|buffer| Revert::Reason(LONGEST).encode(buffer)).as_bytes().len(), 100);
    let empty = encode(|buffer| Reply::Text(ShortText::new("")).encode(buffer));
    assert_eq!(empty.as_bytes().len(), 64);
}

#[test]
#[should_panic(expected = "at most 32 bytes")]
fn a_text_of_33_bytes_is_refused() {
    let _ = ShortText::new("0123456789abcdef0123456789abcdef!");
}

#[test]
fn reverts_carry_the_selectors_that_solidity_tools_decode() {
    let reason = encode(|buffer| Revert::Reason(ShortText::new("insufficient balance")).encode(buffer));
    assert_eq!(reason.as_bytes()[..4], [0x08, 0xc3, 0x79, 0xa0]);
    assert_eq!(&reason.as_bytes()[68..88], b"insufficient balance");
    let panic = encode(|buffer| Revert::OVERFLOW.encode(buffer));
    assert_eq!(panic.as_bytes().len(), 36);
    assert_eq!(panic.as_bytes()[..4], [0x4e, 0x48, 0x7b, 0x71]);
    assert_eq!(panic.as_bytes()[35], 0x11);
    assert!(encode(|buffer| Revert::Empty.encode(buffer)).as_bytes().is_empty());
    assert!(encode(|buffer| Reply::Empty.encode(buffer)).as_bytes().is_empty());
}

#[test]
fn call_data_nobody_can_read_becomes_an_empty_revert() {
    let error = Arguments::of_constructor(&[]).word(0).unwrap_err();
    assert_eq!(Revert::from(error), Revert::Empty);
}
