//! The curve alt_bn128: addition and multiplication (EIP-196), and the pairing check (EIP-197).

use super::{Env, bad_input, padded};
use crate::{
    Config,
    metering::cost::Cost,
    types::{Failure, Output},
};
use alloc::vec::Vec;
use bn::{AffineG1, AffineG2, Fq, Fq2, Fr, G1, G2, Group, Gt, pairing_batch};

/// Length of a pair in bytes: a point of each group.
const PAIR: usize = 192;

/// Adds two points.
pub(super) fn add<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::Bn128Add)?;
    let sum = point::<T>(&padded(input, 0))? + point::<T>(&padded(input, 64))?;
    Ok(encoded(sum))
}

/// Multiplies a point by a number.
pub(super) fn mul<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    let _ = env.charge(Cost::Bn128Mul)?;
    let factor = Fr::from_slice(&padded::<32>(input, 64)).map_err(|_| bad_input::<T>("a scalar isn't one"))?;
    Ok(encoded(point::<T>(&padded(input, 0))? * factor))
}

/// Pairing check: one if the product of the pairings of all pairs is one, else zero.
pub(super) fn pairing<T: Config>(input: &[u8], env: &mut Env<'_, T>) -> Result<Output, Failure> {
    if !input.len().is_multiple_of(PAIR) {
        return Err(bad_input::<T>("a pairing's input is no multiple of 192 bytes"));
    }
    let _ = env.charge(Cost::Bn128Pairing((input.len() / PAIR) as u32))?;
    let pairs = input.chunks_exact(PAIR).map(|pair| Ok((point::<T>(&padded(pair, 0))?, twisted_point::<T>(pair)?)));
    let pairs = pairs.collect::<Result<Vec<_>, Failure>>()?;
    let is_one = pairing_batch(&pairs) == Gt::one();
    let mut word = [0; 32];
    word[31] = u8::from(is_one);
    Ok(Output::data(word.to_vec()))
}

fn field<T: Config>(bytes: &[u8]) -> Result<Fq, Failure> {
    Fq::from_slice(bytes).map_err(|_| bad_input::<T>("a coordinate isn't in the field"))
}

fn point<T: Config>(bytes: &[u8; 64]) -> Result<G1, Failure> {
    let (x, y) = (field::<T>(&bytes[..32])?, field::<T>(&bytes[32..])?);
    if x.is_zero() && y.is_zero() {
        return Ok(G1::zero());
    }
    AffineG1::new(x, y).map(Into::into).map_err(|_| bad_input::<T>("a point isn't on the curve"))
}

/// Decodes the second point of a pair: two coordinates with the imaginary part first.
fn twisted_point<T: Config>(pair: &[u8]) -> Result<G2, Failure> {
    let coordinate = |index: usize| field::<T>(&padded::<32>(pair, 64 + 32 * index));
    let x = Fq2::new(coordinate(1)?, coordinate(0)?);
    let y = Fq2::new(coordinate(3)?, coordinate(2)?);
    if x.is_zero() && y.is_zero() {
        return Ok(G2::zero());
    }
    AffineG2::new(x, y).map(Into::into).map_err(|_| bad_input::<T>("a point isn't on the twisted curve"))
}

fn encoded(point: G1) -> Output {
    let mut bytes = [0; 64];
    if let Some(point) = AffineG1::from_jacobian(point) {
        // Both slices have the length of a coordinate, so this can't fail.
        let _ = point.x().to_big_endian(&mut bytes[..32]);
        let _ = point.y().to_big_endian(&mut bytes[32..]);
    }
    Output::data(bytes.to_vec())
}
