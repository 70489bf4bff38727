//! The table of rewrites. A row has a name, the primitives it looks at and what it does; above each
//! stands its identity. A rule gives a value of the type of the node it replaces, or `None`.

use super::{Rewriter, fold, numbers, pools, repeats, scans, shapes};
use crate::graph::{Node, Value};

/// One rewrite.
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// The primitives it is tried on; `""` is all of them, `"constant"` the literals, `"result"` those
    /// of scans.
    pub on: &'static [&'static str],
    /// The value that replaces a node.
    pub(super) apply: fn(&mut Rewriter, &Node) -> Option<Value>,
}

/// All rewrites, in the order in which they are tried.
pub const RULES: &[Rule] = &[
    // constant size 3 → constant 3
    Rule { name: "known-size", on: &["constant"], apply: fold::known_size },
    // cast(constant size n, f32) : i32 → constant size n : f32
    Rule { name: "cast-size", on: &["cast"], apply: fold::cast_size },
    // add(2, 3) → 5, for numbers of rank 0
    Rule { name: "fold", on: &[""], apply: fold::fold },
    // x + 0, 0 + x → x
    Rule { name: "add-zero", on: &["add"], apply: numbers::add_zero },
    // x + negate(y) → x - y
    Rule { name: "add-negated", on: &["add"], apply: numbers::add_negated },
    // x + x → x * 2, for floating x
    Rule { name: "add-twice", on: &["add"], apply: numbers::add_twice },
    // x - 0 → x
    Rule { name: "subtract-zero", on: &["subtract"], apply: numbers::subtract_zero },
    // 0 - x → negate(x), up to the sign of a zero
    Rule { name: "subtract-from-zero", on: &["subtract"], apply: numbers::subtract_from_zero },
    // x - negate(y) → x + y
    Rule { name: "subtract-negated", on: &["subtract"], apply: numbers::subtract_negated },
    // x * 1, 1 * x → x
    Rule { name: "multiply-one", on: &["multiply"], apply: numbers::multiply_one },
    // x * 0, 0 * x → 0, for finite x
    Rule { name: "multiply-zero", on: &["multiply"], apply: numbers::multiply_zero },
    // x * -1 → negate(x)
    Rule { name: "multiply-minus-one", on: &["multiply"], apply: numbers::multiply_minus_one },
    // x / 1 → x
    Rule { name: "divide-one", on: &["divide"], apply: numbers::divide_one },
    // 0 / x → 0, for x not 0
    Rule { name: "divide-zero", on: &["divide"], apply: numbers::divide_zero },
    // negate(negate(x)) → x
    Rule { name: "negate-negate", on: &["negate"], apply: numbers::negate_negate },
    // x ^ 1 → x
    Rule { name: "power-one", on: &["power"], apply: numbers::power_one },
    // x ^ 2 → x * x
    Rule { name: "power-two", on: &["power"], apply: numbers::power_two },
    // x ^ 0.5 → sqrt(x), up to the sign of a zero and at minus infinity
    Rule { name: "power-half", on: &["power"], apply: numbers::power_half },
    // where(m, x, x) → x
    Rule { name: "where-same", on: &["where"], apply: numbers::where_same },
    // cast(x, dtype of x) → x
    Rule { name: "cast-same", on: &["cast"], apply: numbers::cast_same },
    // stop_gradient(x) → x, once gradients are written
    Rule { name: "stop-gradient", on: &["stop_gradient"], apply: numbers::stop_gradient },
    // broadcast(x, shape of x) → x
    Rule { name: "broadcast-same", on: &["broadcast"], apply: shapes::same_shape },
    // broadcast(broadcast(x, s), t) → broadcast(x, t)
    Rule { name: "broadcast-broadcast", on: &["broadcast"], apply: shapes::broadcast_broadcast },
    // reshape(x, shape of x) → x
    Rule { name: "reshape-same", on: &["reshape"], apply: shapes::same_shape },
    // reshape(reshape(x, s), t) → reshape(x, t)
    Rule { name: "reshape-reshape", on: &["reshape"], apply: shapes::reshape_reshape },
    // transpose(x, 0..rank) → x
    Rule { name: "transpose-identity", on: &["transpose"], apply: shapes::transpose_identity },
    // transpose(transpose(x, p), q) → transpose(x, p[q])
    Rule { name: "transpose-transpose", on: &["transpose"], apply: shapes::transpose_transpose },
    // reshape, transpose, reverse and slice of broadcast(scalar) → broadcast(scalar)
    Rule { name: "move-scalar", on: &["reshape", "transpose", "reverse", "slice"], apply: shapes::move_scalar },
    // f(broadcast(a), broadcast(b)) → broadcast(f(a, b)), for elementwise f and scalars
    Rule { name: "scalars-stay-scalar", on: &[""], apply: shapes::scalars_stay_scalar },
    // f(reshape(a), broadcast(s)) → reshape(f(a, broadcast(s))), for elementwise f, scalars and a reshape that only adds
    // axes of size 1
    Rule { name: "ones-later", on: &[""], apply: shapes::ones_later },
    // f(broadcast(a), broadcast(b)) → broadcast(f(a, b)) where both repeat along an axis, for elementwise f
    Rule { name: "repeat-later", on: &[""], apply: repeats::repeat_later },
    // x / broadcast(b) → x * broadcast(1 / b), up to a rounding, for floating b that is no literal and not so near 0
    // that 1 / b overflows
    Rule { name: "divide-by-repeated", on: &["divide"], apply: repeats::divide_by_repeated },
    // log(exp(x)) → x, also where exp overflows
    Rule { name: "log-of-exp", on: &["log"], apply: repeats::log_of_exp },
    // log(exp(x) / broadcast(s)) → x - broadcast(log(s)), also where exp underflows: log of softmax
    Rule { name: "log-of-quotient", on: &["log"], apply: repeats::log_of_quotient },
    // exp(a - broadcast(log(sum(exp(a))))) → exp(a) / broadcast(sum(exp(a))), up to rounding, for a that is x - max(x): of
    // the gradient of log_softmax
    Rule { name: "exp-of-log-softmax", on: &["exp"], apply: repeats::exp_of_log_softmax },
    // log(sigmoid(x)) → min(x, 0) - log(1 + exp(-abs(x))), log(1 - sigmoid(x)) → the same of -x: sigmoid cross-entropy
    Rule { name: "log-of-sigmoid", on: &["log"], apply: repeats::log_of_sigmoid },
    // log(sum(exp(x))) → m + log(sum(exp(x - m))) with m = max(x)
    Rule { name: "log-sum-exp", on: &["log"], apply: repeats::log_sum_exp },
    // pick(f(x, broadcast(b)), i) → f(pick(x, i), b), for elementwise f and b the same along the last axis; gather(b, i)
    // stands in place of a b that has only that axis
    Rule { name: "pick-first", on: &["pick"], apply: repeats::pick_first },
    // sum(x), max(x) and min(x) that keep their axes → reshape of those that do not, so that one serves both
    Rule { name: "keep-later", on: &["sum", "max", "min"], apply: shapes::keep_later },
    // sum(x - broadcast(mean(x))) → 0, the mean being taken along the axes that go: of what a variance sends back
    Rule { name: "sum-of-deviations", on: &["sum"], apply: repeats::sum_of_deviations },
    // sum(negate(x)) → negate(sum(x))
    Rule { name: "sum-of-negated", on: &["sum"], apply: repeats::sum_of_negated },
    // sum(x * broadcast(b)) → sum(x) * b, up to rounding, for floating b the same along the axes that go
    Rule { name: "sum-of-scaled", on: &["sum"], apply: repeats::sum_of_scaled },
    // sum(where(i == 0, 1, … n, dy, 0)) over the last axis → dy, for numbers i below n: of what `pick` sends back
    Rule { name: "sum-of-one", on: &["sum"], apply: repeats::sum_of_one },
    // sum(broadcast(x)) → broadcast(x * n) over n elements that are repeated, for floating x; max and min → broadcast(x)
    Rule { name: "fold-repeated", on: &["sum", "max", "min"], apply: repeats::fold_repeated },
    // sum of nothing: sum(x) → x at rank 0; over axes of size 1 → reshape(x)
    Rule { name: "sum-nothing", on: &["sum"], apply: shapes::sum_nothing },
    // sum_to(x, t) → reshape(sum(x, the axes that t has not or of size 1), t)
    Rule { name: "sum-to", on: &["sum_to"], apply: shapes::sum_to },
    // max_pool(maximum(x, broadcast(b))) → maximum(max_pool(x), broadcast(b)), b the same along the windows; and the same
    // for x + broadcast(b)
    Rule { name: "pool-first", on: &["max_pool"], apply: pools::pool_first },
    // max_pool_gradient(x + broadcast(b), dy) → max_pool_gradient(x, dy), b the same along the windows; of two that only
    // the sum's rounding makes equal the larger gets it
    Rule { name: "pool-of-shifted", on: &["max_pool_gradient"], apply: pools::pool_of_shifted },
    // where(x > 0, max_pool_gradient(maximum(x, 0), dy), 0) → max_pool_gradient(x, where(max_pool(x) > 0, dy, 0))
    Rule { name: "gate-of-pool", on: &["where"], apply: pools::gate_of_pool },
    // sum(max_pool_gradient(x, dy)) → sum(dy) over all of the axes that windows slide over, and others
    Rule { name: "sum-of-pooled", on: &["sum"], apply: pools::sum_of_pooled },
    // pad(x) + pad(y), one next to the other → concat(x, y), or a pad of it: of the gradients of what was split
    Rule { name: "pads-side-by-side", on: &["add"], apply: shapes::pads_side_by_side },
    // concat(concat(x, y), z) → concat(x, y, z) along one axis
    Rule { name: "concat-concat", on: &["concat"], apply: shapes::concat_concat },
    // gather(t, iota(rows of t)) → t
    Rule { name: "gather-all", on: &["gather"], apply: shapes::gather_all },
    // an output of a scan that is what is walked → that; carried, never changed → what it starts as
    Rule { name: "result-given", on: &["result"], apply: scans::result_given },
    // two outputs of a scan that are one value → the first
    Rule { name: "result-twice", on: &["result"], apply: scans::result_twice },
];
