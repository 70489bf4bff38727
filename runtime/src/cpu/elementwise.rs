//! The elementwise primitives: one row each.
//!
//! A row is a name, arguments, the class of dtypes it exists for, and the expression for one element; the dtype of the
//! result is that of the arguments, or `bool` after `->`. From it come a loop over a tile for each dtype of the class
//! and each instruction set. A new primitive is one more row, for instance
//! `cube(x) for float = x * x * x;` (`T` is the type, [`Real`] and [`Number`] have what both kinds offer).
//!
//! `where` and `cast` have arguments of different dtypes, `sin` and `cos` of f32 a second loop for far arguments: these are
//! written out below the table.

mod pairs;

pub(crate) use pairs::{gated, pair};

use super::isa::Path;
use super::math::{NEAR, Real};
use tfm_lang::types::DType;

/// Computes `n` elements; false when an element was one that the primitive cannot take.
///
/// # Safety
/// Arguments and result have `n` elements of the row's types, and the result lies apart from the arguments.
pub(crate) type Tile = unsafe fn(n: usize, args: [*const u8; 3], out: *mut u8) -> bool;

/// One version per [`Path`].
type Versions = [Tile; 3];

/// What a row compiles to for a dtype.
trait Rule {
    /// As [`Tile`]; always inlined into a version.
    unsafe fn run(n: usize, args: [*const u8; 3], out: *mut u8) -> bool;
}

unsafe fn portable<R: Rule>(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
    // SAFETY: the caller's promise.
    unsafe { R::run(n, args, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<R: Rule>(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
    // SAFETY: the caller's promise.
    unsafe { R::run(n, args, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512<R: Rule>(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
    // SAFETY: the caller's promise.
    unsafe { R::run(n, args, out) }
}

#[cfg(target_arch = "x86_64")]
const fn versions<R: Rule>() -> Versions {
    [portable::<R>, avx2::<R>, avx512::<R>]
}

#[cfg(not(target_arch = "x86_64"))]
const fn versions<R: Rule>() -> Versions {
    [portable::<R>, portable::<R>, portable::<R>]
}

/// What integers and reals have in common; integers wrap around.
trait Number: Copy {
    const ZERO: Self;
    fn negate(x: Self) -> Self;
    fn abs(x: Self) -> Self;
    fn sign(x: Self) -> Self;
    fn add(a: Self, b: Self) -> Self;
    fn subtract(a: Self, b: Self) -> Self;
    fn multiply(a: Self, b: Self) -> Self;
    /// Rounds down for integers, for which `b` is not 0.
    fn divide(a: Self, b: Self) -> Self;
    /// What is left after `divide` rounded down, with the sign of `b`.
    fn remainder(a: Self, b: Self) -> Self;
    fn larger(a: Self, b: Self) -> Self;
    fn smaller(a: Self, b: Self) -> Self;
}

macro_rules! real_numbers {
    ($($t:ty),*) => { $(
        impl Number for $t {
            const ZERO: $t = 0.0;
            #[inline(always)]
            fn negate(x: $t) -> $t { -x }
            #[inline(always)]
            fn abs(x: $t) -> $t { x.abs() }
            #[inline(always)]
            fn sign(x: $t) -> $t { if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x } }
            #[inline(always)]
            fn add(a: $t, b: $t) -> $t { a + b }
            #[inline(always)]
            fn subtract(a: $t, b: $t) -> $t { a - b }
            #[inline(always)]
            fn multiply(a: $t, b: $t) -> $t { a * b }
            #[inline(always)]
            fn divide(a: $t, b: $t) -> $t { a / b }
            #[inline(always)]
            fn remainder(a: $t, b: $t) -> $t {
                let r = a % b;
                if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
            }
            #[inline(always)]
            fn larger(a: $t, b: $t) -> $t { if (a > b) | (a != a) { a } else { b } }
            #[inline(always)]
            fn smaller(a: $t, b: $t) -> $t { if (a < b) | (a != a) { a } else { b } }
        }
    )* };
}
real_numbers!(f32, f64);

macro_rules! whole_numbers {
    ($($t:ty),*) => { $(
        #[allow(unused_comparisons)]
        impl Number for $t {
            const ZERO: $t = 0;
            #[inline(always)]
            fn negate(x: $t) -> $t { x.wrapping_neg() }
            #[inline(always)]
            fn abs(x: $t) -> $t { if x < 0 { x.wrapping_neg() } else { x } }
            #[inline(always)]
            fn sign(x: $t) -> $t { (x > 0) as $t - (x < 0) as $t }
            #[inline(always)]
            fn add(a: $t, b: $t) -> $t { a.wrapping_add(b) }
            #[inline(always)]
            fn subtract(a: $t, b: $t) -> $t { a.wrapping_sub(b) }
            #[inline(always)]
            fn multiply(a: $t, b: $t) -> $t { a.wrapping_mul(b) }
            #[inline(always)]
            fn divide(a: $t, b: $t) -> $t {
                let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
                if r != 0 && (r < 0) != (b < 0) { q - 1 } else { q }
            }
            #[inline(always)]
            fn remainder(a: $t, b: $t) -> $t {
                let r = a.wrapping_rem(b);
                if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
            }
            #[inline(always)]
            fn larger(a: $t, b: $t) -> $t { a.max(b) }
            #[inline(always)]
            fn smaller(a: $t, b: $t) -> $t { a.min(b) }
        }
    )* };
}
whole_numbers!(i64, i32, i8, u8);

/// A primitive for one dtype of its arguments.
struct Instance {
    from: DType,
    to: DType,
    versions: Versions,
}

/// A primitive for one class of dtypes.
struct Row {
    name: &'static str,
    arity: usize,
    instances: &'static [Instance],
}

/// The loop of a row for one dtype. `$out` is a second, like `bool`, or nothing for the same dtype.
macro_rules! instance {
    ($d:ident $t:ident, $args:tt, [], $body:expr, $bad:expr) => {
        instance!(@ $d $t, $args, $d $t, $body, $bad)
    };
    ($d:ident $t:ident, $args:tt, [bool], $body:expr, $bad:expr) => {
        instance!(@ $d $t, $args, Bool u8, u8::from($body), $bad)
    };
    (@ $d:ident $t:ident, ($($x:ident @ $i:literal),+), $rd:ident $r:ident, $body:expr, $bad:expr) => {{
        struct This;
        impl Rule for This {
            #[inline(always)]
            #[allow(clippy::redundant_closure_call, clippy::bool_comparison)]
            unsafe fn run(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
                #[allow(dead_code)]
                type T = $t;
                let mut bad = false;
                for i in 0..n {
                    // SAFETY: the promise of `Tile`.
                    $( let $x: $t = unsafe { *args[$i].cast::<$t>().add(i) }; )+
                    if $bad {
                        bad = true;
                        continue;
                    }
                    let y: $r = $body;
                    // SAFETY: the promise of `Tile`.
                    unsafe { *out.cast::<$r>().add(i) = y };
                }
                !bad
            }
        }
        Instance { from: DType::$d, to: DType::$rd, versions: versions::<This>() }
    }};
}

/// The instances of a row for each dtype of its class.
macro_rules! class {
    (float, $($rest:tt)*) => { class!(@ [F32 f32, F64 f64], $($rest)*) };
    (int, $($rest:tt)*) => { class!(@ [I64 i64, I32 i32, I8 i8, U8 u8], $($rest)*) };
    (number, $($rest:tt)*) => { class!(@ [F32 f32, F64 f64, I64 i64, I32 i32, I8 i8, U8 u8], $($rest)*) };
    (any, $($rest:tt)*) => { class!(@ [F32 f32, F64 f64, I64 i64, I32 i32, I8 i8, U8 u8, Bool u8], $($rest)*) };
    (f64, $($rest:tt)*) => { class!(@ [F64 f64], $($rest)*) };
    (bool, $($rest:tt)*) => { class!(@ [Bool u8], $($rest)*) };
    (@ [$($d:ident $t:ident),+], $args:tt, $out:tt, $body:expr, $bad:expr) => {
        &[$( instance!($d $t, $args, $out, $body, $bad) ),+]
    };
}

macro_rules! arguments {
    (($x:ident), $class:ident, $($rest:tt)*) => { class!($class, ($x @ 0), $($rest)*) };
    (($x:ident, $y:ident), $class:ident, $($rest:tt)*) => { class!($class, ($x @ 0, $y @ 1), $($rest)*) };
}

macro_rules! arity {
    (($x:ident)) => {
        1
    };
    (($x:ident, $y:ident)) => {
        2
    };
}

macro_rules! rows {
    ($( $name:ident $args:tt for $class:ident $(-> $out:ident)? = $body:expr $(, unless $bad:expr)?; )*) => {
        &[$( Row {
            name: stringify!($name),
            arity: arity!($args),
            instances: arguments!($args, $class, [$($out)?], $body, false $(|| $bad)?),
        } ),*]
    };
}

const ROWS: &[Row] = rows! {
    negate(x) for number = Number::negate(x);
    abs(x) for number = Number::abs(x);
    sign(x) for number = Number::sign(x);
    floor(x) for float = Real::floor(x);
    round(x) for float = Real::round(x);
    exp(x) for float = Real::exp(x);
    log(x) for float = Real::log(x);
    sqrt(x) for float = Real::sqrt(x);
    sin(x) for f64 = Real::sin(x);
    cos(x) for f64 = Real::cos(x);
    tanh(x) for float = Real::tanh(x);
    sigmoid(x) for float = Real::sigmoid(x);
    // Near 0 its Taylor series; beyond, 1 - erfc(|x|) with erfc(a) = t * exp(c(t) - a^2), t = 2 / (2 + a), and c a
    // Chebyshev sum in 2t - 1, within 4e-15.
    erf(x) for float = {
        const C: [f64; 24] = [
            -1.3026537197817096, 0.6419697923564901, 0.019476473204185857, -0.009561514786808625,
            -0.0009465953444820069, 0.00036683949785275283, 4.252332480687848e-5, -2.0278578112653545e-5,
            -1.6242900044982633e-6, 1.303655835088735e-6, 1.562644172392602e-8, -8.523809626181933e-8,
            6.529054130677281e-9, 5.059343388680304e-9, -9.913641782488547e-10, -2.2736567489856085e-10,
            9.646694554277246e-11, 2.3944041194212673e-12, -6.886359538160747e-12, 8.944303631075456e-13,
            3.1299962621744726e-13, -1.1216028106275644e-13, 9.575673587391975e-16, 7.251144129583054e-15,
        ];
        let (a, s): (T, T) = (x.abs(), x * x);
        let t: T = 2.0 / (2.0 + a);
        let y: T = 4.0 * t - 2.0;
        let (mut p, mut q): (T, T) = (0.0, 0.0);
        for c in C[1..].iter().rev() {
            (p, q) = (y * p - q + *c as T, p);
        }
        let far = 1.0 - t * Real::exp(0.5 * (y * p + C[0] as T) - q - s);
        // a * 2 / sqrt(pi) * (1 - s/3 + s^2/10 - s^3/42 + …), the terms (-s)^k / (k! (2k + 1)).
        let (mut near, mut term): (T, T) = (1.0, 1.0);
        for k in 1..14 {
            term = -term * s / k as T;
            near += term / (2 * k + 1) as T;
        }
        let near = a * core::f64::consts::FRAC_2_SQRT_PI as T * near;
        (if a < 0.5 { near } else { far }).copysign(x)
    };
    add(a, b) for number = Number::add(a, b);
    subtract(a, b) for number = Number::subtract(a, b);
    multiply(a, b) for number = Number::multiply(a, b);
    divide(a, b) for float = Number::divide(a, b);
    divide(a, b) for int = Number::divide(a, b), unless b == T::ZERO;
    remainder(a, b) for float = Number::remainder(a, b);
    remainder(a, b) for int = Number::remainder(a, b), unless b == T::ZERO;
    power(a, b) for float = Real::power(a, b);
    maximum(a, b) for number = Number::larger(a, b);
    minimum(a, b) for number = Number::smaller(a, b);
    equal(a, b) for any -> bool = a == b;
    not_equal(a, b) for any -> bool = a != b;
    less(a, b) for number -> bool = a < b;
    less_equal(a, b) for number -> bool = a <= b;
    greater(a, b) for number -> bool = a > b;
    greater_equal(a, b) for number -> bool = a >= b;
    logical_and(a, b) for bool = a & b;
    logical_or(a, b) for bool = a | b;
    logical_not(a) for bool = a ^ 1;
};

/// The names of all elementwise primitives.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    // Rows of one name for several classes stand one after the other.
    let first = |i: usize| i == 0 || ROWS[i - 1].name != ROWS[i].name;
    (0..ROWS.len()).filter(move |&i| first(i)).map(|i| ROWS[i].name).chain(["where", "cast"])
}

/// How many arguments a primitive has; `None` where it is not elementwise.
pub(crate) fn arity(name: &str) -> Option<usize> {
    match name {
        "where" => Some(3),
        "cast" => Some(1),
        _ => ROWS.iter().find(|r| r.name == name).map(|r| r.arity),
    }
}

/// `power` with a whole constant exponent, as products; `None` where the general one is as good.
pub(crate) fn whole_power(exponent: i32, dtype: DType, path: Path) -> Option<Tile> {
    let of = |single: [Versions; 5], double: [Versions; 5]| {
        let i = [-2, -1, 2, 3, 4].iter().position(|&n| n == exponent)?;
        Some(if dtype == DType::F32 { single[i] } else { double[i] }[path as usize])
    };
    of(Power::<f32, 0>::all(), Power::<f64, 0>::all())
}

/// The loop of a primitive for the dtypes of its arguments (of the last, where they differ) and of its result.
pub(crate) fn tile(name: &str, from: DType, to: DType, path: Path) -> Result<Tile, String> {
    let versions = match name {
        "where" => Some(select(to)),
        "cast" => cast(from, to),
        "sin" if from == DType::F32 => Some(versions::<Sin>()),
        "cos" if from == DType::F32 => Some(versions::<Cos>()),
        _ => ROWS
            .iter()
            .filter(|r| r.name == name)
            .flat_map(|r| r.instances)
            .find(|i| i.from == from && i.to == to)
            .map(|i| i.versions),
    };
    versions.map(|v| v[path as usize]).ok_or_else(|| format!("there is no kernel for `{name}` from {from} to {to}"))
}

macro_rules! periodic {
    ($name:ident, $near:expr, $far:expr) => {
        /// Near arguments in a vector loop, then far ones, if there are any, one at a time.
        struct $name;
        impl Rule for $name {
            #[inline(always)]
            unsafe fn run(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
                let (x, y) = (args[0].cast::<f32>(), out.cast::<f32>());
                let mut near = true;
                for i in 0..n {
                    // SAFETY: the promise of `Tile`.
                    unsafe {
                        let x = *x.add(i);
                        near &= x.abs() < NEAR;
                        *y.add(i) = $near(x);
                    }
                }
                for i in 0..if near { 0 } else { n } {
                    // SAFETY: the promise of `Tile`.
                    unsafe {
                        if (*x.add(i)).abs() >= NEAR {
                            *y.add(i) = $far(*x.add(i));
                        }
                    }
                }
                true
            }
        }
    };
}
periodic!(Sin, <f32 as Real>::sin, f32::sin);
periodic!(Cos, <f32 as Real>::cos, f32::cos);

/// x to the power N.
struct Power<T, const N: i32>(std::marker::PhantomData<T>);

macro_rules! powers {
    ($($t:ty),*) => { $(
        impl<const N: i32> Rule for Power<$t, N> {
            #[inline(always)]
            unsafe fn run(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
                for i in 0..n {
                    // SAFETY: the promise of `Tile`.
                    unsafe {
                        let x = *args[0].cast::<$t>().add(i);
                        *out.cast::<$t>().add(i) = match N {
                            -2 => 1.0 / (x * x),
                            -1 => 1.0 / x,
                            2 => x * x,
                            3 => x * x * x,
                            _ => (x * x) * (x * x),
                        };
                    }
                }
                true
            }
        }
        impl Power<$t, 0> {
            fn all() -> [Versions; 5] {
                [
                    versions::<Power<$t, -2>>(),
                    versions::<Power<$t, -1>>(),
                    versions::<Power<$t, 2>>(),
                    versions::<Power<$t, 3>>(),
                    versions::<Power<$t, 4>>(),
                ]
            }
        }
    )* };
}
powers!(f32, f64);

/// `where` moves elements without looking at them.
struct Select<T>(std::marker::PhantomData<T>);

macro_rules! selects {
    ($($t:ty),*) => { $(
        impl Rule for Select<$t> {
            #[inline(always)]
            unsafe fn run(n: usize, [mask, a, b]: [*const u8; 3], out: *mut u8) -> bool {
                for i in 0..n {
                    // SAFETY: the promise of `Tile`.
                    unsafe {
                        let (a, b) = (*a.cast::<$t>().add(i), *b.cast::<$t>().add(i));
                        // By bits: of a choice the compiler makes a choice of places, which it then gathers from.
                        let chosen = (0 as $t).wrapping_sub((*mask.add(i) != 0).into());
                        *out.cast::<$t>().add(i) = b ^ ((a ^ b) & chosen);
                    }
                }
                true
            }
        }
    )* };
}
selects!(u8, u16, u32, u64);

fn select(dtype: DType) -> Versions {
    match dtype.bytes() {
        1 => versions::<Select<u8>>(),
        2 => versions::<Select<u16>>(),
        4 => versions::<Select<u32>>(),
        _ => versions::<Select<u64>>(),
    }
}

/// Conversion of one element.
trait To<R>: Copy {
    fn to(self) -> R;
}

/// A truth as stored: 0 or 1.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Truth(u8);

/// The upper half of an f32.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Bf16(u16);

struct Cast<A, R>(std::marker::PhantomData<(A, R)>);

impl<A: To<R>, R: Copy> Rule for Cast<A, R> {
    #[inline(always)]
    unsafe fn run(n: usize, args: [*const u8; 3], out: *mut u8) -> bool {
        for i in 0..n {
            // SAFETY: the promise of `Tile`.
            unsafe { *out.cast::<R>().add(i) = (*args[0].cast::<A>().add(i)).to() };
        }
        true
    }
}

macro_rules! casts {
    (@to $a:ident: $($r:ident),*) => { $(
        impl To<$r> for $a {
            #[inline(always)]
            fn to(self) -> $r { self as $r }
        }
    )* };
    (@bf16 $($a:ident),*) => { $(
        impl To<Bf16> for $a {
            /// Rounds to the nearest, halves to the even one; stays NaN.
            #[inline(always)]
            fn to(self) -> Bf16 {
                let bits = (self as f32).to_bits();
                let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
                Bf16((if bits & 0x7fff_ffff > 0x7f80_0000 { bits | 0x0040_0000 } else { rounded } >> 16) as u16)
            }
        }
        impl To<$a> for Bf16 {
            #[inline(always)]
            fn to(self) -> $a { f32::from_bits(u32::from(self.0) << 16) as $a }
        }
        impl To<Truth> for $a {
            #[inline(always)]
            fn to(self) -> Truth { Truth((self != 0 as $a).into()) }
        }
        impl To<$a> for Truth {
            #[inline(always)]
            fn to(self) -> $a { self.0 as $a }
        }
    )* };
    ($($a:ident),*) => {
        $( casts!(@to $a: f64, f32, i64, i32, i8, u8); )*
        casts!(@bf16 $($a),*);
    };
}
casts!(f64, f32, i64, i32, i8, u8);

impl To<Truth> for Truth {
    #[inline(always)]
    fn to(self) -> Truth {
        self
    }
}

impl To<Bf16> for Bf16 {
    #[inline(always)]
    fn to(self) -> Bf16 {
        self
    }
}

impl To<Truth> for Bf16 {
    #[inline(always)]
    fn to(self) -> Truth {
        Truth((self.0 & 0x7fff != 0).into())
    }
}

impl To<Bf16> for Truth {
    #[inline(always)]
    fn to(self) -> Bf16 {
        Bf16(u16::from(self.0) * 0x3f80)
    }
}

fn cast(from: DType, to: DType) -> Option<Versions> {
    fn from_a<A>(to: DType) -> Option<Versions>
    where
        A: To<f64> + To<f32> + To<i64> + To<i32> + To<i8> + To<u8> + To<Truth> + To<Bf16>,
    {
        Some(match to {
            DType::F64 => versions::<Cast<A, f64>>(),
            DType::F32 => versions::<Cast<A, f32>>(),
            DType::Bf16 => versions::<Cast<A, Bf16>>(),
            DType::F16 => return None,
            DType::I64 => versions::<Cast<A, i64>>(),
            DType::I32 => versions::<Cast<A, i32>>(),
            DType::I8 => versions::<Cast<A, i8>>(),
            DType::U8 => versions::<Cast<A, u8>>(),
            DType::Bool => versions::<Cast<A, Truth>>(),
        })
    }
    match from {
        DType::F64 => from_a::<f64>(to),
        DType::F32 => from_a::<f32>(to),
        DType::Bf16 => from_a::<Bf16>(to),
        DType::F16 => None,
        DType::I64 => from_a::<i64>(to),
        DType::I32 => from_a::<i32>(to),
        DType::I8 => from_a::<i8>(to),
        DType::U8 => from_a::<u8>(to),
        DType::Bool => from_a::<Truth>(to),
    }
}
