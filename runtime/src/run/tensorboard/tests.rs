//! What is written is read back: records with their sums, events, values.

use super::*;

/// The events of a file, every sum checked.
fn read(path: &Path) -> Vec<Event> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let sum = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert_eq!(sum(8), masked(&rest[..8]), "the sum of a length");
        let event = &rest[12..12 + length];
        assert_eq!(sum(12 + length), masked(event), "the sum of an event");
        events.push(Event::decode(event).unwrap());
        rest = &rest[16 + length..];
    }
    events
}

fn values(event: &Event) -> &[SummaryValue] {
    match &event.what {
        Some(What::Summary(summary)) => &summary.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(dir.path()).unwrap();
    board.scalars(3, [("loss", 0.5), ("accuracy", 0.25)]).unwrap();
    board.text("source", 0, "**hello**").unwrap();
    let png = super::super::images::png(&Tensor::of(&[1, 3, 2, 5], &[7u8; 30]));
    board.image("fake", 4, &png).unwrap();
    board.histogram("Net.w", 5, &Tensor::of(&[4], &[-1.0f32, 0.0, 1.0, 1.0])).unwrap();
    board.flush().unwrap();

    let events = read(board.path());
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
    assert!(events.iter().all(|e| e.wall_time > 1.7e9));
    let scalars: Vec<_> = values(&events[1]).iter().map(|v| (v.tag.as_str(), v.simple_value)).collect();
    assert_eq!((events[1].step, scalars), (3, vec![("loss", Some(0.5)), ("accuracy", Some(0.25))]));
    let text = &values(&events[2])[0];
    assert_eq!(text.tensor.as_ref().unwrap().strings, [b"**hello**"]);
    assert_eq!(text.metadata.as_ref().unwrap().plugin_data.as_ref().unwrap().plugin_name, "text");
    let image = values(&events[3])[0].image.as_ref().unwrap();
    assert_eq!((image.width, image.height, image.colorspace), (7, 4, 3));
    let histogram = values(&events[4])[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.min, histogram.max, histogram.num, histogram.sum), (-1.0, 1.0, 4.0, 1.0));
    assert_eq!(histogram.bucket.iter().sum::<f64>(), 4.0);
    assert!(histogram.bucket_limit.windows(2).all(|w| w[0] < w[1]));
    let above = |x: f64| histogram.bucket_limit.iter().position(|l| *l > x).unwrap();
    assert_eq!(histogram.bucket[above(1.0)], 2.0);
}

#[test]
fn two_files_of_a_folder_have_two_names() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (TensorBoard::create(dir.path()).unwrap(), TensorBoard::create(dir.path()).unwrap());
    assert_ne!(a.path(), b.path());
}

#[test]
fn sums_are_those_of_the_format() {
    // The published check value of CRC-32C, masked.
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(masked(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
}

#[test]
fn nothing_is_a_histogram_too() {
    assert_eq!(histogram(&[]).num, 0.0);
    assert_eq!(histogram(&[f64::NAN, f64::INFINITY]).num, 0.0);
    assert_eq!(histogram(&[0.0]).bucket.iter().sum::<f64>(), 1.0);
}
