//! Resizing of grey images.

/// Returns `image` at another size by separable triangle weights about pixel centres.
///
/// Enlarging this is bilinear interpolation with the edge pixels repeated outwards; reducing, the
/// triangle widens with the step, so no input pixel is passed over (as Pillow's `BILINEAR` does).
pub(super) fn resize(
    image: &[u8],
    (height, width): (usize, usize),
    (new_height, new_width): (usize, usize),
) -> Vec<u8> {
    let across = weights(width, new_width);
    let mut narrow = vec![0.0; height * new_width];
    for (row, narrow_row) in image.chunks_exact(width).zip(narrow.chunks_exact_mut(new_width)) {
        for (value, (first, taps)) in narrow_row.iter_mut().zip(&across) {
            *value = taps.iter().zip(&row[*first..]).map(|(tap, &p)| tap * f64::from(p)).sum();
        }
    }
    let mut pixels = Vec::with_capacity(new_height * new_width);
    for (first, taps) in weights(height, new_height) {
        for column in 0..new_width {
            let value: f64 = taps
                .iter()
                .enumerate()
                .map(|(tap, weight)| weight * narrow[(first + tap) * new_width + column])
                .sum();
            pixels.push(value.round() as u8);
        }
    }
    pixels
}

/// Returns, for each new pixel, the first old pixel it draws on and their weights, which sum to 1.
fn weights(old: usize, new: usize) -> Vec<(usize, Vec<f64>)> {
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
