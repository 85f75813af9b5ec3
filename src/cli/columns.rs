//! Rows of text in columns, for people.

/// Every row a line, each column as wide as its widest cell. The first row is the head.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = widths.iter().zip(row).map(|(width, cell)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["A", "LONG"], ["word", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "A     LONG\nword  x\n");
    }
}
