//! Records that generators make: the same from the same seed, and something to learn in them.

use super::*;

fn clicks(examples: i64, seed: i64) -> Dataset {
    let args = [("examples", examples), ("categories", 5), ("rows", 1000), ("seed", seed)];
    let args = args.map(|(n, v)| (n, Static::Int(v)));
    open_in(Path::new("."), &spec("synthetic.clicks", &args, vec![], &[])).unwrap()
}

#[test]
fn clicks_are_skewed_and_depend_on_what_is_there() {
    let data = clicks(20_000, 3);
    let all = data.split("all").unwrap();
    let clicked = numbers(all, "clicked");
    let rate = clicked.iter().sum::<f64>() / clicked.len() as f64;
    assert!((0.2..0.35).contains(&rate), "{rate} were clicked");
    let values = numbers(all, "category");
    let share = |v: f64| values.iter().filter(|x| **x == v).count() as f64 / values.len() as f64;
    // P(v) = ln((v + 2) / (v + 1)) / ln(1001)
    assert!((share(0.0) - 0.1003).abs() < 0.005 && (share(9.0) - 0.0138).abs() < 0.002, "{}", share(0.0));
    // A number that tells is not spread alike over what was clicked and what was not.
    let dense = numbers(all, "dense");
    let gap = |column: usize| {
        let mean = |of: f64| {
            let x: Vec<f64> =
                clicked.iter().zip(dense.chunks(13)).filter(|(c, _)| **c == of).map(|(_, d)| d[column]).collect();
            x.iter().sum::<f64>() / x.len() as f64
        };
        (mean(1.0) - mean(0.0)).abs()
    };
    assert!((0..4).all(|c| gap(c) > 0.2) && (4..13).all(|c| gap(c) < 0.08));
}

#[test]
fn clicks_are_the_same_again_and_in_any_order() {
    let (a, b, other) = (clicks(100, 3), clicks(1000, 3), clicks(100, 4));
    for (i, field) in a.fields.iter().enumerate() {
        let first = a.split("all").unwrap().get(i, &[17, 3]).to_f64();
        assert_eq!(first, b.split("all").unwrap().get(i, &[17, 3]).to_f64(), "{}", field.name);
        let half = first.len() / 2;
        let back = b.split("all").unwrap().get(i, &[3, 17]).to_f64();
        assert_eq!([&first[half..], &first[..half]].concat(), back);
        if field.name != "clicked" {
            assert_ne!(first, other.split("all").unwrap().get(i, &[17, 3]).to_f64());
        }
    }
}
