//! Which variables go on as which, over many short edits.

use super::*;
use tfm_lang::dim::Dim;
use tfm_lang::source::Span;
use tfm_lang::types::DType;

/// A version written as lines: `Net.a Dense(4) w:2x4 b:4`, a layer named by `let` where its name does not end in a
/// number; a model without a layer; `+m` gives its variables the state `sgd.m`.
struct Written {
    instances: Vec<Instance>,
    variables: Vec<Variable>,
}

fn written(text: &str) -> Written {
    let mut out = Written { instances: Vec::new(), variables: Vec::new() };
    let mut states = Vec::new();
    for line in text.split('|').map(str::trim).filter(|l| !l.is_empty()) {
        let mut words = line.split_whitespace();
        let path = words.next().unwrap().to_string();
        let mut made = (String::new(), String::new());
        for word in words {
            if let Some((name, sizes)) = word.split_once(':') {
                let sizes: Vec<i64> = sizes.split('x').map(|n| n.parse().unwrap()).collect();
                let kind = if name == "mean" { VariableKind::State } else { VariableKind::Parameter };
                out.variables.push(variable(&format!("{path}.{name}"), kind, &sizes));
            } else if let Some(state) = word.strip_prefix('+') {
                for v in out.variables.iter().filter(|v| v.path.starts_with(&format!("{path}."))) {
                    let sizes: Vec<i64> = v.ty.shape.iter().map(|d| d.as_constant().unwrap()).collect();
                    states.push(variable(&format!("{}/{state}", v.path), VariableKind::Optimizer, &sizes));
                }
            } else {
                let (layer, settings) = word.trim_end_matches(')').split_once('(').unwrap();
                made = (layer.into(), settings.into());
            }
        }
        let parent = path.rsplit_once('.').map_or("", |(p, _)| p).to_string();
        let is_named = !path.ends_with(|c: char| c.is_ascii_digit());
        let (layer, settings) = made;
        out.instances.push(Instance { path, parent, layer, settings, is_named, library: false, span: Span::default() });
    }
    out.variables.extend(states);
    out
}

fn variable(path: &str, kind: VariableKind, sizes: &[i64]) -> Variable {
    let shape = sizes.iter().map(|n| Dim::constant(*n)).collect();
    Variable { path: path.into(), kind, ty: Type::new(DType::F32, shape), device: None }
}

impl Written {
    fn version(&self) -> Version<'_> {
        Version { instances: &self.instances, variables: &self.variables }
    }
}

/// `a < b` for a variable that goes on from another path, `~a` for one that is resized, `+a` and `-a`.
fn changes(old: &str, new: &str) -> String {
    let (old, new) = (written(old), written(new));
    let carry = Carry::plan(old.version(), new.version());
    let mut used = carry.fates.iter().filter_map(|f| f.from()).collect::<Vec<_>>();
    used.sort_unstable();
    used.windows(2).for_each(|w| assert_ne!(w[0], w[1], "one variable goes on as two"));
    let mut out = Vec::new();
    for (fate, v) in carry.fates.iter().zip(&new.variables) {
        let from = fate.from().map(|i| old.variables[i].path.as_str());
        match (fate, from) {
            (Fate::Kept(_), Some(from)) if from == v.path => {}
            (Fate::Resized(_), Some(from)) if from == v.path => out.push(format!("~{}", v.path)),
            (Fate::Resized(_), Some(from)) => out.push(format!("~{} < {from}", v.path)),
            (_, Some(from)) => out.push(format!("{} < {from}", v.path)),
            (_, None) => out.push(format!("+{}", v.path)),
        }
    }
    out.extend(carry.dropped.iter().map(|&i| format!("-{}", old.variables[i].path)));
    let same = carry.is_identity(old.version(), new.version());
    assert_eq!(same, out.is_empty(), "{out:?}");
    out.join(", ")
}

const NET: &str = "Net | Net.dense_1 Dense(8) w:4x8 b:8 | Net.dense_2 Dense(3) w:8x3 b:3";

#[test]
fn the_same_layers_are_found_again() {
    let check = |new: &str, expected: &str| assert_eq!(changes(NET, new), expected, "{new}");
    check(NET, "");
    check("Net | Net.dense_1 Dense(8) w:4x8 b:8 | Net.dense_2 Dense(5) w:8x5 b:5", "~Net.dense_2.w, ~Net.dense_2.b");
    check(
        "Net | Net.dense_1 Dense(6) w:4x6 b:6 | Net.dense_2 Dense(3) w:6x3 b:3",
        "~Net.dense_1.w, ~Net.dense_1.b, ~Net.dense_2.w",
    );
    // A layer in front: the numbers move on, the weights with them.
    check(
        "Net | Net.dense_1 Dense(4) w:4x4 b:4 | Net.dense_2 Dense(8) w:4x8 b:8 | Net.dense_3 Dense(3) w:8x3 b:3",
        "+Net.dense_1.w, +Net.dense_1.b, Net.dense_2.w < Net.dense_1.w, Net.dense_2.b < Net.dense_1.b, \
         Net.dense_3.w < Net.dense_2.w, Net.dense_3.b < Net.dense_2.b",
    );
    check(
        "Net | Net.dense_1 Dense(3) w:4x3 b:3",
        "~Net.dense_1.w < Net.dense_2.w, Net.dense_1.b < Net.dense_2.b, -Net.dense_1.w, -Net.dense_1.b",
    );
    // Another layer in its place.
    check(
        "Net | Net.conv_1 Conv(8) w:8x4x3 b:8 | Net.dense_1 Dense(3) w:8x3 b:3",
        "+Net.conv_1.w, +Net.conv_1.b, Net.dense_1.w < Net.dense_2.w, Net.dense_1.b < Net.dense_2.b, \
         -Net.dense_1.w, -Net.dense_1.b",
    );
    check("", "-Net.dense_1.w, -Net.dense_1.b, -Net.dense_2.w, -Net.dense_2.b");
}

#[test]
fn of_equal_layers_the_one_with_the_same_shapes_stays() {
    let old = "N | N.d_1 D(8) w:4x8 | N.d_2 D(8) w:8x8 | N.d_3 D(2) w:8x2";
    let check = |new: &str, expected: &str| assert_eq!(changes(old, new), expected, "{new}");
    check("N | N.d_1 D(8) w:4x8 | N.d_2 D(2) w:8x2", "N.d_2.w < N.d_3.w, -N.d_2.w");
    check(
        "N | N.d_1 D(8) w:4x8 | N.d_2 D(8) w:8x8 | N.d_3 D(8) w:8x8 | N.d_4 D(2) w:8x2",
        "+N.d_3.w, N.d_4.w < N.d_3.w",
    );
    check("N | N.d_1 D(5) w:4x5 | N.d_2 D(8) w:5x8 | N.d_3 D(2) w:8x2", "~N.d_1.w, ~N.d_2.w");
}

#[test]
fn what_is_only_renamed_keeps_its_values() {
    let old = "Net | Net.head Dense(3) w:8x3 b:3 | Net.tail Dense(3) w:3x3 b:3";
    let check = |new: &str, expected: &str| assert_eq!(changes(old, new), expected, "{new}");
    check(
        "Net | Net.top Dense(3) w:8x3 b:3 | Net.tail Dense(3) w:3x3 b:3",
        "Net.top.w < Net.head.w, Net.top.b < Net.head.b",
    );
    // The names are what counts: values are not swapped back by their places.
    check("Net | Net.tail Dense(3) w:8x3 b:3 | Net.head Dense(3) w:3x3 b:3", "~Net.tail.w, ~Net.head.w");
    // `let` is taken away, a layer is renamed, the model is.
    check(
        "Net | Net.dense_1 Dense(3) w:8x3 b:3 | Net.tail Dense(3) w:3x3 b:3",
        "Net.dense_1.w < Net.head.w, Net.dense_1.b < Net.head.b",
    );
    check("Net | Net.head Linear(3) w:8x3 b:3 | Net.tail Dense(3) w:3x3 b:3", "");
    check(
        "Out | Out.head Dense(3) w:8x3 b:3 | Out.tail Dense(3) w:3x3 b:3",
        "Out.head.w < Net.head.w, Out.head.b < Net.head.b, Out.tail.w < Net.tail.w, Out.tail.b < Net.tail.b",
    );
    check(
        "Out | Out.head Dense(4) w:8x4 b:4 | Out.tail Dense(3) w:4x3 b:3",
        "~Out.head.w < Net.head.w, ~Out.head.b < Net.head.b, ~Out.tail.w < Net.tail.w, Out.tail.b < Net.tail.b",
    );
    // Another name and another size is another layer.
    check(
        "Net | Net.top Dense(4) w:8x4 b:4 | Net.tail Dense(3) w:4x3 b:3",
        "+Net.top.w, +Net.top.b, ~Net.tail.w, -Net.head.w, -Net.head.b",
    );
    // A parameter of a layer.
    check("Net | Net.head Dense(3) weight:8x3 b:3 | Net.tail Dense(3) w:3x3 b:3", "Net.head.weight < Net.head.w");
}

#[test]
fn what_cannot_be_copied_is_new() {
    let check = |old: &str, new: &str, expected: &str| assert_eq!(changes(old, new), expected, "{new}");
    check("N | N.c_1 C(3) w:8x1x3x3", "N | N.c_1 C(3) w:8x9", "+N.c_1.w, -N.c_1.w");
    check("N | N.n_1 Norm() mean:8 scale:8", "N | N.n_1 Norm() mean:12 scale:12", "~N.n_1.mean, ~N.n_1.scale");
    check("N | N.n_1 Norm() mean:8", "N | N.n_1 Norm() scale:8", "+N.n_1.scale, -N.n_1.mean");
}

#[test]
fn layers_in_layers() {
    let block =
        |i: usize, n: usize| format!("| G.b_{i} B() | G.b_{i}.at A({n}) w:{n}x{n} | G.b_{i}.d_1 D({n}) w:{n}x{n}");
    let net = |blocks: &[usize]| {
        let all: String = blocks.iter().enumerate().map(|(i, n)| block(i + 1, *n)).collect();
        format!("G | G.e E() w:9x4 {all}")
    };
    assert_eq!(changes(&net(&[4, 4]), &net(&[4, 4])), "");
    assert_eq!(changes(&net(&[4, 4]), &net(&[4])), "-G.b_2.at.w, -G.b_2.d_1.w");
    assert_eq!(changes(&net(&[4]), &net(&[4, 4])), "+G.b_2.at.w, +G.b_2.d_1.w");
    assert_eq!(changes(&net(&[4, 4]), &net(&[6, 6])), "~G.b_1.at.w, ~G.b_1.d_1.w, ~G.b_2.at.w, ~G.b_2.d_1.w");
}

#[test]
fn the_state_of_the_optimizer_goes_where_its_parameter_goes() {
    let check = |old: &str, new: &str, expected: &str| assert_eq!(changes(old, new), expected, "{new}");
    check("N | N.d_1 D(8) w:4x8 +adam.m", "N | N.d_1 D(9) w:4x9 +adam.m", "~N.d_1.w, ~N.d_1.w/adam.m");
    check(
        "N | N.d_1 D(8) w:4x8 +adam.m",
        "N | N.x D(8) w:4x8 +adam.m",
        "N.x.w < N.d_1.w, N.x.w/adam.m < N.d_1.w/adam.m",
    );
    check(
        "N | N.d_1 D(8) w:4x8 +adam.m",
        "N | N.d_1 D(8) w:4x8 +clip_norm.adam.m",
        "N.d_1.w/clip_norm.adam.m < N.d_1.w/adam.m",
    );
    check("N | N.d_1 D(8) w:4x8 +adam.m", "N | N.d_1 D(8) w:4x8 +sgd.m", "+N.d_1.w/sgd.m, -N.d_1.w/adam.m");
    check("N | N.d_1 D(8) w:4x8 +average", "N | N.d_1 D(9) w:4x9 +average", "~N.d_1.w, ~N.d_1.w/average");
}

#[test]
fn the_block_that_both_have_is_copied() {
    let old = written("N | N.d D() w:2x3 b:2 s:2x2x2");
    let new = written("N | N.d D() w:3x2 b:4 s:2x1x3");
    let carry = Carry::plan(old.version(), new.version());
    let before = [
        Tensor::of::<f32>(&[2, 3], &[1., 2., 3., 4., 5., 6.]),
        Tensor::of::<f32>(&[2], &[1., 2.]),
        Tensor::of::<f32>(&[2, 2, 2], &[1., 2., 3., 4., 5., 6., 7., 8.]),
    ];
    let mut after = [
        Tensor::of::<f32>(&[3, 2], &[9.; 6]),
        Tensor::of::<f32>(&[4], &[9.; 4]),
        Tensor::of::<f32>(&[2, 1, 3], &[9.; 6]),
    ];
    carry.apply(&before, &mut after);
    assert_eq!(after[0].elements::<f32>(), [1., 2., 4., 5., 9., 9.]);
    assert_eq!(after[1].elements::<f32>(), [1., 2., 9., 9.]);
    assert_eq!(after[2].elements::<f32>(), [1., 2., 9., 5., 6., 9.]);
    let scalar = |x: f32| Tensor::of::<f32>(&[], &[x]);
    let mut to = scalar(0.0);
    copy_overlap(&scalar(3.0), &mut to);
    assert_eq!(to.elements::<f32>(), [3.0]);
}

fn table(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (written(old), written(new));
    let carry = Carry::plan(old.version(), new.version());
    let rows = carry.rows(old.version(), new.version());
    rows.iter().map(|r| format!("{} {} {} {} {}: {}", r.what, r.path, r.variables, r.numbers, r.how, r.why)).collect()
}

#[test]
fn the_table_counts_what_is_kept_and_tells_the_rest_by_layer() {
    assert_eq!(table(NET, NET), ["kept  4 67 : "]);
    assert_eq!(
        table(NET, "Net | Net.dense_1 Dense(8) w:4x8 b:8 | Net.dense_2 Dense(5) w:8x5 b:5"),
        [
            "kept  2 40 : ",
            "resized Net.dense_2.w 1 40 f32[8, 3] to f32[8, 5]: 24 values kept, 16 start anew",
            "resized Net.dense_2.b 1 5 f32[3] to f32[5]: 3 values kept, 2 start anew",
        ]
    );
    assert_eq!(
        table(NET, "Net | Net.conv_1 Conv(8) w:8x4x3 b:8 | Net.dense_1 Dense(3) w:8x3 b:3"),
        [
            "renamed Net.dense_1 2 27 was Net.dense_2: equal but for its name, and its values are kept",
            "new Net.conv_1 2 104 Conv(8): the version before has none that fits",
            "dropped Net.dense_1 2 40 Dense(8): this version has none that fits",
        ]
    );
    assert_eq!(
        table("G | G.b_1 B() | G.b_1.a A() w:2 | G.b_1.c A() w:3", "H | H.b_1 B() | H.b_1.a A() w:2 | H.b_1.c A() w:3"),
        ["renamed H 2 5 was G: equal but for its name, and its values are kept"]
    );
    assert_eq!(
        table("N | N.c_1 C(3) w:8x1", "N | N.c_1 C(3) w:8"),
        [
            "new N.c_1.w 1 8 f32[8]: was f32[8, 1], which nothing can be copied between",
            "dropped N.c_1.w 1 8 f32[8, 1]: is now f32[8], which nothing can be copied between",
        ]
    );
}
