//! Which vector instructions to use: loops are compiled three times and one version is chosen at run time.
//!
//! No version makes one rounding of a product and a sum by itself, only where the code says `mul_add`, so all give the same
//! bits. The tiles of products ([`super::gemm`]) have code of their own for AVX-512 and AVX2.

/// A set of instructions, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Path {
    /// What every processor of the architecture has.
    Portable,
    /// 256 bits: AVX2 and FMA.
    Avx2,
    /// 512 bits: AVX-512 F, BW, DQ, VL.
    Avx512,
}

impl Path {
    /// The best that this processor has.
    pub fn best() -> Path {
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fma
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return Path::Avx512;
            }
            if fma {
                return Path::Avx2;
            }
        }
        Path::Portable
    }

    /// What the environment variable `TFM_CPU` (`portable`, `avx2`, `avx512`) asks for, as far as this processor
    /// has it; the best where it asks for nothing.
    pub fn chosen() -> Path {
        let asked = match std::env::var("TFM_CPU").as_deref() {
            Ok("portable") => Path::Portable,
            Ok("avx2") => Path::Avx2,
            _ => Path::Avx512,
        };
        asked.min(Path::best())
    }
}

/// Compiles a function once for each [`Path`]; callers pass the path first.
///
/// The body is inlined into each version, so what it calls must be `#[inline(always)]` to profit. Type parameters
/// stand in brackets and must follow from the arguments.
macro_rules! versions {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident [$($g:tt)*] ($($a:ident : $t:ty),* $(,)?) $(-> $r:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name<$($g)*>(path: $crate::cpu::isa::Path, $($a: $t),*) $(-> $r)? {
            #[inline(always)]
            unsafe fn body<$($g)*>($($a: $t),*) $(-> $r)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<$($g)*>($($a: $t),*) $(-> $r)? {
                // SAFETY: the caller's promise.
                unsafe { body($($a),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            unsafe fn avx512<$($g)*>($($a: $t),*) $(-> $r)? {
                // SAFETY: the caller's promise.
                unsafe { body($($a),*) }
            }
            // SAFETY: the caller's promise; a path is only chosen where the processor has it.
            unsafe {
                match path {
                    #[cfg(target_arch = "x86_64")]
                    $crate::cpu::isa::Path::Avx2 => avx2($($a),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::cpu::isa::Path::Avx512 => avx512($($a),*),
                    _ => body($($a),*),
                }
            }
        }
    };
}
pub(crate) use versions;

/// Asks for the memory at a place that will soon be used.
#[inline(always)]
pub(crate) fn soon<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program could see, wherever it points.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
