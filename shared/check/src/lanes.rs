//! Sixteen bytes at once.
//!
//! The instructions are those that every processor of the target has, SSE2 or NEON, which the
//! crate `wide` makes safe to call. Wider ones would have to be detected at run time, and
//! finding the bytes that matter is so small a part of a check that it would not be noticed.

use wide::u8x16;

/// Sixteen bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes(u8x16);

impl Lanes {
    #[inline(always)]
    pub(crate) fn new(bytes: &[u8; 16]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// The same byte in every lane.
    #[inline(always)]
    pub(crate) fn splat(byte: u8) -> Self {
        Self(u8x16::splat(byte))
    }

    /// All ones where the lanes are equal, else 0.
    #[inline(always)]
    pub(crate) fn equal(self, other: Self) -> Self {
        Self(self.0.simd_eq(other.0))
    }

    /// All ones where the lane minus `low`, modulo 256, is at most `span`, else 0: the range
    /// from `low` to `low + span`.
    #[inline(always)]
    pub(crate) fn within(self, low: Self, span: Self) -> Self {
        let distance = self.0 - low.0;
        Self(distance.min(span.0).simd_eq(distance))
    }

    #[inline(always)]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The top bit of each lane, the first lane's lowest.
    #[inline(always)]
    pub(crate) fn top_bits(self) -> u64 {
        u64::from(self.0.to_bitmask())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Random;

    /// Bytes around the edges of comparisons.
    fn bytes(random: &mut Random) -> [u8; 16] {
        std::array::from_fn(|_| match random.below(3) {
            0 => [0, 1, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF][random.below(8)],
            1 => b",\"\n0"[random.below(4)],
            _ => random.below(256) as u8,
        })
    }

    #[test]
    fn lanes_do_what_a_loop_does() {
        let mut random = Random::new(5);
        for _ in 0..20_000 {
            let [a, b, c] = std::array::from_fn(|_| bytes(&mut random));
            let [x, y, z] = [a, b, c].map(|bytes| Lanes::new(&bytes));
            let bits = |holds: &dyn Fn(usize) -> bool| {
                (0..16).fold(0, |bits, lane| bits | u64::from(holds(lane)) << lane)
            };
            assert_eq!(x.top_bits(), bits(&|lane| a[lane] > 0x7F));
            assert_eq!(x.equal(y).top_bits(), bits(&|lane| a[lane] == b[lane]));
            assert_eq!(x.or(y).top_bits(), bits(&|lane| (a[lane] | b[lane]) > 0x7F));
            let within = |lane: usize| a[lane].wrapping_sub(b[lane]) <= c[lane];
            assert_eq!(x.within(y, z).top_bits(), bits(&within));
            let splat = Lanes::splat(a[0]);
            assert_eq!(x.equal(splat).top_bits(), bits(&|lane| a[lane] == a[0]));
        }
    }
}
