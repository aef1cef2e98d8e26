//! Tables on a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

/// Nothing but a line under the head.
const CALM: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A plain table with a head; the columns named in `numbers` stand to the right.
pub fn table(head: &[&str], numbers: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(CALM).set_header(head).add_rows(rows);
    for number in numbers {
        if let Some(column) = table.column_mut(*number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
