//! The drawn digits: as many of each, with a plausible amount of ink, told apart neither at a glance
//! nor not at all, the same each time, and quickly made.

use super::*;
use std::time::Instant;

/// The images of one part, digit by digit.
fn sheet(seed: u64, part: u64, n: usize) -> Vec<(usize, Vec<u8>)> {
    let image = |i| {
        let mut pixels = vec![0; SIZE * SIZE];
        let digit = digit(seed, part, i);
        draw(digit, key(&[seed, part, i as u64]), &mut pixels);
        (digit, pixels)
    };
    (0..n).map(image).collect()
}

fn nearest_centroid_accuracy(train: &[(usize, Vec<u8>)], test: &[(usize, Vec<u8>)]) -> f64 {
    let mut centroids = vec![vec![0.0f64; SIZE * SIZE]; 10];
    for (digit, pixels) in train {
        let n = train.iter().filter(|(d, _)| d == digit).count() as f64;
        centroids[*digit].iter_mut().zip(pixels).for_each(|(c, &p)| *c += f64::from(p) / n);
    }
    let far = |c: &[f64], pixels: &[u8]| c.iter().zip(pixels).map(|(c, &p)| (c - f64::from(p)).powi(2)).sum::<f64>();
    let right = test.iter().filter(|(digit, pixels)| {
        let near = (0..10).min_by(|&a, &b| far(&centroids[a], pixels).total_cmp(&far(&centroids[b], pixels)));
        near == Some(*digit)
    });
    right.count() as f64 / test.len() as f64
}

#[test]
fn images_are_plausible() {
    let (train, test) = (sheet(7, 0, 2000), sheet(7, 1, 1000));
    for d in 0..10 {
        assert_eq!(train.iter().filter(|(digit, _)| *digit == d).count(), 200, "as many {d} as others");
    }
    for (i, (digit, pixels)) in train.iter().enumerate() {
        let dark = pixels.iter().filter(|&&p| p > 100).count();
        assert!((15..300).contains(&dark), "image {i}, a {digit}, has {dark} dark pixels");
        let border = pixels[..SIZE].iter().chain(&pixels[SIZE * (SIZE - 1)..]).filter(|&&p| p > 100).count();
        assert!(border < 20, "image {i}, a {digit}, touches the border at {border} pixels");
    }
    let accuracy = nearest_centroid_accuracy(&train, &test);
    assert!((0.5..0.97).contains(&accuracy), "the nearest centroid is right for {accuracy}");
}

#[test]
fn images_depend_on_the_seed_and_the_part_alone() {
    assert!(sheet(7, 0, 20) == sheet(7, 0, 20));
    assert!(sheet(7, 0, 20) != sheet(8, 0, 20));
    assert!(sheet(7, 0, 20) != sheet(7, 1, 20));
    assert!(sheet(7, 0, 5) == sheet(7, 0, 20)[..5], "an image does not depend on how many there are");
}

#[test]
fn ten_thousand_are_drawn_at_once() {
    let start = Instant::now();
    let n = sheet(7, 0, 10_000).len();
    let seconds = start.elapsed().as_secs_f64();
    println!("{n} images in {seconds:.2} s");
    // A twentieth of a millisecond each is the aim; a busy machine is given ten times that.
    assert!(seconds < 5.0, "{n} images took {seconds} s");
    if let Some(path) = std::env::var_os("DUMP") {
        let bytes: Vec<u8> = sheet(7, 0, n).into_iter().flat_map(|(d, p)| std::iter::once(d as u8).chain(p)).collect();
        std::fs::write(path, bytes).unwrap();
    }
}
