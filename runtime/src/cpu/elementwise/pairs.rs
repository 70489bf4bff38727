//! Two elementwise operations in one loop: what the first gives is not written down between them.

use super::{Number, Path, Rule, Tile, Versions, versions};

/// An operation on two numbers of f32 that may be done in one loop with another.
trait Simple {
    fn of(a: f32, b: f32) -> f32;
}

/// `G(F(a, b), c)`, or `G(c, F(a, b))`: each with its own rounding.
struct Pair<F, G, const BEHIND: bool>(std::marker::PhantomData<(F, G)>);

impl<F: Simple, G: Simple, const BEHIND: bool> Rule for Pair<F, G, BEHIND> {
    #[inline(always)]
    unsafe fn run(n: usize, [a, b, c]: [*const u8; 3], out: *mut u8) -> bool {
        for i in 0..n {
            // SAFETY: the promise of `Tile`.
            unsafe {
                let c = *c.cast::<f32>().add(i);
                let x = F::of(*a.cast::<f32>().add(i), *b.cast::<f32>().add(i));
                *out.cast::<f32>().add(i) = if BEHIND { G::of(c, x) } else { G::of(x, c) };
            }
        }
        true
    }
}

/// The primitives that are first or second of a pair; what is computed is what the table says. `gate` is a choice that
/// is one: `where(a > 0, b, 0)`.
macro_rules! pairs {
    ($($name:ident $of:expr),*) => {
        $(
            #[allow(non_camel_case_types)]
            struct $name;
            impl Simple for $name {
                #[inline(always)]
                fn of(a: f32, b: f32) -> f32 { $of(a, b) }
            }
        )*

        fn second<F: Simple>(name: &str, behind: bool) -> Option<Versions> {
            match (name, behind) {
                $(
                    (stringify!($name), false) => Some(versions::<Pair<F, $name, false>>()),
                    (stringify!($name), true) => Some(versions::<Pair<F, $name, true>>()),
                )*
                _ => None,
            }
        }

        /// The loop of two primitives of f32, the second of what the first gives and of a third number, or, `behind`,
        /// of the third number and what the first gives; `None` for those that have none.
        pub(crate) fn pair(first: &str, name: &str, behind: bool, path: Path) -> Option<Tile> {
            let versions = match first {
                $( stringify!($name) => second::<$name>(name, behind), )*
                _ => None,
            };
            versions.map(|v| v[path as usize])
        }
    };
}
pairs!(
    add <f32 as Number>::add,
    subtract <f32 as Number>::subtract,
    multiply <f32 as Number>::multiply,
    maximum <f32 as Number>::larger,
    minimum <f32 as Number>::smaller,
    // By bits: of a choice between two elements the compiler makes one between two places.
    gate |a: f32, b: f32| f32::from_bits(b.to_bits() & u32::from(a > 0.0).wrapping_neg())
);

/// The loop of `gate` alone.
pub(crate) fn gated(path: Path) -> Tile {
    struct Gate;
    impl Rule for Gate {
        #[inline(always)]
        unsafe fn run(n: usize, [a, b, _]: [*const u8; 3], out: *mut u8) -> bool {
            for i in 0..n {
                // SAFETY: the promise of `Tile`.
                unsafe { *out.cast::<f32>().add(i) = gate::of(*a.cast::<f32>().add(i), *b.cast::<f32>().add(i)) };
            }
            true
        }
    }
    versions::<Gate>()[path as usize]
}
