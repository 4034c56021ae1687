//! The generator of pseudo-random numbers behind the workloads.

/// Mulberry32: 32 bits of state, the same sequence on every machine.
#[derive(Debug, Clone)]
pub struct Mulberry32(u32);

impl Mulberry32 {
    /// A generator with this seed.
    pub fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// The next number in `[0, 1)`.
    pub fn next_fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x6D2B_79F5);
        let mut mixed = (self.0 ^ (self.0 >> 15)).wrapping_mul(self.0 | 1);
        mixed ^= mixed.wrapping_add((mixed ^ (mixed >> 7)).wrapping_mul(mixed | 61));
        f64::from(mixed ^ (mixed >> 14)) / 4_294_967_296.0
    }

    /// The next number in `[low, high)`.
    pub fn next_in(&mut self, low: f64, high: f64) -> f64 {
        low + self.next_fraction() * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Mulberry32::new(1);
        let first = [random.next_fraction(), random.next_fraction()];
        assert_eq!(first, [0.627_073_940_588_161_3, 0.002_735_721_180_215_478]);
    }
}
