//! Reference computations, in loops and in double precision: nothing of it is shared with the tensors that are checked.

use crate::model::Architecture;
use crate::model::architecture::{Activation, Norm, Parameter, Positions, Role};

/// `a` `[n, k]` times `b` `[k, m]`.
pub(super) fn product(a: &[f64], b: &[f64], [n, k, m]: [usize; 3]) -> Vec<f64> {
    let mut out = vec![0.0; n * m];
    for i in 0..n {
        for j in 0..m {
            out[i * m + j] = (0..k).map(|l| a[i * k + l] * b[l * m + j]).sum();
        }
    }
    out
}

/// log Σ exp.
pub(super) fn log_sum_exp(row: &[f64]) -> f64 {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + row.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}

pub(super) fn softmax(row: &[f64]) -> Vec<f64> {
    let normaliser = log_sum_exp(row);
    row.iter().map(|x| (x - normaliser).exp()).collect()
}

/// A model, parameter by parameter.
pub(super) struct Model<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) parameters: &'a [(Parameter, Vec<f64>)],
}

impl Model<'_> {
    fn get(&self, layer: Option<usize>, role: Role, bias: bool) -> Option<&[f64]> {
        let wanted = Parameter { layer, role, bias };
        self.parameters.iter().find(|(parameter, _)| *parameter == wanted).map(|(_, numbers)| numbers.as_slice())
    }

    /// W·x + b.
    fn linear(&self, layer: usize, role: Role, x: &[f64]) -> Vec<f64> {
        let weight = self.get(Some(layer), role, false).unwrap_or_default();
        let bias = self.get(Some(layer), role, true);
        let row = |(o, row): (usize, &[f64])| {
            row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + bias.map_or(0.0, |bias| bias[o])
        };
        weight.chunks_exact(x.len()).enumerate().map(row).collect()
    }

    #[allow(clippy::cast_precision_loss, reason = "a width is small")]
    fn norm(&self, layer: Option<usize>, role: Role, x: &[f64]) -> Vec<f64> {
        let (weight, bias) = (self.get(layer, role, false).unwrap_or_default(), self.get(layer, role, true));
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / x.len() as f64;
        let centre = match self.architecture.norm {
            Norm::Rms => 0.0,
            Norm::Layer => mean(&mut x.iter().copied()),
        };
        let scale = (mean(&mut x.iter().map(|x| (x - centre) * (x - centre))) + self.architecture.norm_eps).sqrt();
        let one = |(i, (x, w)): (usize, (&f64, &f64))| (x - centre) / scale * w + bias.map_or(0.0, |bias| bias[i]);
        x.iter().zip(weight).enumerate().map(one).collect()
    }

    /// Turns a head's halves at a position.
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    fn rotate(&self, head: &mut [f64], position: usize) {
        let Positions::Rotary(rotary) = &self.architecture.positions else { return };
        let half = rotary.size / 2;
        for i in 0..half {
            let angle = position as f64 * rotary.theta.powf(-((2 * i) as f64) / rotary.size as f64);
            let (a, b) = (head[i], head[i + half]);
            (head[i], head[i + half]) = (a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin());
        }
    }

    /// The normalised hidden states `[positions, d]` of one row of tokens.
    pub(super) fn forward(&self, tokens: &[usize]) -> Vec<f64> {
        let d = self.architecture.hidden_size;
        let table = |role, at: usize| {
            let table = self.get(None, role, false);
            table.map_or_else(|| vec![0.0; d], |table| table[at * d..(at + 1) * d].to_vec())
        };
        let embed = |(position, &token): (usize, &usize)| {
            add(&table(Role::Embedding, token), &table(Role::Positions, position))
        };
        let mut rows: Vec<Vec<f64>> = tokens.iter().enumerate().map(embed).collect();
        for layer in 0..self.architecture.layers {
            let normed: Vec<Vec<f64>> = rows.iter().map(|x| self.norm(Some(layer), Role::AttentionNorm, x)).collect();
            let attended = self.attention(layer, &normed);
            for (x, attended) in rows.iter_mut().zip(attended) {
                *x = add(x, &self.linear(layer, Role::Output, &attended));
                let normed = self.norm(Some(layer), Role::MlpNorm, x);
                *x = add(x, &self.linear(layer, Role::Down, &self.inner(layer, &normed)));
            }
        }
        rows.iter().flat_map(|x| self.norm(None, Role::FinalNorm, x)).collect()
    }

    fn inner(&self, layer: usize, x: &[f64]) -> Vec<f64> {
        let up = self.linear(layer, Role::Up, x);
        let activate = |x: f64| match self.architecture.activation {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::GeluTanh | Activation::GeluErf => {
                x * 0.5 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
            }
        };
        if self.architecture.gated {
            self.linear(layer, Role::Gate, x).into_iter().zip(up).map(|(gate, up)| activate(gate) * up).collect()
        } else {
            up.into_iter().map(activate).collect()
        }
    }

    /// What every position attends to, head by head.
    #[allow(clippy::cast_precision_loss, reason = "a width is small")]
    fn attention(&self, layer: usize, normed: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let Architecture { heads, key_value_heads, head_size: size, .. } = *self.architecture;
        let project = |role, rotates: bool| -> Vec<Vec<f64>> {
            let turned = |(position, x): (usize, &Vec<f64>)| {
                let mut y = self.linear(layer, role, x);
                if rotates {
                    y.chunks_exact_mut(size).for_each(|head| self.rotate(head, position));
                }
                y
            };
            normed.iter().enumerate().map(turned).collect()
        };
        let (queries, keys, values) =
            (project(Role::Query, true), project(Role::Key, true), project(Role::Value, false));
        let at = |head: usize| head * size..(head + 1) * size;
        let one = |t: usize, head: usize| {
            let shared = head / (heads / key_value_heads);
            let score = |s: usize| {
                let products = queries[t][at(head)].iter().zip(&keys[s][at(shared)]).map(|(q, k)| q * k);
                products.sum::<f64>() / (size as f64).sqrt()
            };
            let weights = softmax(&(0..=t).map(score).collect::<Vec<_>>());
            let mut mixed = vec![0.0; size];
            for (weight, values) in weights.iter().zip(&values) {
                mixed.iter_mut().zip(&values[at(shared)]).for_each(|(m, v)| *m += weight * v);
            }
            mixed
        };
        (0..normed.len()).map(|t| (0..heads).flat_map(|head| one(t, head)).collect()).collect()
    }
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
