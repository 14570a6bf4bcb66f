//! How many objects travel in one batch.

use serde::Serialize;

use crate::object::ObjectVersion;

/// Objects of one batch at most: what a person can still read in the console, and what the
/// outputs of the check can still describe within the 256 KiB that a state may hold.
pub const MOST_OBJECTS: usize = 100;

/// Bytes of one execution's input as JSON. It grows on its way through the states, so it
/// starts well below 64 KiB.
pub const LONGEST_INPUT: usize = 48 * 1024;

/// Bytes that one check reads within its function's timeout, with room to spare.
const MOST_CHECKED_BYTES: u64 = 20 * 1024 * 1024 * 1024;

/// Splits sorted objects, and whatever goes with each, into batches: at most [`MOST_OBJECTS`],
/// at most `room` bytes of JSON, and of bytes to read at most `small_bytes` among small files,
/// else 20 GiB. A single object is a batch whatever its size. Small files, of up to
/// `small_bytes`, stay among themselves, so that a large neighbour does not take them to Glue;
/// it is `None` where the engine is not chosen by size. The order, and with it the names, are
/// the same for the same objects.
pub fn split<T: AsRef<ObjectVersion>>(
    objects: Vec<T>,
    room: usize,
    small_bytes: Option<u64>,
) -> Vec<Vec<T>> {
    let (small, large): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|object| small_bytes.is_some_and(|limit| object.as_ref().size <= limit));
    let mut batches = pack(small, room, small_bytes.unwrap_or(MOST_CHECKED_BYTES));
    batches.extend(pack(large, room, MOST_CHECKED_BYTES));
    batches
}

fn pack<T: AsRef<ObjectVersion>>(objects: Vec<T>, room: usize, most_bytes: u64) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let (mut json, mut bytes) = (0, 0_u64);
    for object in objects {
        // One more for the comma.
        let adds_json = json_length(object.as_ref()) + 1;
        let adds_bytes = object.as_ref().size;
        match batches.last_mut().filter(|batch| {
            batch.len() < MOST_OBJECTS
                && json + adds_json <= room
                && bytes.saturating_add(adds_bytes) <= most_bytes
        }) {
            Some(batch) => {
                batch.push(object);
                json += adds_json;
                bytes = bytes.saturating_add(adds_bytes);
            }
            None => {
                batches.push(vec![object]);
                (json, bytes) = (adds_json, adds_bytes);
            }
        }
    }
    batches
}

/// Length as JSON. These documents hold only text and numbers, which always have one.
pub fn json_length(document: &impl Serialize) -> usize {
    serde_json::to_string(document).map_or(usize::MAX / 4, |json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::tests::object;

    struct Sized(ObjectVersion);

    impl AsRef<ObjectVersion> for Sized {
        fn as_ref(&self) -> &ObjectVersion {
            &self.0
        }
    }

    fn of_sizes(sizes: &[u64]) -> Vec<Sized> {
        let sized = |(n, size): (usize, &u64)| {
            Sized(ObjectVersion { size: *size, ..object(&format!("{n:03}"), "v#1") })
        };
        sizes.iter().enumerate().map(sized).collect()
    }

    fn sizes(batches: &[Vec<Sized>]) -> Vec<Vec<u64>> {
        let sizes = |batch: &Vec<Sized>| batch.iter().map(|sized| sized.0.size).collect();
        batches.iter().map(sizes).collect()
    }

    #[test]
    fn small_files_do_not_travel_with_large_ones() {
        let files = || of_sizes(&[600, 5000, 300, 200, 1000, 9000]);
        assert_eq!(
            sizes(&split(files(), LONGEST_INPUT, Some(1000))),
            [vec![600, 300], vec![200], vec![1000], vec![5000, 9000]]
        );
        assert_eq!(split(files(), LONGEST_INPUT, None).len(), 1);
    }

    #[test]
    fn a_batch_has_its_bounds() {
        let counts = |batches: Vec<Vec<Sized>>| batches.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(split(of_sizes(&[0; 201]), LONGEST_INPUT, None)), [100, 100, 1]);
        let one = json_length(&of_sizes(&[0])[0].0) + 1;
        assert_eq!(counts(split(of_sizes(&[0; 5]), 2 * one, None)), [2, 2, 1]);
        assert_eq!(counts(split(of_sizes(&[0; 2]), 0, None)), [1, 1]);
    }
}
