//! Numbers and times in words.

use std::time::Duration;

/// A metric's value with about four digits that count.
pub fn value(x: f32) -> String {
    match x.abs() {
        _ if !x.is_finite() => x.to_string(),
        a if a != 0.0 && !(1e-3..1e6).contains(&a) => format!("{x:.3e}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 10.0 => format!("{x:.3}"),
        _ => format!("{x:.4}"),
    }
}

/// A count with separators, `1,199,882`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A large number with three digits, `12.5 M`.
pub fn si(x: f64) -> String {
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(unit, _)| x >= *unit) {
        Some((unit, name)) if x / unit >= 100.0 => format!("{:.0} {name}", x / unit),
        Some((unit, name)) if x / unit >= 10.0 => format!("{:.1} {name}", x / unit),
        Some((unit, name)) => format!("{:.2} {name}", x / unit),
        None => format!("{x:.0} "),
    }
}

/// Bytes, `12.5 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        0..=9_999 => format!("{} bytes", count(n)),
        10_000..=999_999_999 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

/// How long, `1m05s`.
pub fn duration(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        _ if d.as_secs_f64() < 10.0 => format!("{:.1}s", d.as_secs_f64()),
        0..=59 => format!("{s}s"),
        60..=3599 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3600, s / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        assert_eq!(count(1_199_882), "1,199,882");
        assert_eq!((count(7), count(100), count(1000)), ("7".into(), "100".into(), "1,000".into()));
        assert_eq!(
            (value(0.98768), value(2.5e-5), value(f32::NAN)),
            ("0.9877".into(), "2.500e-5".into(), "NaN".into())
        );
        assert_eq!((value(0.0), value(1234.56), value(-12.3456)), ("0.0000".into(), "1234.6".into(), "-12.346".into()));
        assert_eq!(duration(Duration::from_millis(1234)), "1.2s");
        assert_eq!(duration(Duration::from_secs(3725)), "1h02m");
        assert_eq!(duration(Duration::from_secs(65)), "1m05s");
        assert_eq!(bytes(12_500_000), "12.5 MB");
        assert_eq!(
            (si(999.0), si(2e3), si(12_540_000.0), si(7.6e11)),
            ("999 ".into(), "2.00 k".into(), "12.5 M".into(), "760 G".into())
        );
    }
}
