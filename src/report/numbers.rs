//! Numbers as people read them: percent, two digits of spread, true minus signs.

use crate::base::Unit;
pub(crate) use crate::base::text::{counted, decimal as grouped, whole};

/// How the values of one metric are printed throughout a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    unit: Unit,
    factor: f64,
    decimals: usize,
}

impl Scale {
    /// Chooses the scale of values in `unit` so that `spread` shows two digits.
    pub(super) fn of(unit: &Unit, spread: Option<f64>) -> Self {
        let factor = unit.factor();
        let (least, most) = unit.decimals();
        let wanted = spread
            .map(|spread| spread * factor)
            .filter(|spread| *spread > 0.0 && spread.is_finite())
            .map_or(least as f64, |spread| 1.0 - spread.log10().floor());
        let decimals = (wanted.max(0.0) as usize).clamp(least, most);
        Self { unit: unit.clone(), factor, decimals }
    }

    /// Returns a value as it is printed, for positions on a chart.
    pub(super) fn shown(&self, value: f64) -> f64 {
        value * self.factor
    }

    /// Prints a value without its unit.
    pub(super) fn value(&self, value: f64) -> String {
        grouped(value * self.factor, self.decimals)
    }

    /// Prints a difference with its sign, without its unit.
    pub(super) fn signed(&self, difference: f64) -> String {
        let text = self.value(difference);
        let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
        if is_zero || text.starts_with('−') { text } else { format!("+{text}") }
    }

    /// Prints the size of a difference with its unit.
    pub(super) fn size(&self, difference: f64) -> String {
        format!("{}{}", self.value(difference.abs()), self.unit.of_differences())
    }

    /// Prints an interval without its unit.
    pub(super) fn interval(&self, (low, high): (f64, f64)) -> String {
        let joint = if low < 0.0 { " to " } else { "–" };
        format!("{}{joint}{}", self.value(low), self.value(high))
    }

    /// Returns the unit behind the name of the metric in headings, with a leading space, or nothing.
    pub(super) fn unit(&self) -> String {
        self.unit.of_values()
    }
}

/// Prints a duration in its two largest units.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "—".to_owned();
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} m", minutes % 60),
        () => format!("{minutes} m {} s", whole % 60),
    }
}

/// Prints a p-value.
pub(super) fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_shows_two_digits() {
        let scale = |spread| Scale::of(&Unit::FRACTION, Some(spread));
        assert_eq!(scale(0.0021).value(0.98608), "98.61");
        assert_eq!(scale(0.000_47).value(0.996_41), "99.641");
        assert_eq!(scale(0.000_47).value(0.000_47), "0.047");
        assert_eq!(scale(0.05).value(0.5), "50.00");
        assert_eq!(Scale::of(&Unit::NATS, Some(0.0123)).value(0.4567), "0.457");
    }

    #[test]
    fn differences_carry_a_sign_unless_they_round_to_zero() {
        let scale = Scale::of(&Unit::FRACTION, None);
        assert_eq!(scale.signed(0.0012), "+0.12");
        assert_eq!(scale.signed(-0.0012), "−0.12");
        assert_eq!(scale.signed(-0.000_001), "0.00");
        assert_eq!(scale.size(-0.0034), "0.34 points");
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        assert_eq!(duration(0.25), "250 ms");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(108.0), "1 m 48 s");
        assert_eq!(duration(7_384.0), "2 h 3 m");
        assert_eq!(duration(90_000.0), "1 d 1 h");
    }
}
