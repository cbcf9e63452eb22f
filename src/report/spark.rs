//! Histograms as one line of blocks.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `counts` with `tallest` as the full height; an empty bin is the thinnest line.
pub(super) fn spark(counts: &[usize], tallest: usize) -> String {
    let top = BLOCKS.len() - 1;
    let block = |count: usize| match count {
        0 => BLOCKS[0],
        _ => BLOCKS[(count * top).div_ceil(tallest.max(1)).min(top)],
    };
    counts.iter().map(|count| block(*count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trial_is_always_seen_and_the_tallest_bin_is_full() {
        assert_eq!(spark(&[0, 1, 50, 100], 100), "▁▂▅█");
        assert_eq!(spark(&[0, 0], 0), "▁▁");
    }
}
