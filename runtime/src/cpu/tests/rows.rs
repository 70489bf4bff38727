//! Rows by number.

use super::*;

fn ids(dtype: DType, n: usize, below: usize, seed: u64) -> Operand {
    let mut words = vec![0; n];
    Draw::new(seed, 9, 0).words(0, &mut words);
    let numbers: Vec<i64> = words.iter().map(|&w| i64::from(w) % below as i64).collect();
    Operand::dense(match dtype {
        DType::I64 => Tensor::of(&[n], &numbers),
        DType::I32 => Tensor::of(&[n], &numbers.iter().map(|&i| i as i32).collect::<Vec<_>>()),
        DType::I8 => Tensor::of(&[n], &numbers.iter().map(|&i| i as i8).collect::<Vec<_>>()),
        _ => Tensor::of(&[n], &numbers.iter().map(|&i| i as u8).collect::<Vec<_>>()),
    })
}

const SIZES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (5, 3, 4), (65, 128, 768), (100, 1, 5000), (90, 16, 9000), (3, 700, 200)];

#[test]
fn large_numbers_are_sorted() {
    // The last are sorted in pieces.
    for (n, below) in [(3000, 2000), (3000, 5000), (3000, 5_000_000), (3000, 1 << 30), (20_000, 9000)] {
        let ids = ids(DType::I32, n, below, 5);
        let mut want: Vec<f64> = ids.values();
        want.sort_by(f64::total_cmp);
        want.dedup();
        let unique = apply("unique", &[], &[&ids], DType::I32, &[n]);
        let mut all = want.clone();
        all.resize(n, -1.0);
        close(&unique, &all, 0.0);
        let rows = random(DType::F64, &[n, 2], 6);
        let y = apply("merge_rows", &[], &[&ids, &Operand::dense(unique), &rows], DType::F64, &[n, 2]);
        let mut sums = vec![0.0; 2 * n];
        for (i, (id, row)) in ids.values().iter().zip(rows.values().chunks(2)).enumerate() {
            let at = want.binary_search_by(|u| u.total_cmp(id)).unwrap_or_else(|_| panic!("number {i}"));
            sums[2 * at] += row[0];
            sums[2 * at + 1] += row[1];
        }
        close(&y, &sums, 1.0);
    }
}

#[test]
fn gather_and_scatter_add() {
    for (rows, width, n) in SIZES {
        for id_type in [DType::I64, DType::I32, DType::I8, DType::U8] {
            let table = random(DType::F32, &[rows, width], 1);
            let ids = ids(id_type, n, rows, 2);
            let (t, at) = (table.values(), ids.values());
            let y = apply("gather", &[], &[&table, &ids], DType::F32, &[n, width]);
            let want: Vec<f64> = at.iter().flat_map(|&i| t[i as usize * width..][..width].to_vec()).collect();
            close(&y, &want, 0.0);
            let y = apply("read_rows", &[], &[&table, &ids], DType::F32, &[n, width]);
            close(&y, &want, 0.0);

            for dtype in [DType::F64, DType::I32] {
                let added = random(dtype, &[n, width], 3);
                let mut want = vec![0.0; rows * width];
                for (i, value) in added.values().into_iter().enumerate() {
                    want[at[i / width] as usize * width + i % width] += value;
                }
                let attrs = [("n", Value::Int(rows as i64))];
                close(&apply("scatter_add", &attrs, &[&ids, &added], dtype, &[rows, width]), &want, 1.0);
            }
        }
    }
}

#[test]
fn numbers_out_of_range_are_named() {
    let table = random(DType::F32, &[65, 4], 1);
    for bad in [70, -1] {
        let ids = Operand::dense(Tensor::of(&[3], &[1, bad, 99]));
        let rows = random(DType::F32, &[3, 4], 1);
        let text = format!("index {bad} is out of range: the table has 65 rows");
        let message = failure("gather", &[], &[&table, &ids], DType::F32, &[3, 4]);
        assert_eq!(message, format!("step 0, `gather`: {text}"));
        let message = failure("scatter_add", &[("n", Value::Int(65))], &[&ids, &rows], DType::F32, &[65, 4]);
        assert!(message.ends_with(&text));
        if bad >= 0 {
            assert!(failure("read_rows", &[], &[&table, &ids], DType::F32, &[3, 4]).ends_with(&text));
            assert!(failure("write_rows", &[], &[&table, &ids, &rows], DType::F32, &[65, 4]).ends_with(&text));
        }
    }
    let (x, ids) = (random(DType::F32, &[2, 5], 1), Operand::dense(Tensor::of(&[2], &[4, 5])));
    assert!(failure("pick", &[], &[&x, &ids], DType::F32, &[2]).contains("index 5 is out of range: a row has 5"));
}

#[test]
fn pick_takes_one_of_each_row() {
    for (rows, n) in [(1, 1), (4, 3), (3000, 65)] {
        for dtype in [DType::F32, DType::F64, DType::U8] {
            let (x, at) = (random(dtype, &[rows, n], 1), ids(DType::I32, rows, n, 2));
            let (v, a) = (x.values(), at.values());
            let want: Vec<f64> = (0..rows).map(|i| v[i * n + a[i] as usize]).collect();
            close(&apply("pick", &[], &[&x, &at], dtype, &[rows]), &want, 0.0);
        }
    }
}

#[test]
fn unique_and_merged_rows() {
    for (rows, width, n) in SIZES {
        let mut ids = ids(DType::I32, n, rows, 2);
        if n > 10 {
            ids.tensor.elements_mut::<i32>()[3] = -1;
        }
        let at = ids.values();
        let mut want: Vec<f64> = at.iter().copied().filter(|&i| i >= 0.0).collect();
        want.sort_by(f64::total_cmp);
        want.dedup();
        want.resize(n, -1.0);
        let unique = apply("unique", &[], &[&ids], DType::I32, &[n]);
        close(&unique, &want, 0.0);

        let added = random(DType::F64, &[n, width], 3);
        let mut sums = vec![0.0; n * width];
        for (i, value) in added.values().into_iter().enumerate() {
            if let Some(row) = want.iter().position(|&u| u == at[i / width] && u >= 0.0) {
                sums[row * width + i % width] += value;
            }
        }
        let unique = Operand::dense(unique);
        let y = apply("merge_rows", &[], &[&ids, &unique, &added], DType::F64, &[n, width]);
        close(&y, &sums, 1.0);
    }
    let (ids, unique) = (Operand::dense(Tensor::of(&[2], &[1, 2])), Operand::dense(Tensor::of(&[2], &[1, -1])));
    let rows = random(DType::F32, &[2, 1], 1);
    failure("merge_rows", &[], &[&ids, &unique, &rows], DType::F32, &[2, 1]);
}

#[test]
fn rows_are_read_and_written() {
    let table = random(DType::F32, &[6, 3], 1);
    let ids = Operand::dense(Tensor::of(&[4], &[5, -1, 0, 2]));
    let rows = random(DType::F32, &[4, 3], 2);
    let (t, r) = (table.values(), rows.values());
    let y = apply("read_rows", &[], &[&table, &ids], DType::F32, &[4, 3]);
    close(&y, &[&t[15..], &[0.0; 3], &t[..3], &t[6..9]].concat(), 0.0);
    let y = apply("write_rows", &[], &[&table, &ids, &rows], DType::F32, &[6, 3]);
    close(&y, &[&r[6..9], &t[3..6], &r[9..12], &t[9..15], &r[..3]].concat(), 0.0);
}

/// The rows of a variable change where they are.
#[test]
fn a_table_is_changed_in_place() {
    let view = |space, dtype, shape: &[usize]| View {
        space,
        offset: 0,
        dtype,
        shape: shape.to_vec(),
        strides: super::super::view::contiguous(shape),
    };
    let table = view(Space::Variable(1), DType::F32, &[4, 2]);
    let step = Step {
        kernel: primitive("write_rows", &[]),
        inputs: vec![table.clone(), view(Space::Feed(0), DType::I32, &[2]), view(Space::Feed(1), DType::F32, &[2, 2])],
        outputs: vec![table],
        scratch: (0, 0),
        nodes: Vec::new(),
    };
    let feeds = vec![("ids".into(), DType::I32, vec![2]), ("rows".into(), DType::F32, vec![2, 2])];
    let plan = Plan { steps: vec![step], feeds, ..Plan::default() };
    for cpu in devices() {
        let prepared = cpu.prepare(plan.clone()).expect("plan");
        let mut variables = [Tensor::zeros(DType::I32, &[1]), Tensor::of(&[4, 2], &[0f32, 1., 2., 3., 4., 5., 6., 7.])];
        let (ids, rows) = (Tensor::of(&[2], &[3, -1]), Tensor::of(&[2, 2], &[10f32, 11., 12., 13.]));
        let memory = Memory { arena: &mut Bytes::zeros(0), variables: &mut variables, feeds: &[&ids, &rows] };
        cpu.execute(&prepared, memory, &Context::default()).expect("run");
        assert_eq!(variables[1].elements::<f32>(), [0., 1., 2., 3., 4., 5., 10., 11.]);
    }
}
