//! Chart of nanoseconds per gas, with a dot per program and a column per model.

use std::fmt::Write as _;

/// A dot: name of the program, and its nanoseconds per gas relative to the column's median.
pub type Dot = (String, f64);

/// Draws the chart as SVG: a logarithmic axis, a column for each model.
pub fn draw(title: &str, columns: &[(String, Vec<Dot>)]) -> String {
    let (width, height, left, top, bottom) = (140 * columns.len() + 110, 560.0, 80.0, 60.0, 50.0);
    let bounds = columns.iter().flat_map(|(_, dots)| dots).map(|(_, value)| *value);
    let low = bounds.clone().fold(0.5, f64::min).log10().floor();
    let high = bounds.fold(2.0, f64::max).log10().ceil();
    let y = |value: f64| top + (height - top - bottom) * (high - value.log10()) / (high - low);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{left}\" y=\"24\" font-size=\"15\">{title}</text>\n\
         <text x=\"{left}\" y=\"42\" fill=\"#555\">Nanoseconds per gas over the median of the model; a dot a program, red at more than twice the median</text>\n"
    );
    let right = width as f64 - 20.0;
    for power in low as i32..=high as i32 {
        for digit in [1.0, 2.0, 5.0] {
            let value = digit * 10f64.powi(power);
            if y(value) < top - 1.0 {
                continue;
            }
            let colour = if value == 1.0 { "#888" } else { "#ddd" };
            let _ = writeln!(
                svg,
                "<line x1=\"{left}\" x2=\"{right}\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"{colour}\"/><text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{value}</text>",
                y(value),
                left - 8.0,
                y(value) + 4.0
            );
        }
    }
    for (index, (name, dots)) in columns.iter().enumerate() {
        let centre = left + 70.0 + 140.0 * index as f64;
        let worst = dots.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let _ = writeln!(
            svg,
            "<text x=\"{centre}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text><text x=\"{centre}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">worst {worst:.1}</text>",
            height - bottom + 22.0,
            height - bottom + 38.0
        );
        for (number, (program, value)) in dots.iter().enumerate() {
            // Spread out, so that equal values do not hide each other.
            let x = centre + 50.0 * (((number * 61) % 101) as f64 / 50.0 - 1.0);
            let colour = if *value > 2.0 { "#c33" } else { "#36c" };
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\" fill-opacity=\"0.6\"><title>{program}: {value:.2}</title></circle>",
                y(*value)
            );
        }
    }
    svg + "</svg>\n"
}
