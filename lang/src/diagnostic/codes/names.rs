//! E02xx: names that mean nothing, or mean two things.

use super::Code;

/// The entries, in rising order.
pub(super) const CODES: &[Code] = &[
    Code {
        code: "E0201",
        title: "a name that means nothing here",
        explanation: "\
No local name, declaration, import or built-in function has this name. The help shows the nearest name,
or the module of the library to import it from. Names are looked up in this order: the block and those
around it, the parameters, the file's declarations and imports, what is always in scope.",
        example: "fn twice(x: float[..S]) -> float[..S] { y + y }\n",
    },
    Code {
        code: "E0202",
        title: "a field that is not there",
        explanation: "\
After the `.` stands a name that the value does not have. A data set has its parts (`digits.train`), a model
with named results has those, an instance that was applied has its parameters (`embed.table`).",
        example: "import std.layers.Dense\ndata digits = drawn_digits()\ntrain t on digits.trian { minimize 1.0 }\n",
    },
    Code {
        code: "E0203",
        title: "a name that is bound twice",
        explanation: "\
A name is bound once in its block, a declaration once in its file, a column once in its schema. Both places are
shown. A block inside may give a name of its own to something else.",
        example: "fn f(x: float[..S]) -> float[..S] {\n  let y = x + 1\n  let y = y * 2\n  y\n}\n",
    },
    Code {
        code: "E0204",
        title: "an import that is not there",
        explanation: "\
There is no module of this name, or the module has no such name. A module of the library begins with `std.`;
any other is a file beside this one: `import helpers.Block` reads `helpers.tfm`.",
        example: "import std.layers.Desne\n",
    },
    Code {
        code: "E0205",
        title: "a file that imports itself",
        explanation: "\
Following the imports leads back to a file that is being read. Move what both files need into a third one and
import it from both.",
        example: "import itself.f\n",
    },
    Code {
        code: "E0210",
        title: "a primitive outside of the library",
        explanation: "\
A `primitive` is an operation whose kernel is in the runtime; declaring one does not make a kernel. Write a `fn` with a
body of operations that there are: they are fused into one loop where that can be. With `grad { … }` after its body
it has a gradient of its own.",
        example: "primitive half(x: float[..S]) -> float[..S]\ngrad { dy / 2 }\n",
    },
];
