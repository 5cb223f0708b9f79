//! The glossary: every term and sign that a panel shows, in a sentence each, with the place in the literature where it has
//! one. A term of a new panel is a row here.

use super::panel::Panel;

/// A term or a sign.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// As it is written on the screen.
    pub word: &'static str,
    /// What it is, in a sentence.
    pub meaning: &'static str,
    /// Where it is defined; empty where this program defines it.
    pub source: &'static str,
    /// The panels that show it.
    panels: &'static [Panel],
}

/// The terms of a panel, in the order in which they build on each other.
pub fn terms(panel: Panel) -> impl Iterator<Item = &'static Term> {
    TERMS.iter().filter(move |term| term.panels.contains(&panel))
}

const fn term(word: &'static str, panels: &'static [Panel], source: &'static str, meaning: &'static str) -> Term {
    Term { word, meaning, source, panels }
}

use Panel::{Answers, Chart, Curves, Dynamics, Events, Forces, Influence, Kernel, Learning, Pairs, Prompt, Reward};

/// The paper that the program shows.
const PAPER: &str = "Ren & Sutherland 2025";
/// Its decomposition of one step.
const PROP: &str = "Ren & Sutherland 2025, Prop. 1";
/// Its name for what DPO does to unlikely answers.
const SQUEEZING: &str = "Ren & Sutherland 2025, the squeezing effect";
/// Where DPO comes from.
const DPO: &str = "Rafailov et al. 2023, eq. 7";

/// Where GRPO comes from.
const GRPO: &str = "Shao et al. 2024";

/// Panels that show log-probs of answers.
const LOGPS: &[Panel] = &[Chart, Curves, Prompt, Pairs, Forces];

#[rustfmt::skip]
const TERMS: &[Term] = &[
    term("y⁺", LOGPS, DPO, "The preferred (chosen) answer to a question: training should make it likelier."),
    term("y⁻", LOGPS, DPO, "The dispreferred (rejected) answer to the same question: DPO pushes it down against y⁺."),
    term("y*", LOGPS, PAPER, "What the model itself finds likeliest: at every position of an answer, the token with the highest probability there."),
    term("y* on y⁺", &[Chart, Curves], PAPER, "The log-probs of those likeliest tokens, read along the words of y⁺ and summed; it is never below y⁺."),
    term("y* on y⁻", &[Chart, Curves], PAPER, "The same, read along the words of y⁻."),
    term("log p", &[Chart, Curves, Prompt], PAPER, "The logarithm of the probability that the model gives to a whole answer: the sum over its tokens, 0 at most."),
    term("nats", LOGPS, "", "The unit of log p: one nat less means that an answer became e = 2.7 times less likely, ten nats 22,000 times."),
    term("Δ", LOGPS, "", "A change: of log p since the stage began, since step 0, or since the step that the key {count_from_here} marked; the title says which."),
    term("stage", &[Chart, Curves, Prompt, Pairs, Events, Dynamics, Forces], "", "A part of a run with one objective: supervised finetuning (SFT) shows the model y⁺ alone, DPO both answers."),
    term("per token", &[Chart, Curves], "", "log p divided by the number of tokens of the answer, so that long and short answers can be compared."),
    term("mean of N prompts", &[Chart, Curves, Forces], "", "Every curve is an average over N observed questions; a selected curve shows the middle half of them as a band."),
    term("faint lines", &[Chart], "", "Answers that the story is not about; {story} shows them as it shows y⁺, y⁻ and y*, and a digit a group of them."),
    term("y⁺ init", &[Chart, Curves, Forces], PAPER, "The model's own answer before finetuning."),
    term("y⁺ self", &[Chart, Curves, Forces], "", "The opening of y⁺, continued by the model before finetuning."),
    term("y⁺ sem, y⁻ sem", &[Chart, Curves, Forces], PAPER, "The answer in other words: it moves with the answer as far as the model takes them to mean the same."),
    term("y⁺ fmt, y⁻ fmt", &[Chart, Curves, Forces], PAPER, "The answer's form with another meaning."),
    term("irr train", &[Chart, Curves, Prompt, Forces], PAPER, "The preferred answer to another training question: where it rises, the model says B's answer to question A (hallucination)."),
    term("irr test", &[Chart, Curves, Forces], PAPER, "The preferred answer to a question that is never trained on: the control of irr train."),
    term("repeat", &[Chart, Curves, Forces], PAPER, "A short phrase over and over: what a squeezed model falls into."),
    term("irr hum", &[Chart, Curves, Forces], PAPER, "Grammatical sentences that answer nothing."),
    term("shuffled y⁺, shuffled irr", &[Chart, Curves, Forces], PAPER, "The words of an answer in random order: no language, and far down."),
    term("displaced", &[Chart, Prompt, Pairs, Events, Dynamics], "Razin et al. 2025", "A pair whose margin grew although y⁺ and y⁻ both fell since the stage began: the preferred answer lost too."),
    term("squeezed", &[Chart, Prompt, Pairs, Events, Dynamics], SQUEEZING, "A displaced pair on which y* rose and took a large share of the probability that the others lost."),
    term("margin", &[Events, Dynamics, Pairs], DPO, "How much further y⁺ moved up than y⁻; the reward margin is that, against the model before the stage, times β."),
    term("both fell", &[Pairs], SQUEEZING, "The shaded quarter of the points: there Δy⁺ and Δy⁻ are both negative."),
    term("healthy", &[Events, Dynamics], "", "No rate of such pairs is high enough for a warning."),
    term("displacing", &[Events, Dynamics], "", "Many pairs are displaced, and y* does not take what they lose."),
    term("flattening", &[Events, Dynamics], "", "Many pairs are displaced and their probability spreads over many other tokens: the entropy grows."),
    term("squeezing", &[Events, Dynamics], SQUEEZING, "Many pairs are squeezed: the alarm."),
    term("collapse", &[Events, Dynamics], "", "Squeezing, and the text that the model writes repeats itself."),
    term("share to y*", &[Dynamics, Prompt], SQUEEZING, "Of all probability that any token gained since the stage began, the part that went to y*."),
    term("bystanders", &[Dynamics], "", "Every token that is neither y* nor the answer's own: the probability that they gained or lost together, a position."),
    term("entropy", &[Dynamics], "", "How evenly the model spreads its probability over tokens, nats a position: it falls while a model grows sure."),
    term("gained, lost", &[Prompt], "", "Tokens whose probability at the positions of y⁺ grew or shrank most since the stage began, summed over positions."),
    term("break-even line", &[Prompt], SQUEEZING, "Under the microscope (u): one push on a token raises the tokens that are likelier than this and lowers the others."),
    term("‖K‖", &[Prompt], PROP, "In the map that K opens: how alike the model takes two answers to be; learning one moves the other the more, the larger it is."),
    term("says now, at step 0", &[Prompt], "", "What the model answers when it takes the likeliest token each time, now and before training."),
    term("loss", &[Dynamics, Learning], "", "What the optimiser makes smaller."),
    term("w⁻", &[Dynamics], DPO, "How hard a step pushes y⁻ down, per nat: it shrinks as the margin grows."),
    term("gradient norm", &[Dynamics], "", "How steep the loss is, before clipping."),
    term("[21–100]", &[Dynamics], "", "A 95 % interval: with so few pairs the true share may lie anywhere in it."),
    term("pull", &[Forces], PROP, "What learning from y⁺ of every training pair did to this answer, accumulated since the stage began."),
    term("push", &[Forces], PROP, "What pushing y⁻ of every training pair down did to this answer."),
    term("residual", &[Forces], "", "The measured change less pull, push and decay: what the account does not explain."),
    term("decay", &[Forces], "", "What weight decay did: the optimiser draws every weight towards zero."),
    term("π", &[Answers, Influence, Kernel], PROP, "The probabilities that the classifier gives to the ten classes."),
    term("accuracy", &[Answers, Learning], "", "The share of held-out pictures whose likeliest class is the right one."),
    term("reward", &[Reward], "", "What a checker or a reward model gives to a sampled answer; the training makes answers with much of it likelier."),
    term("advantage", &[Reward], GRPO, "An answer's reward less the mean of its question's samples: above 0 it is pulled up, below 0 pushed down, at 0 it teaches nothing."),
    term("once correct", &[Reward], "Deng et al. 2025", "Samples with a positive advantage, kept as they were sampled: where their log π falls, likelihood is displaced lazily."),
    term("clipped", &[Reward], GRPO, "A token whose ratio of probabilities to when it was sampled left the trusted region: it gives no gradient."),
    term("KL", &[Reward], GRPO, "How far the model is from the reference, nats a token; 0 is logged where nothing draws it back (β = 0)."),
    term("u → o", &[Influence], PROP, "What the steps on pictures of class u did, added up, to the log-prob of class u's answer on pictures of class o."),
    term("‖A‖", &[Learning, Kernel], PROP, "A = I − 1·πᵀ turns a change of the logits into one of log π; its size grows as the model grows sure, from √(V−1) to √(2V−2)."),
    term("K", &[Kernel, Influence, Learning], PROP, "The kernel: how alike the model takes two pictures to be; learning one moves the other by as much."),
    term("residual G", &[Learning, Influence], PROP, "G = π − e_y: how far the model's answer is from the label; the engine of every step."),
    term("step", &[Chart, Answers, Learning], "", "One update of the weights from one batch."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::panel::Shows;

    #[test]
    fn every_panel_has_its_terms_in_sentences() {
        let bare = Shows { classes: false, pairs: false, forces: false, rewards: false };
        for run in [Shows { pairs: true, forces: true, rewards: true, ..bare }, Shows { classes: true, ..bare }] {
            for panel in Panel::all(run) {
                assert!(terms(panel).count() >= 3, "{panel:?}");
            }
        }
        for term in TERMS {
            assert!(term.meaning.ends_with('.'), "{} is told in a sentence", term.word);
            assert!(
                term.meaning.starts_with(|c: char| c.is_uppercase() || !c.is_alphabetic() || "logy".contains(c)),
                "{}",
                term.word
            );
            assert!(term.meaning.len() <= 170, "{} is told in one", term.word);
        }
        let mut words: Vec<_> = TERMS.iter().map(|term| term.word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), TERMS.len(), "each is told once");
    }
}
