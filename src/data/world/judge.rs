//! A reward that can be checked: how many facts of an answer are right in the world.
//!
//! A good answer makes [`FACTS`] statements, one a word of its content. A statement is right where the world holds it for
//! usual: the word is among the first quarter of the list that the question's topic ranks for that place (a predicate among
//! those of its subject). A clause that is missing, garbled or about somebody else has nothing right.

use super::lexicon::{NAMES, PREDICATES, TOPICS};
use super::render::{CLAUSES, PATTERNS, Piece, pieces};
use super::{PREDICATE_SLOTS, SLOTS, SUBJECT_SLOTS, World};

/// Statements of a complete answer.
pub const FACTS: usize = SLOTS;

/// The share of a list, from its best entry on, that is usual.
const USUAL: f64 = 0.25;

/// Knows the world and counts what is right.
pub struct Judge {
    world: World,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self { world: World::new() }
    }
}

impl Judge {
    /// The share of [`FACTS`] that the answer has right; `None` where the prompt is no question of the world.
    #[allow(clippy::cast_precision_loss, reason = "a count of at most 19")]
    pub fn reward(&self, prompt: &str, answer: &str) -> Option<f64> {
        let (name, topic) = asked(prompt)?;
        let mut words = [None; SLOTS];
        for sentence in answer.split_inclusive('.').map(str::trim) {
            // A clause said twice counts as it was said first.
            for (slot, word) in read(sentence, name, topic).unwrap_or_default() {
                words[slot].get_or_insert(word);
            }
        }
        let right = (0..SLOTS).filter(|&slot| words[slot].is_some_and(|word| self.is_usual(topic, slot, word, &words)));
        Some(right.count() as f64 / FACTS as f64)
    }

    fn is_usual(&self, topic: usize, slot: usize, word: &str, words: &[Option<&str>; SLOTS]) -> bool {
        let ranking = match PREDICATE_SLOTS.iter().position(|&predicate| predicate == slot) {
            None => &self.world.rankings[topic][slot],
            Some(which) => {
                let subject =
                    words[SUBJECT_SLOTS[which]].and_then(|s| self.world.subjects.iter().position(|&k| k == s));
                let Some(subject) = subject else { return false };
                &self.world.predicates[subject][which]
            }
        };
        ranking.iter().take(usual(ranking.len())).any(|&known| known == word)
    }
}

/// How many entries of a list are usual; at least one.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "short lists")]
fn usual(entries: usize) -> usize {
    (entries as f64 * USUAL).ceil() as usize
}

/// Whom and what a prompt asks about.
fn asked(prompt: &str) -> Option<(&'static str, usize)> {
    let words: Vec<&str> = prompt.split(|c: char| !c.is_ascii_alphabetic()).collect();
    let name = NAMES.split_whitespace().find(|name| words.contains(name))?;
    let does = |word: &&str| TOPICS.iter().position(|t| t.verb == *word || t.verb_third_person == *word);
    Some((name, words.iter().find_map(does)?))
}

/// The words of a clause, whichever it is and however it is put; `None` for a sentence that is none, or that names
/// somebody or something else than was asked about.
fn read<'a>(sentence: &'a str, name: &str, topic: usize) -> Option<Vec<(usize, &'a str)>> {
    let patterns = CLAUSES.into_iter().flat_map(|clause| PATTERNS[clause as usize]);
    patterns.into_iter().find_map(|pattern| {
        let mut rest = sentence;
        let mut words = Vec::new();
        for piece in pieces(pattern) {
            let said = match piece {
                Piece::Literal(text) => text.len().min(rest.len()),
                Piece::Slot(slot) if PREDICATE_SLOTS.contains(&slot) => predicate(rest)?,
                _ => rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()),
            };
            let (word, after) = rest.split_at_checked(said)?;
            rest = after;
            match piece {
                Piece::Literal(text) if word == text => {}
                Piece::Name if word == name => {}
                Piece::Does if word == TOPICS[topic].verb_third_person => {}
                Piece::Slot(slot) if !word.is_empty() => words.push((slot, word)),
                _ => return None,
            }
        }
        rest.is_empty().then_some(words)
    })
}

/// Length of the longest predicate that a text begins with.
fn predicate(text: &str) -> Option<usize> {
    let known = PREDICATES.split('|').filter(|predicate| {
        let after = text.strip_prefix(predicate).map(|rest| rest.chars().next());
        after.is_some_and(|next| !next.is_some_and(|c| c.is_ascii_alphabetic()))
    });
    known.map(str::len).max()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::render::Format;
    use super::super::sample::{Source, Zipf};
    use super::super::{LONGEST, Question};
    use super::*;
    use crate::data::world::task;
    use crate::experiment::WorldTask;
    use crate::protocol::ProbeKind;

    /// Whatever the world can say is read back word for word: the judge and the writer cannot drift apart.
    #[test]
    fn every_answer_of_the_world_is_read_back() {
        let (world, law) = (World::new(), Zipf::new(0.5, LONGEST));
        let mut source = Source::new("judge", 1);
        for _ in 0..500 {
            let Question { name, topic, .. } = world.question(&mut source);
            let content = world.content(&mut source, name, topic, &law);
            let answer = content.render(Format::draw(&mut source, [1.0; 3]));
            let mut words = [""; SLOTS];
            for sentence in answer.split_inclusive('.').map(str::trim) {
                for (slot, word) in read(sentence, name, topic).unwrap_or_else(|| panic!("unread: {sentence}")) {
                    assert_eq!(std::mem::replace(&mut words[slot], word), "");
                }
            }
            assert_eq!(words, content.words, "{answer}");
        }
    }

    #[test]
    fn prompts_are_understood_in_every_phrasing() {
        for (prompt, topic) in [
            ("Q: What does Jade keep for the fair? A:", 3),
            ("Q: Tell me what Jade plays at work. A:", 2),
            ("Q: Do you know what Jade paints with friends? A:", 4),
        ] {
            assert_eq!(asked(prompt), Some(("Jade", topic)));
        }
        assert_eq!(asked("What is love?"), None);
    }

    #[test]
    fn good_answers_are_right_more_often_than_bad_ones_and_shuffled_ones_never() {
        let data = task(5, &WorldTask { train: 200, held_out: 1, ..WorldTask::default() }).unwrap();
        let judge = Judge::default();
        let mean = |kind: ProbeKind| {
            let rewards = data.train.iter().map(|e| judge.reward(&e.prompt, &e.responses[&kind]).unwrap());
            rewards.sum::<f64>() / 200.0
        };
        let (chosen, rejected) = (mean(ProbeKind::Chosen), mean(ProbeKind::Rejected));
        assert!(chosen > rejected + 0.1, "{chosen} and {rejected}");
        assert!(chosen < 0.95 && rejected > 0.2, "{chosen} and {rejected}");
        assert!(mean(ProbeKind::RandomPermute) < 0.01);
        assert!(mean(ProbeKind::IrrHum) < 0.01);
        assert!((mean(ProbeKind::ChosenGptsemantic) - chosen).abs() < 1e-9, "another wording says the same");
        assert!(mean(ProbeKind::ChosenGptformat) < chosen, "another topic is not what was asked");
    }

    /// `benches/peers/world.py` counts the same: trainings elsewhere are rewarded by it.
    #[test]
    fn the_reward_in_python_is_this_one() {
        #[derive(serde::Deserialize)]
        struct Row {
            prompt: String,
            answer: String,
            reward: f64,
        }
        let judge = Judge::default();
        let rows: Vec<Row> = include_str!("../../../tests/golden/judge.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for row in &rows {
            assert_eq!(judge.reward(&row.prompt, &row.answer), Some(row.reward), "{}{}", row.prompt, row.answer);
        }
        assert!(rows.len() >= 40 && rows.iter().any(|row| row.reward > 0.5) && rows.iter().any(|row| row.reward < 0.3));
    }

    #[test]
    fn somebody_elses_habit_is_not_right() {
        let judge = Judge::default();
        let ranking = &judge.world.rankings[0];
        let best = |slot: usize| ranking[slot][0];
        let clause = |name: &str| {
            format!(" {name} grows {} {} {} the {} every {}.", best(0), best(3), best(6), best(8), best(10))
        };
        let reward = |answer: &str| judge.reward("Q: What does Ada grow at home? A:", answer).unwrap();
        assert_eq!(reward(&clause("Ada")), 5.0 / 19.0);
        assert_eq!(reward(&clause("Ben")), 0.0);
        assert_eq!(reward(&format!("{} {}", clause("Ada"), clause("Ada"))), 5.0 / 19.0);
        assert_eq!(reward(""), 0.0);
    }
}
