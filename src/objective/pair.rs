//! One pair in numbers: its log-probs, and its part in the loss.

/// Sums of log-probs of one pair, nats, and the completions' lengths.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairLogps {
    /// log π(y⁺ | x).
    pub policy_chosen_logps: f64,
    /// log π(y⁻ | x); 0 where the objective has no rejected answer.
    pub policy_rejected_logps: f64,
    /// log π_ref(y⁺ | x); 0 where the objective has no reference.
    pub ref_chosen_logps: f64,
    /// log π_ref(y⁻ | x).
    pub ref_rejected_logps: f64,
    /// Tokens of y⁺.
    pub chosen_tokens: usize,
    /// Tokens of y⁻.
    pub rejected_tokens: usize,
}

impl PairLogps {
    /// r⁺ = log π(y⁺) − log π_ref(y⁺).
    pub fn chosen_logratio(&self) -> f64 {
        self.policy_chosen_logps - self.ref_chosen_logps
    }

    /// r⁻ = log π(y⁻) − log π_ref(y⁻).
    pub fn rejected_logratio(&self) -> f64 {
        self.policy_rejected_logps - self.ref_rejected_logps
    }

    /// h = r⁺ − r⁻.
    pub fn margin(&self) -> f64 {
        self.chosen_logratio() - self.rejected_logratio()
    }

    /// β·r⁺ and β·r⁻: the implicit rewards.
    pub(super) fn rewards(&self, beta: f64) -> Option<(f64, f64)> {
        Some((beta * self.chosen_logratio(), beta * self.rejected_logratio()))
    }
}

/// One pair's part in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairLoss {
    /// The pair's loss; the batch's is the sum of these over [`normaliser`](super::normaliser).
    pub loss: f64,
    /// w⁺ = −∂loss/∂log π⁺: how hard y⁺ is pulled up.
    pub chosen_weight: f64,
    /// w⁻ = ∂loss/∂log π⁻: how hard y⁻ is pushed down; negative where it is pulled up.
    pub rejected_weight: f64,
    /// The rewards of y⁺ and y⁻, where the objective defines them.
    pub rewards: Option<(f64, f64)>,
}

impl PairLoss {
    /// This loss with λ·NLL of y⁺, a sum over its tokens, added.
    pub(super) fn with_nll(self, pair: &PairLogps, lambda: f64) -> Self {
        Self { loss: self.loss - lambda * pair.policy_chosen_logps, chosen_weight: self.chosen_weight + lambda, ..self }
    }
}
