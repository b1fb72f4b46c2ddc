//! Tests of shared memory: clearing zeroes the given ranges, and nothing else.

use super::super::mapping::Mapping;

const PAGE: u64 = 0x1000;
const LENGTH: u64 = 400 * PAGE;

/// A mapping in which every `step`th page is full of ones, and the rest does not exist.
fn patterned(step: usize) -> Mapping {
    let (mut mapping, _) = Mapping::new(c"pvm-test", LENGTH, false).unwrap();
    for page in (0..LENGTH / PAGE).step_by(step) {
        mapping.write(page * PAGE, &[0xff; PAGE as usize]);
    }
    mapping
}

fn check(mapping: &Mapping, step: usize, zeros: std::ops::Range<u64>) {
    let mut bytes = vec![0; LENGTH as usize];
    mapping.read(0, &mut bytes);
    for (offset, byte) in (0u64..).zip(bytes) {
        let is_full = (offset / PAGE).is_multiple_of(step as u64) && !zeros.contains(&offset);
        assert_eq!(byte, if is_full { 0xff } else { 0 }, "{offset:#x}, {zeros:x?}, every {step}");
    }
}

#[test]
fn clearing_zeroes_the_range_and_nothing_else_however_much_of_it_exists() {
    for step in [1, 3, 7, 64, 1000] {
        for (start, end) in [(0, 0), (0, 1), (5, 6), (3, 67), (3, 68), (0, 400), (399, 400), (64, 80), (1, 3)] {
            for can_be_elsewhere in [false, true] {
                let mut mapping = patterned(step);
                mapping.clear_range(start * PAGE, end * PAGE, can_be_elsewhere);
                check(&mapping, step, start * PAGE..end * PAGE);
            }
        }
    }
}

#[test]
fn filling_with_zeros_zeroes_the_range_and_nothing_else() {
    for (start, end) in
        [(0, 1), (1, 4095), (4095, 4097), (100, 0x4_3000), (1, LENGTH), (0x1000, 0x5_1001), (7, 0x4_1008)]
    {
        let mut mapping = patterned(1);
        mapping.fill(start, 0, (end - start) as usize);
        check(&mapping, 1, start..end);
    }
}

/// Pages that exist.
fn existing(mapping: &Mapping) -> Vec<u64> {
    let mut found = Vec::new();
    mapping.pages(0, LENGTH, &mut |offset, _| found.push(offset / PAGE));
    found
}

#[test]
fn a_long_read_says_what_is_there_and_makes_no_pages() {
    for step in [1, 3, 7, 64, 1000] {
        let mapping = patterned(step);
        let pages: Vec<u64> = (0..LENGTH / PAGE).step_by(step).collect();
        assert_eq!(existing(&mapping), pages);
        for (start, end) in [(0, LENGTH), (1, LENGTH - 1), (4095, 4097), (0x1fff, 0x5_3002), (0x4_0000, 0x8_0000)] {
            // Bytes of before must not remain.
            let mut bytes = vec![0x77; (end - start) as usize];
            mapping.read(start, &mut bytes);
            for (offset, byte) in (start..end).zip(bytes) {
                let is_full = (offset / PAGE).is_multiple_of(step as u64);
                assert_eq!(byte, if is_full { 0xff } else { 0 }, "{offset:#x} of {start:#x} to {end:#x}, every {step}");
            }
        }
        // Reading two bytes on either side of 4096 is short, and makes what it reads.
        assert_eq!(
            existing(&mapping).iter().filter(|page| **page > 1).count(),
            pages.iter().filter(|page| **page > 1).count()
        );
    }
}

#[test]
fn every_page_that_exists_is_visited_with_its_bytes_and_no_other() {
    for step in [1, 5, 65] {
        let mapping = patterned(step);
        for (start, end) in [(0, 400), (0, 0), (1, 2), (5, 6), (3, 131), (64, 128), (399, 400)] {
            let mut visited = Vec::new();
            mapping.pages(start * PAGE, end * PAGE, &mut |offset, page| {
                assert_eq!(*page, [0xff; PAGE as usize]);
                visited.push(offset / PAGE);
            });
            let expected: Vec<u64> = (start..end).filter(|page| page.is_multiple_of(step as u64)).collect();
            assert_eq!(visited, expected, "every {step} of {start} to {end}");
        }
    }
}

#[test]
fn a_page_that_there_is_no_memory_for_is_an_error_and_no_signal() {
    let (mut mapping, file) = Mapping::careful(LENGTH);
    mapping.write(PAGE - 1, &[1, 2, 3]);
    let mut bytes = [0; 4];
    mapping.read(PAGE - 1, &mut bytes);
    assert_eq!((bytes, mapping.check()), ([1, 2, 3, 0], Ok(())));
    // A page that is behind the end of its file is as good as one without memory: SIGBUS for who touches it.
    super::super::sys::set_length(&file, PAGE).unwrap();
    mapping.read(PAGE, &mut bytes);
    assert_eq!(bytes, [0; 4]);
    assert!(mapping.check().is_err());
    mapping.write(2 * PAGE, &[1]);
    mapping.fill(3 * PAGE, 7, 5);
    let mut long = vec![7; 3 * PAGE as usize];
    mapping.read(PAGE, &mut long);
    mapping.write(0, &[9]);
    mapping.read(0, &mut bytes[..1]);
    assert_eq!(bytes[0], 9, "what is there is there");
}

#[test]
#[should_panic(expected = "are in the mapping")]
fn a_range_that_ends_behind_the_mapping_is_a_bug() {
    patterned(1000).write(LENGTH - 3, &[0; 4]);
}
