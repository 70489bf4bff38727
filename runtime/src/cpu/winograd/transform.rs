//! Winograd's transforms for tiles of 4 x 4 results and windows of 3 x 3: polynomials at the points 0, 1, -1, 2, -2 and
//! infinity, along the rows and then along the columns. Lavin and Gray, arXiv 1509.09308, have the matrices.

use crate::cpu::gemm::simd::Simd;

/// Results of a tile along each axis.
pub(super) const TILE: usize = 4;
/// Elements of a window along each axis.
pub(super) const WINDOW: usize = 3;
/// Elements that a tile reads along each axis, and points that it is transformed to.
pub(super) const REACH: usize = TILE + WINDOW - 1;
/// Points of a transformed tile.
pub(super) const POINTS: usize = REACH * REACH;

/// `(x, row, column)`: the first vector of a matrix of vectors, and the elements to the next row and to the next column.
pub(super) type Vectors<P> = (P, usize, usize);

/// A transform along one axis, N elements to M: a type, since a closure would not be compiled for the instructions.
pub(super) trait Transform<const N: usize, const M: usize> {
    /// # Safety
    /// The processor has the instructions.
    unsafe fn apply<S: Simd>(x: [S::V; N]) -> [S::V; M];
}

/// `factor x + y`
///
/// # Safety
/// As for [`Transform`].
#[inline(always)]
unsafe fn times<S: Simd>(factor: f32, x: S::V, y: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { S::fma(S::splat(&factor), x, y) }
}

/// What an image's elements are at the points, `Bᵀ d`.
pub(super) struct Image;

impl Transform<REACH, REACH> for Image {
    #[inline(always)]
    unsafe fn apply<S: Simd>(d: [S::V; REACH]) -> [S::V; REACH] {
        // SAFETY: the caller's promise.
        unsafe {
            let (even, odd) = (times::<S>(-4.0, d[2], d[4]), times::<S>(-4.0, d[1], d[3]));
            let (close, far) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
            [
                times::<S>(4.0, d[0], times::<S>(-5.0, d[2], d[4])),
                S::add(even, odd),
                S::sub(even, odd),
                times::<S>(2.0, far, close),
                times::<S>(-2.0, far, close),
                times::<S>(4.0, d[1], times::<S>(-5.0, d[3], d[5])),
            ]
        }
    }
}

/// The results from their sums at the points, `Aᵀ m`.
pub(super) struct Results;

impl Transform<REACH, TILE> for Results {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; REACH]) -> [S::V; TILE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (far_sum, far_difference) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                S::add(S::add(m[0], sum), far_sum),
                times::<S>(2.0, far_difference, difference),
                times::<S>(4.0, far_sum, sum),
                S::add(times::<S>(8.0, far_difference, difference), m[5]),
            ]
        }
    }
}

/// What a result's gradient is at the points, `A dy`.
pub(super) struct Gradients;

impl Transform<TILE, REACH> for Gradients {
    #[inline(always)]
    unsafe fn apply<S: Simd>(dy: [S::V; TILE]) -> [S::V; REACH] {
        // SAFETY: the caller's promise.
        unsafe {
            let (even, odd) = (S::add(dy[0], dy[2]), S::add(dy[1], dy[3]));
            let (far_even, far_odd) = (times::<S>(4.0, dy[2], dy[0]), times::<S>(4.0, dy[3], dy[1]));
            [
                dy[0],
                S::add(even, odd),
                S::sub(even, odd),
                times::<S>(2.0, far_odd, far_even),
                times::<S>(-2.0, far_odd, far_even),
                dy[3],
            ]
        }
    }
}

/// What the points of an image give back to its elements, `B m`.
pub(super) struct Elements;

impl Transform<REACH, REACH> for Elements {
    #[inline(always)]
    unsafe fn apply<S: Simd>(m: [S::V; REACH]) -> [S::V; REACH] {
        // SAFETY: the caller's promise.
        unsafe {
            let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[2], m[1]));
            let (far_sum, far_difference) = (S::add(m[3], m[4]), S::sub(m[4], m[3]));
            let odd = times::<S>(2.0, far_difference, times::<S>(4.0, S::add(difference, m[5]), S::zero()));
            [
                times::<S>(4.0, m[0], S::zero()),
                odd,
                S::sub(times::<S>(-5.0, m[0], times::<S>(-4.0, sum, S::zero())), far_sum),
                times::<S>(-2.0, far_difference, times::<S>(-5.0, m[5], S::sub(S::zero(), difference))),
                S::add(m[0], S::add(sum, far_sum)),
                m[5],
            ]
        }
    }
}

/// Transforms the columns and then the rows of a matrix of vectors, and adds the result where that is said.
///
/// # Safety
/// As for [`Transform`]; the vectors are inside their memory.
#[inline(always)]
pub(super) unsafe fn both<S: Simd, T: Transform<N, M>, const N: usize, const M: usize, const ADD: bool>(
    from: Vectors<*const f32>,
    to: Vectors<*mut f32>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut half = [[S::zero(); N]; M];
        for column in 0..N {
            let mut x = [S::zero(); N];
            for row in 0..N {
                x[row] = S::load(from.0.add(row * from.1 + column * from.2));
            }
            let x = T::apply::<S>(x);
            for row in 0..M {
                half[row][column] = x[row];
            }
        }
        for row in 0..M {
            let x = T::apply::<S>(half[row]);
            for column in 0..M {
                let to = to.0.add(row * to.1 + column * to.2);
                S::store(to, if ADD { S::add(S::load(to), x[column]) } else { x[column] });
            }
        }
    }
}

/// `G`: what a window's elements are at the points.
const WINDOWS: [[f64; WINDOW]; REACH] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Windows at the points, `G g Gᵀ`, for N windows side by side.
pub(super) fn window<const N: usize>(g: &[[f32; N]; WINDOW * WINDOW]) -> [[f32; N]; POINTS] {
    let mut half = [[[0f64; N]; WINDOW]; REACH];
    for (row, factors) in WINDOWS.iter().enumerate() {
        for (column, tap) in (0..WINDOW).flat_map(|c| (0..WINDOW).map(move |t| (c, t))) {
            for i in 0..N {
                half[row][column][i] += factors[tap] * f64::from(g[tap * WINDOW + column][i]);
            }
        }
    }
    let mut all = [[0f32; N]; POINTS];
    for (row, half) in half.iter().enumerate() {
        for (column, factors) in WINDOWS.iter().enumerate() {
            for i in 0..N {
                let sum = half.iter().zip(factors).map(|(x, factor)| factor * x[i]).sum::<f64>();
                all[row * REACH + column][i] = sum as f32;
            }
        }
    }
    all
}

/// The gradient of windows from sums at the points, `Gᵀ s G`, for N windows side by side.
pub(super) fn window_gradient<const N: usize>(s: &[[f64; N]; POINTS]) -> [[f32; N]; WINDOW * WINDOW] {
    let mut half = [[[0f64; N]; REACH]; WINDOW];
    for (point, factors) in WINDOWS.iter().enumerate() {
        for (row, column) in (0..WINDOW).flat_map(|r| (0..REACH).map(move |c| (r, c))) {
            for i in 0..N {
                half[row][column][i] += factors[row] * s[point * REACH + column][i];
            }
        }
    }
    let mut all = [[0f32; N]; WINDOW * WINDOW];
    for (row, column) in (0..WINDOW).flat_map(|r| (0..WINDOW).map(move |c| (r, c))) {
        for i in 0..N {
            let sum = half[row].iter().zip(&WINDOWS).map(|(x, factors)| factors[column] * x[i]).sum::<f64>();
            all[row * WINDOW + column][i] = sum as f32;
        }
    }
    all
}
