use proptest::prelude::*;

use super::*;
use crate::base::{Seed, SeedPath, Stream};
use crate::experiment::settings::{ShiftSettings, ZoomSettings};

const SHAPE: ImageShape = ImageShape { height: 5, width: 6, channels: 1 };

fn settings(fill: Fill, convention: Convention) -> AugmentSettings {
    AugmentSettings {
        rotation: 10.0,
        zoom: ZoomSettings { height: 0.1, width: 0.1, uniform: false },
        shift: ShiftSettings { width: 0.1, height: 0.1 },
        shear: 0.0,
        fill,
        convention,
    }
}

/// `img = np.array([[(37*r + 61*c + 13*r*c) % 256 for c in range(6)] for r in range(5)], float)`
fn image() -> Vec<u8> {
    (0..30).map(|at| (at / 6, at % 6)).map(|(r, c)| (37 * r + 61 * c + 13 * r * c) as u8).collect()
}

fn read(
    fill: Fill,
    convention: Convention,
    draws: Draws,
    image: &[u8],
    shape: ImageShape,
) -> Vec<f32> {
    let mut augmenter = Augmenter::new(&settings(fill, convention), shape);
    let mut out = vec![f32::NAN; image.len()];
    let maps = augmenter.maps(&draws);
    augmenter.read_along(maps, image, &mut out);
    out
}

#[track_caller]
fn assert_pixels(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let found = found * 255.0;
        assert!((found - expected).abs() < 0.01, "pixel {at}: {found}, SciPy has {expected}");
    }
}

// SciPy 1.17.1, with `rot(d) = [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]`, `shift(x, y)`,
// `shear(d) = [[1, -sin, 0], [0, cos, 0], [0, 0, 1]]`, `zoom(x, y) = diag(x, y, 1)` as in Keras'
// `apply_affine_transform`, `about(m)` the same about ((5 - 1) / 2, (6 - 1) / 2), and
// `ap(img, m, mode, cval) = affine_transform(img, m[:2, :2], m[:2, 2], order=1, mode=mode, cval=cval)`.

/// `about(rot(20) @ shift(0.8, -1.1) @ shear(12) @ zoom(0.9, 1.25))`
const NEAR: Draws = Draws { rotation: 20.0, shift: [0.8, -1.1], shear: 12.0, zoom: [0.9, 1.25] };
/// `about(rot(140) @ shift(9.3, -11.6) @ zoom(2.1, 1.7))`
const FAR: Draws = Draws { rotation: 140.0, shift: [9.3, -11.6], shear: 0.0, zoom: [2.1, 1.7] };
/// `ap(ap(ap(img, about(rot(-20)), …), about(zoom(0.9, 1.25)), …), shift(-0.8, 1.1), …)`
const LAYERS: Draws = Draws { rotation: 20.0, shift: [0.8, -1.1], shear: 0.0, zoom: [0.9, 1.25] };

fn generator(fill: Fill, draws: Draws) -> Vec<f32> {
    read(fill, Convention::KerasGenerator, draws, &image(), SHAPE)
}

// `ap(img, NEAR, "nearest")` and so on; `cval=51.0` is 0.2.

const GENERATOR_NEAREST: [f32; 30] = [
    114.424, 89.915, 115.315, 165.584, 116.590, 230.243, 145.715, 121.207, 182.375, 241.649,
    26.666, 137.232, 148.000, 126.569, 109.591, 106.461, 118.503, 150.267, 148.000, 82.551, 63.505,
    158.084, 217.109, 201.114, 148.000, 38.533, 98.288, 218.075, 122.556, 115.669,
];

const GENERATOR_REFLECT: [f32; 30] = [
    155.184, 89.915, 115.315, 165.584, 116.590, 230.243, 117.811, 121.207, 182.375, 241.649,
    26.666, 137.232, 148.000, 126.569, 109.591, 106.461, 118.503, 150.267, 124.701, 82.551, 63.505,
    158.084, 217.109, 201.114, 93.409, 159.687, 95.867, 218.075, 122.556, 115.669,
];

const GENERATOR_WRAP: [f32; 30] = [
    198.788, 194.921, 115.315, 165.584, 116.590, 144.874, 126.217, 140.057, 182.375, 241.649,
    26.666, 137.232, 114.503, 13.877, 109.591, 106.461, 118.503, 150.267, 165.722, 69.464, 109.879,
    158.084, 217.109, 201.114, 188.188, 131.820, 181.239, 101.712, 122.556, 117.393,
];

const GENERATOR_CONSTANT: [f32; 30] = [
    51.000, 51.000, 115.315, 165.584, 116.590, 51.000, 51.000, 51.000, 182.375, 241.649, 26.666,
    137.232, 51.000, 51.000, 109.591, 106.461, 118.503, 150.267, 51.000, 51.000, 51.000, 158.084,
    217.109, 201.114, 51.000, 51.000, 51.000, 51.000, 122.556, 51.000,
];

// `ap(img, FAR, …)`.

const FAR_NEAREST: [f32; 30] = [
    201.000, 201.000, 201.000, 201.000, 191.861, 127.080, 201.000, 201.000, 201.000, 139.234,
    206.537, 172.315, 201.000, 198.066, 117.712, 231.147, 119.687, 49.000, 145.438, 197.169,
    178.520, 67.060, 49.000, 49.000, 237.352, 125.892, 49.000, 49.000, 49.000, 49.000,
];

const FAR_REFLECT: [f32; 30] = [
    122.302, 201.442, 178.867, 119.293, 58.502, 104.254, 170.505, 141.848, 163.182, 186.484,
    184.432, 102.921, 156.624, 135.981, 119.632, 206.969, 87.005, 128.609, 116.193, 154.250,
    72.719, 76.309, 95.706, 37.597, 68.324, 97.477, 139.392, 144.433, 195.569, 170.049,
];

const FAR_WRAP: [f32; 30] = [
    132.945, 107.120, 105.387, 78.256, 191.861, 156.241, 205.233, 52.727, 130.158, 127.101,
    193.684, 62.179, 85.742, 126.220, 147.259, 210.325, 54.389, 155.347, 84.702, 148.615, 129.305,
    155.102, 92.244, 113.502, 94.494, 167.395, 92.104, 195.495, 47.995, 133.458,
];

// LAYERS with `mode="nearest"` and `mode="grid-constant", cval=51.0`.

const LAYERS_NEAREST: [f32; 30] = [
    93.417, 150.136, 144.726, 145.696, 167.688, 167.688, 93.599, 144.778, 130.753, 154.345,
    180.927, 180.927, 99.558, 140.619, 83.121, 186.219, 215.013, 215.013, 121.991, 196.110,
    119.873, 174.316, 141.702, 141.702, 126.614, 133.271, 138.399, 168.327, 143.436, 143.436,
];

const LAYERS_CONSTANT: [f32; 30] = [
    57.339, 69.695, 69.378, 64.806, 55.569, 51.000, 85.022, 140.251, 129.034, 129.028, 79.374,
    51.000, 99.558, 140.619, 82.123, 165.984, 97.368, 51.000, 121.688, 196.110, 119.873, 168.647,
    81.612, 51.000, 123.578, 133.085, 135.899, 154.878, 79.989, 51.000,
];

#[test]
fn the_generator_s_geometry_is_that_of_scipy_for_every_fill() {
    assert_pixels(&generator(Fill::Nearest, NEAR), &GENERATOR_NEAREST);
    assert_pixels(&generator(Fill::Reflect, NEAR), &GENERATOR_REFLECT);
    assert_pixels(&generator(Fill::Wrap, NEAR), &GENERATOR_WRAP);
    assert_pixels(&generator(Fill::Constant(0.2), NEAR), &GENERATOR_CONSTANT);
}

#[test]
fn positions_several_images_away_are_folded_as_scipy_folds_them() {
    assert_pixels(&generator(Fill::Nearest, FAR), &FAR_NEAREST);
    assert_pixels(&generator(Fill::Reflect, FAR), &FAR_REFLECT);
    assert_pixels(&generator(Fill::Wrap, FAR), &FAR_WRAP);
}

#[test]
fn the_layers_read_once_for_each_of_rotation_zoom_and_translation() {
    let layers = |fill| read(fill, Convention::KerasLayers, LAYERS, &image(), SHAPE);
    assert_pixels(&layers(Fill::Nearest), &LAYERS_NEAREST);
    assert_pixels(&layers(Fill::Constant(0.2)), &LAYERS_CONSTANT);
}

#[test]
fn a_shift_by_whole_pixels_moves_the_image() {
    let draws = Draws { rotation: 0.0, shift: [1.0, -2.0], shear: 0.0, zoom: [1.0, 1.0] };
    let image = image();
    let out = generator(Fill::Nearest, draws);
    for (row, column) in [(0, 2), (1, 3), (3, 5)] {
        let expected = f32::from(image[(row + 1) * 6 + column - 2]) / 255.0;
        assert!((out[row * 6 + column] - expected).abs() < 1e-6);
    }
}

#[test]
fn each_channel_is_read_like_a_grey_image() {
    let (red, blue) = (image(), image().into_iter().rev().collect::<Vec<u8>>());
    let colour: Vec<u8> = red.iter().zip(&blue).flat_map(|(&r, &b)| [r, b]).collect();
    let two = ImageShape { channels: 2, ..SHAPE };
    for fill in [Fill::Nearest, Fill::Reflect, Fill::Wrap, Fill::Constant(0.2)] {
        for convention in [Convention::KerasGenerator, Convention::KerasLayers] {
            let both = read(fill, convention, NEAR, &colour, two);
            let part = |channel: usize| both.iter().skip(channel).step_by(2).copied();
            assert!(part(0).eq(read(fill, convention, NEAR, &red, SHAPE)));
            assert!(part(1).eq(read(fill, convention, NEAR, &blue, SHAPE)));
        }
    }
}

#[test]
fn the_smallest_images_can_be_varied() {
    for (height, width) in [(1, 1), (1, 2), (2, 1), (1, 9)] {
        let shape = ImageShape { height, width, channels: 1 };
        let image = vec![100; height * width];
        for fill in [Fill::Nearest, Fill::Reflect, Fill::Wrap, Fill::Constant(100.0 / 255.0)] {
            for convention in [Convention::KerasGenerator, Convention::KerasLayers] {
                for value in read(fill, convention, FAR, &image, shape) {
                    assert!((value - 100.0 / 255.0).abs() < 1e-6, "{fill:?} {height}×{width}");
                }
            }
        }
    }
}

#[test]
fn ranges_of_zero_leave_the_image_as_it_is() {
    let none = AugmentSettings {
        rotation: 0.0,
        zoom: ZoomSettings { height: 0.0, width: 0.0, uniform: true },
        shift: ShiftSettings { width: 0.0, height: 0.0 },
        ..settings(Fill::Nearest, Convention::KerasGenerator)
    };
    let mut augmenter = Augmenter::new(&none, SHAPE);
    assert!(augmenter.changes_nothing());
    let mut out = vec![0.0; 30];
    augmenter.augment(&image(), AugmentKey { word: 1, image: 2 }, &mut out);
    let expected: Vec<f32> = image().into_iter().map(|pixel| f32::from(pixel) / 255.0).collect();
    assert_eq!(out, expected);
}

/// A drawn quantity, the middle of its range and half the width.
type Range = (fn(&Draws) -> f64, f64, f64);

#[test]
fn draws_fill_their_ranges_and_depend_on_the_whole_key() {
    let shape = ImageShape { height: 20, width: 40, channels: 1 };
    let settings =
        AugmentSettings { shear: 5.0, ..settings(Fill::Nearest, Convention::KerasLayers) };
    let augmenter = Augmenter::new(&settings, shape);
    let word = |epoch| SeedPath::member(Seed(3), 0, 0).word(Stream::Augment, epoch);
    let draw = |epoch, image| augmenter.draw(AugmentKey { word: word(epoch), image });
    assert_eq!(draw(0, 0), draw(0, 0));
    assert_ne!(draw(0, 0), draw(0, 1));
    assert_ne!(draw(0, 0), draw(1, 0));
    let draws: Vec<Draws> = (0..4000).map(|image| draw(0, image)).collect();
    let ranges: [Range; 6] = [
        (|d| d.rotation, 0.0, 10.0),
        (|d| d.shift[0], 0.0, 2.0),
        (|d| d.shift[1], 0.0, 4.0),
        (|d| d.shear, 0.0, 5.0),
        (|d| d.zoom[0], 1.0, 0.1),
        (|d| d.zoom[1], 1.0, 0.1),
    ];
    for (value, centre, range) in ranges {
        let scaled: Vec<f64> = draws.iter().map(|d| (value(d) - centre) / range).collect();
        // Uniform on −1 … 1: the mean of 4000 has standard deviation 0.009.
        let mean = scaled.iter().sum::<f64>() / 4000.0;
        assert!(mean.abs() < 0.05, "{mean}");
        assert!(scaled.iter().all(|value| (-1.0..1.0).contains(value)));
        assert!(scaled.iter().any(|&value| value > 0.99) && scaled.iter().any(|&v| v < -0.99));
    }
}

#[test]
fn a_wider_rotation_leaves_the_other_draws_as_they_were() {
    let narrow = settings(Fill::Nearest, Convention::KerasGenerator);
    let wide = AugmentSettings { rotation: 30.0, ..narrow.clone() };
    let key = AugmentKey { word: 5, image: 6 };
    let narrow = Augmenter::new(&narrow, SHAPE).draw(key);
    let wide = Augmenter::new(&wide, SHAPE).draw(key);
    assert_eq!((narrow.shift, narrow.zoom), (wide.shift, wide.zoom));
    assert!((wide.rotation - 3.0 * narrow.rotation).abs() < 1e-12);
}

#[test]
fn a_uniform_zoom_is_the_same_in_both_directions() {
    let zoom = ZoomSettings { height: 0.2, width: 0.2, uniform: true };
    let settings = AugmentSettings { zoom, ..settings(Fill::Nearest, Convention::KerasGenerator) };
    let augmenter = Augmenter::new(&settings, SHAPE);
    for image in 0..20 {
        let [down, across] = augmenter.draw(AugmentKey { word: 1, image }).zoom;
        assert!((down - across).abs() < 1e-15 && (0.8..1.2).contains(&down));
    }
}

fn any_fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        Just(Fill::Nearest),
        Just(Fill::Reflect),
        Just(Fill::Wrap),
        (0.0..=1.0).prop_map(Fill::Constant),
    ]
}

proptest! {
    #[test]
    fn no_value_leaves_the_range_of_the_image_and_its_fill(
        (height, width) in (1_usize..12, 1_usize..12),
        pixels in prop::collection::vec(50_u8..200, 121),
        fill in any_fill(),
        layers: bool,
        rotation in -400.0..400.0,
        shift in [-30.0..30.0, -30.0..30.0],
        shear in -60.0..60.0,
        zoom in [0.1..5.0, 0.1..5.0],
    ) {
        let convention = if layers { Convention::KerasLayers } else { Convention::KerasGenerator };
        let image = &pixels[..height * width];
        let draws = Draws { rotation, shift, shear, zoom };
        let shape = ImageShape { height, width, channels: 1 };
        let mut lowest = f64::from(*image.iter().min().unwrap()) / 255.0;
        let mut highest = f64::from(*image.iter().max().unwrap()) / 255.0;
        if let Fill::Constant(value) = fill {
            (lowest, highest) = (lowest.min(value), highest.max(value));
        }
        for value in read(fill, convention, draws, image, shape) {
            let value = f64::from(value);
            prop_assert!(value > lowest - 1e-6 && value < highest + 1e-6, "{value}");
        }
    }
}
