//! The thread pool: made once, one job at a time, no lock taken while threads are awake.
//!
//! A job is a function and a number of chunks; threads, the caller among them, claim chunks until none is left: each the
//! ones of its own part first, so that it meets again in its caches what it wrote a job or a step before, then what others
//! have left. Who does a chunk is chance in the end, so a chunk's result must depend on its number alone.

use super::trace::Watch;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a chunk runs: its number, and the number of the thread that runs it.
type Job<'a> = &'a (dyn Fn(usize, usize) + Sync + 'a);

/// Pointers that several threads take parts of.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(pub T);

// SAFETY: who takes a pointer out keeps to the parts that are a thread's own.
unsafe impl<T> Sync for Shared<T> {}

impl<T: Copy> Shared<T> {
    pub fn get(&self) -> T {
        self.0
    }
}

/// Turns of a waiting thread before it sleeps: from about 20 microseconds to 100.
const SPINS: (usize, usize) = (500, 5000);
/// Turns more after each wait that ended before the thread slept.
const PATIENCE: usize = 16;

/// How long a thread turns before it sleeps: longer while what it waits for comes in time, as between many short steps, and
/// short again once it did not. Where another process keeps a core, turning takes time from the thread that is waited for.
struct Turns(AtomicUsize);

impl Turns {
    fn new() -> Turns {
        Turns(AtomicUsize::new(SPINS.0))
    }

    /// Waits for something; `None` where it has not come in time.
    fn wait<T>(&self, come: impl Fn() -> Option<T>) -> Option<T> {
        let turns = self.0.load(Relaxed);
        for _ in 0..turns {
            if let Some(x) = come() {
                self.0.store((turns + PATIENCE).min(SPINS.1), Relaxed);
                return Some(x);
            }
            std::hint::spin_loop();
        }
        self.0.store(SPINS.0, Relaxed);
        None
    }
}

/// How long a worker computes before it lets others have its core: less than the 3 or 4 milliseconds after which a
/// scheduler takes it away.
const BREATH: Duration = Duration::from_millis(2);

/// A worker's pauses, between chunks. Where another process wants the core, a thread that loses it in a chunk keeps all the
/// others waiting for milliseconds; one that gives it away while it holds none is missed by nobody. Where nobody wants the
/// core it comes back in less than a microsecond.
struct Breath(Instant);

impl Breath {
    fn new() -> Breath {
        Breath(Instant::now())
    }

    fn pause_when_due(&mut self) {
        if self.0.elapsed() >= BREATH {
            std::thread::yield_now();
            *self = Breath::new();
        }
    }
}

/// A thread's part of a job: the job's number above, the chunks left to claim below; alone in its lines of the cache, of
/// which processors fetch two at once.
#[repr(align(128))]
struct Part(AtomicU64);

/// What the threads of a pool share.
///
/// A claim is a compare-exchange on a part, so that it succeeds only for the present job, and that job cannot end before
/// the claimed chunk is done: what belongs to the job may be read after a claim.
struct State {
    /// The job's number, stored behind all that belongs to it.
    number: AtomicU64,
    parts: Box<[Part]>,
    job: AtomicPtr<()>,
    /// Parts are gone through from their last chunk on.
    from_last: AtomicBool,
    chunks: AtomicUsize,
    done: AtomicUsize,
    sleepers: AtomicUsize,
    caller_sleeps: AtomicBool,
    /// Of the caller.
    turns: Turns,
    stop: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleep: Mutex<()>,
    work: Condvar,
    finished: Condvar,
}

/// Threads that wait for jobs.
pub(crate) struct Pool {
    shared: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    busy: AtomicBool,
    watch: Watch,
}

impl Pool {
    /// A pool of so many threads, counting the caller of [`Pool::run`].
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(State {
            number: AtomicU64::new(0),
            parts: (0..threads.max(1)).map(|_| Part(AtomicU64::new(0))).collect(),
            job: AtomicPtr::new(std::ptr::null_mut()),
            from_last: AtomicBool::new(false),
            chunks: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            caller_sleeps: AtomicBool::new(false),
            turns: Turns::new(),
            stop: AtomicBool::new(false),
            panic: Mutex::new(None),
            sleep: Mutex::new(()),
            work: Condvar::new(),
            finished: Condvar::new(),
        });
        let start = |thread: usize| {
            let shared = shared.clone();
            // A thread that cannot be had is done without: its chunks are the others'.
            std::thread::Builder::new().name(format!("tfm-{thread}")).spawn(move || shared.serve(thread)).ok()
        };
        let workers = (1..threads.max(1)).filter_map(start).collect();
        Pool { shared, workers, busy: AtomicBool::new(false), watch: Watch::new(threads) }
    }

    /// Runs `job` for each chunk in `0..chunks`, each thread's part from its first or its last on, and returns when all are
    /// done.
    ///
    /// # Panics
    /// When a chunk panicked, after all the others are done; when called from two threads at once or from a chunk.
    pub fn run(&self, chunks: usize, from_last: bool, job: Job<'_>) {
        match self.watch.is_on() {
            false => self.run_unwatched(chunks, from_last, job),
            true => {
                self.run_unwatched(chunks, from_last, &|chunk, thread| self.watch.time(thread, || job(chunk, thread)));
            }
        }
    }

    /// What the threads do, when somebody watches.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    fn run_unwatched(&self, chunks: usize, from_last: bool, job: Job<'_>) {
        if chunks <= 1 || self.workers.is_empty() {
            (0..chunks).for_each(|i| job(if from_last { chunks - 1 - i } else { i }, 0));
            return;
        }
        assert!(!self.busy.swap(true, SeqCst), "the thread pool runs one job at a time");
        let s = &*self.shared;
        s.job.store((&raw const job).cast_mut().cast(), SeqCst);
        s.from_last.store(from_last, SeqCst);
        s.chunks.store(chunks, SeqCst);
        s.done.store(0, SeqCst);
        let number = s.number.load(SeqCst).wrapping_add(1) & 0xffff_ffff;
        for (thread, part) in s.parts.iter().enumerate() {
            part.0.store(number << 32 | (s.end(thread, chunks) - s.end(thread.wrapping_sub(1), chunks)) as u64, SeqCst);
        }
        s.number.store(number, SeqCst);
        if s.sleepers.load(SeqCst) > 0 {
            let _guard = s.lock();
            s.work.notify_all();
        }
        // The caller does not pause: what comes between jobs is its alone, and all wait for that.
        s.drain(number, 0, || ());
        s.wait_until_done(chunks);
        let panic = s.panic.lock().unwrap_or_else(|e| e.into_inner()).take();
        self.busy.store(false, SeqCst);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        {
            let _guard = self.shared.lock();
            self.shared.work.notify_all();
        }
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.sleep.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A worker's life.
    fn serve(&self, thread: usize) {
        let (mut seen, turns, mut breath) = (0, Turns::new(), Breath::new());
        loop {
            let Some(number) = self.next_job(seen, &turns) else { return };
            seen = number;
            self.drain(number, thread, || breath.pause_when_due());
        }
    }

    /// Waits for a job other than `seen`; `None` when the pool ends.
    fn next_job(&self, seen: u64, turns: &Turns) -> Option<u64> {
        let changed = || Some(self.number.load(SeqCst)).filter(|&n| n != seen);
        if let Some(n) = turns.wait(changed) {
            return Some(n);
        }
        let mut guard = self.lock();
        self.sleepers.fetch_add(1, SeqCst);
        // The caller publishes, then looks for sleepers; a sleeper counts itself, then looks once more.
        let found = loop {
            if self.stop.load(SeqCst) {
                break None;
            }
            if let Some(n) = changed() {
                break Some(n);
            }
            guard = self.work.wait(guard).unwrap_or_else(|e| e.into_inner());
        };
        self.sleepers.fetch_sub(1, SeqCst);
        found
    }

    /// The first chunk behind a thread's part.
    fn end(&self, thread: usize, chunks: usize) -> usize {
        chunks * thread.wrapping_add(1) / self.parts.len()
    }

    /// Claims and runs chunks of the job until none is left, of its own part and then of the others'; `between` runs while
    /// none is held.
    fn drain(&self, number: u64, thread: usize, mut between: impl FnMut()) {
        let all = self.parts.len();
        for owner in (thread..all).chain(0..thread) {
            let part = &self.parts[owner].0;
            loop {
                between();
                let was = part.load(SeqCst);
                let left = was & 0xffff_ffff;
                if was >> 32 != number {
                    return;
                }
                if left == 0 {
                    break;
                }
                if part.compare_exchange_weak(was, was - 1, SeqCst, SeqCst).is_err() {
                    continue;
                }
                let chunks = self.chunks.load(SeqCst);
                // SAFETY: the claim keeps the caller in `run`, where the job lives.
                let job = unsafe { *self.job.load(SeqCst).cast::<Job<'_>>() };
                let chunk = match self.from_last.load(SeqCst) {
                    false => self.end(owner, chunks) - left as usize,
                    true => self.end(owner.wrapping_sub(1), chunks) + left as usize - 1,
                };
                let result = catch_unwind(AssertUnwindSafe(|| job(chunk, thread)));
                if let Err(payload) = result {
                    *self.panic.lock().unwrap_or_else(|e| e.into_inner()) = Some(payload);
                }
                if self.done.fetch_add(1, SeqCst) + 1 == chunks && self.caller_sleeps.load(SeqCst) {
                    let _guard = self.lock();
                    self.finished.notify_all();
                }
            }
        }
    }

    fn wait_until_done(&self, chunks: usize) {
        if self.turns.wait(|| (self.done.load(SeqCst) == chunks).then_some(())).is_some() {
            return;
        }
        let mut guard = self.lock();
        self.caller_sleeps.store(true, SeqCst);
        while self.done.load(SeqCst) != chunks {
            guard = self.finished.wait(guard).unwrap_or_else(|e| e.into_inner());
        }
        self.caller_sleeps.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_once() {
        for threads in [1, 2, 4] {
            let pool = Pool::new(threads);
            for chunks in [0, 1, 2, 7, 100, 1000] {
                let counts: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
                for round in 0..20 {
                    pool.run(chunks, round % 2 == 1, &|chunk, thread| {
                        assert!(thread < threads);
                        counts[chunk].fetch_add(1, SeqCst);
                    });
                }
                assert!(counts.iter().all(|c| c.load(SeqCst) == 20));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(3);
        let ran = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(50, false, &|chunk, _| {
                ran.fetch_add(1, SeqCst);
                assert!(chunk != 17, "chunk 17");
            })
        }));
        assert!(result.is_err());
        assert_eq!(ran.load(SeqCst), 50);
        pool.run(50, false, &|_, _| {
            ran.fetch_add(1, SeqCst);
        });
        assert_eq!(ran.load(SeqCst), 100);
    }

    #[test]
    fn sleeping_workers_wake() {
        let pool = Pool::new(2);
        let both = AtomicUsize::new(0);
        for _ in 0..5 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            pool.run(2, false, &|_, _| {
                both.fetch_add(1, SeqCst);
            });
        }
        assert_eq!(both.load(SeqCst), 10);
    }
    #[test]
    fn one_thread_goes_either_way() {
        let pool = Pool::new(1);
        for from_last in [false, true] {
            let seen = Mutex::new(Vec::new());
            pool.run(3, from_last, &|chunk, _| seen.lock().unwrap().push(chunk));
            assert_eq!(*seen.lock().unwrap(), if from_last { [2, 1, 0] } else { [0, 1, 2] });
        }
    }
}
