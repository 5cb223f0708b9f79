//! A film of a screen: a recording's measurements as frames, and for how long each is seen.

use std::time::Duration;

use ratatui::buffer::Buffer;

use super::ScreenshotMeta;
use crate::text::Shown;

/// How long the last frame is seen before a player begins anew.
const HOLD: Duration = Duration::from_secs(3);
/// The least time between two frames: an eye sees no more, and a file of a long run stays small.
const APART: Duration = Duration::from_millis(33);

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// The screen.
    pub shown: Buffer,
    /// How long it is seen.
    pub lasts: Duration,
    /// What happened since the frame before.
    pub told: Vec<Shown>,
}

/// A film: its frames are drawn as they are asked for, so that a long one takes no room.
pub struct Film<'a> {
    /// What the last frame is of.
    pub meta: ScreenshotMeta,
    /// Columns and rows of every frame.
    pub size: (u16, u16),
    /// How many frames there are.
    pub count: usize,
    /// The frames.
    pub frames: Box<dyn Iterator<Item = Frame> + 'a>,
}

/// How quickly a film passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So many optimiser steps in a second.
    Steps(u64),
    /// All of it in about so many seconds.
    Seconds(u64),
}

/// The frames of a film: of the places in a recording and their steps, both ascending, those that are shown, and for how
/// long each is seen. Of places at one step the last is shown, and of several that would follow each other more quickly
/// than a player shows them, the first; the recording's end is always shown.
pub fn schedule(places: &[(usize, u64)], pace: Pace) -> Vec<(usize, Duration)> {
    let (Some(&(_, first)), Some(&(_, last))) = (places.first(), places.last()) else { return Vec::new() };
    let at = |step: u64| {
        let (micros, steps) = match pace {
            Pace::Steps(rate) => (1_000_000, rate),
            Pace::Seconds(seconds) => (1_000_000 * u128::from(seconds), last - first),
        };
        let micros = u128::from(step - first) * micros / u128::from(steps.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    };
    let mut kept: Vec<(usize, Duration)> = Vec::new();
    for (i, &(place, step)) in places.iter().enumerate() {
        let (time, is_last) = (at(step), i + 1 == places.len());
        if places.get(i + 1).is_some_and(|&(_, next)| next == step) {
            continue;
        }
        let too_soon = kept.last().is_some_and(|&(_, before)| time < before + APART);
        if too_soon && is_last && kept.len() > 1 {
            kept.pop();
        }
        if !too_soon || is_last {
            kept.push((place, time));
        }
    }
    let ends: Vec<Option<Duration>> = kept.iter().skip(1).map(|&(_, time)| Some(time)).chain([None]).collect();
    let lasts = |time: Duration, end: Option<Duration>| end.map_or(HOLD, |end| end.saturating_sub(time));
    kept.into_iter().zip(ends).map(|((place, time), end)| (place, lasts(time, end))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_film_takes_as_long_as_is_asked() {
        let places = [(3, 0), (9, 10), (15, 20), (16, 20)];
        let seconds = |pace| -> Vec<(usize, f64)> {
            schedule(&places, pace).into_iter().map(|(place, lasts)| (place, lasts.as_secs_f64())).collect()
        };
        assert_eq!(seconds(Pace::Seconds(8)), [(3, 4.0), (9, 4.0), (16, 3.0)]);
        assert_eq!(seconds(Pace::Steps(100)), [(3, 0.1), (9, 0.1), (16, 3.0)]);
        assert_eq!(seconds(Pace::Steps(1000)), [(3, 0.02), (16, 3.0)], "too quick for an eye");
        assert!(schedule(&[], Pace::Seconds(1)).is_empty());
    }

    proptest! {
        #[test]
        fn the_end_is_shown_and_no_player_is_hurried(
            gaps in proptest::collection::vec(0_u64..50, 1..60),
            seconds in 1_u64..100,
        ) {
            let mut step = 0;
            let places: Vec<_> = gaps.iter().enumerate().map(|(i, gap)| { step += gap; (i, step) }).collect();
            let frames = schedule(&places, Pace::Seconds(seconds));
            prop_assert_eq!(frames.last().map(|f| f.0), Some(places.len() - 1));
            prop_assert!(frames.windows(2).all(|two| two[0].0 < two[1].0));
            if frames.len() > 2 {
                prop_assert!(frames.iter().all(|&(_, lasts)| lasts >= APART));
            }
            let whole: Duration = frames.iter().map(|f| f.1).sum();
            prop_assert!(whole <= Duration::from_secs(seconds) + HOLD);
        }
    }
}
