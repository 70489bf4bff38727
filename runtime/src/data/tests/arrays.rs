//! Arrays, pictures and sounds, made on the spot and gone wrong.

use super::*;
use std::io::Write;

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    while !(head.len() + 11).is_multiple_of(64) {
        head.push(' ');
    }
    head.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((head.len() as u16).to_le_bytes());
    out.extend(head.as_bytes());
    out.extend(data);
    out
}

/// A zip file of members that are stored or packed.
fn zip(members: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, whole) in members {
        let body = match packed {
            false => whole.to_vec(),
            true => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(whole).unwrap();
                encoder.finish().unwrap()
            }
        };
        let local = out.len() as u32;
        let mut sizes = vec![0; 4];
        sizes.extend((body.len() as u32).to_le_bytes());
        sizes.extend((whole.len() as u32).to_le_bytes());
        let method = [if packed { 8 } else { 0 }, 0];
        out.extend(b"PK\x03\x04\x14\0\0\0");
        out.extend(method);
        out.extend([0; 4]);
        out.extend(&sizes);
        out.extend([name.len() as u8, 0, 0, 0]);
        out.extend(name.bytes());
        out.extend(&body);
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
        directory.extend(method);
        directory.extend([0; 4]);
        directory.extend(&sizes);
        directory.extend([name.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        directory.extend(local.to_le_bytes());
        directory.extend(name.bytes());
    }
    let at = (out.len() as u32).to_le_bytes();
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([members.len() as u8, 0, members.len() as u8, 0]);
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at);
    out.extend([0, 0]);
    out
}

fn sized(dtype: &str, shape: &[i64]) -> Static {
    call(dtype, &[("shape", Static::List(shape.iter().map(|n| Static::Int(*n)).collect()))])
}

fn label(n: i64) -> Static {
    call("label", &[("", Static::Int(n))])
}

fn read(columns: Vec<ColumnSpec>, file: &[u8]) -> Result<Dataset, DataError> {
    open_in(folder(&[("f", file)]).path(), &spec("npy", &[("path", text("f"))], columns, &[]))
}

#[test]
fn the_columns_share_the_numbers_of_one_array() {
    let columns = || vec![column("image", sized("u8", &[1, 2, 2]), &[]), column("label", label(3), &[])];
    let file = npy("|u1", "2, 5", &[1, 2, 3, 4, 0, 5, 6, 7, 8, 2]);
    let data = read(columns(), &file).unwrap();
    let all = data.split("all").unwrap();
    assert_eq!((numbers(all, "image"), numbers(all, "label")), ((1..9).map(f64::from).collect(), vec![0.0, 2.0]));
    let wrong = |file: &[u8]| error_of(read(columns(), file));
    for (file, expected) in [
        (npy("|u1", "2, 5", &[1, 2, 3, 4, 0, 5, 6, 7, 8, 3]), "record 2: `label` is 3, and its values are from 0 to 2"),
        (npy("|u1", "2, 4", &[0; 8]), "a record has 4 numbers, and the columns are 5 together"),
        (npy("|u1", "2, 5", &[0; 9]), "the file is cut off: 10 bytes are announced, 9 are there"),
        (npy("<f4", "1, 5", &[0; 20]), "record 1: `image` holds fractions"),
        (npy("<i2", "1, 5", &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), "`image` is 256, which is not u8"),
        (npy("<U3", "1, 5", &[0; 60]), "its elements are `<U3`, which are no numbers"),
        (npy("|u1", "", &[0]), "it is one number"),
        (npy("|u1", "99999999999, 99999999999", &[0]), "too large"),
        (b"\x93NUMPY\x01\x00\xff\xff".to_vec(), "no `.npy` file"),
        (b"\x93NUMPY\x01\x00\xff\xff{}".to_vec(), "ends within its head"),
        (b"hello".to_vec(), "does not begin with \\x93NUMPY"),
    ] {
        let message = wrong(&file);
        assert!(message.contains(expected), "{expected} in {message}");
    }
}

#[test]
fn archives_and_folders_have_an_array_for_each_column() {
    let x = npy("<f8", "2, 2", &[1.5f64, -2.0, f64::NAN, 4.0].map(f64::to_le_bytes).concat());
    let half = npy("<f2", "2, 2", &[0x00, 0x3e, 0x00, 0xc0, 0x01, 0x7e, 0x00, 0x44]);
    let y = npy(">i8", "2", &[1i64, 0].map(i64::to_be_bytes).concat());
    let columns = || vec![column("x", sized("f32", &[2]), &["normalize"]), column("y", label(2), &[])];
    for packed in [false, true] {
        let data = read(columns(), &zip(&[("x.npy", &x), ("y.npy", &y)], packed)).unwrap();
        assert_eq!(numbers(data.split("all").unwrap(), "x"), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(numbers(data.split("all").unwrap(), "y"), [1.0, 0.0]);
    }
    let dir = folder(&[("x.npy", &half), ("y.npy", &y)]);
    let declared = spec("npy", &[("path", text("."))], columns(), &[]);
    let data = open_in(dir.path(), &declared).unwrap();
    assert_eq!(numbers(data.split("all").unwrap(), "x"), [0.0, 0.0, 0.0, 1.0], "halves hold the same");
    let given = folder(&[("x.npy", &half)]);
    let split = open_file(&declared, given.path(), &data.learned).unwrap();
    assert_eq!(split.fields().len(), 1, "labels may be missing");

    let mut cut = zip(&[("x.npy", &x), ("y.npy", &y)], true);
    for (columns, file, expected) in [
        (columns(), zip(&[("x.npy", &x)], false), "there is no array `y`; there are x"),
        (
            columns(),
            zip(&[("x.npy", &x), ("y.npy", &npy("<i4", "1", &[0; 4]))], false),
            "`y` has 1 records, and `x` has 2",
        ),
        (vec![column("x", sized("f32", &[3]), &[])], zip(&[("x.npy", &x)], false), "a record of `x` has sizes [2]"),
        (columns(), cut.split_off(20), "no `.npy` file"),
    ] {
        let message = error_of(read(columns, &file));
        assert!(message.contains(expected), "{expected} in {message}");
    }
}

fn png(width: u32, height: u32, kind: png::ColorType, pixels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(kind);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    out
}

fn images(folder: &Path, classes: Static, size: [i64; 2], channels: i64) -> Result<Dataset, DataError> {
    let size = Static::List(size.map(Static::Int).into());
    let args = [("path", text(".")), ("classes", classes), ("size", size), ("channels", Static::Int(channels))];
    open_in(folder, &spec("images", &args, vec![], &[]))
}

#[test]
fn folders_of_pictures() {
    let dir = folder(&[]);
    for class in ["cat", "dog"] {
        std::fs::create_dir(dir.path().join(class)).unwrap();
    }
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("cat/a.png", &png(2, 1, png::ColorType::Rgb, &[255, 0, 0, 0, 0, 255]));
    write("cat/notes.txt", b"not a picture");
    write("dog/b.PNG", &png(2, 1, png::ColorType::Grayscale, &[10, 20]));
    write("dog/c.png", &png(4, 2, png::ColorType::Grayscale, &[0, 100, 50, 50, 0, 100, 50, 50]));
    let data = images(dir.path(), texts(&["dog", "cat"]), [1, 2], 3).unwrap();
    let all = data.split("all").unwrap();
    assert_eq!(numbers(all, "label"), [1.0, 0.0, 0.0]);
    let pixels = numbers(all, "image");
    assert_eq!(pixels[..6], [255., 0., 0., 0., 0., 255.], "planes of red, green and blue");
    assert_eq!(pixels[6..12], [10., 20., 10., 20., 10., 20.]);
    let small = &pixels[12..14];
    assert!((small[0] - 50.0).abs() <= 8.0 && (small[1] - 50.0).abs() <= 8.0, "the mean of what it was: {small:?}");
    let grey = images(dir.path(), Static::Int(2), [1, 2], 1).unwrap();
    assert_eq!(numbers(grey.split("all").unwrap(), "image")[..2], [76.0, 29.0]);
    let large = images(dir.path(), Static::Int(2), [3, 5], 1).unwrap();
    let row = numbers(large.split("all").unwrap(), "image")[15..20].to_vec();
    assert!(row.windows(2).all(|w| w[0] <= w[1]) && row[0] == 10.0 && row[4] == 20.0, "{row:?}");

    let wrong = |classes: Static| error_of(images(dir.path(), classes, [1, 2], 3));
    assert!(wrong(texts(&["cat"])).contains("`dog` is not one of the classes cat"));
    assert!(wrong(texts(&["cat", "dog", "emu"])).contains("nothing of the class `emu`"));
    assert!(wrong(Static::Int(3)).contains("there are 2 classes, and 3 are declared: cat, dog"));
    write("cat/z.jpg", b"RIFF");
    assert!(wrong(Static::Int(2)).contains("z.jpg: this is neither PNG nor JPEG"));
    write("cat/z.jpg", &[0xff, 0xd8, 0xff, 0xe0, 0, 1]);
    assert!(wrong(Static::Int(2)).contains("z.jpg: this JPEG is damaged"));
    let good = png(2, 1, png::ColorType::Rgb, &[255, 0, 0, 0, 0, 255]);
    write("cat/z.jpg", &good[..good.len() - 20]);
    assert!(wrong(Static::Int(2)).contains("z.jpg: this PNG is damaged"));
    write("cat/z.jpg", b"");
    assert!(wrong(Static::Int(2)).contains("z.jpg: the file is empty"));
}

#[test]
fn pictures_that_a_table_names() {
    let dir = folder(&[("a.png", &png(1, 1, png::ColorType::Rgb, &[1, 2, 3])), ("t.csv", b"file,y\na.png,1\n")]);
    let size = Static::List(vec![Static::Int(1), Static::Int(1)]);
    let columns = || vec![column("file", call("image", &[("", size.clone())]), &[]), column("y", label(2), &[])];
    let declared = spec("csv", &[("path", text("t.csv"))], columns(), &[]);
    assert_eq!(numbers(open_in(dir.path(), &declared).unwrap().split("all").unwrap(), "file"), [1.0, 2.0, 3.0]);
    std::fs::write(dir.path().join("t.csv"), "file,y\na.png,1\nb.png,0\n").unwrap();
    let message = error_of(open_in(dir.path(), &declared));
    assert!(message.contains("t.csv, line 3: `file`: ") && message.contains("no such file"), "{message}");
}

fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let mut out = b"RIFF\0\0\0\0WAVEjunk\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
    out.extend(format.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend([0; 6]);
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

fn sounds(folder: &Path, classes: Static) -> Result<Dataset, DataError> {
    let args = [("path", text(".")), ("classes", classes), ("rate", Static::Int(8000)), ("length", Static::Int(3))];
    open_in(folder, &spec("wav", &args, vec![], &[]))
}

#[test]
fn sounds_of_every_form() {
    let max = i16::MIN.to_le_bytes();
    let dir = folder(&[
        ("0_a.wav", &wav(1, 1, 8000, 16, &[max, [0, 0]].concat())),
        ("1_b.wav", &wav(1, 2, 8000, 8, &[128, 0, 255, 129, 128, 128, 64, 64, 1, 1])),
        ("1_c.wav", &wav(3, 1, 8000, 32, &[0.25f32, -0.5].map(f32::to_le_bytes).concat())),
        ("2_d.wav", &wav(1, 1, 8000, 24, &[0, 0, 0x40])),
    ]);
    let data = sounds(dir.path(), Static::Int(3)).unwrap();
    let all = data.split("all").unwrap();
    let waves = numbers(all, "wave");
    assert_eq!(waves[..6], [-1.0, 0.0, 0.0, -0.5, 0.5, 0.0]);
    assert_eq!(waves[6..], [0.25, -0.5, 0.0, 0.5, 0.0, 0.0]);
    assert_eq!((numbers(all, "length"), numbers(all, "label")), (vec![2., 3., 2., 1.], vec![0., 1., 1., 2.]));
    let wrong = |bytes: &[u8]| {
        std::fs::write(dir.path().join("2_d.wav"), bytes).unwrap();
        error_of(sounds(dir.path(), texts(&["0", "1", "2"])))
    };
    let good = wav(1, 1, 8000, 16, &[1, 2, 3, 4]);
    for (file, expected) in [
        (wav(1, 1, 44_100, 16, &[0, 0]), "it has 44100 samples in a second, and `rate: 8000` is declared"),
        (wav(7, 1, 8000, 8, &[0]), "the kind 7 with 8 bits"),
        (good[..good.len() - 1].to_vec(), "cut off: 4 bytes of sound are announced, 3 are there"),
        (good[..40].to_vec(), "ends within its head"),
        (good[..good.len() - 12].to_vec(), "there is no sound in it"),
        (b"OggS".to_vec(), "does not begin with RIFF"),
        (wav(3, 1, 8000, 32, &f32::NAN.to_le_bytes()), "sample 0 is not a finite number"),
    ] {
        let message = wrong(&file);
        assert!(message.contains(expected), "{expected} in {message}");
    }
}
