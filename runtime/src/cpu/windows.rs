//! Windows that slide over one, two or three axes: what convolution and pooling share. Fewer axes than three are
//! three with sizes of 1 in front.

use super::kernels::{Call, require};

/// Sizes of a sliding window, one number for each of three axes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Windows {
    /// Of the image.
    pub size: [usize; 3],
    /// Of the window.
    pub kernel: [usize; 3],
    /// Of the result.
    pub out: [usize; 3],
    pub stride: [usize; 3],
    pub pad: [usize; 3],
    pub dilation: [usize; 3],
}

impl Windows {
    /// From the shapes without batch and channels, and the attributes `stride`, `pad` and `dilation`.
    pub fn new(call: &Call<'_>, size: &[usize], kernel: &[usize], out: &[usize]) -> Result<Windows, String> {
        let axes = size.len();
        let attr = |name: &str, default: usize| sizes(call, name, axes, default).map(|v| three(&v, default));
        let windows = Windows {
            size: three(size, 1),
            kernel: three(kernel, 1),
            out: three(out, 1),
            stride: attr("stride", 1)?,
            pad: attr("pad", 0)?,
            dilation: attr("dilation", 1)?,
        };
        let fits = (1..=3).contains(&axes)
            && [kernel.len(), out.len()] == [axes; 2]
            && (0..3).all(|a| windows.count(a) == Some(windows.out[a]));
        require(fits, || format!("windows of {kernel:?} over {size:?} are not {out:?}"))?;
        Ok(windows)
    }

    /// How many windows fit along an axis.
    fn count(&self, axis: usize) -> Option<usize> {
        let reach = self.kernel[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?;
        let room = self.size[axis].checked_add(self.pad[axis].checked_mul(2)?)?;
        Some(room.checked_sub(reach.checked_add(1)?)?.checked_div(self.stride[axis])? + 1)
    }

    /// Elements of a channel of the image.
    pub fn area(&self) -> usize {
        self.size.iter().product()
    }

    /// Elements of a window in one channel.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Elements of a channel of the result.
    pub fn places(&self) -> usize {
        self.out.iter().product()
    }

    /// Rows of the result: all its axes but the last.
    pub fn rows(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// True where every window is one element and there is one for each.
    pub fn is_identity(&self) -> bool {
        self.kernel == [1; 3] && self.stride == [1; 3] && self.pad == [0; 3]
    }

    /// For an element of the window: the columns `first..last` of the result whose element lies inside the image, and
    /// the column of the image at the first of them.
    pub fn inside(&self, tap: usize) -> (usize, usize, usize) {
        let (stride, pad) = (self.stride[2], self.pad[2]);
        let column = tap % self.kernel[2] * self.dilation[2];
        let first = pad.saturating_sub(column).div_ceil(stride);
        let reach = self.size[2] + pad;
        let last = if reach > column { ((reach - column - 1) / stride + 1).min(self.out[2]) } else { 0 };
        if first < last { (first, last, first * stride + column - pad) } else { (0, 0, 0) }
    }

    /// For an element of the window, calls `f(row, start)` for each row of the result: where the row of the image begins
    /// that the element lies in, if it is one.
    #[inline(always)]
    pub fn lines(&self, tap: usize, mut f: impl FnMut(usize, Option<usize>)) {
        let at = |axis: usize, out: usize, tap: usize| {
            let i = (out * self.stride[axis] + tap * self.dilation[axis]).checked_sub(self.pad[axis]);
            i.filter(|&i| i < self.size[axis])
        };
        let (back, down) = (tap / (self.kernel[1] * self.kernel[2]), tap / self.kernel[2] % self.kernel[1]);
        for plane in 0..self.out[0] {
            let from = at(0, plane, back);
            for line in 0..self.out[1] {
                let start = from.and_then(|p| Some((p * self.size[1] + at(1, line, down)?) * self.size[2]));
                f(plane * self.out[1] + line, start);
            }
        }
    }

    /// The part of a window without dilation that is inside the image along an axis: from and to.
    #[inline(always)]
    pub fn span(&self, axis: usize, at: usize) -> (usize, usize) {
        let (first, pad, n) = (at * self.stride[axis], self.pad[axis], self.size[axis]);
        (first.saturating_sub(pad).min(n), (first + self.kernel[axis]).saturating_sub(pad).min(n))
    }
}

/// Three numbers, the missing ones in front.
fn three(values: &[usize], missing: usize) -> [usize; 3] {
    let mut out = [missing; 3];
    let n = values.len().min(3);
    out[3 - n..].copy_from_slice(&values[..n]);
    out
}

/// An attribute with a size for each axis, or one for all.
pub(crate) fn sizes(call: &Call<'_>, name: &str, axes: usize, default: usize) -> Result<Vec<usize>, String> {
    let mut given = call.ints(name)?;
    if let [one] = given[..] {
        given = vec![one; axes];
    }
    let wrong = || format!("attribute `{name}` is {given:?} and should have {axes} sizes");
    match given.len() {
        0 => Ok(vec![default; axes]),
        n if n == axes => given.iter().map(|&i| usize::try_from(i).map_err(|_| wrong())).collect(),
        _ => Err(wrong()),
    }
}
