//! The layers of a model card, looked at before anything is built from them: a file says what it likes,
//! and memory is asked for by what it says.

use crate::experiment::layers::{LayerSettings, Padding};

/// Widest window or step, in pixels.
const WIDEST: usize = 1 << 16;
/// Most rounds of routing.
const MAX_ROUNDS: usize = 1 << 10;

/// Makes sure that every layer is one that an experiment can have, and none is larger than the file
/// has weights.
///
/// # Errors
/// Says what is wrong with the first that is none.
pub(super) fn check_layers(layers: &[LayerSettings], weights: usize) -> Result<(), String> {
    layers.iter().enumerate().try_for_each(|(index, layer)| {
        let of_card = |problem: String| format!("layer {} of its card has {problem}", index + 1);
        check(layer, weights).map_err(of_card)
    })
}

fn check(layer: &LayerSettings, weights: usize) -> Result<(), String> {
    let within = |key: &str, size: usize, most: usize| match size {
        0 => Err(format!("`{key}` 0, expected a whole number from 1")),
        size if size > most => Err(format!("`{key}` {size}, expected at most {most}")),
        _ => Ok(()),
    };
    let stored = |key: &str, size: usize| {
        if size > 0 && size <= weights {
            return Ok(());
        }
        Err(format!("`{key}` {size}, and the file has {weights} weights"))
    };
    let window = |key: &str, size: usize, stride: usize, padding: Padding| {
        within(key, size, WIDEST)?;
        within("stride", stride, WIDEST)?;
        match padding {
            Padding::Explicit(zeros) if zeros >= size => {
                Err(format!("`padding` {zeros}, expected less than its `{key}`, {size}"))
            }
            _ => Ok(()),
        }
    };
    let number = |key: &str, value: f64, is_possible: bool| {
        if is_possible { Ok(()) } else { Err(format!("`{key}` {value}, which it cannot have")) }
    };
    match *layer {
        LayerSettings::Conv { filters, kernel, stride, padding, .. } => {
            stored("filters", filters)?;
            // Every filter has as many weights as its window has taps, at least.
            stored("kernel", kernel)?;
            stored("kernel", kernel.saturating_mul(kernel)).map_err(|_| {
                format!("`kernel` {kernel} by {kernel}, and the file has {weights} weights")
            })?;
            window("kernel", kernel, stride, padding)
        }
        LayerSettings::MaxPool { size, stride, padding }
        | LayerSettings::AveragePool { size, stride, padding, .. } => {
            window("size", size, stride, padding)
        }
        LayerSettings::BatchNorm { momentum, epsilon, .. } => {
            number("momentum", momentum, (0.0..=1.0).contains(&momentum))?;
            number("epsilon", epsilon, epsilon > 0.0 && epsilon.is_finite())
        }
        LayerSettings::Dropout { rate } => number("rate", rate, (0.0..1.0).contains(&rate)),
        LayerSettings::Dense { units: Some(units), .. } => stored("units", units),
        LayerSettings::Capsules { dimensions, size, rounds, .. } => {
            stored("dimensions", dimensions)?;
            stored("size", size)?;
            within("rounds", rounds, MAX_ROUNDS)
        }
        LayerSettings::NaiveBayes { smoothing, .. } => {
            number("smoothing", smoothing, smoothing >= 0.0 && smoothing.is_finite())
        }
        LayerSettings::Relu | LayerSettings::Flatten | LayerSettings::Dense { units: None, .. } => {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::layers::{AverageConvention, Init, NormStatistics, Routing};

    const WEIGHTS: usize = 650;
    const HUGE: usize = 1 << 40;

    fn conv(filters: usize, kernel: usize, stride: usize, padding: Padding) -> LayerSettings {
        let init = Init::GlorotUniform;
        LayerSettings::Conv { filters, kernel, stride, padding, bias: true, init }
    }

    fn pools(size: usize, stride: usize, padding: Padding) -> [LayerSettings; 2] {
        let convention = AverageConvention::Keras;
        [
            LayerSettings::MaxPool { size, stride, padding },
            LayerSettings::AveragePool { size, stride, padding, convention },
        ]
    }

    fn capsules(dimensions: usize, size: usize, rounds: usize) -> LayerSettings {
        let (routing, init) = (Routing::Softmax, Init::GlorotUniform);
        LayerSettings::Capsules { dimensions, size, rounds, routing, init }
    }

    fn norm(momentum: f64, epsilon: f64) -> LayerSettings {
        LayerSettings::BatchNorm { momentum, epsilon, statistics: NormStatistics::Running }
    }

    #[test]
    fn sizes_that_no_network_has_are_refused_by_name() {
        let mut wrong = vec![
            (conv(0, 3, 1, Padding::Valid), "`filters` 0"),
            (conv(HUGE, 3, 1, Padding::Same), "`filters` 1099511627776"),
            (conv(4, 0, 1, Padding::Valid), "`kernel` 0"),
            (conv(4, HUGE, 1, Padding::Same), "`kernel` 1099511627776"),
            (conv(4, 26, 1, Padding::Same), "`kernel` 26 by 26, and the file has 650 weights"),
            (conv(4, 3, 0, Padding::Valid), "`stride` 0"),
            (conv(4, 3, HUGE, Padding::Valid), "`stride` 1099511627776"),
            (conv(4, 3, 1, Padding::Explicit(HUGE)), "`padding` 1099511627776"),
            (capsules(0, 4, 3), "`dimensions` 0"),
            (capsules(4, HUGE, 3), "`size` 1099511627776"),
            (capsules(4, 4, 0), "`rounds` 0"),
            (capsules(4, 4, HUGE), "`rounds` 1099511627776"),
            (norm(f64::NAN, 1e-3), "`momentum` NaN"),
            (norm(0.9, 0.0), "`epsilon` 0"),
            (norm(0.9, -1.0), "`epsilon` -1"),
            (LayerSettings::Dropout { rate: 1.0 }, "`rate` 1"),
            (LayerSettings::NaiveBayes { smoothing: -1.0, scaling: false }, "`smoothing` -1"),
        ];
        for (size, stride, padding, problem) in [
            (0, 1, Padding::Valid, "`size` 0"),
            (HUGE, 1, Padding::Same, "`size` 1099511627776"),
            (2, 0, Padding::Valid, "`stride` 0"),
            (2, HUGE, Padding::Same, "`stride` 1099511627776"),
            (2, 2, Padding::Explicit(2), "`padding` 2"),
        ] {
            wrong.extend(pools(size, stride, padding).map(|layer| (layer, problem)));
        }
        for (layer, problem) in wrong {
            let error = check_layers(&[LayerSettings::Relu, layer], WEIGHTS).unwrap_err();
            let expected = format!("layer 2 of its card has {problem}");
            assert!(error.starts_with(&expected), "{error}\nexpected {expected}");
        }
    }

    #[test]
    fn sizes_of_networks_are_not_refused() {
        let pools = pools(28, 28, Padding::Valid);
        let layers = [conv(16, 5, 2, Padding::Same), norm(0.99, 1e-3), capsules(8, 16, 3)];
        assert_eq!(check_layers(&layers, WEIGHTS), Ok(()));
        assert_eq!(check_layers(&pools, 4), Ok(()), "pools have no weights");
    }
}
