//! `matmul`: products of batches of matrices with any strides, so that a transposed view costs nothing.
//!
//! Products of f32 have tiles of our own where the processor has AVX2 or AVX-512: [`super::products`]. The others are
//! cut into tiles of the result that depend only on their sizes, each computed by `matrixmultiply` on one thread, and
//! products with a vector go through [`super::gemv`]. The sum over the inner axis is never split.

#[cfg(target_arch = "x86_64")]
use super::gemm::Tiles;
use super::gemv::{Vector, combine};
use super::keep::Keeps;
use super::kernels::{Call, Run, Task, by_dtype, require};
use super::movement::text;
#[cfg(target_arch = "x86_64")]
use super::products;
use super::view::{collapse, contiguous, place};
#[cfg(target_arch = "x86_64")]
use tfm_lang::types::DType;
use tfm_lowering::plan::View;
#[cfg(target_arch = "x86_64")]
use tfm_lowering::plan::halves::{Half, LHS_ZERO, OUT_UNUSED, RHS_ZERO};

/// Multiplications that make a chunk worth giving away.
pub(crate) const CHUNK: usize = 1 << 20;
/// Multiplications of a tile of a large product, and how few and many tiles there are: the crate packs both sides
/// anew for each tile, so small ones are slow.
const TILE: usize = 12 << 20;
const TILES: (usize, usize) = (4, 16);
/// Rows that are not halved further while there are columns to halve.
const ROWS: usize = 64;
/// The right matrix among the inputs.
const RIGHT: usize = 1;
/// Sides of tiles are multiples of this.
const SIDE: usize = 32;

/// A real number type with a matrix product.
pub(crate) trait Gemm: Vector {
    /// c = a b + beta c, each matrix with strides of rows and columns in elements.
    ///
    /// # Safety
    /// All elements of the matrices are inside their memory, and `c` is apart from the others.
    unsafe fn gemm(size: Size, a: Matrix<Self>, b: Matrix<Self>, beta: Self, c: *mut Self, row: isize);
}

/// Rows of the result, inner size, columns of the result.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Size {
    pub m: usize,
    pub k: usize,
    pub n: usize,
}

/// First element, stride of rows, stride of columns.
pub(crate) type Matrix<T> = (*const T, isize, isize);

macro_rules! gemm {
    ($t:ty, $f:path) => {
        impl Gemm for $t {
            unsafe fn gemm(s: Size, a: Matrix<$t>, b: Matrix<$t>, beta: $t, c: *mut $t, row: isize) {
                // SAFETY: the caller's promise.
                unsafe { $f(s.m, s.k, s.n, 1.0, a.0, a.1, a.2, b.0, b.1, b.2, beta, c, row, 1) }
            }
        }
    };
}
gemm!(f32, matrixmultiply::sgemm);
gemm!(f64, matrixmultiply::dgemm);

/// What can be left out of a product, see [`tfm_lowering::plan::halves`].
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(crate) struct Halves {
    pub lhs_zero: Option<Half>,
    pub rhs_zero: Option<Half>,
    pub out_unused: Option<Half>,
}

#[cfg(target_arch = "x86_64")]
impl Halves {
    fn of(call: &Call<'_>) -> Result<Halves, String> {
        let half = |name| call.half(name);
        Ok(Halves { lhs_zero: half(LHS_ZERO)?, rhs_zero: half(RHS_ZERO)?, out_unused: half(OUT_UNUSED)? })
    }
}

/// A product's sizes and strides.
pub(crate) struct Product {
    /// Sizes of the batch and strides of lhs, rhs and result.
    batch: (Vec<usize>, [Vec<isize>; 3]),
    pub batches: usize,
    pub size: Size,
    /// The rows are those of several left matrices, one after the other.
    pub joined: bool,
    /// Strides of rows and columns.
    pub lhs: (isize, isize),
    pub rhs: (isize, isize),
    /// Rows and columns of a tile, and whole products in a chunk.
    tile: (usize, usize),
    grain: usize,
}

pub(crate) fn prepare(call: &Call<'_>) -> Result<Task, String> {
    let ([lhs, rhs], [out]) = call.operands()?;
    let product =
        product(lhs, rhs, out).ok_or_else(|| format!("{} times {} is not {}", text(lhs), text(rhs), text(out)))?;
    require([lhs.dtype, rhs.dtype] == [out.dtype; 2], || format!("{} times {}", lhs.dtype, rhs.dtype))?;
    #[cfg(target_arch = "x86_64")]
    if let Some(tiles) = Tiles::of(call.path).filter(|_| out.dtype == DType::F32) {
        return Ok(products::task(tiles, product, Halves::of(call)?, (call.threads, call.lasts(RIGHT))));
    }
    by_dtype!(out.dtype, float, task(product))
}

pub(crate) fn scratch(call: &Call<'_>) -> usize {
    call.may_last(RIGHT).iter().map(|&lasts| room(call, lasts).0).max().unwrap_or(0)
}

pub(crate) fn keeps(call: &Call<'_>) -> Option<Keeps> {
    let bytes = room(call, call.lasts(RIGHT)).1;
    (bytes > 0).then_some(Keeps { input: RIGHT, bytes })
}

/// Bytes of scratch, and bytes that are kept where the right matrix lasts.
fn room(call: &Call<'_>, lasts: bool) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if let (Ok(([lhs, rhs], [out])), Some(tiles), Ok(halves)) =
        (call.operands(), Tiles::of(call.path), Halves::of(call))
        && out.dtype == DType::F32
        && let Some(product) = product(lhs, rhs, out)
    {
        let (scratch, kept) = products::room(tiles, product, halves, call.threads, lasts);
        return (scratch * 4, kept * 4);
    }
    let _ = (call, lasts);
    (0, 0)
}

fn product(lhs: &View, rhs: &View, out: &View) -> Option<Product> {
    let at = out.shape.len().checked_sub(2)?;
    let (&[m, k], &[k2, n], &[m2, n2]) = (lhs.shape.get(at..)?, rhs.shape.get(at..)?, &out.shape[at..]) else {
        return None;
    };
    if (k, m, n) != (k2, m2, n2) || lhs.shape[..at] != out.shape[..at] || rhs.shape[..at] != out.shape[..at] {
        return None;
    }
    let strides = contiguous(&out.shape);
    let mut lhs = (lhs.strides[..at].to_vec(), lhs.strides[at], lhs.strides[at + 1]);
    let rhs = (rhs.strides[..at].to_vec(), rhs.strides[at], rhs.strides[at + 1]);
    let (mut shape, mut steps) = collapse(&out.shape[..at], &[&lhs.0, &rhs.0, &strides[..at]]);
    let mut m = m;
    // One right matrix for neighbouring left ones that lie on: a single product with more rows.
    let last = shape.len() - 1;
    let joined = shape[last] > 1 && steps[1][last] == 0 && (m == 1 || steps[0][last] == lhs.1 * m as isize);
    if joined {
        if m == 1 {
            lhs.1 = steps[0][last];
        }
        m *= shape[last];
        shape[last] = 1;
        steps.iter_mut().for_each(|s| s[last] = 0);
    }
    let batches: usize = shape.iter().product();
    let size = Size { m, k, n };
    let batch = (shape, <[Vec<isize>; 3]>::try_from(steps).ok()?);
    let grain = (CHUNK / (m * k * n).max(1)).max(1);
    let tile = tile(size, batches);
    Some(Product { batch, batches, size, joined, lhs: (lhs.1, lhs.2), rhs: (rhs.1, rhs.2), tile, grain })
}

/// The sides of a tile: rows are halved first, since wide tiles are the faster ones, then columns.
fn tile(size: Size, batches: usize) -> (usize, usize) {
    let (mut rows, mut columns) = (size.m, size.n);
    let wanted = (size.m * size.n * size.k * batches / TILE).clamp(TILES.0, TILES.1);
    let half = |side: usize| side.div_ceil(2).next_multiple_of(SIDE);
    while size.m.div_ceil(rows) * size.n.div_ceil(columns) * batches < wanted && rows * columns * size.k > 4 * CHUNK {
        if rows > ROWS && half(rows) < rows {
            rows = half(rows);
        } else if half(columns) < columns {
            columns = half(columns);
        } else {
            break;
        }
    }
    (rows, columns)
}

fn task<T: Gemm>(product: Product) -> Result<Task, String> {
    Ok(Box::new(move |run| {
        let (m, n) = (product.size.m, product.size.n);
        let whole = product.tile == (m, n);
        if product.is_vector() {
            // SAFETY: `vectors` gives pieces of the operands.
            product.vectors::<T>(run, |x, a, k, n, y| unsafe { combine(run.path, x, a, k, n, y) });
        } else if whole {
            run.pieces(product.batches, product.grain, |first, last| {
                // SAFETY: the views are inside their spaces; products write apart.
                (first..last).for_each(|b| unsafe { product.part::<T>(run, b, (0, m), (0, n)) });
            });
        } else {
            let (rows, columns) = product.tile;
            let (down, across) = (m.div_ceil(rows), n.div_ceil(columns));
            run.parallel(product.batches * down * across, |chunk, _| {
                let (b, row, column) = (chunk / (down * across), chunk / across % down, chunk % across);
                let (row, column) = (row * rows, column * columns);
                // SAFETY: as above; tiles write apart.
                unsafe { product.part::<T>(run, b, (row, m.min(row + rows)), (column, n.min(column + columns))) };
            });
        }
        Ok(())
    }))
}

impl Product {
    /// The first elements of a product of the batch.
    pub fn at<T>(&self, run: &Run<'_>, b: usize) -> (*const T, *const T, *mut T) {
        let offset = |i: usize| place(&self.batch.0, &self.batch.1[i], b);
        let lhs = run.input::<T>(0).wrapping_offset(offset(0));
        (lhs, run.input::<T>(1).wrapping_offset(offset(1)), run.output::<T>(0).wrapping_offset(offset(2)))
    }

    /// Computes some rows and columns of a product of the batch.
    ///
    /// # Safety
    /// They are inside the result, and nothing else writes them.
    unsafe fn part<T: Gemm>(&self, run: &Run<'_>, b: usize, rows: (usize, usize), columns: (usize, usize)) {
        let (lhs, rhs, out) = self.at::<T>(run, b);
        let size = Size { m: rows.1 - rows.0, k: self.size.k, n: columns.1 - columns.0 };
        // SAFETY: the caller's promise.
        unsafe {
            let lhs = (lhs.offset(rows.0 as isize * self.lhs.0), self.lhs.0, self.lhs.1);
            let rhs = (rhs.offset(columns.0 as isize * self.rhs.1), self.rhs.0, self.rhs.1);
            let out = out.add(rows.0 * self.size.n + columns.0);
            T::gemm(size, lhs, rhs, T::ZERO, out, self.size.n as isize);
        }
    }

    /// True where one side is a vector.
    pub fn is_vector(&self) -> bool {
        self.size.m == 1 || self.size.n == 1
    }

    /// Products where one side is a vector; the other is the matrix, transposed when it is the left one. Calls
    /// `f(vector, matrix, elements of the vector, of the result, result)` for pieces of them.
    pub fn vectors<T>(&self, run: &Run<'_>, f: impl Fn((*const T, isize), Matrix<T>, usize, usize, *mut T) + Sync) {
        let Size { m, k, n } = self.size;
        let long = m.max(n);
        // Whole blocks of columns, so that what belongs together depends on sizes alone; long ones, so that rows are read far
        // enough for the processor to see where they go on.
        let columns = (CHUNK / 8 / k.max(1)).max(1).next_multiple_of(64).min(long);
        let pieces = long.div_ceil(columns);
        run.parallel(self.batches * pieces, |chunk, _| {
            let (b, first) = (chunk / pieces, chunk % pieces * columns);
            let count = columns.min(long - first);
            let (lhs, rhs, out) = self.at::<T>(run, b);
            let (vector, matrix) = if m == 1 {
                ((lhs, self.lhs.1), (rhs, self.rhs.0, self.rhs.1))
            } else {
                ((rhs, self.rhs.0), (lhs, self.lhs.1, self.lhs.0))
            };
            let matrix = (matrix.0.wrapping_offset(first as isize * matrix.2), matrix.1, matrix.2);
            f(vector, matrix, k, count, out.wrapping_add(first));
        });
    }
}
