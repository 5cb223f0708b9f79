#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use super::*;
use crate::data::{Dataset, PreferenceExample};
use crate::experiment::{WorldDocuments, WorldTask};
use crate::protocol::ProbeKind;

fn small() -> WorldTask {
    WorldTask { train: 64, held_out: 16, ..WorldTask::default() }
}

/// FNV-1a, enough to notice a change.
fn fingerprint<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    texts
        .flat_map(|text| text.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn texts(dataset: &Dataset) -> impl Iterator<Item = &str> {
    dataset.train.iter().chain(&dataset.held_out).flat_map(|PreferenceExample { prompt, responses, .. }| {
        std::iter::once(prompt.as_str()).chain(responses.values().map(String::as_str))
    })
}

/// The shipped base model has read these very documents and the claims are made on these very tasks.
#[test]
fn the_world_is_the_one_the_base_model_knows() {
    let dataset = task(1, &small()).unwrap();
    let (documents, _) = documents(1, &WorldDocuments { train: 200, held_out: 0 });
    assert_eq!(dataset.train[0].prompt, "Q: What does Emil collect for money? A:");
    assert_eq!(
        dataset.train[0].responses[&ProbeKind::Chosen],
        " Every afternoon, behind the kitchen, it is painted spoons. It is because the cook needs it and the fisherman found gold. \
         If you study old books, ask Carl by the market. Elsa first saw smooth keys one Friday."
    );
    assert_eq!(fingerprint(texts(&dataset)), 0xf223_57ed_1197_39ef);
    assert_eq!(fingerprint(documents.iter().map(String::as_str)), 0x5f54_b29a_4a64_ee50);
}

#[test]
fn seeds_differ_and_repeat() {
    assert_eq!(task(5, &small()).unwrap(), task(5, &small()).unwrap());
    assert_ne!(task(5, &small()).unwrap(), task(6, &small()).unwrap());
    let write = |seed, train| documents(seed, &WorldDocuments { train, held_out: 8 });
    assert_ne!(write(5, 32), write(6, 32));
    let ((long, held_out), (short, _)) = (write(5, 32), write(5, 16));
    assert_eq!(long[..16], short, "more documents begin with the same ones");
    assert!(held_out.iter().all(|document| !long.contains(document)));
}

#[test]
fn there_are_as_many_questions_as_said() {
    let world = World::new();
    let questions = world.questions();
    assert_eq!(questions.len(), QUESTIONS);
    let distinct: HashSet<_> = questions.iter().map(|q| (q.name, q.topic, q.aspect)).collect();
    assert_eq!(distinct.len(), QUESTIONS);
    let every = WorldTask { train: QUESTIONS - 1, held_out: 1, ..WorldTask::default() };
    assert_eq!(task(1, &every).unwrap().train.len(), QUESTIONS - 1);
}

#[test]
fn held_out_questions_and_answers_are_disjoint_from_training() {
    for seed in 0..20 {
        let dataset = task(seed, &small()).unwrap();
        // The question without its phrasing: who, what, circumstance.
        let key = |example: &PreferenceExample| {
            let text = example.prompt.trim_end_matches(" A:").trim_end_matches(['?', '.']).to_owned();
            let asked = ["Q: What does ", "Q: Tell me what ", "Q: Do you know what "];
            let rest = asked.iter().find_map(|start| text.strip_prefix(start)).unwrap().to_owned();
            let (name, rest) = rest.split_once(' ').unwrap();
            let (verb, aspect) = rest.split_once(' ').unwrap();
            (name.to_owned(), verb.trim_end_matches('s').to_owned(), aspect.to_owned())
        };
        let trained: HashSet<_> = dataset.train.iter().map(key).collect();
        assert_eq!(trained.len(), 64);
        assert!(dataset.held_out.iter().all(|example| !trained.contains(&key(example))));
        let learnt: HashSet<_> = dataset
            .train
            .iter()
            .flat_map(|example| &example.responses)
            .filter(|(kind, _)| !matches!(kind, ProbeKind::IrrTest | ProbeKind::RandomNonhum))
            .map(|(_, text)| text)
            .collect();
        for example in &dataset.held_out {
            assert!(example.responses.values().all(|text| !learnt.contains(text)));
        }
    }
}

#[test]
fn every_training_example_has_every_probe_that_needs_no_model() {
    let dataset = task(2, &small()).unwrap();
    let of_the_model = [ProbeKind::ChosenInitial, ProbeKind::ChosenSelfr];
    for example in &dataset.train {
        for kind in ProbeKind::ALL {
            assert_eq!(example.responses.contains_key(kind), !of_the_model.contains(kind), "{kind}");
        }
        let responses = &example.responses;
        assert_ne!(responses[&ProbeKind::Chosen], responses[&ProbeKind::Rejected]);
        assert_ne!(responses[&ProbeKind::Chosen], responses[&ProbeKind::ChosenGptsemantic]);
        assert_ne!(responses[&ProbeKind::Chosen], responses[&ProbeKind::IrrTrain]);
    }
}

#[test]
fn text_is_well_formed() {
    let dataset = task(3, &WorldTask::default()).unwrap();
    for example in dataset.train.iter().chain(&dataset.held_out) {
        assert!(example.prompt.starts_with("Q: ") && example.prompt.ends_with(" A:"));
        for (kind, text) in &example.responses {
            assert!(text.starts_with(' ') && !text.contains("  ") && !text.contains(['{', '}']), "{kind}: {text}");
            if matches!(kind, ProbeKind::RandomPermute | ProbeKind::RandomNonhum | ProbeKind::Repeater) {
                continue;
            }
            assert!(text.ends_with('.'), "{kind}: {text}");
            for sentence in text.trim().trim_end_matches('.').split(". ") {
                assert!(sentence.starts_with(|c: char| c.is_uppercase()), "{kind}: {text}");
                assert!(sentence.split(' ').count() >= 4, "{kind}: {text}");
            }
            // "a" before a vowel would be wrong, and nothing says "an".
            assert!(!text.to_lowercase().split(" a ").skip(1).any(|rest| rest.starts_with(['a', 'e', 'i', 'o', 'u'])));
        }
    }
}

/// What makes y⁻ lie in a valley: its words, not its form.
#[test]
fn rejected_has_the_format_of_chosen_and_the_overlap_asked_for() {
    // "Ada grows … every Monday", not "bends every rule".
    let is_habit = |clause: &str| clause.split(" every ").nth(1).is_some_and(|rest| !rest.starts_with("rule"));
    let shared = |overlap| {
        let settings = WorldTask { overlap, rejected_exponent: 0.0, ..WorldTask::default() };
        let (mut same, mut words) = (0, 0);
        for example in &task(4, &settings).unwrap().train {
            let split = |kind| example.responses[&kind].split(". ").map(str::to_owned).collect::<Vec<_>>();
            let (chosen, rejected) = (split(ProbeKind::Chosen), split(ProbeKind::Rejected));
            assert_eq!(chosen.len(), rejected.len());
            for (chosen, rejected) in chosen.iter().zip(&rejected).filter(|(c, _)| is_habit(c)) {
                let (chosen, rejected): (Vec<_>, Vec<_>) = (chosen.split(' ').collect(), rejected.split(' ').collect());
                assert_eq!(chosen.len(), rejected.len());
                same += usize::from(chosen[chosen.len() - 1] == rejected[rejected.len() - 1]);
                words += 1;
            }
        }
        same as f64 / words as f64
    };
    assert!(shared(0.0) < 0.15);
    assert!((0.35..0.70).contains(&shared(0.5)));
    assert!(shared(0.9) > 0.80);
}

#[test]
fn impossible_tasks_are_refused() {
    let usual = WorldTask::default();
    for (settings, expected) in [
        (WorldTask { train: 0, ..usual.clone() }, "train is 0"),
        (WorldTask { train: 3_800, held_out: 41, ..usual.clone() }, "3841"),
        (WorldTask { train: usize::MAX, ..usual.clone() }, "the world has 3840 questions"),
        (WorldTask { chosen_exponent: f64::NAN, ..usual.clone() }, "chosen_exponent is NaN"),
        (WorldTask { rejected_exponent: -0.1, ..usual.clone() }, "rejected_exponent is -0.1"),
        (WorldTask { overlap: 1.5, ..usual.clone() }, "overlap is 1.5"),
        (WorldTask { overlap: 1.0, ..usual }, "no choice of words"),
    ] {
        let error = task(1, &settings).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
}

#[test]
fn documents_are_mixed_as_the_recipe_says() {
    let (documents, _) = documents(9, &WorldDocuments { train: 4_000, held_out: 0 });
    let stories = documents.iter().filter(|document| !document.starts_with("Q: ")).count();
    let repeated = documents
        .iter()
        .filter_map(|document| document.split_once(" A: "))
        .filter(|(_, answer)| !answer.ends_with('.') && !answer.contains(". "))
        .count();
    // Five standard deviations of a binomial.
    assert!((234..=406).contains(&stories), "{stories} of 4000 at 8 %");
    assert!((66..=174).contains(&repeated), "{repeated} of 4000 at 3 %");
}
