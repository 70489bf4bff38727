//! Image sources: drawn digits, idx, CIFAR; right and damaged.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let sizes_ = sizes.iter().flat_map(|n| n.to_be_bytes());
    [0, 0, 8, sizes.len() as u8].into_iter().chain(sizes_).chain(bytes.iter().copied()).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn small_idx(images: &[u8], labels: &[u8]) -> Result<Dataset, DataError> {
    let dir = folder(&[("images", images), ("labels", labels)]);
    let shape = Static::List([1, 2, 3].map(Static::Int).into());
    let args = [("", text("images")), ("", text("labels")), ("shape", shape), ("classes", Static::Int(4))];
    open_in(dir.path(), &spec("idx", &args, vec![], &[]))
}

#[test]
fn drawn_digits_are_as_many_as_asked() {
    let args = [("train", Static::Int(50)), ("test", Static::Int(25)), ("seed", Static::Int(3))];
    let data = open_in(Path::new("."), &spec("drawn_digits", &args, vec![], &[])).unwrap();
    let (train, test) = (data.split("train").unwrap(), data.split("test").unwrap());
    assert_eq!((train.len(), test.len()), (50, 25));
    let labels = numbers(train, "label");
    assert!((0..10).all(|d| labels.iter().filter(|&&l| l == f64::from(d)).count() == 5), "{labels:?}");
    let again = open_in(Path::new("."), &spec("drawn_digits", &args, vec![], &[])).unwrap();
    assert!(again.split("train").unwrap().get(0, &[7]).bytes() == train.get(0, &[7]).bytes());
    let taken = spec("drawn_digits", &args, vec![], &[call("take", &[("", Static::Int(30))])]);
    let taken = open_in(Path::new("."), &taken).unwrap();
    assert_eq!(taken.splits.iter().map(|(_, s)| s.len()).collect::<Vec<_>>(), [30, 25]);
}

#[test]
fn idx_files_plain_and_packed() {
    let images = idx(&[3, 2, 3], &(0..18).collect::<Vec<u8>>());
    let labels = idx(&[3], &[2, 0, 3]);
    for (images, labels) in [(images.clone(), gz(&labels)), (gz(&images), labels.clone())] {
        let data = small_idx(&images, &labels).unwrap();
        let all = data.split("all").unwrap();
        assert_eq!(all.get(0, &[2, 0]).bytes(), [12, 13, 14, 15, 16, 17, 0, 1, 2, 3, 4, 5]);
        assert_eq!(all.get(0, &[2, 0]).shape, [2, 1, 2, 3]);
        assert_eq!(numbers(all, "label"), [2.0, 0.0, 3.0]);
    }
}

#[test]
fn damaged_idx_files() {
    let images = idx(&[3, 2, 3], &[0; 18]);
    let labels = idx(&[3], &[2, 0, 3]);
    let wrong = |i: &[u8], l: &[u8]| error_of(small_idx(i, l));
    let packed = gz(&images);
    let cases = [
        (wrong(&packed[..packed.len() - 9], &labels), "images: the gzip ends early"),
        (wrong(&images[..20], &labels), "images: it says [3, 2, 3], 18 bytes, and has 4"),
        (wrong(&images[..9], &labels), "images: the file ends within its sizes"),
        (wrong(b"P5 28 28", &labels), "images: this is no idx file: it begins with 50 35 20 32"),
        (wrong(&[0, 0, 13, 1, 0, 0, 0, 0], &labels), "only 0x08, bytes, is read"),
        (wrong(&[], &labels), "images: the file is empty"),
        (wrong(&gz(&[]), &labels), "the file is empty inside its gzip"),
        (wrong(&idx(&[0, 2, 3], &[]), &labels), "there is nothing in it"),
        (wrong(&idx(&[3, 3, 2], &[0; 18]), &labels), "an image has sizes [3, 2], and [1, 2, 3] is declared"),
        (
            wrong(&idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), &labels),
            "images: it says [4294967295, 4294967295, 4294967295]",
        ),
        (wrong(&images, &idx(&[2], &[0, 1])), "it has sizes [2], and the images are 3"),
        (wrong(&images, &idx(&[3], &[0, 1, 4])), "labels, record 3: the label is 4, and labels are below 4"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{expected} in {message}");
    }
}

#[test]
fn mnist_folders() {
    let (images, labels) = (idx(&[2, 28, 28], &[9; 1568]), idx(&[2], &[4, 5]));
    let train = [("train-images-idx3-ubyte.gz", &gz(&images)[..]), ("train-labels-idx1-ubyte", &labels[..])];
    let test = [("t10k-images.idx3-ubyte", &images[..]), ("t10k-labels-idx1-ubyte", &labels[..])];
    let spec = spec("mnist", &[("", text("."))], vec![], &[]);
    let dir = folder(&[train, test].concat());
    let data = open_in(dir.path(), &spec).unwrap();
    assert_eq!(numbers(data.split("test").unwrap(), "label"), [4.0, 5.0]);
    let message = error_of(open_in(folder(&train).path(), &spec));
    assert!(message.contains("there is no `t10k-images-idx3-ubyte`"), "{message}");

    let split = open_file(&spec, &dir.path().join("t10k-images.idx3-ubyte"), &Learned::default()).unwrap();
    assert_eq!(split.fields().iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["image"]);
    assert_eq!(split.get(0, &[1]).bytes(), [9; 784]);
}

#[test]
fn cifar_folders() {
    let record = |label: u8, byte: u8| -> Vec<u8> { std::iter::once(label).chain([byte; 3072]).collect() };
    let two = [record(3, 1), record(9, 2)].concat();
    let one = record(0, 7);
    let spec = spec("cifar10", &[("", text("."))], vec![], &[]);
    let dir = folder(&[("data_batch_1.bin", &two), ("data_batch_2.bin", &one), ("test_batch.bin", &one)]);
    let data = open_in(dir.path(), &spec).unwrap();
    assert_eq!(numbers(data.split("train").unwrap(), "label"), [3.0, 9.0, 0.0]);
    assert_eq!(data.split("train").unwrap().get(0, &[1]).bytes(), [2; 3072]);
    let split = open_file(&spec, &dir.path().join("test_batch.bin"), &Learned::default()).unwrap();
    assert_eq!(split.len(), 1);

    let wrong = |name: &str, bytes: &[u8]| error_of(open_in(folder(&[(name, bytes)]).path(), &spec));
    assert!(wrong("data_batch_1.bin", &two[..4000]).contains("4000 bytes are no whole number of records"));
    assert!(wrong("data_batch_1.bin", &record(10, 0)).contains("record 1: the label is 10"));
    assert!(wrong("data_batch_1.bin", &one).contains("there is no `test_batch*.bin`"));
    assert!(wrong("readme", &one).contains("there is no `data_batch*.bin`"));
}
