//! Writes SVG: shapes by class, colours by style sheet, text escaped.

use std::fmt::Write as _;

use crate::report::markup::escape;

/// Style of the marks, shared by the page and the files: colours come from variables.
pub(in crate::report) const CHART_STYLE: &str = include_str!("chart.css");

/// Colours of a file that stands alone; the page brings its own.
const FILE_STYLE: &str = include_str!("file.css");

/// Where text is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// Where an arrow points that says that something goes on beyond the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Towards {
    Left,
    Right,
    Top,
    Bottom,
}

/// Returns about how wide a character is drawn at the size of the charts' text, in pixels: the
/// widest of the usual fonts, since text that is cut off is worse than a gap.
fn width_of(character: char) -> f64 {
    match character {
        ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '·' | 'i' | 'j' | 'l' | '/' => 3.9,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | '-' | '"' => 4.8,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '→' | '↓' => 10.8,
        '=' | '+' | '±' | '×' | '−' | '<' | '>' => 9.4,
        character if character.is_uppercase() => 8.4,
        _ => 7.2,
    }
}

/// Returns about how wide `text` is drawn.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().map(width_of).sum()
}

/// Cuts `text` to about `width` pixels, with an ellipsis where something is lost.
pub(super) fn fitted(text: &str, width: f64) -> String {
    if text_width(text) <= width + 1e-9 {
        return text.to_owned();
    }
    let mut used = width_of('…');
    let kept = text.chars().enumerate().take_while(|(index, character)| {
        used += width_of(*character);
        *index == 0 || used <= width
    });
    kept.map(|(_, character)| character).collect::<String>() + "…"
}

/// Prints a coordinate with one decimal, none where it is 0.
fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// Shapes in the order in which they are painted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Drawing {
    body: String,
}

impl Drawing {
    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.body.write_fmt(arguments).expect("text takes text");
    }

    /// Opens a group that says `title` where the reader points at it.
    pub(super) fn open(&mut self, class: &str, title: &str) {
        self.put(format_args!("<g class=\"{class}\"><title>{}</title>", escape(title)));
    }

    /// Closes the last group.
    pub(super) fn close(&mut self) {
        self.body.push_str("</g>\n");
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(
            "<path class=\"{class}\" d=\"M{} {}L{} {}\"/>",
            at(x1),
            at(y1),
            at(x2),
            at(y2)
        ));
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            at(x),
            at(y),
            at(width.max(0.0)),
            at(height.max(0.0))
        ));
    }

    pub(super) fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.put(format_args!(
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            at(x),
            at(y),
            at(radius)
        ));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
            at(x),
            at(y),
            anchor.name(),
            escape(text)
        ));
    }

    /// Draws a line through `points`; nothing below two.
    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() > 1 {
            let d = trace(points);
            self.put(format_args!("<path class=\"{class}\" d=\"{d}\"/>"));
        }
    }

    /// Draws a small arrow whose tip lies at a point on the edge of a panel.
    pub(super) fn arrow(&mut self, class: &str, (x, y): (f64, f64), towards: Towards) {
        let (long, half) = (5.0, 3.6);
        let base = match towards {
            Towards::Left => [(x + long, y - half), (x + long, y + half)],
            Towards::Right => [(x - long, y - half), (x - long, y + half)],
            Towards::Top => [(x - half, y + long), (x + half, y + long)],
            Towards::Bottom => [(x - half, y - long), (x + half, y - long)],
        };
        self.area(class, &[(x, y), base[0], base[1]]);
    }

    /// Fills the area within `points`; nothing below three.
    pub(super) fn area(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() > 2 {
            let d = trace(points);
            self.put(format_args!("<path class=\"{class}\" d=\"{d}Z\"/>"));
        }
    }

    /// Fills the area between an upper and a lower line of equally many points.
    pub(super) fn band(&mut self, class: &str, upper: &[(f64, f64)], lower: &[(f64, f64)]) {
        if upper.len() > 1 {
            let points: Vec<(f64, f64)> = upper.iter().chain(lower.iter().rev()).copied().collect();
            let d = trace(&points);
            self.put(format_args!("<path class=\"{class}\" d=\"{d}Z\"/>"));
        }
    }

    /// Draws bars on a common ground as one shape: `(left, right, top)` of each.
    pub(super) fn bars(&mut self, class: &str, ground: f64, bars: &[(f64, f64, f64)]) {
        if bars.is_empty() {
            return;
        }
        let mut d = String::new();
        for (left, right, top) in bars {
            let (left, right, top, ground) = (at(*left), at(*right), at(*top), at(ground));
            write!(d, "M{left} {ground}V{top}H{right}V{ground}Z").expect("text takes text");
        }
        self.put(format_args!("<path class=\"{class}\" d=\"{d}\"/>"));
    }
}

fn trace(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { "M" } else { "L" };
        write!(d, "{command}{} {}", at(*x), at(*y)).expect("text takes text");
    }
    d
}

/// One chart.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Chart {
    /// Name of its file without the ending; unique within a section.
    pub name: String,
    /// Kind of chart: charts of a kind stand under one heading.
    pub heading: &'static str,
    /// What it shows.
    pub title: String,
    /// The same in words, for readers who do not see it.
    pub description: String,
    /// What a reader must know to read it; below the chart.
    pub notes: Vec<String>,
    width: f64,
    height: f64,
    body: String,
}

impl Chart {
    /// Names a drawing; notes may be added.
    pub(super) fn new(
        name: impl Into<String>,
        heading: &'static str,
        (width, height): (f64, f64),
        drawing: Drawing,
    ) -> Self {
        Self {
            name: name.into(),
            heading,
            title: String::new(),
            description: String::new(),
            notes: Vec::new(),
            width,
            height,
            body: drawing.body,
        }
    }

    /// Returns the width in pixels at which its text has the size of the page's.
    pub(in crate::report) fn width(&self) -> f64 {
        self.width
    }

    /// Returns the chart for the inside of a page; `id` is unique there.
    pub(in crate::report) fn inline(&self, id: &str) -> String {
        self.markup(id, "")
    }

    /// Returns the chart as a file of its own.
    pub(in crate::report) fn file(&self) -> String {
        let paper = format!(
            "<style>{FILE_STYLE}{CHART_STYLE}</style>\n<rect class=\"paper\" width=\"{}\" height=\"{}\"/>",
            at(self.width),
            at(self.height)
        );
        self.markup(&self.name, &paper) + "\n"
    }

    fn markup(&self, id: &str, before: &str) -> String {
        let id = escape(id);
        let (width, height) = (at(self.width), at(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
             viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             aria-labelledby=\"{id}-t {id}-d\">\n<title id=\"{id}-t\">{}</title>\n\
             <desc id=\"{id}-d\">{}</desc>\n{before}{}</svg>",
            escape(&self.title),
            escape(&self.description),
            self.body
        )
    }
}
