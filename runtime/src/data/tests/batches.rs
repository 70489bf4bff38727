//! Batches: their order, their sizes, going on from the middle, and stopping.

use super::*;
use std::time::{Duration, Instant};

/// Records that are numbered from 0.
fn numbered(n: usize) -> Arc<Split> {
    let file: String = (0..n).map(|i| format!("{i},{}\n", 2 * i)).collect();
    let columns = vec![column("a", call("i32", &[]), &[]), column("b", call("f32", &[]), &[])];
    let args = [("", text("a.csv")), ("header", Static::Bool(false))];
    let dir = folder(&[("a.csv", file.as_bytes())]);
    open_in(dir.path(), &spec("csv", &args, columns, &[])).unwrap().splits.remove(0).1
}

fn start(split: &Arc<Split>, order: Order, batch: usize, start: Position) -> Loader {
    Loader::new(split.clone(), vec![0, 1], order, batch, start)
}

/// What came, and where it says it is.
fn next(loader: &mut Loader) -> (Vec<i32>, u64, u64, bool) {
    let batch = loader.next().expect("a batch").expect("no error");
    let numbers = batch.tensors[0].elements::<i32>().to_vec();
    assert_eq!(batch.examples, numbers.len());
    let doubled: Vec<i32> = batch.tensors[1].elements::<f32>().iter().map(|&x| x as i32).collect();
    assert!(numbers.iter().map(|n| 2 * n).eq(doubled), "fields stay side by side");
    (numbers, batch.epoch, batch.index, batch.last_of_epoch)
}

#[test]
fn in_order_is_one_pass() {
    let split = numbered(10);
    let mut loader = start(&split, Order::InOrder, 4, Position::default());
    assert_eq!(next(&mut loader), (vec![0, 1, 2, 3], 0, 0, false));
    assert_eq!(next(&mut loader), (vec![4, 5, 6, 7], 0, 1, false));
    assert_eq!(next(&mut loader), (vec![8, 9], 0, 2, true));
    assert!(loader.next().is_none() && loader.next().is_none());
    let mut later = start(&split, Order::InOrder, 4, Position { epoch: 0, batch: 2 });
    assert_eq!(next(&mut later).0, [8, 9]);
}

#[test]
fn shuffled_is_every_example_once_an_epoch() {
    let split = numbered(103);
    let mut loader = start(&split, Order::Shuffled { seed: 5 }, 10, Position::default());
    let mut orders = Vec::new();
    for epoch in 0..3 {
        let mut order = Vec::new();
        for index in 0..11 {
            let (numbers, e, i, last) = next(&mut loader);
            assert_eq!((e, i, last), (epoch, index, index == 10));
            assert_eq!(numbers.len(), if last { 3 } else { 10 });
            order.extend(numbers);
        }
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..103));
        orders.push(order);
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2] && orders[0] != (0..103).collect::<Vec<_>>());
    let mut other = start(&split, Order::Shuffled { seed: 6 }, 103, Position::default());
    assert_ne!(next(&mut other).0, orders[0]);
}

#[test]
fn goes_on_from_anywhere() {
    let split = numbered(50);
    let order = Order::Shuffled { seed: 9 };
    let mut whole = start(&split, order, 8, Position::default());
    let all: Vec<_> = (0..30).map(|_| next(&mut whole)).collect();
    for at in [0u64, 3, 6, 7, 20] {
        // Seven batches an epoch; a batch past the end is in the next epoch.
        for position in [Position { epoch: at / 7, batch: at % 7 }, Position { epoch: 0, batch: at }] {
            let mut resumed = start(&split, order, 8, position);
            assert_eq!(next(&mut resumed), all[at as usize], "from {position:?}");
            assert_eq!(next(&mut resumed), all[at as usize + 1]);
        }
    }
}

#[test]
fn batches_that_are_kept_keep_their_numbers() {
    let split = numbered(64);
    let mut loader = start(&split, Order::InOrder, 4, Position::default());
    let kept: Vec<Batch> = loader.by_ref().take(6).map(|b| b.unwrap()).collect();
    let rest: Vec<Batch> = loader.map(|b| b.unwrap()).collect();
    for (i, batch) in kept.iter().chain(&rest).enumerate() {
        let first = 4 * i as i32;
        assert_eq!(batch.tensors[0].elements::<i32>(), [first, first + 1, first + 2, first + 3]);
    }
}

#[test]
fn dropping_a_loader_ends_its_thread() {
    let split = numbered(1000);
    for taken in [0, 1, 10] {
        let mut loader = start(&split, Order::Shuffled { seed: 1 }, 16, Position::default());
        let batches: Vec<Batch> = loader.by_ref().take(taken).map(|b| b.unwrap()).collect();
        drop(loader);
        assert_eq!(Arc::strong_count(&split), 1, "the thread is gone");
        drop(batches);
    }
}

#[test]
fn nothing_gives_nothing() {
    let split = Arc::new(numbered(3).take(0));
    assert!(start(&split, Order::Shuffled { seed: 1 }, 4, Position::default()).next().is_none());
    assert!(start(&split, Order::InOrder, 4, Position::default()).next().is_none());
    assert_eq!((batches(10, 4), batches(8, 4), batches(0, 4)), (3, 2, 0));
}

#[test]
fn long_texts_start_at_once() {
    let content: String =
        (0..1_100_000u32).map(|i| (b'a' + (i.wrapping_mul(2_654_435_761) >> 28) as u8) as char).collect();
    let tokens = call("chars", &[("", Static::Int(16))]);
    let args = [("", text("t")), ("tokens", tokens)];
    let dir = folder(&[("t", content.as_bytes())]);
    let data =
        open_in(dir.path(), &spec("text", &args, vec![], &[call("split", &[("", Static::Float(0.9))])])).unwrap();
    let train = data.split("train").unwrap();
    assert_eq!(train.len(), 990_000 - 64);
    let begin = Instant::now();
    let order = Order::Shuffled { seed: 1337 };
    let mut loader = start(train, order, 12, Position { epoch: 3, batch: 40_000 });
    let batch = loader.next().unwrap().unwrap();
    let (tokens, next) = (batch.tensors[0].elements::<i32>(), batch.tensors[1].elements::<i32>());
    for (t, n) in tokens.chunks_exact(64).zip(next.chunks_exact(64)) {
        assert_eq!(t[1..], n[..63]);
    }
    let elapsed = begin.elapsed();
    println!("first batch after {elapsed:?}");
    assert!(elapsed < Duration::from_secs(1), "the first batch took {elapsed:?}");
}
