//! Columns of random numbers: what is declared, with the moments it should have, the same each time.

use super::*;

fn declared(records: i64, seed: i64) -> DataSpec {
    let sizes = |n: i64| Static::List(vec![Static::Int(n)]);
    let columns = vec![
        column("x", call("normal", &[("", sizes(50))]), &[]),
        column("u", call("uniform", &[]), &[]),
        column("y", call("below", &[("", Static::Int(7)), ("", sizes(3))]), &[]),
    ];
    spec("random", &[("", Static::Int(records)), ("seed", Static::Int(seed))], columns, &[])
}

fn read(seed: i64) -> Vec<Vec<f64>> {
    let data = open_in(Path::new("."), &declared(2000, seed)).unwrap();
    let all: Vec<usize> = (0..2000).collect();
    (0..3).map(|f| data.splits[0].1.get(f, &all).to_f64()).collect()
}

#[test]
fn random_columns_have_their_moments() {
    let fields = read(1);
    let moments = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / v.len() as f64)
    };
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 0.05 && (a.1 - b.1).abs() < 0.05 * b.1.max(1.0);
    assert!(near(moments(&fields[0]), (0.0, 1.0)), "{:?}", moments(&fields[0]));
    assert!(near(moments(&fields[1]), (0.5, 1.0 / 12.0)), "{:?}", moments(&fields[1]));
    assert!(near(moments(&fields[2]), (3.0, 4.0)), "{:?}", moments(&fields[2]));
    assert_eq!(fields, read(1));
    assert_ne!(fields, read(2));
}

#[test]
fn more_than_memory_is_an_error() {
    let sizes = Static::List(vec![Static::Int(1 << 29)]);
    let columns = vec![column("x", call("normal", &[("", sizes)]), &[])];
    let huge = spec("random", &[("", Static::Int(10_000_000))], columns, &[]);
    let error = open(&huge, &Options::default()).err().expect("an error").to_string();
    assert!(error.contains("GB"), "{error}");
}
