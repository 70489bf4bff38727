//! What `inspect` writes checks, and opens the file that it was written for.

use super::*;
use tfm_lang::check;
use tfm_lang::source::Sources;

/// The declaration for a file, without the folder; it must check and open.
fn inspected(dir: &Path, name: &str) -> String {
    let text = inspect(&dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut sources = Sources::default();
    let main = sources.add("a.tfm", text.clone(), false);
    let checked = check::check(&mut sources, &[], main, &mut |_| None, &check::Options::default());
    let messages: Vec<&str> = checked.diagnostics.iter().map(|d| d.message.as_str()).collect();
    let model = checked.model.unwrap_or_else(|| panic!("{text}\n{messages:?}"));
    open_in(dir, &model.data[0]).unwrap_or_else(|e| panic!("{text}\n{e}"));
    text.replace(&format!("{}/", dir.display()), "")
}

#[test]
fn tables() {
    let rows: String = (0..40)
        .map(|i| {
            format!(
                "{}, {}, {}, {},\"a text of {i} words, no more\", {}\n",
                i * 3,
                i % 4,
                ["red", "blue"][i % 2],
                ["x", "?"][i % 2],
                ["no", "yes"][i / 3 % 2]
            )
        })
        .collect();
    let dir = folder(&[
        ("people.csv", format!("Age, kind, hair colour, code, note, 2nd\n{rows}").as_bytes()),
        ("bare.data", "1;2\n3;4\n5;9\n7;7\n".as_bytes()),
        ("series.tsv", "date\tvalue\n2016-07-01 00:00\t1\n2016-07-01 01:00\t3\n2016-07-01 02:00\t5\n2016-07-01 03:00\t4\n2016-07-01 04:00\t4\n".as_bytes()),
        ("r.jsonl", b"{\"x\":[1,2],\"ok\":true,\"y\":0}\n{\"x\":[3,4],\"ok\":false,\"y\":1}\n{\"x\":[3,4],\"ok\":false,\"y\":1}\n{\"x\":[3,4],\"ok\":false,\"y\":0}\n"),
        ("names.txt", "emma\nolivia\nava\nzoe\nnoa\n".as_bytes()),
        ("prose.txt", "To be, or not to be.\nThat is the question. ".repeat(20).as_bytes()),
    ]);
    let people = inspected(dir.path(), "people.csv");
    assert_eq!(
        people,
        "data people = csv(\"people.csv\", header: false, skip: 1, missing: \"?\") {\n  age:         f32 |> standardize\n  kind:        \
         category(4)\n  hair_colour: category([\"blue\", \"red\"])\n  code:        category([\"x\", \"?\"])\n  note:        \
         words(10_000, length: 10)\n  c_2nd:       label([\"no\", \"yes\"])\n} |> shuffle(seed: 1) |> split(0.9)\n"
    );
    let bare = inspected(dir.path(), "bare.data");
    assert!(
        bare.contains("csv(\"bare.data\", header: false, separator: \";\") {\n  column_1: f32 |> standardize"),
        "{bare}"
    );
    let series = inspected(dir.path(), "series.tsv");
    assert!(series.contains("separator: \"\\t\"") && series.contains("|> split(0.8) // |> windows"), "{series}");
    let json = inspected(dir.path(), "r.jsonl");
    assert!(json.contains("x:  f32[2] |> standardize") && json.contains("y:  label(2)"), "{json}");
    let names = inspected(dir.path(), "names.txt");
    assert!(names.contains("line: chars(13, length: 8, marks: true)"), "{names}");
    assert!(inspected(dir.path(), "prose.txt").contains("tokens: chars("));
}

#[test]
fn real_files() {
    let Some(root) = super::real::real("adult/adult.data") else { return };
    let adult = inspected(&root, "adult/adult.data");
    assert!(adult.contains("missing: \"?\"") && adult.contains("column_15: label([\"<=50K\", \">50K\"])"), "{adult}");
    for (file, expected) in [
        ("etth1/ETTh1.csv", "// |> windows"),
        ("names/names.txt", "chars(30, length: 17, marks: true)"),
        ("tinyshakespeare/input.txt", "chars(65)"),
        ("fashion-mnist/fashion_test_5class.npy", "x: u8[785]"),
        ("fashion-mnist/sprite900-images-idx3-ubyte.gz", "shape: [1, 28, 28], classes: 10"),
        ("fsdd", "classes: 10, rate: 8000"),
        ("mnist", "mnist("),
        ("cifar10", "cifar10("),
    ] {
        if root.join(file).exists() {
            let text = inspected(&root, file);
            assert!(text.contains(expected), "{text}");
        }
    }
}

#[test]
fn what_is_not_known_is_said() {
    let dir =
        folder(&[("a", b""), ("l-idx1", &[0, 0, 8, 1, 0, 0, 0, 1, 3]), ("p", b"PAR1"), ("b.jsonl", b"{}\n[1]\n")]);
    let wrong = |name: &str| error_of(inspect(&dir.path().join(name)));
    assert!(wrong("a").contains("the file is empty"));
    assert!(wrong("none").contains("there is no such file"));
    assert!(wrong("l-idx1").contains("these are labels"));
    assert!(wrong("p").contains("not guessed"));
    assert!(wrong("b.jsonl").contains("line 2"));
    assert!(wrong(".").contains("nothing in this folder that is known"));
}
