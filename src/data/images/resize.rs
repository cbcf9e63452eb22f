//! Resizing of grey images.

/// Brings images of one size to another by separable triangle weights about pixel centres.
///
/// Enlarging this is bilinear interpolation with the edge pixels repeated outwards; reducing, the
/// triangle widens with the step, so no input pixel is passed over (as Pillow's `BILINEAR` does).
pub(in crate::data) struct Resizer {
    width: usize,
    across: Vec<Taps>,
    down: Vec<Taps>,
    narrow: Vec<f64>,
}

/// The first old pixel that a new one draws on, and the weights from there on, which sum to 1.
type Taps = (usize, Vec<f64>);

impl Resizer {
    /// Prepares for images of `from` (height, width) to become `to`.
    pub(in crate::data) fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        Self {
            width: from.1,
            across: taps(from.1, to.1),
            down: taps(from.0, to.0),
            narrow: vec![0.0; from.0 * to.1],
        }
    }

    /// Appends the resized `image` to `pixels`.
    pub(in crate::data) fn append(&mut self, image: &[u8], pixels: &mut Vec<u8>) {
        let new_width = self.across.len();
        let rows = image.chunks_exact(self.width).zip(self.narrow.chunks_exact_mut(new_width));
        for (row, narrow_row) in rows {
            for (value, (first, taps)) in narrow_row.iter_mut().zip(&self.across) {
                *value = taps.iter().zip(&row[*first..]).map(|(tap, &p)| tap * f64::from(p)).sum();
            }
        }
        for (first, taps) in &self.down {
            for column in 0..new_width {
                let rows = taps.iter().enumerate();
                let value: f64 = rows
                    .map(|(row, tap)| tap * self.narrow[(first + row) * new_width + column])
                    .sum();
                pixels.push(value.round() as u8);
            }
        }
    }
}

fn taps(old: usize, new: usize) -> Vec<Taps> {
    let step = old as f64 / new as f64;
    let reach = step.max(1.0);
    (0..new)
        .map(|index| {
            let centre = (index as f64 + 0.5) * step - 0.5;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(old - 1);
            let taps: Vec<f64> = (first..=last)
                .map(|at| (1.0 - (at as f64 - centre).abs() / reach).max(0.0))
                .collect();
            let total: f64 = taps.iter().sum();
            (first, taps.into_iter().map(|tap| tap / total).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(image: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
        let mut pixels = Vec::new();
        Resizer::new(from, to).append(image, &mut pixels);
        pixels
    }

    #[test]
    fn resizing_agrees_with_pillow() {
        // Image.fromarray(np.array([[0, 40, 80], [120, 160, 200], [250, 10, 90]], np.uint8))
        //   .resize((5, 5), Image.BILINEAR) and .resize((2, 2), Image.BILINEAR), Pillow 13.
        let image = [0, 40, 80, 120, 160, 200, 250, 10, 90];
        let larger = resize(&image, (3, 3), (5, 5));
        let smaller = resize(&image, (3, 3), (2, 2));
        assert_eq!(
            larger,
            [
                [0, 16, 40, 64, 80],
                [48, 64, 88, 112, 128],
                [120, 136, 160, 184, 200],
                [198, 147, 70, 108, 134],
                [250, 154, 10, 58, 90],
            ]
            .concat()
        );
        assert_eq!(smaller, [60, 110, 151, 107]);
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let image: Vec<u8> = (0..=255).collect();
        assert_eq!(resize(&image, (16, 16), (16, 16)), image);
    }

    #[test]
    fn a_flat_image_stays_flat_at_any_size() {
        for side in [1, 2, 7, 28, 31] {
            assert!(resize(&[200; 64], (8, 8), (side, side)).iter().all(|&pixel| pixel == 200));
        }
    }
}
