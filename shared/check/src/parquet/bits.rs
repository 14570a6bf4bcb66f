//! Integers packed into bits: runs, and deltas
//! (<https://parquet.apache.org/docs/file-format/data-pages/encodings/>).
//!
//! Ours rather than the library's, whose decoders end the process on damaged pages.

use bytes::Bytes;

/// What is wrong, for people: a clause about a page.
pub(crate) type Fault = &'static str;

const ENDS: Fault = "its values end early";

/// The number of `width` bits, at most 64, from a bit on; the lowest bit comes first. Bytes
/// that are not there are zeros.
#[inline]
fn unpack(bytes: &[u8], bit: usize, width: u32) -> u64 {
    let (start, shift) = (bit / 8, bit % 8);
    let rest = bytes.get(start..).unwrap_or_default();
    // 57 bits are whole in the first eight bytes, whatever the shift.
    if let (Some(word), 0..=57) = (rest.first_chunk::<8>(), width) {
        let mask = (1_u64 << width) - 1;
        return (u64::from_le_bytes(*word) >> shift) & mask;
    }
    let mut word = 0_u128;
    for (index, byte) in rest.iter().take(9).enumerate() {
        word |= u128::from(*byte) << (8 * index);
    }
    let mask = (1_u128 << width) - 1;
    ((word >> shift) & mask) as u64
}

/// An unsigned variable-length integer at the beginning of the bytes, which are cut.
fn varint(bytes: &mut Bytes) -> Result<u64, Fault> {
    let mut number = 0_u64;
    for index in 0..10 {
        let byte = *bytes.get(index).ok_or(ENDS)?;
        if index == 9 && byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            drop(bytes.split_to(index + 1));
            return Ok(number);
        }
    }
    Err("it has a number of more than 64 bits")
}

fn zigzag(bytes: &mut Bytes) -> Result<i64, Fault> {
    let number = varint(bytes)?;
    Ok((number >> 1) as i64 ^ -((number & 1) as i64))
}

/// The first bytes, cut off.
pub(crate) fn cut(bytes: &mut Bytes, count: usize) -> Result<Bytes, Fault> {
    if count > bytes.len() {
        return Err(ENDS);
    }
    Ok(bytes.split_to(count))
}

/// Bits that a number up to this one takes.
pub(crate) fn width_of(most: i16) -> u32 {
    u16::BITS - most.cast_unsigned().leading_zeros()
}

/// Runs of equal numbers and of packed ones: levels, places in a dictionary, booleans.
#[derive(Debug)]
pub(crate) struct Runs {
    rest: Bytes,
    width: u32,
    run: Run,
}

#[derive(Debug)]
enum Run {
    Equal { number: u32, left: u64 },
    Packed { bytes: Bytes, bit: usize, left: u64 },
}

impl Runs {
    /// Runs of numbers of that many bits, at most 32.
    pub(crate) fn new(bytes: Bytes, width: u32) -> Result<Self, Fault> {
        if width > 32 {
            return Err("it has numbers of more than 32 bits");
        }
        Ok(Self { rest: bytes, width, run: Run::Equal { number: 0, left: 0 } })
    }

    /// Calls `with` with each of the next `count` numbers.
    pub(crate) fn take(
        &mut self,
        mut count: usize,
        mut with: impl FnMut(u32) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while count > 0 {
            let taken = match &mut self.run {
                Run::Equal { left: 0, .. } | Run::Packed { left: 0, .. } => {
                    self.next_run()?;
                    continue;
                }
                Run::Equal { number, left } => {
                    let taken = count.min(usize::try_from(*left).unwrap_or(count));
                    for _ in 0..taken {
                        with(*number)?;
                    }
                    *left -= taken as u64;
                    taken
                }
                Run::Packed { bytes, bit, left } => {
                    let taken = count.min(usize::try_from(*left).unwrap_or(count));
                    for _ in 0..taken {
                        with(unpack(bytes, *bit, self.width) as u32)?;
                        *bit += self.width as usize;
                    }
                    *left -= taken as u64;
                    taken
                }
            };
            count -= taken;
        }
        Ok(())
    }

    fn next_run(&mut self) -> Result<(), Fault> {
        let header = varint(&mut self.rest)?;
        let count = header >> 1;
        self.run = if header & 1 == 0 {
            let bytes = cut(&mut self.rest, self.width.div_ceil(8) as usize)?;
            let number = unpack(&bytes, 0, self.width.next_multiple_of(8)) as u32;
            Run::Equal { number, left: count }
        } else {
            // Groups of eight. Some writers leave the padding of the last one out.
            let claimed = count.saturating_mul(u64::from(self.width));
            let length = usize::try_from(claimed).unwrap_or(usize::MAX).min(self.rest.len());
            let bytes = self.rest.split_to(length);
            let there = match self.width {
                0 => u64::MAX,
                width => 8 * length as u64 / u64::from(width),
            };
            let left = count.saturating_mul(8).min(there);
            if left == 0 && count > 0 {
                return Err(ENDS);
            }
            Run::Packed { bytes, bit: 0, left }
        };
        Ok(())
    }
}

/// Numbers as differences, packed in blocks.
#[derive(Debug)]
pub(crate) struct Deltas {
    rest: Bytes,
    /// Numbers in a packed part of a block.
    part: usize,
    /// Widths of the parts of the block at hand that are to come.
    widths: Bytes,
    parts: usize,
    least: i64,
    /// The part at hand.
    packed: Bytes,
    width: u32,
    bit: usize,
    left_in_part: usize,
    /// Numbers to come, the next one among them.
    left: u64,
    next: i64,
}

impl Deltas {
    pub(crate) fn new(mut bytes: Bytes) -> Result<Self, Fault> {
        let block = usize::try_from(varint(&mut bytes)?).unwrap_or(0);
        let parts = usize::try_from(varint(&mut bytes)?).unwrap_or(0);
        let left = varint(&mut bytes)?;
        let next = zigzag(&mut bytes)?;
        let part = block.checked_div(parts).unwrap_or(0);
        if part == 0 || part % 8 != 0 || block > 1 << 20 || part * parts != block {
            return Err("it has differences in blocks of a size that cannot be");
        }
        Ok(Self {
            rest: bytes,
            part,
            widths: Bytes::new(),
            parts,
            least: 0,
            packed: Bytes::new(),
            width: 0,
            bit: 0,
            left_in_part: 0,
            left,
            next,
        })
    }

    /// Numbers to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The next number.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<i64, Fault> {
        self.left = self.left.checked_sub(1).ok_or(ENDS)?;
        let number = self.next;
        if self.left > 0 {
            if self.left_in_part == 0 {
                self.next_part()?;
            }
            // Numbers are modulo their type, so that every difference has its bits.
            let delta = unpack(&self.packed, self.bit, self.width) as i64;
            self.bit += self.width as usize;
            self.left_in_part -= 1;
            self.next = number.wrapping_add(self.least).wrapping_add(delta);
        }
        Ok(number)
    }

    fn next_part(&mut self) -> Result<(), Fault> {
        if self.widths.is_empty() {
            self.least = zigzag(&mut self.rest)?;
            self.widths = cut(&mut self.rest, self.parts)?;
        }
        let width = cut(&mut self.widths, 1)?;
        self.width = u32::from(width.first().copied().unwrap_or(0));
        if self.width > 64 {
            return Err("it has differences of more than 64 bits");
        }
        let length = self.part / 8 * self.width as usize;
        // The last part may be cut where its numbers end.
        let needed = usize::try_from(self.left).unwrap_or(self.part).min(self.part);
        let least = (needed * self.width as usize).div_ceil(8);
        if self.rest.len() < least {
            return Err(ENDS);
        }
        self.packed = self.rest.split_to(length.min(self.rest.len()));
        self.bit = 0;
        self.left_in_part = self.part;
        Ok(())
    }

    /// What comes after the last number, once it was read.
    pub(crate) fn into_rest(self) -> Bytes {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn all(runs: &mut Runs, count: usize) -> Result<Vec<u32>, Fault> {
        let mut numbers = Vec::new();
        runs.take(count, |number| {
            numbers.push(number);
            Ok(())
        })?;
        Ok(numbers)
    }

    #[test]
    fn bits_of_any_width() {
        let bytes = [0b1010_0101, 0xFF, 0, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC];
        assert_eq!(unpack(&bytes, 0, 3), 0b101);
        assert_eq!(unpack(&bytes, 3, 3), 0b100);
        assert_eq!(unpack(&bytes, 4, 12), 0xFFA);
        assert_eq!(unpack(&bytes, 8, 64), 0xBC9A_7856_3412_00FF);
        assert_eq!(unpack(&bytes, 5, 0), 0);
        assert_eq!(unpack(&bytes, 70, 20), 0b10);
        assert_eq!(unpack(&[], 3, 64), 0);
        assert_eq!(width_of(0), 0);
        assert_eq!(width_of(1), 1);
        assert_eq!(width_of(2), 2);
        assert_eq!(width_of(4), 3);
    }

    #[test]
    fn runs_are_equal_or_packed() {
        // Three sevens; then one group of 8 numbers of 3 bits, 0 to 7, as the format's page
        // has it for an example.
        let bytes = Bytes::from_static(&[6, 7, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        let expected = [7, 7, 7, 0, 1, 2, 3, 4, 5, 6, 7];
        let mut runs = Runs::new(bytes.clone(), 3).unwrap();
        assert_eq!(all(&mut runs, 11).unwrap(), expected);
        assert_eq!(all(&mut runs, 1), Err(ENDS));
        let mut runs = Runs::new(bytes, 3).unwrap();
        let one_by_one: Vec<u32> = (0..11).flat_map(|_| all(&mut runs, 1).unwrap()).collect();
        assert_eq!(one_by_one, expected);
        assert!(Runs::new(Bytes::new(), 33).is_err());
        let mut none = Runs::new(Bytes::from_static(&[200, 1]), 0).unwrap();
        assert_eq!(all(&mut none, 100).unwrap(), [0; 100]);
    }

    #[test]
    fn deltas_as_the_specification_has_them() {
        // 7, 5, 3, 1, 2, 3, 4, 5: differences -2, -2, -2, 1, 1, 1, 1; the least is -2, so
        // 0, 0, 0, 3, 3, 3, 3 in two bits.
        let mut bytes = vec![0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111];
        bytes.resize(bytes.len() + 6, 0);
        let mut deltas = Deltas::new(Bytes::from(bytes)).unwrap();
        let numbers: Vec<i64> = (0..8).map(|_| deltas.next().unwrap()).collect();
        assert_eq!(numbers, [7, 5, 3, 1, 2, 3, 4, 5]);
        assert_eq!(deltas.next(), Err(ENDS));
        assert!(deltas.into_rest().is_empty());
        for header in [&[0_u8, 0, 1, 0][..], &[0x80, 1, 0, 1, 0], &[0x80, 1, 3, 1, 0], &[0xFF; 12]]
        {
            assert!(Deltas::new(Bytes::copy_from_slice(header)).is_err());
        }
    }
}
