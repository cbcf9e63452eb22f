//! Numbers inside messages.

/// Prints a count with a comma between thousands: `1,797`.
#[must_use]
pub fn grouped(count: u128) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_438, 18_446_744_073_709_551_616].map(grouped).join(" "),
            "0 999 1,000 1,438 18,446,744,073,709,551,616"
        );
    }
}
