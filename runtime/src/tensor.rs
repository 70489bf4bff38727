//! Tensors in memory: dtype, sizes, and bytes aligned to a cache line.

use memmap2::MmapMut;
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::sync::atomic::{AtomicU64, Ordering};
use tfm_lang::types::DType;

/// Bytes from which memory is the system's, in huge pages where it has them: an element far away is found without going
/// through tables of pages, and what is freed goes back at once. The allocator has small pages, of which little is left over.
const MAPPED: usize = 4 << 20;

/// A cache line; the unit of allocation, so that every buffer starts aligned.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Zeroed bytes aligned to 64.
pub struct Bytes {
    memory: Memory,
    len: usize,
}

enum Memory {
    Lines(Vec<Line>),
    Mapped(MmapMut),
}

impl Bytes {
    /// So many zeros. What the system gives fresh is zeros already: memory that nobody writes takes no room.
    pub fn zeros(len: usize) -> Bytes {
        let count = len.div_ceil(64);
        if count == 0 {
            return Bytes { memory: Memory::Lines(Vec::new()), len };
        }
        let layout = Layout::array::<Line>(count).expect("no tensor is larger than memory can be");
        if len >= MAPPED {
            let mapped = MmapMut::map_anon(len).unwrap_or_else(|_| handle_alloc_error(layout));
            // Where there are no huge pages, small ones do.
            #[cfg(target_os = "linux")]
            let _ = mapped.advise(memmap2::Advice::HugePage);
            return Bytes { memory: Memory::Mapped(mapped), len };
        }
        // SAFETY: the layout is that of `count` lines and not empty; zero bytes are lines.
        let lines = unsafe {
            let start = alloc_zeroed(layout).cast::<Line>();
            if start.is_null() {
                handle_alloc_error(layout);
            }
            Vec::from_raw_parts(start, count, count)
        };
        Bytes { memory: Memory::Lines(lines), len }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::zeros(0)
    }
}

impl Clone for Bytes {
    fn clone(&self) -> Bytes {
        let mut bytes = Bytes::zeros(self.len);
        bytes.copy_from_slice(self);
        bytes
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            // SAFETY: `lines` holds at least `len` initialised bytes; u8 has no alignment or invalid values.
            Memory::Lines(lines) => unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), self.len) },
            Memory::Mapped(mapped) => mapped,
        }
    }
}

impl std::ops::DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            // SAFETY: as in `deref`, and the borrow is exclusive.
            Memory::Lines(lines) => unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), self.len) },
            Memory::Mapped(mapped) => mapped,
        }
    }
}

/// A Rust type that is an element of a tensor.
///
/// # Safety
/// Every bit pattern that a kernel writes must be a value of the type, and its size that of the dtype.
pub unsafe trait Element: Copy + Send + Sync + 'static {
    /// Its dtype.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($t:ty => $d:ident),*) => { $(
        // SAFETY: plain old data of the dtype's size; kernels write only 0 and 1 where the type is bool.
        unsafe impl Element for $t { const DTYPE: DType = DType::$d; }
    )* };
}
elements!(f64 => F64, f32 => F32, i64 => I64, i32 => I32, i8 => I8, u8 => U8, bool => Bool);

/// A tensor in row-major order.
#[derive(Clone)]
pub struct Tensor {
    /// What an element is.
    pub dtype: DType,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    bytes: Bytes,
    version: u64,
}

/// A number that no tensor has had yet.
fn next_version() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.dtype, self.shape)
    }
}

impl Tensor {
    /// All zeros.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Tensor {
        let n: usize = shape.iter().product();
        Tensor { dtype, shape: shape.to_vec(), bytes: Bytes::zeros(n * dtype.bytes()), version: next_version() }
    }

    /// From elements in row-major order.
    ///
    /// # Panics
    /// When the sizes do not hold that many elements.
    pub fn of<T: Element>(shape: &[usize], elements: &[T]) -> Tensor {
        let mut t = Tensor::zeros(T::DTYPE, shape);
        t.elements_mut::<T>().copy_from_slice(elements);
        t
    }

    /// Some of its rows, copied: what lies along the outermost axis from `start` on.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn rows(&self, start: usize, count: usize) -> Tensor {
        let row = self.bytes.len() / self.shape[0].max(1);
        let mut part = Tensor::zeros(self.dtype, &[&[count], &self.shape[1..]].concat());
        part.bytes_mut().copy_from_slice(&self.bytes[start * row..][..count * row]);
        part
    }

    /// Tensors that differ at most in their outermost size, one after the other along that axis.
    ///
    /// # Panics
    /// When there is none.
    pub fn joined(parts: &[Tensor]) -> Tensor {
        let count = parts.iter().map(|p| p.shape[0]).sum();
        let mut whole = Tensor::zeros(parts[0].dtype, &[&[count], &parts[0].shape[1..]].concat());
        let mut rest = whole.bytes_mut();
        for part in parts {
            let (head, tail) = rest.split_at_mut(part.bytes.len());
            head.copy_from_slice(part.bytes());
            rest = tail;
        }
        whole
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.version = next_version();
        &mut self.bytes
    }

    /// A number for what it holds: tensors with the same version have the same elements. Whoever asks for them to be
    /// written gives it a new one.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Where its bytes are, for one who writes them only after [`Tensor::bytes_mut`] was called for that.
    pub(crate) fn start(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// Its elements.
    ///
    /// # Panics
    /// When `T` is not its dtype.
    pub fn elements<T: Element>(&self) -> &[T] {
        assert_eq!(T::DTYPE, self.dtype, "a tensor of {} read as {}", self.dtype, T::DTYPE);
        // SAFETY: the dtype is that of T, the bytes are aligned to 64 and hold `size` elements.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.size()) }
    }

    /// Its elements, to be written.
    ///
    /// # Panics
    /// When `T` is not its dtype.
    pub fn elements_mut<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(T::DTYPE, self.dtype, "a tensor of {} written as {}", self.dtype, T::DTYPE);
        self.version = next_version();
        let n = self.size();
        // SAFETY: as in `elements`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), n) }
    }

    /// Its elements as f64, whatever the dtype; for printing and comparing.
    pub fn to_f64(&self) -> Vec<f64> {
        match self.dtype {
            DType::F64 => self.elements::<f64>().to_vec(),
            DType::F32 => self.elements::<f32>().iter().map(|&x| x.into()).collect(),
            DType::I64 => self.elements::<i64>().iter().map(|&x| x as f64).collect(),
            DType::I32 => self.elements::<i32>().iter().map(|&x| x.into()).collect(),
            DType::I8 => self.elements::<i8>().iter().map(|&x| x.into()).collect(),
            DType::U8 => self.elements::<u8>().iter().map(|&x| x.into()).collect(),
            DType::Bool => self.bytes.iter().map(|&x| x.into()).collect(),
            DType::Bf16 => self
                .bytes
                .chunks_exact(2)
                .map(|c| f32::from_bits(u32::from(u16::from_le_bytes([c[0], c[1]])) << 16).into())
                .collect(),
            DType::F16 => Vec::new(),
        }
    }
}
