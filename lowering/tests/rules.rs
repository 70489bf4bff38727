//! Each rewrite on the smallest graph it applies to, in the text form.

mod common;

use common::graph;
use tfm_lowering::simplify;
use tfm_lowering::simplify::rules::RULES;

/// Name of the rule, graph before, graph after. `x` is `f32[B, 4]`, `s` is `f32[]`; the result is `%y`.
const CASES: &[(&str, &str, &str)] = &[
    ("known-size", "%y = constant size 3 : f32[]", "%y = constant 3.0 : f32[]"),
    ("cast-size", "%n = constant size B : i32[]\n%y = cast(%n, dtype: f32) : f32[]", "%y = constant size B : f32[]"),
    (
        "fold",
        "%a = constant 2.0 : f32[]\n%b = constant 0.1 : f32[]\n%y = multiply(%a, %b) : f32[]",
        "%y = constant 0.20000000298023224 : f32[]",
    ),
    ("add-zero", "%z = constant 0.0 : f32[]\n%y = add(%z, %s) : f32[]", "%y = %s"),
    ("add-negated", "%n = negate(%x) : f32[B, 4]\n%y = add(%n, %x2) : f32[B, 4]", "%y = subtract(%x2, %x) : f32[B, 4]"),
    ("subtract-zero", "%z = constant 0.0 : f32[]\n%y = subtract(%s, %z) : f32[]", "%y = %s"),
    ("subtract-from-zero", "%z = constant 0.0 : f32[]\n%y = subtract(%z, %s) : f32[]", "%y = negate(%s) : f32[]"),
    (
        "subtract-negated",
        "%n = negate(%x) : f32[B, 4]\n%y = subtract(%x2, %n) : f32[B, 4]",
        "%y = add(%x2, %x) : f32[B, 4]",
    ),
    (
        "multiply-one",
        "%o = constant 1.0 : f32[]\n%b = broadcast(%o, to: [B, 4]) : f32[B, 4]\n%y = multiply(%b, %x) : f32[B, 4]",
        "%y = %x",
    ),
    (
        "multiply-zero",
        "%o = constant 0.0 : f32[]\n%b = broadcast(%o, to: [B, 4]) : f32[B, 4]\n%y = multiply(%x, %b) : f32[B, 4]",
        "%o = constant 0.0 : f32[]\n%y = broadcast(%o, to: [B, 4]) : f32[B, 4]",
    ),
    ("multiply-minus-one", "%m = constant -1.0 : f32[]\n%y = multiply(%m, %s) : f32[]", "%y = negate(%s) : f32[]"),
    ("divide-one", "%o = constant 1.0 : f32[]\n%y = divide(%s, %o) : f32[]", "%y = %s"),
    ("divide-zero", "%z = constant 0.0 : f32[]\n%y = divide(%z, %s) : f32[]", "%y = constant 0.0 : f32[]"),
    ("negate-negate", "%n = negate(%x) : f32[B, 4]\n%y = negate(%n) : f32[B, 4]", "%y = %x"),
    ("power-one", "%k = constant 1.0 : f32[]\n%y = power(%s, %k) : f32[]", "%y = %s"),
    ("power-two", "%k = constant 2.0 : f32[]\n%y = power(%s, %k) : f32[]", "%y = multiply(%s, %s) : f32[]"),
    ("power-half", "%k = constant 0.5 : f32[]\n%y = power(%s, %k) : f32[]", "%y = sqrt(%s) : f32[]"),
    ("where-same", "%m = greater(%x, %x2) : bool[B, 4]\n%y = where(%m, %x, %x) : f32[B, 4]", "%y = %x"),
    ("cast-same", "%y = cast(%x, dtype: f32) : f32[B, 4]", "%y = %x"),
    ("stop-gradient", "%y = stop_gradient(%x) : f32[B, 4]", "%y = %x"),
    ("broadcast-same", "%y = broadcast(%x, to: [B, 4]) : f32[B, 4]", "%y = %x"),
    (
        "broadcast-broadcast",
        "%a = broadcast(%s, to: [4]) : f32[4]\n%y = broadcast(%a, to: [B, 4]) : f32[B, 4]",
        "%y = broadcast(%s, to: [B, 4]) : f32[B, 4]",
    ),
    ("reshape-same", "%y = reshape(%x, to: [B, 4]) : f32[B, 4]", "%y = %x"),
    (
        "reshape-reshape",
        "%a = reshape(%x, to: [4 * B]) : f32[4 * B]\n%y = reshape(%a, to: [2 * B, 2]) : f32[2 * B, 2]",
        "%y = reshape(%x, to: [2 * B, 2]) : f32[2 * B, 2]",
    ),
    ("transpose-identity", "%y = transpose(%x, order: [0, -1]) : f32[B, 4]", "%y = %x"),
    (
        "transpose-transpose",
        "%a = transpose(%c, order: [2, 0, 1]) : f32[4, 2, 3]\n%y = transpose(%a) : f32[4, 3, 2]",
        "%y = transpose(%c, order: [2, 1, 0]) : f32[4, 3, 2]",
    ),
    (
        "move-scalar",
        "%a = broadcast(%s, to: [B, 4]) : f32[B, 4]\n%y = transpose(%a) : f32[4, B]",
        "%y = broadcast(%s, to: [4, B]) : f32[4, B]",
    ),
    (
        "scalars-stay-scalar",
        "%a = broadcast(%s, to: [B, 4]) : f32[B, 4]\n%y = tanh(%a) : f32[B, 4]",
        "%a = tanh(%s) : f32[]\n%y = broadcast(%a, to: [B, 4]) : f32[B, 4]",
    ),
    ("sum-nothing", "%y = sum(%s, axis: [], keep: false) : f32[]", "%y = %s"),
    (
        "fold-repeated",
        "%a = broadcast(%s, to: [B, 4]) : f32[B, 4]\n%y = sum(%a, axis: [0], keep: true) : f32[1, 4]",
        "%n = constant size B : f32[]\n%a = multiply(%s, %n) : f32[]\n%y = broadcast(%a, to: [1, 4]) : f32[1, 4]",
    ),
    (
        "fold-repeated",
        "%r = broadcast(%row, to: [B, 4]) : f32[B, 4]\n%y = max(%r, axis: [0], keep: false) : f32[4]",
        "%y = %row",
    ),
    (
        "fold-repeated",
        "%r = broadcast(%row, to: [B, 4]) : f32[B, 4]\n%y = sum(%r, axis: [0], keep: false) : f32[4]",
        "%n = constant size B : f32[]\n%b = broadcast(%n, to: [4]) : f32[4]\n%y = multiply(%row, %b) : f32[4]",
    ),
    (
        "repeat-later",
        "%r = broadcast(%row, to: [B, 4]) : f32[B, 4]
         %t = broadcast(%s, to: [B, 4]) : f32[B, 4]
         %y = add(%r, %t) : f32[B, 4]",
        "%t = broadcast(%s, to: [4]) : f32[4]
         %u = add(%row, %t) : f32[4]
         %y = broadcast(%u, to: [B, 4]) : f32[B, 4]",
    ),
    (
        "divide-by-repeated",
        "%r = broadcast(%row, to: [B, 4]) : f32[B, 4]\n%y = divide(%x, %r) : f32[B, 4]",
        "%one = constant 1.0 : f32[]
         %ones = broadcast(%one, to: [4]) : f32[4]
         %i = divide(%ones, %row) : f32[4]
         %r = broadcast(%i, to: [B, 4]) : f32[B, 4]
         %y = multiply(%x, %r) : f32[B, 4]",
    ),
    ("log-of-exp", "%e = exp(%x) : f32[B, 4]\n%y = log(%e) : f32[B, 4]", "%y = %x"),
    (
        "log-of-quotient",
        "%e = exp(%x) : f32[B, 4]
         %r = broadcast(%row, to: [B, 4]) : f32[B, 4]
         %q = divide(%e, %r) : f32[B, 4]
         %y = log(%q) : f32[B, 4]",
        "%l = log(%row) : f32[4]
         %r = broadcast(%l, to: [B, 4]) : f32[B, 4]
         %y = subtract(%x, %r) : f32[B, 4]",
    ),
    (
        "exp-of-log-softmax",
        "%m = max(%x, axis: [1], keep: false) : f32[B]
         %n = reshape(%m, to: [B, 1]) : f32[B, 1]
         %w = broadcast(%n, to: [B, 4]) : f32[B, 4]
         %a = subtract(%x, %w) : f32[B, 4]
         %e = exp(%a) : f32[B, 4]
         %t = sum(%e, axis: [1], keep: false) : f32[B]
         %l = log(%t) : f32[B]
         %k = reshape(%l, to: [B, 1]) : f32[B, 1]
         %r = broadcast(%k, to: [B, 4]) : f32[B, 4]
         %d = subtract(%a, %r) : f32[B, 4]
         %y = exp(%d) : f32[B, 4]",
        "%m = max(%x, axis: [1], keep: false) : f32[B]
         %n = reshape(%m, to: [B, 1]) : f32[B, 1]
         %w = broadcast(%n, to: [B, 4]) : f32[B, 4]
         %a = subtract(%x, %w) : f32[B, 4]
         %e = exp(%a) : f32[B, 4]
         %t = sum(%e, axis: [1], keep: false) : f32[B]
         %o = constant 1.0 : f32[]
         %ones = broadcast(%o, to: [B, 1]) : f32[B, 1]
         %k = reshape(%t, to: [B, 1]) : f32[B, 1]
         %i = divide(%ones, %k) : f32[B, 1]
         %r = broadcast(%i, to: [B, 4]) : f32[B, 4]
         %y = multiply(%e, %r) : f32[B, 4]",
    ),
    (
        "log-of-sigmoid",
        "%e = sigmoid(%s) : f32[]\n%y = log(%e) : f32[]",
        "%a = abs(%s) : f32[]
         %n = negate(%a) : f32[]
         %e = exp(%n) : f32[]
         %z = constant 0.0 : f32[]
         %o = constant 1.0 : f32[]
         %low = minimum(%s, %z) : f32[]
         %p = add(%o, %e) : f32[]
         %l = log(%p) : f32[]
         %y = subtract(%low, %l) : f32[]",
    ),
    (
        "log-of-sigmoid",
        "%o = constant 1.0 : f32[]
         %e = sigmoid(%s) : f32[]
         %d = subtract(%o, %e) : f32[]
         %y = log(%d) : f32[]",
        "%o = constant 1.0 : f32[]
         %m = negate(%s) : f32[]
         %a = abs(%m) : f32[]
         %n = negate(%a) : f32[]
         %e = exp(%n) : f32[]
         %z = constant 0.0 : f32[]
         %low = minimum(%m, %z) : f32[]
         %p = add(%o, %e) : f32[]
         %l = log(%p) : f32[]
         %y = subtract(%low, %l) : f32[]",
    ),
    (
        "log-sum-exp",
        "%e = exp(%x) : f32[B, 4]
         %t = sum(%e, axis: [1], keep: false) : f32[B]
         %y = log(%t) : f32[B]",
        "%m = max(%x, axis: [1], keep: true) : f32[B, 1]
         %r = broadcast(%m, to: [B, 4]) : f32[B, 4]
         %low = subtract(%x, %r) : f32[B, 4]
         %e = exp(%low) : f32[B, 4]
         %t = sum(%e, axis: [1], keep: false) : f32[B]
         %l = log(%t) : f32[B]
         %k = reshape(%m, to: [B]) : f32[B]
         %y = add(%l, %k) : f32[B]",
    ),
    (
        "sum-of-negated",
        "%n = negate(%x) : f32[B, 4]\n%y = sum(%n, axis: [0], keep: false) : f32[4]",
        "%t = sum(%x, axis: [0], keep: false) : f32[4]\n%y = negate(%t) : f32[4]",
    ),
    ("add-twice", "%y = add(%s, %s) : f32[]", "%k = constant 2.0 : f32[]\n%y = multiply(%s, %k) : f32[]"),
    (
        "keep-later",
        "%y = max(%x, axis: [0], keep: true) : f32[1, 4]",
        "%m = max(%x, axis: [0], keep: false) : f32[4]\n%y = reshape(%m, to: [1, 4]) : f32[1, 4]",
    ),
    (
        "ones-later",
        "%r = reshape(%row, to: [1, 4]) : f32[1, 4]
         %b = broadcast(%s, to: [1, 4]) : f32[1, 4]
         %y = multiply(%r, %b) : f32[1, 4]",
        "%b = broadcast(%s, to: [4]) : f32[4]
         %m = multiply(%row, %b) : f32[4]
         %y = reshape(%m, to: [1, 4]) : f32[1, 4]",
    ),
    (
        "sum-of-deviations",
        "%t = sum(%x, axis: [0], keep: true) : f32[1, 4]
         %n = constant size B : f32[]
         %k = broadcast(%n, to: [1, 4]) : f32[1, 4]
         %m = divide(%t, %k) : f32[1, 4]
         %r = broadcast(%m, to: [B, 4]) : f32[B, 4]
         %d = subtract(%x, %r) : f32[B, 4]
         %y = sum(%d, axis: [0], keep: false) : f32[4]",
        "%z = constant 0.0 : f32[]\n%y = broadcast(%z, to: [4]) : f32[4]",
    ),
    (
        "sum-of-deviations",
        "%t = sum(%x, axis: [1], keep: false) : f32[B]
         %k = constant 4.0 : f32[]
         %b = broadcast(%k, to: [B]) : f32[B]
         %m = divide(%t, %b) : f32[B]
         %k1 = reshape(%m, to: [B, 1]) : f32[B, 1]
         %r = broadcast(%k1, to: [B, 4]) : f32[B, 4]
         %d = subtract(%x, %r) : f32[B, 4]
         %y = sum(%d, axis: [1], keep: false) : f32[B]",
        "%z = constant 0.0 : f32[]\n%y = broadcast(%z, to: [B]) : f32[B]",
    ),
    (
        "sum-of-scaled",
        "%r = broadcast(%row, to: [B, 4]) : f32[B, 4]
         %p = multiply(%r, %x) : f32[B, 4]
         %y = sum(%p, axis: [0], keep: true) : f32[1, 4]",
        "%t = sum(%x, axis: [0], keep: false) : f32[4]
         %k = multiply(%t, %row) : f32[4]
         %y = reshape(%k, to: [1, 4]) : f32[1, 4]",
    ),
    (
        "sum-of-scaled",
        "%r = broadcast(%s, to: [B, 4]) : f32[B, 4]
         %p = multiply(%x, %r) : f32[B, 4]
         %y = sum(%p, axis: [0], keep: false) : f32[4]",
        "%t = sum(%x, axis: [0], keep: false) : f32[4]
         %k = broadcast(%s, to: [4]) : f32[4]
         %y = multiply(%t, %k) : f32[4]",
    ),
    (
        "sum-of-one",
        "%c0 = reshape(%ids, to: [B, 1]) : i32[B, 1]
         %i = broadcast(%c0, to: [B, 4]) : i32[B, 4]
         %n = iota(n: 4) : i32[4]
         %all = broadcast(%n, to: [B, 4]) : i32[B, 4]
         %at = equal(%i, %all) : bool[B, 4]
         %z = constant 0.0 : f32[]
         %zero = broadcast(%z, to: [B, 4]) : f32[B, 4]
         %dy = broadcast(%s, to: [B, 4]) : f32[B, 4]
         %w = where(%at, %dy, %zero) : f32[B, 4]
         %y = sum(%w, axis: [1], keep: true) : f32[B, 1]",
        "%y = broadcast(%s, to: [B, 1]) : f32[B, 1]",
    ),
    (
        "pick-first",
        "%m = max(%x, axis: [1], keep: true) : f32[B, 1]
         %r = broadcast(%m, to: [B, 4]) : f32[B, 4]
         %low = subtract(%x, %r) : f32[B, 4]
         %y = pick(%low, %ids) : f32[B]",
        "%m = max(%x, axis: [1], keep: true) : f32[B, 1]
         %p = pick(%x, %ids) : f32[B]
         %k = reshape(%m, to: [B]) : f32[B]
         %y = subtract(%p, %k) : f32[B]",
    ),
    (
        "pick-first",
        "%r = broadcast(%row, to: [B, 4]) : f32[B, 4]
         %moved = add(%x, %r) : f32[B, 4]
         %y = pick(%moved, %ids) : f32[B]",
        "%p = pick(%x, %ids) : f32[B]
         %k = reshape(%row, to: [4]) : f32[4]
         %g = gather(%k, %ids) : f32[B]
         %y = add(%p, %g) : f32[B]",
    ),
    (
        "sum-to",
        "%y = sum_to(%c, shape: [1, 4]) : f32[1, 4]",
        "%a = sum(%c, axis: [0, 1], keep: false) : f32[4]\n%y = reshape(%a, to: [1, 4]) : f32[1, 4]",
    ),
    (
        "result-given",
        "%w = scan(%x, %s, length: B, reverse: true, walked: [1]) : bool[]
         {
           variable c0 : f32[] state
           %x = input a0 : f32[4]
           %c = read c0 : f32[]
           entry turn
             output y0 = %x
             assign c0 = %c
         }
         %a = result(%w, of: 1) : f32[B, 4]
         %b = result(%w, of: 0) : f32[]
         %z = broadcast(%b, to: [B, 4]) : f32[B, 4]
         %y = add(%a, %z) : f32[B, 4]",
        "%z = broadcast(%s, to: [B, 4]) : f32[B, 4]\n%y = add(%x, %z) : f32[B, 4]",
    ),
    (
        "result-twice",
        "%w = scan(%x, length: B, reverse: false, walked: [1]) : bool[]
         {
           %x = input a0 : f32[4]
           %t = tanh(%x) : f32[4]
           entry turn
             output y0 = %t
             output y1 = %t
         }
         %a = result(%w, of: 0) : f32[B, 4]
         %b = result(%w, of: 1) : f32[B, 4]
         %y = add(%a, %b) : f32[B, 4]",
        "%w = scan(%x, length: B, reverse: false, walked: [1]) : bool[]
         {
           %x = input a0 : f32[4]
           %t = tanh(%x) : f32[4]
           entry turn
             output y0 = %t
         }
         %a = result(%w, of: 0) : f32[B, 4]
         %y = add(%a, %a) : f32[B, 4]",
    ),
    (
        "pool-first",
        "%p = input p : f32[B, 3, 8, 8]
         %h = input h : f32[3, 1, 1]
         %z = constant 0.0 : f32[]
         %b = broadcast(%h, to: [B, 3, 8, 8]) : f32[B, 3, 8, 8]
         %a = add(%p, %b) : f32[B, 3, 8, 8]
         %n = broadcast(%z, to: [B, 3, 8, 8]) : f32[B, 3, 8, 8]
         %r = maximum(%a, %n) : f32[B, 3, 8, 8]
         %y = max_pool(%r, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 4, 4]",
        "%p = input p : f32[B, 3, 8, 8]
         %h = input h : f32[3, 1, 1]
         %z = constant 0.0 : f32[]
         %m = max_pool(%p, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 4, 4]
         %b = broadcast(%h, to: [B, 3, 4, 4]) : f32[B, 3, 4, 4]
         %a = add(%m, %b) : f32[B, 3, 4, 4]
         %n = broadcast(%z, to: [B, 3, 4, 4]) : f32[B, 3, 4, 4]
         %y = maximum(%a, %n) : f32[B, 3, 4, 4]",
    ),
    (
        "pool-of-shifted",
        "%p = input p : f32[B, 3, 8, 8]
         %g = input g : f32[B, 3, 4, 4]
         %h = input h : f32[3, 1, 1]
         %b = broadcast(%h, to: [B, 3, 8, 8]) : f32[B, 3, 8, 8]
         %a = add(%b, %p) : f32[B, 3, 8, 8]
         %y = max_pool_gradient(%a, %g, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 8, 8]",
        "%p = input p : f32[B, 3, 8, 8]
         %g = input g : f32[B, 3, 4, 4]
         %y = max_pool_gradient(%p, %g, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 8, 8]",
    ),
    (
        "gate-of-pool",
        "%p = input p : f32[B, 3, 8, 8]
         %g = input g : f32[B, 3, 4, 4]
         %z = constant 0.0 : f32[]
         %n = broadcast(%z, to: [B, 3, 8, 8]) : f32[B, 3, 8, 8]
         %r = maximum(%p, %n) : f32[B, 3, 8, 8]
         %d = max_pool_gradient(%r, %g, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 8, 8]
         %m = greater(%p, %n) : bool[B, 3, 8, 8]
         %y = where(%m, %d, %n) : f32[B, 3, 8, 8]",
        "%p = input p : f32[B, 3, 8, 8]
         %g = input g : f32[B, 3, 4, 4]
         %z = constant 0.0 : f32[]
         %l = max_pool(%p, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 4, 4]
         %n = broadcast(%z, to: [B, 3, 4, 4]) : f32[B, 3, 4, 4]
         %m = greater(%l, %n) : bool[B, 3, 4, 4]
         %d = where(%m, %g, %n) : f32[B, 3, 4, 4]
         %y = max_pool_gradient(%p, %d, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 8, 8]",
    ),
    (
        "sum-of-pooled",
        "%p = input p : f32[B, 3, 8, 8]
         %g = input g : f32[B, 3, 4, 4]
         %d = max_pool_gradient(%p, %g, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 8, 8]
         %y = sum(%d, axis: [0, 2, 3], keep: false) : f32[3]",
        "%g = input g : f32[B, 3, 4, 4]
         %y = sum(%g, axis: [0, 2, 3], keep: false) : f32[3]",
    ),
    (
        "pads-side-by-side",
        "%a = pad(%x2, before: [0, 4], after: [0, 2]) : f32[B, 10]
         %b = pad(%x, before: [0, 0], after: [0, 6]) : f32[B, 10]
         %y = add(%a, %b) : f32[B, 10]",
        "%j = concat(%x, %x2, axis: 1) : f32[B, 8]
         %y = pad(%j, before: [0, 0], after: [0, 2]) : f32[B, 10]",
    ),
    (
        "concat-concat",
        "%a = pad(%x, before: [0, 0], after: [0, 8]) : f32[B, 12]
         %b = pad(%x2, before: [0, 4], after: [0, 4]) : f32[B, 12]
         %k = pad(%x, before: [0, 8], after: [0, 0]) : f32[B, 12]
         %d = add(%a, %b) : f32[B, 12]
         %y = add(%d, %k) : f32[B, 12]",
        "%y = concat(%x, %x2, %x, axis: 1) : f32[B, 12]",
    ),
    ("gather-all", "%i = iota(n: 2) : i32[2]\n%y = gather(%c, %i) : f32[2, 3, 4]", "%y = %c"),
];

const LEAVES: &str = "%x = input x : f32[B, 4]\n%x2 = input x2 : f32[B, 4]\n%s = input s : f32[]\n%c = input c : f32[2, 3, 4]\n\
    %row = input row : f32[4]\n%ids = input ids : i32[B]\n";

/// The result of some lines; a last line `%y = %x` only gives another name.
fn result_of(lines: &str) -> tfm_lowering::graph::Graph {
    let (lines, y) = match lines.strip_prefix("%y = %") {
        Some(name) => ("", format!("%{name}")),
        None => (lines, "%y".to_string()),
    };
    let mut graph = graph(&format!("{LEAVES}{lines}\nentry e\n  output y = {y}\n"));
    graph.prune();
    graph
}

#[test]
fn every_rule_does_what_its_identity_says() {
    let mut wrong = String::new();
    for (name, before, after) in CASES {
        let mut graph = result_of(before);
        simplify(&mut graph);
        // The order of what does not depend on each other may differ.
        let mut expected = result_of(after);
        assert_ne!(graph, result_of(before), "{name}");
        if graph != expected {
            simplify(&mut expected);
            if graph.to_string() != expected.to_string() {
                wrong += &format!("{name}:\n{graph}\nexpected:\n{expected}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_has_a_case() {
    let missing: Vec<_> = RULES.iter().map(|r| r.name).filter(|n| CASES.iter().all(|c| c.0 != *n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What only looks like the gradient of a relu behind the largest of windows stays: compared with another number, of
/// another image, or chosen beside another number.
#[test]
fn other_choices_of_pooled_gradients_stay() {
    for (compared, low, other) in [("p", "half", "zero"), ("q", "zero", "zero"), ("p", "zero", "half")] {
        let lines = format!(
            "%p = input p : f32[B, 3, 8, 8]
             %q = input q : f32[B, 3, 8, 8]
             %g = input g : f32[B, 3, 4, 4]
             %z = constant 0.0 : f32[]
             %zero = broadcast(%z, to: [B, 3, 8, 8]) : f32[B, 3, 8, 8]
             %h = constant 0.5 : f32[]
             %half = broadcast(%h, to: [B, 3, 8, 8]) : f32[B, 3, 8, 8]
             %r = maximum(%p, %zero) : f32[B, 3, 8, 8]
             %d = max_pool_gradient(%r, %g, size: [2, 2], stride: [2, 2], pad: [0, 0]) : f32[B, 3, 8, 8]
             %m = greater(%{compared}, %{low}) : bool[B, 3, 8, 8]
             %y = where(%m, %d, %{other}) : f32[B, 3, 8, 8]"
        );
        let mut graph = result_of(&lines);
        simplify(&mut graph);
        assert!(!graph.to_string().contains("max_pool("), "{compared} > {low}, else {other}:\n{graph}");
    }
}

#[test]
fn equal_nodes_are_one_and_draws_are_not() {
    let mut g = graph(
        "%a = random_uniform(shape: [3], dtype: f32, key: 1) : f32[3]
         %b = random_uniform(shape: [3], dtype: f32, key: 2) : f32[3]
         %c = random_uniform(shape: [3], dtype: f32, key: 1) : f32[3]
         %d = add(%a, %b) : f32[3]
         %e = add(%d, %c) : f32[3]
         %f = add(%a, %b) : f32[3]
         %g = multiply(%e, %f) : f32[3]
         entry e
           output g = %g",
    );
    simplify(&mut g);
    let expected = graph(
        "%a = random_uniform(shape: [3], dtype: f32, key: 1) : f32[3]
         %b = random_uniform(shape: [3], dtype: f32, key: 2) : f32[3]
         %d = add(%a, %b) : f32[3]
         %e = add(%d, %a) : f32[3]
         %g = multiply(%e, %d) : f32[3]
         entry e
           output g = %g",
    );
    assert_eq!(g.to_string(), expected.to_string());
}
