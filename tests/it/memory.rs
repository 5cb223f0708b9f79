//! How much memory a thread, or all of them, hold at most while they do something.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, counting.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

static HELD_BY_ALL: AtomicIsize = AtomicIsize::new(0);
static MOST_BY_ALL: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    let held = HELD_BY_ALL.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST_BY_ALL.fetch_max(held, Ordering::Relaxed);
    // A thread that is being torn down counts no more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        MOST.with(|most| most.set(most.get().max(held.get())));
    });
}

#[allow(unsafe_code, reason = "an allocator is unsafe by nature; this one hands everything to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there at once.
        count(size as isize);
        count(-(layout.size() as isize));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What `work` gives, and the bytes that this thread held at most beyond those that it held before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(Cell::get);
    MOST.with(|most| most.set(before));
    let result = work();
    (result, usize::try_from(MOST.with(Cell::get) - before).unwrap())
}

/// The same over all threads, and so for a process that does nothing else.
pub fn peak_of_process<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD_BY_ALL.load(Ordering::Relaxed);
    MOST_BY_ALL.store(before, Ordering::Relaxed);
    let result = work();
    (result, usize::try_from(MOST_BY_ALL.load(Ordering::Relaxed) - before).unwrap())
}

#[test]
fn what_is_held_is_counted() {
    let (_, most) = peak(|| {
        let first = vec![1u8; 3_000_000];
        drop(first);
        vec![1u8; 2_000_000]
    });
    assert!((3_000_000..3_100_000).contains(&most), "{most}");
}
