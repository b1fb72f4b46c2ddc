//! Heap allocator of this runtime on RISC-V: it allocates inside the guest, without a host call.
//!
//! A wasm runtime leaves its heap to the node, which is a function call away. Here the node is another process, so the
//! heap is in the guest's memory. The node allocates the results of host functions, and works on the same state, whose
//! address the export [`pvm_heap`] returns. `docs/runtime.md#the-heap` has the layout and the rules;
//! `executor/src/runtime/heap.rs` is the node's side, `executor/host-interface/src/runtime_heap.rs` what both share.
//!
//! Blocks have one of [`CLASSES`] sizes. A freed block goes to the free list of its class, and is never split or
//! merged. Each call starts with fresh memory, so fragmentation ends with the call.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use pvm_host_interface::runtime_heap::{ALIGNMENT, CLASSES, HeapState, class_of};

/// Maximum size of a heap in bytes; the node limits it further by the chain's heap pages.
const CAPACITY: usize = 256 << 20;

#[repr(C, align(4096))]
struct Memory(UnsafeCell<[u8; CAPACITY]>);

// SAFETY: there is one thread, and the node only works on the memory while the guest waits for it.
unsafe impl Sync for Memory {}

struct Heap(UnsafeCell<HeapState<*mut u8>>);

// SAFETY: as for `Memory`.
unsafe impl Sync for Heap {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; CAPACITY]));

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(HeapState {
    next: MEMORY.0.get().cast(),
    // SAFETY: one past the end of the same object.
    end: unsafe { MEMORY.0.get().cast::<u8>().add(CAPACITY) },
    free: [core::ptr::null_mut(); CLASSES],
}));

/// Returns the address of the heap's state, for the node.
#[polkavm_derive::polkavm_export]
extern "C" fn pvm_heap() -> u64 {
    HEAP.0.get() as u64
}

polkavm_derive::min_stack_size!(1 << 20);

// SAFETY: blocks do not overlap, as each is taken from unallocated memory or from the free list of its class, and have
// at least the requested size and alignment.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no other reference to the state is alive: there is one thread, and nothing below calls out.
        let state = unsafe { &mut *self.0.get() };
        if layout.size() > CAPACITY {
            return core::ptr::null_mut();
        }
        let (class, size) = class_of(layout.size() as u64);
        let size = size as usize;
        if layout.align() <= ALIGNMENT as usize {
            let head = state.free[class];
            if !head.is_null() {
                // SAFETY: a free block begins with the next one's address.
                state.free[class] = unsafe { head.cast::<*mut u8>().read() };
                return head;
            }
        }
        let padding = state.next.align_offset(layout.align().max(ALIGNMENT as usize));
        if (state.end as usize).saturating_sub(state.next as usize) < size + padding {
            return core::ptr::null_mut();
        }
        // SAFETY: within the heap, as just checked.
        let block = unsafe { state.next.add(padding) };
        // SAFETY: as above.
        state.next = unsafe { block.add(size) };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        let (class, _) = class_of(layout.size() as u64);
        // SAFETY: the block is no longer used, and of at least 16 bytes.
        unsafe { block.cast::<*mut u8>().write(state.free[class]) };
        state.free[class] = block;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size <= CAPACITY && class_of(layout.size() as u64).0 == class_of(size as u64).0 {
            return block;
        }
        // SAFETY: the caller's promises: a layout that fits, and a size that is not zero.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
