// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tables for people. Colours are the terminal's own: they are left out if it isn't one.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};

/// How something looks.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Look {
    /// As it is.
    #[default]
    Plain,
    /// The head of a table.
    Head,
    /// What fits.
    Good,
    /// What doesn't.
    Bad,
    /// What is told besides.
    Dim,
}

impl Look {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Head => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Dim => Style::new().dimmed(),
        }
    }

    /// The text, looking so.
    pub fn of(self, text: impl fmt::Display) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// A cell of a table.
#[derive(Clone, Default, Debug)]
pub struct Cell(String, Look);

impl<T: fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.to_string(), Look::Plain)
    }
}

/// A cell that looks otherwise.
pub fn cell(text: impl fmt::Display, look: Look) -> Cell {
    Cell(text.to_string(), look)
}

/// Rows under a head, in columns as wide as they need be.
#[derive(Clone, Default, Debug)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// With this head.
    pub fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|name| cell(name, Look::Head)).collect()],
        }
    }

    /// One more row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there are rows under the head.
    pub fn has_rows(&self) -> bool {
        self.rows.len() > 1
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, Cell(text, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.chars().count());
            }
        }
        for row in &self.rows {
            let last = row
                .iter()
                .rposition(|Cell(text, _)| !text.is_empty())
                .map_or(0, |n| n + 1);
            for (n, (Cell(text, look), width)) in row.iter().zip(&widths).take(last).enumerate() {
                let gap = if n + 1 == last {
                    0
                } else {
                    (width + 2).saturating_sub(text.chars().count())
                };
                write!(f, "{}{}", look.of(text), " ".repeat(gap))?;
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}

/// Words in lines that are not too long, each behind the same indentation.
pub fn wrapped(words: &[String], indent: usize, width: usize) -> String {
    let mut text = String::new();
    let mut column = indent;
    for word in words {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if column > indent {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["a", "bcd", ""]);
        table.row(["long".into(), cell("x", Look::Plain), Cell::default()]);
        let plain = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(plain, "a     bcd\nlong  x\n");
    }

    #[test]
    fn a_cell_may_be_of_any_width() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["x".repeat(70_000).into(), "y".into()]);
        assert!(table.to_string().ends_with("  y\n"));
    }

    #[test]
    fn lines_are_wrapped() {
        let words = ["ab", "cd", "ef"].map(String::from);
        assert_eq!(wrapped(&words, 2, 7), "ab cd\n  ef");
    }
}
