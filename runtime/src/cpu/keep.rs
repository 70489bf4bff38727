//! What kernels keep from one run of a plan to the next: weights, packed or transformed as they compute with them. It is
//! made again only when the variable has been written since.
//!
//! A plan that writes a variable itself, as a step of training does, keeps nothing of it: it would make it anew each time.
//! A loop keeps what its kernels make of what is the same in all turns, from its first turn to its last.

use crate::tensor::{Bytes, Tensor};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use tfm_lowering::plan::{Plan, Space};

/// What a kernel wants to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Keeps {
    /// The input that it is made from, which [lasts](super::kernels::Call::lasts).
    pub input: usize,
    /// How many bytes it is.
    pub bytes: usize,
}

/// What is the same in the next run of a plan.
#[derive(Debug)]
pub(crate) enum Lasting {
    /// Of a step: variables but those that it writes.
    But(BTreeSet<u32>),
    /// Of a turn of a loop: so many feeds, those that are the same in each.
    Feeds(Vec<bool>),
}

impl Lasting {
    pub fn of(plan: &Plan) -> Lasting {
        let variable = |space: Space| if let Space::Variable(v) = space { Some(v) } else { None };
        let outputs = plan.steps.iter().flat_map(|s| &s.outputs);
        Lasting::But(outputs.filter_map(|v| variable(v.space)).collect())
    }

    /// From one turn of a loop to the next, of which each has elements of some feeds.
    pub fn of_turns(walked: &[bool]) -> Lasting {
        Lasting::Feeds(walked.iter().map(|walked| !walked).collect())
    }

    pub fn has(&self, space: Space) -> bool {
        match (self, space) {
            (_, Space::Constant) => true,
            (Lasting::But(written), Space::Variable(v)) => !written.contains(&v),
            (Lasting::Feeds(same), Space::Feed(i)) => same.get(i as usize).is_some_and(|same| *same),
            _ => false,
        }
    }
}

/// The room for what the steps of a plan keep, and what is in it.
#[derive(Default)]
pub(super) struct Keep {
    /// Of each that keeps something: what from, and where it begins.
    rooms: Vec<(Space, usize)>,
    bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: Bytes,
    /// Of each: the version of the variable that it was made from, 0 for none, and the one that it has now.
    versions: Vec<(u64, u64)>,
}

impl Keep {
    /// Makes room, and gives it a number.
    pub fn add(&mut self, from: Space, bytes: usize) -> usize {
        self.rooms.push((from, self.bytes));
        self.bytes += bytes.next_multiple_of(64);
        self.rooms.len() - 1
    }

    /// Where a room begins.
    pub fn place(&self, number: usize) -> usize {
        self.rooms[number].1
    }

    /// How much all of it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is kept, for a run on these variables.
    pub fn begin(&self, variables: &[Tensor]) -> Current<'_> {
        let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
        if kept.bytes.len() < self.bytes {
            *kept = Kept { bytes: Bytes::zeros(self.bytes), versions: vec![(0, 0); self.rooms.len()] };
        }
        for ((space, _), version) in self.rooms.iter().zip(&mut kept.versions) {
            version.1 = match space {
                Space::Variable(v) => variables[*v as usize].version(),
                _ => u64::MAX,
            };
        }
        Current { keep: self, kept }
    }
}

/// What is kept, in a run.
pub(super) struct Current<'a> {
    keep: &'a Keep,
    kept: MutexGuard<'a, Kept>,
}

impl Current<'_> {
    /// Where the room with this number is, and whether what belongs there must be made.
    pub fn room(&mut self, number: usize) -> (*mut u8, bool) {
        let (made, now) = self.kept.versions[number];
        (self.kept.bytes.as_mut_ptr().wrapping_add(self.keep.place(number)), made != now)
    }

    /// Takes down that it was made, if it was not there.
    pub fn made(&mut self, number: usize) {
        let version = &mut self.kept.versions[number];
        version.0 = version.1;
    }

    /// Takes down that it may be half of it.
    pub fn spoilt(&mut self, number: usize) {
        self.kept.versions[number].0 = 0;
    }
}
