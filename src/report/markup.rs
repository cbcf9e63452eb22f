//! Text inside HTML and SVG: sentences with code, and embedded images.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) use crate::base::text::markup as escape;

/// Makes a sentence harmless inside HTML; what stands between backticks becomes code.
pub(super) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let part = |(index, part): (usize, &&str)| {
        let text = escape(part);
        if index % 2 == 1 { format!("<code>{text}</code>") } else { text }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Returns a PNG as an address that holds it.
pub(super) fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// Begins a text with a capital.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    first + chars.as_str()
}

/// Makes a sentence of a line.
pub(super) fn sentence(text: &str) -> String {
    format!("{}.", capitalised(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_become_code_where_they_come_in_pairs() {
        assert_eq!(prose("set `a<b` to 3"), "set <code>a&lt;b</code> to 3");
        assert_eq!(prose("a ` alone <"), "a ` alone &lt;");
    }

    #[test]
    fn an_image_is_embedded_in_base64() {
        // python3 -c "import base64; print(base64.b64encode(b'PNG?'))"
        assert_eq!(data_uri(b"PNG?"), "data:image/png;base64,UE5HPw==");
    }
}
