//! The few instructions of x86-64 that fused loops are made of, as bytes. Intel 64 and IA-32 Architectures Software
//! Developer's Manual, volume 2: the VEX prefix, ModR/M and SIB.

/// A vector register.
pub(super) type Vector = u8;
/// A general register, by its number.
pub(super) type General = u8;

/// The index into all arrays, in bytes, and the first argument of a function: `rdi`.
const INDEX: General = 7;
/// The second argument: `rsi`.
const SECOND: General = 6;
/// The third argument: `rdx`.
const THIRD: General = 2;
/// Registers that hold the addresses of arrays: all but those above and the pointer to the stack.
pub(super) const BASES: [General; 13] = [0, 1, 2, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15];
/// How many of them, the last, belong to the caller.
const KEPT: std::ops::Range<usize> = 7..13;

/// An arithmetic instruction on vectors of f32.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Arithmetic {
    Add = 0x58,
    Multiply = 0x59,
    Subtract = 0x5c,
    /// The second where it is not larger, or one of them is NaN.
    Minimum = 0x5d,
    Divide = 0x5e,
    /// The second where it is not smaller, or one of them is NaN.
    Maximum = 0x5f,
    And = 0x54,
    Xor = 0x57,
}

/// What `compare` looks for.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Unordered = 3,
    /// Greater, and neither is NaN.
    Greater = 30,
}

/// Where an operand is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Register(Vector),
    /// Element `INDEX` of an array.
    Array(General),
}

/// Code so far.
#[derive(Default)]
pub(super) struct Assembler {
    pub code: Vec<u8>,
}

/// Maps of opcodes, and prefixes, as the VEX prefix numbers them.
const MAP_0F: u8 = 1;
const MAP_0F38: u8 = 2;
const MAP_0F3A: u8 = 3;
const NONE: u8 = 0;
const P66: u8 = 1;

impl Assembler {
    fn put(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    /// An instruction on vectors of 256 bits: the one in ModR/M's `reg`, the one in the prefix, the one in `r/m`.
    fn vector(&mut self, (map, prefix, opcode): (u8, u8, u8), reg: Vector, other: Vector, rm: Place) {
        let base = match rm {
            Place::Register(r) | Place::Array(r) => r,
        };
        let inverted = |bit: u8, at: u8| (!bit & 1) << at;
        // `x` would extend the index, which is below 8.
        let first = inverted(reg >> 3, 7) | inverted(0, 6) | inverted(base >> 3, 5) | map;
        let second = (!other & 15) << 3 | 1 << 2 | prefix;
        self.put(&[0xc4, first, second, opcode]);
        match rm {
            Place::Register(r) => self.put(&[0xc0 | (reg & 7) << 3 | r & 7]),
            // A displacement of 8 bits, since none means something else for two of the bases.
            Place::Array(r) => self.put(&[0x44 | (reg & 7) << 3, INDEX << 3 | r & 7, 0]),
        }
    }

    pub fn arithmetic(&mut self, what: Arithmetic, to: Vector, a: Vector, b: Place) {
        self.vector((MAP_0F, NONE, what as u8), to, a, b);
    }

    pub fn square_root(&mut self, to: Vector, from: Place) {
        self.vector((MAP_0F, NONE, 0x51), to, 0, from);
    }

    pub fn compare(&mut self, test: Test, to: Vector, a: Vector, b: Place) {
        self.vector((MAP_0F, NONE, 0xc2), to, a, b);
        self.put(&[test as u8]);
    }

    /// `yes` where the sign of `mask` is set, else `no`.
    pub fn choose(&mut self, to: Vector, no: Vector, yes: Vector, mask: Vector) {
        self.vector((MAP_0F3A, P66, 0x4a), to, no, Place::Register(yes));
        self.put(&[mask << 4]);
    }

    /// -0 everywhere.
    pub fn signs(&mut self, to: Vector) {
        // All ones, then shifted left by 31.
        self.vector((MAP_0F, P66, 0x76), to, to, Place::Register(to));
        self.vector((MAP_0F, P66, 0x72), 6, to, Place::Register(to));
        self.put(&[31]);
    }

    /// 0 everywhere.
    pub fn zero(&mut self, to: Vector) {
        self.arithmetic(Arithmetic::Xor, to, to, Place::Register(to));
    }

    pub fn load(&mut self, to: Vector, from: General) {
        self.vector((MAP_0F, NONE, 0x10), to, 0, Place::Array(from));
    }

    pub fn store(&mut self, to: General, from: Vector) {
        self.vector((MAP_0F, NONE, 0x11), from, 0, Place::Array(to));
    }

    /// Elements whose mask is not set are 0, and not read.
    pub fn load_some(&mut self, to: Vector, mask: Vector, from: General) {
        self.vector((MAP_0F38, P66, 0x2c), to, mask, Place::Array(from));
    }

    pub fn store_some(&mut self, to: General, mask: Vector, from: Vector) {
        self.vector((MAP_0F38, P66, 0x2e), from, mask, Place::Array(to));
    }

    /// Reads the first of [`BASES`] from a table of addresses, the first argument, at these indices.
    fn addresses(&mut self, indices: &[u16]) {
        for (&register, &index) in BASES.iter().zip(indices) {
            self.put(&[0x48 | (register >> 3) << 2, 0x8b, 0x80 | (register & 7) << 3 | INDEX]);
            self.put(&(u32::from(index) * 8).to_le_bytes());
        }
    }

    /// Repeats the first elements of arrays, by their indices in the table, in registers that stay.
    fn constants(&mut self, constants: &[(u16, Vector)]) {
        for &(index, register) in constants {
            // mov rax, [table + 8 index]; vbroadcastss register, [rax]
            self.put(&[0x48, 0x8b, 0x80 | INDEX]);
            self.put(&(u32::from(index) * 8).to_le_bytes());
            self.put(&[
                0xc4,
                (!(register >> 3) & 1) << 7 | 0x60 | MAP_0F38,
                15 << 3 | 1 << 2 | P66,
                0x18,
                (register & 7) << 3,
            ]);
        }
    }

    /// Saves those of the first `n` bases that belong to the caller, or takes them back.
    fn keep(&mut self, n: usize, back: bool) {
        let mut kept: Vec<General> = BASES[KEPT].iter().copied().take(n.saturating_sub(KEPT.start)).collect();
        if back {
            kept.reverse();
        }
        for register in kept {
            if register >= 8 {
                self.put(&[0x41]);
            }
            self.put(&[if back { 0x58 } else { 0x50 } | register & 7]);
        }
    }

    fn leave(&mut self, n: usize) {
        self.keep(n, true);
        // vzeroupper; ret
        self.put(&[0xc5, 0xf8, 0x77, 0xc3]);
    }

    /// A function of a table of addresses and the bytes of all elements, at least a vector: the body for one vector after
    /// the other, with constants in their registers.
    pub fn for_each(&mut self, indices: &[u16], constants: &[(u16, Vector)], body: impl FnOnce(&mut Assembler)) {
        self.keep(indices.len(), false);
        self.constants(constants);
        self.addresses(indices);
        // xor edi, edi
        self.put(&[0x31, 0xff]);
        let start = self.code.len();
        body(self);
        // add rdi, 32; cmp rdi, rsi; jb start
        self.put(&[0x48, 0x83, 0xc0 | INDEX, 32, 0x48, 0x39, 0xc0 | SECOND << 3 | INDEX, 0x0f, 0x82]);
        let back = start as i64 - (self.code.len() as i64 + 4);
        self.put(&(back as i32).to_le_bytes());
        self.leave(indices.len());
    }

    /// A function of a table of addresses, the byte to begin at, and the address of a mask, which goes to a register: the
    /// body once, with constants in their registers.
    pub fn once(
        &mut self,
        indices: &[u16],
        constants: &[(u16, Vector)],
        mask: Vector,
        body: impl FnOnce(&mut Assembler),
    ) {
        // vmovups mask, [rdx]
        self.put(&[0xc4, (!(mask >> 3) & 1) << 7 | 0x60 | MAP_0F, 15 << 3 | 1 << 2, 0x10, (mask & 7) << 3 | THIRD]);
        self.keep(indices.len(), false);
        self.constants(constants);
        self.addresses(indices);
        // mov rdi, rsi
        self.put(&[0x48, 0x89, 0xc0 | SECOND << 3 | INDEX]);
        body(self);
        self.leave(indices.len());
    }
}
