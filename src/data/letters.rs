//! A font of three by five dots, for captions on images.

/// Dots from one letter to the next.
pub(super) const ADVANCE: usize = 4;
/// Dots of a letter's height.
pub(super) const HEIGHT: usize = 5;
const WIDTH: usize = 3;

/// Rows of dots from the top, three bits each; letters without a shape of their own get `?`.
const SHAPES: [(char, u16); 45] = [
    ('0', 0b111_101_101_101_111),
    ('1', 0b010_110_010_010_111),
    ('2', 0b111_001_111_100_111),
    ('3', 0b111_001_111_001_111),
    ('4', 0b101_101_111_001_001),
    ('5', 0b111_100_111_001_111),
    ('6', 0b111_100_111_101_111),
    ('7', 0b111_001_010_010_010),
    ('8', 0b111_101_111_101_111),
    ('9', 0b111_101_111_001_111),
    ('A', 0b010_101_111_101_101),
    ('B', 0b110_101_110_101_110),
    ('C', 0b011_100_100_100_011),
    ('D', 0b110_101_101_101_110),
    ('E', 0b111_100_110_100_111),
    ('F', 0b111_100_110_100_100),
    ('G', 0b011_100_101_101_011),
    ('H', 0b101_101_111_101_101),
    ('I', 0b111_010_010_010_111),
    ('J', 0b001_001_001_101_010),
    ('K', 0b101_101_110_101_101),
    ('L', 0b100_100_100_100_111),
    ('M', 0b101_111_111_101_101),
    ('N', 0b110_101_101_101_101),
    ('O', 0b010_101_101_101_010),
    ('P', 0b110_101_110_100_100),
    ('Q', 0b010_101_101_011_001),
    ('R', 0b110_101_110_101_101),
    ('S', 0b011_100_010_001_110),
    ('T', 0b111_010_010_010_010),
    ('U', 0b101_101_101_101_111),
    ('V', 0b101_101_101_101_010),
    ('W', 0b101_101_111_111_101),
    ('X', 0b101_101_010_101_101),
    ('Y', 0b101_101_010_010_010),
    ('Z', 0b111_001_010_100_111),
    ('-', 0b000_000_111_000_000),
    ('_', 0b000_000_000_000_111),
    ('.', 0b000_000_000_000_010),
    ('/', 0b001_001_010_100_100),
    ('=', 0b000_111_000_111_000),
    (':', 0b000_010_000_010_000),
    ('+', 0b000_010_111_010_000),
    (' ', 0),
    ('?', 0b110_001_010_000_010),
];

/// Returns the dots of a letter as (column, row); small letters look like capitals.
pub(super) fn dots(letter: char) -> impl Iterator<Item = (usize, usize)> {
    let letter = letter.to_ascii_uppercase();
    let known = SHAPES.iter().find(|(known, _)| *known == letter).or(SHAPES.last());
    let shape = known.map_or(0, |(_, shape)| *shape);
    (0..HEIGHT * WIDTH)
        .filter(move |bit| shape >> (HEIGHT * WIDTH - 1 - bit) & 1 == 1)
        .map(|bit| (bit % WIDTH, bit / WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seven_has_a_bar_and_a_stem() {
        let seven: Vec<_> = dots('7').collect();
        assert_eq!(seven, [(0, 0), (1, 0), (2, 0), (2, 1), (1, 2), (1, 3), (1, 4)]);
        assert_eq!(dots('a').collect::<Vec<_>>(), dots('A').collect::<Vec<_>>());
        assert_eq!(dots('€').collect::<Vec<_>>(), dots('?').collect::<Vec<_>>());
    }
}
