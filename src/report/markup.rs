//! Text inside HTML and SVG: escaping and embedded images.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Makes text harmless inside HTML and SVG, between tags and in quoted attributes; characters XML
/// forbids become the replacement character.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Returns a PNG as an address that holds it.
#[must_use]
pub(super) fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_end_a_tag_or_an_attribute() {
        assert_eq!(
            escape("<a b=\"c\" d='e'>&\u{0}"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn an_image_is_embedded_in_base64() {
        // python3 -c "import base64; print(base64.b64encode(b'PNG?'))"
        assert_eq!(data_uri(b"PNG?"), "data:image/png;base64,UE5HPw==");
    }
}
