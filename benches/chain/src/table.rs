//! A table in Markdown.

use std::fmt;

/// Rows of text under named columns.
pub struct Table {
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// Creates a table without rows.
    pub fn new(title: &'static str, columns: &[&str]) -> Table {
        let columns = columns.iter().map(|column| (*column).into()).collect();
        Table { title, columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, name: &str, cells: impl Iterator<Item = String>) {
        self.rows.push((name.into(), cells.collect()));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#### {}\n", self.title)?;
        let names = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(at)).map(String::len);
                cells.chain(self.columns.get(at).map(String::len)).max().unwrap_or(0)
            })
            .collect();
        write!(f, "| {:names$} |", "")?;
        for (column, width) in self.columns.iter().zip(&widths) {
            write!(f, " {column:>width$} |")?;
        }
        write!(f, "\n|:{:-<names$}-|", "")?;
        for width in &widths {
            write!(f, "-{:-<width$}:|", "")?;
        }
        writeln!(f)?;
        for (name, cells) in &self.rows {
            write!(f, "| {name:names$} |")?;
            for (cell, width) in cells.iter().zip(&widths) {
                write!(f, " {cell:>width$} |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
