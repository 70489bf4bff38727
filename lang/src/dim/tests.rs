//! Dimensions against the integers: normal forms, facts, bounds, text.

use super::*;

fn d(text: &str) -> Dim {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn normal_forms() {
    for (a, b) in [
        ("2 * (H + 1)", "2 * H + 2"),
        ("(H + 2 * 1 - 3) / 1 + 1", "H"),
        ("(3 * D) / 3", "D"),
        ("(B * T * D) / (T * D)", "B"),
        ("(4 * H + 7) / 4", "H + 1"),
        ("(4 * H + 7) % 4", "3"),
        ("(H / 2) / 3", "H / 6"),
        ("(H + W) * (H - W)", "H ^ 2 - W ^ 2"),
        ("(28 - 3) / 1 + 1", "26"),
        ("(B * 3 + B) / (4 * B)", "1"),
        ("(2 * H + 2) / 4", "(H + 1) / 2"),
        ("(2 * H + 3) / 4", "(H + 1) / 2"),
        ("(2 * H) / (2 * W)", "H / W"),
        ("(2 * B * H) / (4 * B * W)", "H / (2 * W)"),
        ("(2 * H + 3) % 4", "2 * ((H + 1) % 2) + 1"),
        ("(H % 3) % 3", "H % 3"),
        ("(H % 3) / 3", "0"),
        ("(H / 2 + 3) / 2", "(H + 6) / 4"),
        ("((H - 3) / 2 + 1 - 3) / 2 + 1", "(H - 7) / 4 + 1"),
        ("(5 * H) / 2", "2 * H + H / 2"),
        ("(B * H + 3 * B) / B", "H + 3"),
        ("(H + 2 - 3) / 2 + 1", "(H + 1) / 2"),
        ("(T * D + 1) / D", "T + 1 / D"),
        ("(H * W) % W", "0"),
        ("2 * H / (H * 2)", "1"),
        ("(H + W) / (H + W)", "1"),
        ("(3 * H + 3 * W) / (H + W)", "3"),
    ] {
        assert_eq!(d(a), d(b), "{a} is {b}");
    }
}

#[test]
fn text_round_trips() {
    for text in ["2 * B + 1", "((H - 2) / 2) + 1", "B * T ^ 2 - 3", "0", "-B + 4", "(H % 3) * B", "(H + 1) % (W + 2)"] {
        assert_eq!(d(text), d(&d(text).to_string()), "{text}");
    }
    assert!("B +".parse::<Dim>().is_err());
    assert!("B / 0".parse::<Dim>().is_err());
}

/// The value for given sizes.
type Computed = Box<dyn Fn(&[i64; 3]) -> i128>;

/// A random expression over `A`, `B`, `C` as a dimension, with a function that computes it directly. Divisors are at
/// least 1 for all sizes; the value is `None` where the integers are too large.
struct Made {
    dim: Dim,
    value: Computed,
    text: String,
}

fn random(seed: &mut u64, depth: u32) -> Made {
    let mut pick = |n: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % n
    };
    if depth == 0 || pick(5) == 0 {
        let k = pick(6) as usize;
        return match k {
            0..=2 => {
                let name = ["A", "B", "C"][k];
                Made { dim: Dim::var(name), value: Box::new(move |s| i128::from(s[k])), text: name.into() }
            }
            _ => {
                let n = pick(7) as i64;
                Made { dim: Dim::constant(n), value: Box::new(move |_| i128::from(n)), text: n.to_string() }
            }
        };
    }
    let (op, divisor) = (pick(5), pick(9) as i64 + 1);
    let symbolic = pick(3) == 0;
    let l = random(seed, depth - 1);
    let (f, text) = (l.value, l.text);
    if op >= 3 {
        // A divisor: a number, or an unknown times a number.
        let name = (*seed >> 40) as usize % 3;
        let by = if symbolic { Dim::var(["A", "B", "C"][name]).scale(divisor) } else { Dim::constant(divisor) };
        let told = format!("({text}) {} ({by})", if op == 3 { "/" } else { "%" });
        let of = move |s: &[i64; 3]| i128::from(divisor) * if symbolic { i128::from(s[name]) } else { 1 };
        let dim = if op == 3 { l.dim.div(&by) } else { l.dim.rem(&by) };
        let value: Computed =
            if op == 3 { Box::new(move |s| f(s).div_euclid(of(s))) } else { Box::new(move |s| f(s).rem_euclid(of(s))) };
        return Made { dim: dim.expect("the divisor is not 0"), value, text: told };
    }
    let r = random(seed, depth - 1);
    let (g, other) = (r.value, r.text);
    match op {
        0 => Made {
            dim: l.dim.add(&r.dim),
            value: Box::new(move |s| f(s) + g(s)),
            text: format!("({text}) + ({other})"),
        },
        1 => Made {
            dim: l.dim.sub(&r.dim),
            value: Box::new(move |s| f(s) - g(s)),
            text: format!("({text}) - ({other})"),
        },
        _ => Made {
            dim: l.dim.mul(&r.dim),
            value: Box::new(move |s| f(s) * g(s)),
            text: format!("({text}) * ({other})"),
        },
    }
}

const SIZES: [[i64; 3]; 9] =
    [[1, 1, 1], [2, 1, 3], [1, 2, 1], [3, 5, 2], [7, 4, 9], [12, 3, 8], [16, 28, 10], [31, 2, 17], [5, 64, 6]];

/// The normal form has the value of the expression, whatever the sizes, and its bounds hold.
#[test]
fn random_expressions_have_the_values_of_the_integers() {
    let mut seed = 7;
    let mut bounded = 0;
    for _ in 0..4000 {
        let Made { dim, value, text } = random(&mut seed, 4);
        for sizes in SIZES {
            let want = value(&sizes);
            if want.unsigned_abs() > 1 << 40 {
                continue;
            }
            let of = |s: &str| ["A", "B", "C"].iter().position(|n| *n == s).map(|i| sizes[i]);
            assert_eq!(dim.evaluate(&of).map(i128::from), Some(want), "{text} = {dim} at {sizes:?}");
            if let Some(low) = dim.at_least() {
                bounded += 1;
                assert!(want >= i128::from(low), "{text} = {dim} is at least {low}, at {sizes:?} it is {want}");
            }
            for n in [0, 1, 3] {
                assert!(!dim.is_at_least(n) || want >= i128::from(n), "{text} = {dim} is not at least {n}: {want}");
            }
        }
        assert_eq!(dim.to_string().parse(), Ok(dim.clone()), "{text}");
    }
    assert!(bounded > 1000, "{bounded}");
}

#[test]
fn bounds() {
    for (text, low) in
        [("H + 2", 3), ("H * W - H", 0), ("2 * H - 1", 1), ("H / 2", 0), ("(H + 3) / 2", 2), ("H % 4", 0)]
    {
        assert_eq!(d(text).at_least(), Some(low), "{text}");
    }
    for text in ["H - W", "(H - 5) / 2 - H", "4 - H"] {
        assert_eq!(d(text).at_least(), None, "{text}");
    }
    assert_eq!(d("(H - 3) / 2").at_least(), Some(-1), "H may be 1");
    for (text, n) in [("H - H / 2", 0), ("2 * H - H / 3", 1), ("(H + 5) / 2 - H / 2", 1), ("W * H - W * (H / 2)", 0)] {
        assert!(d(text).is_at_least(n), "{text} is at least {n}");
    }
    assert!(!d("H - H / 2").is_at_least(2));
}

#[test]
fn what_divides_leaves_no_remainder() {
    let mut facts = Facts::default();
    facts.divides(&d("heads"), &d("D"));
    for (a, b) in [
        ("heads * (D / heads)", "D"),
        ("D % heads", "0"),
        ("(3 * D) % heads", "0"),
        ("heads * (3 * D / heads)", "3 * D"),
        ("B * T * D / (heads * (D / heads))", "B * T"),
    ] {
        assert_eq!(facts.apply(&d(a)), facts.apply(&d(b)), "{a} is {b}");
    }
    assert_ne!(facts.apply(&d("heads * (D / heads) + 1")), facts.apply(&d("D")));
    // A second fact about the same unknown does not undo the first.
    facts.divides(&d("2"), &d("D / heads"));
    assert_eq!(facts.apply(&d("2 * heads * (D / heads / 2)")), facts.apply(&d("D")));

    let mut strided = Facts::default();
    strided.at_most(&d("kernel"), &d("H"));
    assert!(strided.proves_positive(&d("H - kernel")) && strided.proves_positive(&d("2 * H - 2 * kernel + 1")));
    assert!(!strided.proves_positive(&d("H - kernel - 1")));

    let mut even = Facts::default();
    even.divides(&d("2"), &d("H"));
    assert_eq!(even.apply(&d("2 * (H / 2)")), even.apply(&d("H")));
    assert!(even.proves_positive(&d("H - 2")), "an even size is at least 2");
}

#[test]
fn facts_of_order_and_equality() {
    let mut facts = Facts::default();
    facts.at_most(&d("3"), &d("H"));
    assert!(facts.proves_positive(&d("H - 3")) && !facts.proves_positive(&d("H - 4")));
    assert!(facts.proves_positive(&d("(H - 3) / 2")));
    facts.equal(&d("C"), &d("channels"));
    assert_eq!(facts.apply(&d("C * 9")), facts.apply(&d("9 * channels")));
    facts.different(&d("stride"), &d("1"));
    assert!(facts.proves_apart(&d("stride - 1")) && facts.proves_apart(&d("1 - stride")));
    assert!(!facts.proves_apart(&d("stride - 2")));
    facts.equal(&d("N"), &d("M + 1"));
    assert_eq!(facts.apply(&d("N - M")), d("1"));
    assert!(!facts.is_empty() && Facts::default().is_empty());
}

/// Under a fact, sizes that the fact allows have one value before and after it is put in.
#[test]
fn facts_hold_for_the_sizes_they_allow() {
    let mut seed = 11;
    for round in 0..300 {
        let Made { dim, text, .. } = random(&mut seed, 3);
        let by = round % 4 + 1;
        let mut facts = Facts::default();
        facts.divides(&Dim::constant(by), &d("A"));
        facts.at_most(&d("5"), &d("B"));
        facts.equal(&d("C"), &d("B + 2"));
        let changed = facts.apply(&dim);
        for q in 1..4 {
            for b in 5..8 {
                let sizes = [by * q, b, b + 2];
                let of = |s: &str| match s {
                    "A" | "B" | "C" => ["A", "B", "C"].iter().position(|n| *n == s).map(|i| sizes[i]),
                    "B'" => Some(b - 4),
                    _ => Some(q),
                };
                assert_eq!(changed.evaluate(&of), dim.evaluate(&of), "{text} at {sizes:?}: {dim}, {changed}");
            }
        }
    }
}
