//! Every primitive of the tests in the slowest way, on f64.

use tfm_lang::types::DType;
use tfm_lowering::plan::Value;

/// A tensor in row-major order.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

pub type Attrs = [(tfm_lang::model::Word, Value)];

impl Array {
    pub fn new(shape: &[usize], data: Vec<f64>) -> Array {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Array { shape: shape.to_vec(), data }
    }

    fn rank(&self) -> usize {
        self.shape.len()
    }

    /// A tensor from what stands at each index.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Array {
        let n = shape.iter().product();
        Array { shape: shape.to_vec(), data: (0..n).map(|i| f(&unravel(i, shape))).collect() }
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        self.data[ravel(index, &self.shape)]
    }
}

pub fn unravel(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (x, n) in index.iter_mut().zip(shape).rev() {
        *x = i % n;
        i /= n;
    }
    index
}

pub fn ravel(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (i, n)| at * n + i)
}

/// A number as the dtype keeps it.
pub fn keep(x: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(x as f32),
        DType::I64 | DType::I32 | DType::I8 | DType::U8 => x.trunc(),
        DType::Bool => f64::from(u8::from(x != 0.0)),
        _ => x,
    }
}

/// One element of an elementwise primitive; `None` for other primitives.
pub fn scalar(op: &str, args: &[f64]) -> Option<f64> {
    let truth = |b: bool| f64::from(u8::from(b));
    Some(match (op, args) {
        ("negate", [x]) => -x,
        ("abs", [x]) => x.abs(),
        ("exp", [x]) => x.exp(),
        ("log", [x]) => x.ln(),
        ("sqrt", [x]) => x.sqrt(),
        ("sin", [x]) => x.sin(),
        ("tanh", [x]) => x.tanh(),
        ("cast", [x]) => *x,
        ("logical_not", [x]) => truth(*x == 0.0),
        ("add", [a, b]) => a + b,
        ("subtract", [a, b]) => a - b,
        ("multiply", [a, b]) => a * b,
        ("divide", [a, b]) => a / b,
        ("power", [a, b]) => a.powf(*b),
        ("maximum", [a, b]) => a.max(*b),
        ("minimum", [a, b]) => a.min(*b),
        ("greater", [a, b]) => truth(a > b),
        ("less", [a, b]) => truth(a < b),
        ("greater_equal", [a, b]) => truth(a >= b),
        ("less_equal", [a, b]) => truth(a <= b),
        ("equal", [a, b]) => truth(a == b),
        ("where", [m, a, b]) => {
            if *m != 0.0 {
                *a
            } else {
                *b
            }
        }
        _ => return None,
    })
}

/// True for the primitives of [`scalar`].
pub fn is_elementwise(op: &str) -> bool {
    (1..=3).any(|n| scalar(op, &[1.0; 3][..n]).is_some())
}

fn ints(attrs: &Attrs, name: &str) -> Vec<i64> {
    match attrs.iter().find(|(n, _)| &**n == name).map(|(_, v)| v) {
        Some(Value::Ints(ns)) => ns.clone(),
        Some(Value::Int(n)) => vec![*n],
        _ => Vec::new(),
    }
}

fn axes(attrs: &Attrs, name: &str, rank: usize) -> Vec<usize> {
    ints(attrs, name).iter().map(|n| if *n < 0 { (n + rank as i64) as usize } else { *n as usize }).collect()
}

/// A primitive that is not elementwise. `shape` is that of the result.
pub fn kernel(op: &str, attrs: &Attrs, args: &[&Array], shape: &[usize]) -> Array {
    match (op, args) {
        ("matmul", [a, b]) => matmul(a, b, shape),
        ("broadcast", [x]) => Array::from_fn(shape, |i| {
            let i = &i[i.len() - x.rank()..];
            let index: Vec<usize> = i.iter().zip(&x.shape).map(|(i, n)| if *n == 1 { 0 } else { *i }).collect();
            x.at(&index)
        }),
        ("reshape" | "stop_gradient", [x]) => Array::new(shape, x.data.clone()),
        ("transpose", [x]) => {
            let mut order = axes(attrs, "order", x.rank());
            if order.is_empty() {
                order = (0..x.rank()).collect();
                let n = order.len();
                order.swap(n - 2, n - 1);
            }
            Array::from_fn(shape, |i| {
                let mut index = vec![0; i.len()];
                order.iter().zip(i).for_each(|(a, i)| index[*a] = *i);
                x.at(&index)
            })
        }
        ("slice", [x]) => {
            let starts = ints(attrs, "starts");
            Array::from_fn(shape, |i| x.at(&i.iter().zip(&starts).map(|(i, s)| i + *s as usize).collect::<Vec<_>>()))
        }
        ("reverse", [x]) => {
            let mut axes = axes(attrs, "axis", x.rank());
            if axes.is_empty() {
                axes = (0..x.rank()).collect();
            }
            Array::from_fn(shape, |i| {
                let turned = i.iter().enumerate().map(|(a, i)| if axes.contains(&a) { shape[a] - 1 - i } else { *i });
                x.at(&turned.collect::<Vec<_>>())
            })
        }
        ("sum", [x]) => fold(x, &axes(attrs, "axis", x.rank()), shape, 0.0, |a, b| a + b),
        ("max", [x]) => fold(x, &axes(attrs, "axis", x.rank()), shape, f64::NEG_INFINITY, f64::max),
        ("sum_to", [x]) => {
            let extra = x.rank() - shape.len();
            let mut out = Array::new(shape, vec![0.0; shape.iter().product()]);
            for (i, v) in x.data.iter().enumerate() {
                let index = unravel(i, &x.shape);
                let index: Vec<usize> =
                    index[extra..].iter().zip(shape).map(|(i, n)| if *n == 1 { 0 } else { *i }).collect();
                out.data[ravel(&index, shape)] += v;
            }
            out
        }
        ("cumsum", [x]) => {
            let n = *x.shape.last().unwrap_or(&1);
            let mut out = (*x).clone();
            for row in out.data.chunks_mut(n) {
                for i in 1..n {
                    row[i] += row[i - 1];
                }
            }
            out
        }
        ("concat", parts) => {
            Array::new(shape, parts.iter().flat_map(|p| p.data.iter().copied()).collect()) // along axis 0
        }
        ("iota", []) => Array::from_fn(shape, |i| i[0] as f64),
        ("random_uniform", []) => {
            let key = ints(attrs, "key")[0] as u64;
            let draw = |i: usize| ((i as u64 + 1).wrapping_mul(key * 2 + 0x9e37_79b9_7f4a_7c15) >> 40) as f64;
            Array::new(shape, (0..shape.iter().product()).map(|i| draw(i) / 16_777_216.0).collect())
        }
        ("gather" | "read_rows", _) | ("scatter_add" | "write_rows" | "unique" | "merge_rows", _) => {
            rows(op, args, shape)
        }
        _ => panic!("the tests have no `{op}` of {} arguments", args.len()),
    }
}

fn matmul(a: &Array, b: &Array, shape: &[usize]) -> Array {
    let k = *a.shape.last().expect("a matrix");
    Array::from_fn(shape, |i| {
        let (batch, ij) = i.split_at(i.len() - 2);
        let lhs = |k: usize| a.at(&[batch, &[ij[0], k]].concat());
        let rhs = |k: usize| b.at(&[batch, &[k, ij[1]]].concat());
        (0..k).map(|k| lhs(k) * rhs(k)).sum()
    })
}

fn fold(x: &Array, axes: &[usize], shape: &[usize], start: f64, f: fn(f64, f64) -> f64) -> Array {
    let all: Vec<usize> = (0..x.rank()).collect();
    let axes = if axes.is_empty() { &all } else { axes };
    let kept: Vec<usize> = (0..x.rank()).filter(|a| !axes.contains(a)).collect();
    let inner: Vec<usize> = kept.iter().map(|a| x.shape[*a]).collect();
    let mut out = vec![start; shape.iter().product()];
    for (i, v) in x.data.iter().enumerate() {
        let index = unravel(i, &x.shape);
        let out = &mut out[ravel(&kept.iter().map(|a| index[*a]).collect::<Vec<_>>(), &inner)];
        *out = f(*out, *v);
    }
    Array::new(shape, out)
}

fn rows(op: &str, args: &[&Array], shape: &[usize]) -> Array {
    let row = |x: &Array, ids: usize| x.shape[ids..].iter().product::<usize>();
    let ids: Vec<i64> = args[usize::from(!matches!(op, "scatter_add" | "unique" | "merge_rows"))]
        .data
        .iter()
        .map(|i| *i as i64)
        .collect();
    let mut out = Array::new(shape, vec![0.0; shape.iter().product()]);
    match op {
        "gather" | "read_rows" => {
            let n = row(args[0], 1);
            for (to, id) in ids.iter().enumerate().filter(|(_, id)| **id >= 0) {
                let from = *id as usize * n;
                out.data[to * n..(to + 1) * n].copy_from_slice(&args[0].data[from..from + n]);
            }
        }
        "scatter_add" => {
            let n = row(&out, 1);
            for (from, id) in ids.iter().enumerate() {
                (0..n).for_each(|i| out.data[*id as usize * n + i] += args[1].data[from * n + i]);
            }
        }
        "write_rows" => {
            out.data.copy_from_slice(&args[0].data);
            let n = row(&out, 1);
            for (from, id) in ids.iter().enumerate().filter(|(_, id)| **id >= 0) {
                let to = *id as usize * n;
                out.data[to..to + n].copy_from_slice(&args[2].data[from * n..(from + 1) * n]);
            }
        }
        "unique" => {
            let distinct: std::collections::BTreeSet<i64> = ids.iter().copied().filter(|i| *i >= 0).collect();
            out.data.fill(-1.0);
            out.data.iter_mut().zip(distinct).for_each(|(o, id)| *o = id as f64);
        }
        _ => {
            let n = row(&out, 1);
            for (from, id) in ids.iter().enumerate() {
                if let Some(to) = args[1].data.iter().position(|u| *u == *id as f64 && *id >= 0) {
                    (0..n).for_each(|i| out.data[to * n + i] += args[2].data[from * n + i]);
                }
            }
        }
    }
    out
}
