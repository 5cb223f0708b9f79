//! Checks of the data: whether it is there, and what can be observed of it.

use std::path::Path;

use super::Findings;
use crate::data::pictures::CLASSES;
use crate::data::world::QUESTIONS;
use crate::data::{PreferenceData, Survey};
use crate::experiment::{DataSource, Experiment, LabShape, ModelSource, PreferenceFiles};
use crate::model::model_files;
use crate::protocol::ProbeKind;

/// Pictures under observation: their kernel has ten rows and columns for each of them.
const MOST_OBSERVED: usize = 200;

impl Findings<'_> {
    /// Checks the data; returns the number of training examples, where it is known.
    pub(super) fn data(&mut self, experiment: &Experiment) -> Option<usize> {
        match &experiment.data {
            DataSource::World(task) => {
                self.positive("data.train", task.train as u64);
                self.positive("data.held_out", task.held_out as u64);
                if task.train.saturating_add(task.held_out) > QUESTIONS {
                    self.add(
                        "data.train",
                        format!("{} + {} questions are more than the world has", task.train, task.held_out),
                        format!("train and held_out together can be {QUESTIONS} at most: they never overlap"),
                    );
                }
                for (field, x) in
                    [("chosen_exponent", task.chosen_exponent), ("rejected_exponent", task.rejected_exponent)]
                {
                    if !(x.is_finite() && x >= 0.0) {
                        self.add(
                            &format!("data.{field}"),
                            format!("{x} is no Zipf exponent"),
                            "write 0 or more, such as 1.4",
                        );
                    }
                }
                self.share("data.overlap", task.overlap);
                Some(task.train)
            }
            DataSource::WorldDocuments(documents) => {
                self.has_rejected = false;
                self.positive("data.train", documents.train as u64);
                self.positive("data.held_out", documents.held_out as u64);
                None
            }
            DataSource::Preferences(files) => self.files(files, &experiment.model),
            DataSource::Digits(pictures) => {
                self.has_rejected = false;
                self.positive("data.train", pictures.train as u64);
                self.positive("data.held_out", pictures.held_out as u64);
                self.not_negative("data.variety", pictures.variety, "a variety");
                None
            }
            DataSource::Mnist(folder) => {
                self.has_rejected = false;
                for file in crate::data::MNIST_FILES {
                    self.file("data", &folder.join(file), "name a folder with the four unpacked IDX files of MNIST");
                }
                None
            }
            DataSource::Lab(lab) => {
                if !(2..=1000).contains(&lab.classes) {
                    self.add("data.classes", format!("{} classes", lab.classes), "write 2 to 1000");
                }
                if let LabShape::Peaks(0) = lab.shape {
                    self.add("data.shape", "no peak at all is uniform", "write peaks(8), or uniform");
                }
                if lab.rank >= lab.classes {
                    self.add(
                        "data.rank",
                        format!("rank {} of {} classes", lab.rank, lab.classes),
                        "ranks count from 0, the likeliest",
                    );
                }
                self.above_zero("data.eta", lab.eta, "such as 5.0");
                let most = crate::dynamics::lab::MAX_ETA;
                if lab.eta > most {
                    let advice = format!("write up to {most}: beyond it a softmax is 0 and 1");
                    self.add("data.eta", format!("{} is a step too large for f64", lab.eta), advice);
                }
                None
            }
        }
    }

    /// Looks through the data files; returns the number of training rows.
    fn files(&mut self, files: &PreferenceFiles, model: &ModelSource) -> Option<usize> {
        let PreferenceFiles { max_length, max_prompt_length, .. } = *files;
        for (field, length) in [("max_length", max_length), ("max_prompt_length", max_prompt_length)] {
            self.positive(&format!("data.{field}"), length.unwrap_or(1) as u64);
        }
        if let (Some(whole), Some(prompt)) = (max_length, max_prompt_length)
            && prompt >= whole
        {
            self.add(
                "data.max_prompt_length",
                format!("prompts of {prompt} tokens leave no room for an answer within max_length {whole}"),
                "write less than max_length, such as half of it",
            );
        }
        let data = PreferenceData::open(files, model_files(model));
        let train = self.survey(&data, "data.train", &files.train);
        if let Some(held_out) = &files.held_out {
            self.survey(&data, "data.held_out", held_out);
        }
        if let Some(row) = train.and_then(|survey| survey.unpaired) {
            self.has_rejected = false;
            self.unpaired = Some(format!("row {row} of {}", files.train.display()));
        }
        train.map(|survey| survey.rows)
    }

    /// What a data file holds, or the first mistake in it.
    fn survey(&mut self, data: &PreferenceData, path: &str, file: &Path) -> Option<Survey> {
        if !file.is_file() {
            let advice = "name a file of JSON lines or a Parquet file, relative to the working directory";
            self.file(path, file, advice);
            return None;
        }
        data.survey(file).map_err(|e| self.errors.push(e)).ok()
    }

    pub(super) fn probes(&mut self, experiment: &Experiment, training: Option<usize>) {
        let probes = &experiment.probes;
        if let DataSource::Digits(pictures) = &experiment.data {
            let (of_each, there_are) = (probes.prompts / CLASSES.len(), pictures.held_out / CLASSES.len());
            if of_each > there_are {
                let problem =
                    format!("{of_each} pictures of each digit are to be observed, and {there_are} are held out");
                self.add("probes.prompts", problem, "observe fewer, or give more data.held_out");
            }
        }
        if self.has_pictures && !(CLASSES.len()..=MOST_OBSERVED).contains(&probes.prompts) {
            let problem = format!("{} pictures are too few to show every digit, or too many", probes.prompts);
            let advice = format!("write 10 to {MOST_OBSERVED}: as many of each digit are observed, each with each");
            self.add("probes.prompts", problem, advice);
        }
        if self.has_pictures && experiment.output.save_model {
            let advice = "leave it out: a run of a classifier is short, and its seed gives the same weights again";
            self.add("output.save_model", "a classifier's weights are not written", advice);
        }
        let observes = matches!(experiment.data, DataSource::World(_) | DataSource::Preferences(_));
        if observes {
            self.positive("probes.prompts", probes.prompts as u64);
            self.positive("probes.max_new_tokens", probes.max_new_tokens as u64);
            if !probes.kinds.is_empty() && !probes.kinds.contains(&ProbeKind::Chosen) {
                let problem = "the preferred answer is not among the kinds under observation";
                self.add(
                    "probes.kinds",
                    problem,
                    "add chosen: displacement, the argmax and mass flow are read along it",
                );
            }
        }
        if let Some(training) = training.filter(|&n| probes.prompts > n) {
            self.add(
                "probes.prompts",
                format!("{} prompts are to be observed, but there are {training} training examples", probes.prompts),
                "observe fewer, or train on more: the observed prompts are training prompts",
            );
        }
    }
}
