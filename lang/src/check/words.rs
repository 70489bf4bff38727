//! Small helpers on words: near names, lists, cases, a hash that never changes.

/// The candidate nearest to a misspelt word, if one is near enough to suggest.
pub fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let lower = word.to_lowercase();
    candidates
        .filter(|c| *c != word)
        .map(|c| (distance(&lower, &c.to_lowercase()), c))
        .filter(|(d, c)| *d <= limit && *d < c.chars().count())
        .min_by_key(|(d, c)| (d + if capital(c) == capital(word) { 0 } else { 2 }, *c))
        .map(|(_, c)| c)
}

/// Layers and models begin with one, so that `Digits` is rather a misspelt `Digit` than `digits`.
fn capital(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
}

/// How many letters must be added, dropped, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// `a`, `b` and `c`, each in backticks.
pub(super) fn list_words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `LayerNorm` as `layer_norm`, `Conv2d` as `conv2d`.
pub(super) fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before != '_' && !before.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        before = c;
    }
    out
}

/// FNV-1a, 64 bits: the same number for the same text, in every version.
pub(super) fn stable_hash(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (hash >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(near("Dence", ["Dense", "Conv2d"].into_iter()), Some("Dense"));
        assert_eq!(near("trian", ["train", "test"].into_iter()), Some("train"), "two letters swapped are one slip");
        assert_eq!(distance("trian", "train"), 1);
        assert_eq!(near("kernal", ["kernel", "stride"].into_iter()), Some("kernel"));
        assert_eq!(near("zebra", ["Dense", "Conv2d"].into_iter()), None);
        assert_eq!(snake_case("LayerNorm"), "layer_norm");
        assert_eq!(snake_case("Conv2d"), "conv2d");
        assert_eq!(snake_case("RMSprop"), "rmsprop");
        assert_eq!(list_words(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
