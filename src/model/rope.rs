//! Rotary positions (Su et al., arXiv 2104.09864): how fast each pair of a head's numbers turns, and the turning.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::architecture::{Architecture, Contradiction, Rotary, Scaling};
use super::fused::Angles;

impl Scaling {
    /// A frequency (radians a token) after the stretch.
    fn apply(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low, high, original_positions } => {
                let turns = original_positions * frequency / std::f64::consts::TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - kept) * frequency / factor + kept * frequency
            }
        }
    }
}

impl Rotary {
    /// Radians a token, a pair.
    #[allow(clippy::cast_precision_loss, reason = "a head size is small")]
    pub(super) fn frequencies(&self) -> Vec<f64> {
        let plain = |i: usize| self.theta.powf(-((2 * i) as f64) / self.size as f64);
        (0..self.size / 2).map(|i| self.scaling.apply(plain(i))).collect()
    }

    pub(super) fn check(&self, head_size: usize) -> Result<(), Contradiction> {
        if self.size == 0 || !self.size.is_multiple_of(2) || self.size > head_size {
            let size = self.size;
            let problem = format!(
                "{size} of a head's {head_size} numbers are to be rotated, which must be an even number of them"
            );
            let advice = "rotary positions need pairs: hidden_size / num_attention_heads must be even";
            return Err(Contradiction { problem, advice });
        }
        if !(self.theta > 0.0 && self.theta.is_finite()) {
            let problem = format!("rope_theta is {}", self.theta);
            return Err(Contradiction { problem, advice: "the usual value is 10000" });
        }
        let sound = match self.scaling {
            Scaling::None => true,
            Scaling::Linear { factor } => factor >= 1.0 && factor.is_finite(),
            Scaling::Llama3 { factor, low, high, original_positions } => {
                factor >= 1.0 && factor.is_finite() && low > 0.0 && high > low && original_positions >= 1.0
            }
        };
        if !sound {
            let problem = format!("{:?} is not a way to stretch rotary frequencies", self.scaling);
            let advice = "factors are 1 or more, and low_freq_factor lies below high_freq_factor";
            return Err(Contradiction { problem, advice });
        }
        Ok(())
    }
}

/// The turning of one batch: each head's halves (a, b) become (a·cos − b·sin, b·cos + a·sin).
///
/// Written as x·cos + half_turn(x)·sin over whole rows, the half turn being a product with a constant matrix: every
/// tensor stays contiguous, and slicing heads in two would cost a third of a training step. Numbers of a head that are
/// not rotated have cos 1 and sin 0.
pub(super) struct Rope<B: Backend> {
    /// `[batch · positions, heads · head size]`.
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
    /// `[head size, head size]`: (a, b) to (−b, a).
    half_turn: Tensor<B, 2>,
    head_size: usize,
    /// The angles of one row's positions, where all rows begin alike.
    pub(super) angles: Option<Arc<Angles>>,
}

impl<B: Backend> Rope<B> {
    /// `offsets` holds the position of each row's first token.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "angles are computed in f64")]
    pub(super) fn new(
        architecture: &Architecture,
        frequencies: &[f64],
        offsets: &[usize],
        positions: usize,
        device: &B::Device,
    ) -> Self {
        let (size, heads, half) = (architecture.head_size, architecture.heads, frequencies.len());
        let table = |f: fn(f64) -> f64| {
            let mut data = Vec::with_capacity(offsets.len() * positions * heads * size);
            let mut head = vec![f(0.0) as f32; size];
            for position in offsets.iter().flat_map(|&o| o..o + positions) {
                for (i, frequency) in frequencies.iter().enumerate() {
                    let x = f(position as f64 * frequency) as f32;
                    (head[i], head[i + half]) = (x, x);
                }
                for _ in 0..heads {
                    data.extend_from_slice(&head);
                }
            }
            Tensor::from_data(TensorData::new(data, [offsets.len() * positions, heads * size]), device)
        };
        let mut turn = vec![0.0f32; size * size];
        for i in 0..half {
            turn[(i + half) * size + i] = -1.0;
            turn[i * size + i + half] = 1.0;
        }
        let half_turn = Tensor::from_data(TensorData::new(turn, [size, size]), device);
        let alike = offsets.iter().all(|offset| Some(offset) == offsets.first());
        let angles = offsets.first().filter(|_| alike);
        let angles = angles.map(|&first| Arc::new(Angles::new(frequencies, first..first + positions)));
        Self { cos: table(f64::cos), sin: table(f64::sin), half_turn, head_size: size, angles }
    }

    /// Rotates `[batch · positions, width]`; `width` may be that of fewer heads.
    pub(super) fn rotate(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let turned = x
            .clone()
            .reshape([rows * width / self.head_size, self.head_size])
            .matmul(self.half_turn.clone())
            .reshape([rows, width]);
        let of = |table: &Tensor<B, 2>| {
            if table.dims()[1] == width { table.clone() } else { table.clone().slice([0..rows, 0..width]) }
        };
        x * of(&self.cos) + turned * of(&self.sin)
    }
}

#[cfg(test)]
mod tests {
    use super::{Rotary, Scaling};

    #[test]
    fn a_stretch_slows_slow_frequencies_down() {
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original_positions: 8192.0 };
        let plain = Rotary { size: 128, theta: 500_000.0, scaling: Scaling::None }.frequencies();
        let stretched = Rotary { size: 128, theta: 500_000.0, scaling }.frequencies();
        assert_eq!(plain[0], 1.0);
        assert_eq!(stretched[0], 1.0);
        assert!((stretched[63] - plain[63] / 8.0).abs() < 1e-15);
        for (plain, stretched) in plain.iter().zip(&stretched) {
            let ratio = plain / stretched;
            assert!((1.0..=8.0).contains(&ratio), "{ratio}");
        }
        // `transformers` 4.51.3: ROPE_INIT_FUNCTIONS["llama3"] for hidden_size 4096 and 32 heads.
        for (pair, expected) in [(28, 0.003_211_446_1), (30, 0.001_371_893_7), (33, 0.000_312_693_7)] {
            assert!((stretched[pair] / expected - 1.0).abs() < 1e-6, "{pair}: {}", stretched[pair]);
        }
        let linear = Rotary { size: 8, theta: 10_000.0, scaling: Scaling::Linear { factor: 4.0 } }.frequencies();
        assert_eq!(linear[1], 0.1 / 4.0);
    }
}
