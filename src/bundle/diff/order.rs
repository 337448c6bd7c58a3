//! Who moved: as few as possible.

/// Given where each element stood before, in the order after: the places (indexes) of those that moved. The others are
/// a longest common subsequence. Linear times a logarithm.
pub(super) fn moved(stood: &[usize]) -> Vec<usize> {
    // `ends[n]` is the index of the smallest last element of a growing subsequence of n + 1 elements.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous = vec![usize::MAX; stood.len()];
    for (index, place) in stood.iter().enumerate() {
        let length = ends.partition_point(|end| stood[*end] < *place);
        if let Some(before) = length.checked_sub(1) {
            previous[index] = ends[before];
        }
        if length == ends.len() {
            ends.push(index);
        } else {
            ends[length] = index;
        }
    }
    let mut stays = vec![false; stood.len()];
    let mut current = ends.last().copied().unwrap_or(usize::MAX);
    while let Some(stay) = stays.get_mut(current) {
        *stay = true;
        current = previous[current];
    }
    (0..stood.len()).filter(|index| !stays[*index]).collect()
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn as_few_as_possible_move() {
        assert_eq!(moved(&[]), [0_usize; 0]);
        assert_eq!(moved(&[0, 1, 2, 3]), [0_usize; 0]);
        // The last one went to the front: one moved, not three.
        assert_eq!(moved(&[3, 0, 1, 2]), [0]);
        assert_eq!(moved(&[1, 2, 3, 0]), [3]);
        assert_eq!(moved(&[0, 2, 4, 9]), [0_usize; 0]);
        assert_eq!(moved(&[3, 2, 1, 0]).len(), 3);
    }
}
