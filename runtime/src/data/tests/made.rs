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

fn made(source: &str, args: &[(&str, i64)]) -> Arc<Split> {
    let args: Vec<(&str, Static)> = args.iter().map(|(n, v)| (*n, Static::Int(*v))).collect();
    open_in(Path::new("."), &spec(source, &args, vec![], &[])).unwrap().splits[0].1.clone()
}

#[test]
fn shapes_have_their_mask_and_colour() {
    let shapes = made("drawn_shapes", &[("train", 60), ("test", 6)]);
    let (labels, masks) = (numbers(&shapes, "label"), numbers(&shapes, "mask"));
    assert!((0..6).all(|c| labels.iter().filter(|l| **l == f64::from(c)).count() == 10));
    for (label, mask) in labels.iter().zip(masks.chunks(32 * 32)) {
        let inside = mask.iter().filter(|m| **m == label + 1.0).count();
        assert_eq!(inside + mask.iter().filter(|m| **m == 0.0).count(), 32 * 32, "a mask has one class");
        assert!((30..700).contains(&inside), "class {label} covers {inside} pixels");
    }
    // Within a shape all pixels are alike, up to noise and its soft edge.
    let images = numbers(&shapes, "image");
    let (image, mask) = (&images[..32 * 32], &masks[..32 * 32]);
    let mut inside: Vec<f64> = image.iter().zip(mask).filter(|(_, m)| **m > 0.0).map(|(x, _)| *x).collect();
    inside.sort_by(f64::total_cmp);
    assert!(inside[inside.len() * 3 / 4] - inside[inside.len() / 4] < 40.0);
}

#[test]
fn blobs_stand_apart() {
    let points = made("synthetic.blobs", &[("examples", 900), ("features", 4)]);
    let (x, labels) = (numbers(&points, "x"), numbers(&points, "label"));
    let mean = |c: f64, f: usize| {
        let of: Vec<f64> = x.chunks(4).zip(&labels).filter(|(_, l)| **l == c).map(|(x, _)| x[f]).collect();
        Moments::of(of.into_iter())
    };
    for c in 0..3 {
        assert!((mean(f64::from(c), 0).deviation - 1.0).abs() < 0.15);
    }
    let apart = |a: f64, b: f64| (0..4).map(|f| (mean(a, f).mean - mean(b, f).mean).powi(2)).sum::<f64>().sqrt();
    assert!(apart(0.0, 1.0) > 2.0 && apart(1.0, 2.0) > 2.0 && apart(0.0, 2.0) > 2.0);
}

#[test]
fn series_have_a_day_and_windows_meet_without_overlap() {
    let args = [("records", Static::Int(1000)), ("channels", Static::Int(2))];
    let split = call("split", &[("", Static::Float(0.8))]);
    let windows = call("windows", &[("past", Static::Int(48)), ("next", Static::Int(24)), ("stride", Static::Int(10))]);
    let plain =
        open_in(Path::new("."), &spec("synthetic.series", &args, vec![], std::slice::from_ref(&split))).unwrap();
    let data = open_in(Path::new("."), &spec("synthetic.series", &args, vec![], &[split, windows])).unwrap();
    let (train, test) = (data.split("train").unwrap(), data.split("test").unwrap());
    assert_eq!((train.len(), test.len()), ((800 - 72) / 10 + 1, (200 - 72) / 10 + 1));
    let of = |s: &Arc<Split>, field: &str, i: usize| s.get(s.field(field).unwrap(), &[i]).to_f64();
    let rows = numbers(plain.split("test").unwrap(), "value");
    assert_eq!(of(test, "past.value", 3), rows[30 * 2..78 * 2]);
    assert_eq!(of(test, "next.value", 3), rows[78 * 2..102 * 2]);
    let last = numbers(plain.split("train").unwrap(), "value");
    assert_eq!(of(train, "next.value", 72)[..2], last[(720 + 48) * 2..(720 + 48) * 2 + 2]);
    // An hour is like the same hour of the day before, and unlike the one half a day before.
    let values: Vec<f64> = last.iter().step_by(2).copied().collect();
    let alike = |lag: usize| values.iter().zip(&values[lag..]).map(|(a, b)| a * b).sum::<f64>();
    assert!(alike(24) > 0.0 && alike(12) < alike(24) / 2.0);
}

#[test]
fn sequences_are_of_the_class_of_their_last_sign() {
    let all = made("synthetic.sequences", &[("examples", 500), ("length", 12), ("vocabulary", 9), ("classes", 3)]);
    let (tokens, lengths, labels) = (numbers(&all, "tokens"), numbers(&all, "length"), numbers(&all, "label"));
    let mut seen = [0; 3];
    for ((tokens, length), label) in tokens.chunks(12).zip(&lengths).zip(&labels) {
        let length = *length as usize;
        assert!((4..=12).contains(&length));
        assert!(tokens[..length].iter().all(|t| *t > 0.0) && tokens[length..].iter().all(|t| *t == 0.0));
        let last = tokens.iter().rev().find(|t| **t >= 1.0 && **t <= 3.0);
        assert_eq!(last, Some(&(label + 1.0)));
        seen[*label as usize] += 1;
    }
    assert!(seen.iter().all(|n| *n > 120), "{seen:?}");
}

#[test]
fn reversed_is_reversed() {
    let all = made("synthetic.reversed", &[("examples", 100), ("length", 6), ("vocabulary", 9)]);
    let of = |field: &str, width: usize| -> Vec<Vec<f64>> {
        let fill = |t: &[f64]| t.iter().copied().filter(|x| *x != 0.0).collect();
        numbers(&all, field).chunks(width).map(fill).collect()
    };
    for ((source, given), target) in of("source", 6).iter().zip(of("given", 7)).zip(of("target", 7)) {
        let backwards: Vec<f64> = source.iter().rev().copied().collect();
        assert_eq!(given, [&[2.0], &backwards[..]].concat());
        assert_eq!(target, [&backwards[..], &[3.0]].concat());
        assert!(source.len() >= 2 && source.iter().all(|t| *t >= 4.0));
    }
}

#[test]
fn zips_go_side_by_side() {
    let zipped = |name: &str, data: DataSpec, operators: &[Static]| tfm_lang::model::Zipped {
        name: name.into(),
        data,
        split: 0,
        operators: operators.to_vec(),
    };
    let dir = folder(&[("a", b"v\n1\n3\n8\n"), ("b", b"v\n7\n9\n")]);
    let csv = |file: &str, transforms: &[&str]| {
        spec("csv", &[("path", text(file))], vec![column("v", call("f32", &[]), transforms)], &[])
    };
    let mut both = spec("zip", &[], vec![], &[]);
    let first = zipped("l", csv("a", &["standardize"]), &[call("take", &[("", Static::Int(2))])]);
    let second = zipped("r", csv("b", &[]), &[call("skip", &[("", Static::Int(1))])]);
    both.zipped = vec![first, second];
    let options = Options { roots: vec![dir.path().to_path_buf()], learned: None };
    let data = open(&both, &options).unwrap();
    let all = data.split("all").unwrap();
    assert_eq!((all.len(), data.fields[0].name.as_str(), data.fields[1].name.as_str()), (1, "l.v", "r.v"));
    assert_eq!(numbers(all, "r.v"), [9.0]);
    assert_eq!(data.learned.zipped["l"].columns["v"].standardize[0].mean, 4.0);
    let kept = serde_json::from_str(&serde_json::to_string(&data.learned).unwrap()).unwrap();
    std::fs::write(dir.path().join("a"), "v\n4\n5\n6\n").unwrap();
    let again = open(&both, &Options { learned: Some(kept), ..options }).unwrap();
    assert_eq!(numbers(again.split("all").unwrap(), "l.v"), [0.0], "the mean is that of the run");
}
