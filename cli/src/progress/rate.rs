//! How fast a run is, and how long it will take.

use std::time::{Duration, Instant};

/// Speeds over the last moments, smoothed.
#[derive(Clone, Debug)]
pub struct Rate {
    at: Instant,
    step: u64,
    examples: u64,
    steps_per_second: f64,
    examples_per_second: f64,
}

impl Rate {
    /// Starts at a step.
    pub fn new(now: Instant, step: u64) -> Rate {
        Rate { at: now, step, examples: 0, steps_per_second: 0.0, examples_per_second: 0.0 }
    }

    /// Takes a new reading.
    pub fn read(&mut self, now: Instant, step: u64, examples: u64) {
        let seconds = now.duration_since(self.at).as_secs_f64();
        if seconds <= 0.0 || step <= self.step {
            return;
        }
        if self.examples > 0 {
            // A reading counts by how long it took: one of three seconds or more replaces what was known.
            let weight = if self.steps_per_second == 0.0 { 1.0 } else { (seconds / 3.0).clamp(0.1, 1.0) };
            let blend = |old: &mut f64, new: f64| *old += weight * (new - *old);
            blend(&mut self.steps_per_second, (step - self.step) as f64 / seconds);
            blend(&mut self.examples_per_second, examples.saturating_sub(self.examples) as f64 / seconds);
        }
        (self.at, self.step, self.examples) = (now, step, examples);
    }

    /// Takes a reading; the time from here to the next call is spent on something else, and does not count
    /// when this is called again at its end.
    pub fn pause(&mut self, now: Instant, step: u64, examples: u64) {
        self.read(now, step, examples);
        self.at = now;
    }

    /// Examples per second, once known.
    pub fn examples(&self) -> Option<f64> {
        (self.examples_per_second > 0.0).then_some(self.examples_per_second)
    }

    /// The time that so many steps will take, once known and where there are any.
    pub fn left(&self, steps: u64) -> Option<Duration> {
        (self.steps_per_second > 0.0 && steps > 0)
            .then(|| Duration::from_secs_f64(steps as f64 / self.steps_per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_follow_the_readings() {
        let start = Instant::now();
        let at = |s: f64| start + Duration::from_secs_f64(s);
        let mut rate = Rate::new(start, 0);
        rate.read(at(9.0), 1, 32);
        assert_eq!(rate.examples(), None, "the first reading has the time to start in it");
        rate.read(at(10.0), 11, 352);
        assert_eq!(rate.examples(), Some(320.0));
        assert_eq!(rate.left(50), Some(Duration::from_secs(5)));
        rate.pause(at(20.0), 11, 352);
        rate.read(at(23.0), 71, 2272);
        assert_eq!(rate.examples(), Some(640.0));
    }
}
