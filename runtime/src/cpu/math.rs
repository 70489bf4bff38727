//! Functions of real numbers.
//!
//! Those of f32 are our own: straight-line code that vectorises, made of single operations in a fixed order, so that
//! every processor gives the same bits. A product and a sum are rounded once where that is written (`mul_add`): half as
//! many instructions wait for each other. Processors that have none for it (before 2013) go through the C library, slowly,
//! to the same bits. Each function is within 3 units in the last place (the tests hold them to that) and right at
//! infinities, NaN and denormals. Those of f64 are the standard library's.

use std::f32::consts as f;

/// A real number type.
pub(crate) trait Real: Copy + PartialOrd {
    fn exp(x: Self) -> Self;
    fn log(x: Self) -> Self;
    fn tanh(x: Self) -> Self;
    fn sigmoid(x: Self) -> Self;
    /// Right for |x| up to [`NEAR`]; the rows of `sin` and `cos` look after the rest.
    fn sin(x: Self) -> Self;
    fn cos(x: Self) -> Self;
    fn sqrt(x: Self) -> Self;
    fn floor(x: Self) -> Self;
    fn round(x: Self) -> Self;
    fn power(x: Self, y: Self) -> Self;
}

/// Up to here sines of f32 are computed by subtracting multiples of a quarter turn.
pub(crate) const NEAR: f32 = 4e8;

impl Real for f64 {
    fn exp(x: f64) -> f64 {
        x.exp()
    }
    fn log(x: f64) -> f64 {
        x.ln()
    }
    fn tanh(x: f64) -> f64 {
        x.tanh()
    }
    #[inline(always)]
    fn sigmoid(x: f64) -> f64 {
        let e = (-x.abs()).exp();
        (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
    }
    fn sin(x: f64) -> f64 {
        x.sin()
    }
    fn cos(x: f64) -> f64 {
        x.cos()
    }
    #[inline(always)]
    fn sqrt(x: f64) -> f64 {
        x.sqrt()
    }
    #[inline(always)]
    fn floor(x: f64) -> f64 {
        x.floor()
    }
    #[inline(always)]
    fn round(x: f64) -> f64 {
        x.round_ties_even()
    }
    fn power(x: f64, y: f64) -> f64 {
        x.powf(y)
    }
}

/// Adding it to a small number rounds that to a whole one, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The sum of `c[i] * x^(n - 1 - i)`, neighbours first and then pairs of them (Estrin): half as many steps wait for the one
/// before as with Horner's rule, and vectors of a row are bound by that.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    const { assert!(N <= 9) };
    let (x2, at) = (x * x, |i: usize| c[N - 1 - i]);
    let x4 = x2 * x2;
    let two = |i: usize| if i + 1 < N { x.mul_add(at(i + 1), at(i)) } else { at(i) };
    let four = |i: usize| if i + 2 < N { x2.mul_add(two(i + 2), two(i)) } else { two(i) };
    let eight = |i: usize| if i + 4 < N { x4.mul_add(four(i + 4), four(i)) } else { four(i) };
    if N > 8 { (x4 * x4).mul_add(eight(8), eight(0)) } else { eight(0) }
}

/// (e^r - 1 - r) / r^2 from the fourth power down: the least relative error in e^r for |r| up to half of ln 2, 3e-9.
const EXP: [f32; 5] = [1.381_460_2e-3, 8.368_715e-3, 4.166_839e-2, 1.666_652_1e-1, 4.999_999_3e-1];

/// y and k for which e^x is (1 + y) 2^k, y from -0.3 to 0.42.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, i32) {
    let t = x.mul_add(f::LOG2_E, ROUND);
    let n = t - ROUND;
    // ln 2 in two parts.
    let r = n.mul_add(1.904_654_3e-9, n.mul_add(-f::LN_2, x));
    (polynomial(r, EXP).mul_add(r * r, r), (t.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// 2^(k - 127) for k from 1 to 254.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k as u32) << 23)
}

impl Real for f32 {
    /// 2^k e^r with r within half of ln 2.
    #[inline(always)]
    fn exp(x: f32) -> f32 {
        let x = if x > 89.0 { 89.0 } else { x };
        // Here e^x is 0. Multiplying down to it takes a processor a hundred times as long, and the masks of softmax are
        // full of it.
        let none = x < -104.0;
        let (y, k) = exp_parts(if none { 0.0 } else { x });
        // In two halves, since 2^k may be out of range where e^x is not.
        let both = k.wrapping_add(2 * 127);
        let half = both >> 1;
        let scale = power_of_two(half);
        let y = y.mul_add(scale, scale) * power_of_two(both.wrapping_sub(half));
        if none { 0.0 } else { y }
    }

    /// k ln 2 + log m with m from sqrt(1/2) to sqrt 2; Cephes (Moshier, `logf`).
    #[inline(always)]
    fn log(x: f32) -> f32 {
        let denormal = x < f32::MIN_POSITIVE;
        let scaled = if denormal { x * 8_388_608.0 } else { x };
        let bits = scaled.to_bits();
        let exponent = ((bits >> 23) & 0xff) as i32 - if denormal { 126 + 23 } else { 126 };
        let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
        let low = m < f::FRAC_1_SQRT_2;
        let k = (exponent - low as i32) as f32;
        let m = if low { m + m - 1.0 } else { m - 1.0 };
        let z = m * m;
        let p = polynomial(
            m,
            [
                7.037_683_6e-2,
                -1.151_461e-1,
                1.167_699_9e-1,
                -1.242_014_1e-1,
                1.424_932_3e-1,
                -1.666_805_8e-1,
                2.000_071_5e-1,
                -2.499_999_4e-1,
                3.333_333e-1,
            ],
        );
        let y = z.mul_add(-0.5, k.mul_add(-2.121_944_4e-4, p * m * z));
        let y = k.mul_add(0.693_359_4, m + y);
        let y = if x == f32::INFINITY { x } else { y };
        let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
        if x >= 0.0 { y } else { f32::NAN }
    }

    /// e / (e + 2) with e = e^2|x| - 1, which has all its digits near 0 too.
    #[inline(always)]
    fn tanh(x: f32) -> f32 {
        let a = x.abs();
        // From 10 on it is 1.
        let (y, k) = exp_parts(if a > 10.0 { 20.0 } else { a + a });
        let power = power_of_two(k.wrapping_add(127));
        let e = y.mul_add(power, power - 1.0);
        (e / (e + 2.0)).copysign(x)
    }

    /// From e^-|x|, which neither overflows nor cancels.
    #[inline(always)]
    fn sigmoid(x: f32) -> f32 {
        let e = f32::exp_of(-x.abs());
        (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
    }

    #[inline(always)]
    fn sin(x: f32) -> f32 {
        quarter_turns(x, 0)
    }

    #[inline(always)]
    fn cos(x: f32) -> f32 {
        quarter_turns(x, 1)
    }

    #[inline(always)]
    fn sqrt(x: f32) -> f32 {
        x.sqrt()
    }
    #[inline(always)]
    fn floor(x: f32) -> f32 {
        x.floor()
    }
    #[inline(always)]
    fn round(x: f32) -> f32 {
        x.round_ties_even()
    }
    fn power(x: f32, y: f32) -> f32 {
        x.powf(y)
    }
}

trait ExpOf {
    fn exp_of(x: Self) -> Self;
}

impl ExpOf for f32 {
    #[inline(always)]
    fn exp_of(x: f32) -> f32 {
        <f32 as Real>::exp(x)
    }
}

/// The sine of x and so many quarter turns, in f64 inside; reduction and polynomials are those of musl (`__rem_pio2f`,
/// `__sindf`, `__cosdf`; FreeBSD, Sun Microsystems 1993).
#[inline(always)]
fn quarter_turns(x: f32, more: i64) -> f32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = f64::from(x);
    let t = x * std::f64::consts::FRAC_2_PI + ROUND;
    let n = t - ROUND;
    let r = x - n * 1.570_796_310_901_641_8 - n * 1.589_325_477_352_819_7e-8;
    let quadrant = (t.to_bits() as i64).wrapping_add(more);
    let z = r * r;
    let sin = r
        + z * r * (-0.166_666_666_416_265_24 + z * 0.008_333_329_385_889_463)
        + z * r * (z * z) * (-0.000_198_393_348_360_966_32 + z * 0.000_002_718_311_493_989_822);
    let cos = 1.0
        + z * -0.499_999_997_251_031
        + z * z * 0.041_666_623_323_739_06
        + z * z * z * (-0.001_388_676_377_460_993 + z * 0.000_024_390_448_796_277_41);
    let y = if quadrant & 1 == 0 { sin } else { cos };
    (if quadrant & 2 == 0 { y } else { -y }) as f32
}

/// Cosine and sine of `u` whole turns, for u from 0 to 1.
#[inline(always)]
pub(crate) fn turn(u: f32) -> (f32, f32) {
    let t = u * 4.0 + ROUND;
    let quadrant = t.to_bits();
    let r = (u - (t - ROUND) * 0.25) * f::TAU;
    let z = r * r;
    // Cephes, `sinf` and `cosf`, within an eighth of a turn.
    let sin = polynomial(z, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]) * z * r + r;
    let cos = polynomial(z, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]) * (z * z) - 0.5 * z + 1.0;
    let (c, s) = if quadrant & 1 == 0 { (cos, sin) } else { (-sin, cos) };
    if quadrant & 2 == 0 { (c, s) } else { (-c, -s) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error in units in the last place over numbers of all magnitudes.
    fn worst(ours: fn(f32) -> f32, exact: fn(f64) -> f64, inside: fn(f32) -> bool) -> f64 {
        let mut worst = 0.0f64;
        for bits in (0..=u32::MAX).step_by(4093) {
            let x = f32::from_bits(bits);
            if !x.is_finite() || !inside(x) {
                continue;
            }
            let (y, e) = (ours(x), exact(f64::from(x)));
            let rounded = e as f32;
            if rounded.is_infinite() || y.is_infinite() {
                assert_eq!(y, rounded, "at {x}");
                continue;
            }
            let unit = f64::from(f32::from_bits(rounded.abs().to_bits() + 1)) - f64::from(rounded.abs());
            let error = (f64::from(y) - e).abs() / unit;
            assert!(error < 4.0, "{y} for {e} at {x}: {error} units");
            worst = worst.max(error);
        }
        worst
    }

    #[test]
    fn within_three_units_in_the_last_place() {
        let all = |_: f32| true;
        for (name, w) in [
            ("exp", worst(<f32 as Real>::exp, f64::exp, all)),
            ("log", worst(<f32 as Real>::log, f64::ln, |x| x > 0.0)),
            ("tanh", worst(<f32 as Real>::tanh, f64::tanh, all)),
            ("sigmoid", worst(<f32 as Real>::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), all)),
            ("sin", worst(<f32 as Real>::sin, f64::sin, |x| x.abs() < NEAR)),
            ("cos", worst(<f32 as Real>::cos, f64::cos, |x| x.abs() < NEAR)),
        ] {
            assert!(w <= 3.0, "{name}: {w}");
        }
    }

    #[test]
    fn special_numbers() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        assert_eq!([<f32 as Real>::exp(inf), <f32 as Real>::exp(-inf), <f32 as Real>::exp(0.0)], [inf, 0.0, 1.0]);
        assert_eq!([<f32 as Real>::log(inf), <f32 as Real>::log(0.0), <f32 as Real>::log(1.0)], [inf, -inf, 0.0]);
        assert!(<f32 as Real>::log(-1.0).is_nan() && <f32 as Real>::log(-inf).is_nan());
        assert_eq!([<f32 as Real>::tanh(inf), <f32 as Real>::tanh(-inf), <f32 as Real>::tanh(50.0)], [1.0, -1.0, 1.0]);
        assert_eq!(<f32 as Real>::tanh(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!([<f32 as Real>::sigmoid(inf), <f32 as Real>::sigmoid(-inf)], [1.0, 0.0]);
        assert!(<f32 as Real>::sigmoid(-100.0) > 0.0);
        for f in [<f32 as Real>::exp, Real::log, Real::tanh, Real::sigmoid, Real::sin, Real::cos] {
            assert!(f(nan).is_nan());
        }
    }

    #[test]
    fn turns() {
        for i in 0..=4096 {
            let u = i as f32 / 4096.0;
            let (c, s) = turn(u);
            let angle = f64::from(u) * std::f64::consts::TAU;
            assert!((f64::from(c) - angle.cos()).abs() < 2e-7 && (f64::from(s) - angle.sin()).abs() < 2e-7, "{u}");
        }
    }
}
