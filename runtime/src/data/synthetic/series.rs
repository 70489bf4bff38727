//! `synthetic.series`: a day's wave, a week's, a drift, and noise that lasts a little.

use super::{field, size};
use crate::data::error::DataError;
use crate::data::open::{Opened, Opening};
use crate::data::random::{Random, key};
use crate::data::split::InMemory;
use crate::tensor::Tensor;
use std::f32::consts::TAU;
use std::sync::Arc;
use tfm_lang::check::sources::number;
use tfm_lang::types::DType;

/// Numbers of all records together, at most.
const MOST: u128 = 1 << 32;

/// The share of the noise that lasts into the next hour.
const LASTS: f32 = 0.7;

/// The records of the declaration. They are made at once, as each depends on the one before.
pub(crate) fn open(o: &Opening) -> Result<Opened, DataError> {
    let (n, channels, seed) = (size(o, "records"), size(o, "channels"), size(o, "seed") as u64);
    if n as u128 * channels as u128 > MOST {
        return Err(DataError::new(format!("{n} records of {channels} numbers are too many")).help("draw fewer"));
    }
    let noise = number(&o.args, "noise") as f32;
    let mut out = Tensor::zeros(DType::F32, &[n, channels]);
    let values = out.elements_mut::<f32>();
    for channel in 0..channels {
        let mut random = Random::new(key(&[seed, channel as u64]));
        let (day, week, drift) = (random.between(0.7, 1.2), random.between(0.3, 0.7), random.between(0.2, 0.5));
        let phases: [f32; 3] = std::array::from_fn(|_| random.between(0.0, TAU));
        let slow = random.between(1500.0, 4000.0);
        let mut lasting = 0.0;
        for t in 0..n {
            // Deviation `noise` in the long run.
            lasting = LASTS * lasting + (1.0 - LASTS * LASTS).sqrt() * noise * random.normal();
            // The hour within its period first: an f32 of many hours would be coarse.
            let wave = |period: f32, phase: f32| ((t as f64 % f64::from(period)) as f32 / period * TAU + phase).sin();
            values[t * channels + channel] =
                day * wave(24.0, phases[0]) + week * wave(168.0, phases[1]) + drift * wave(slow, phases[2]) + lasting;
        }
    }
    let fields = vec![field("value", DType::F32, &[channels])];
    o.parts(vec![("all".into(), fields, n, Arc::new(InMemory(vec![out])))])
}
