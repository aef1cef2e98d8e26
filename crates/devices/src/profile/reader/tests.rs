//! A text table of files and what the reader says about each.

use super::*;

const HEADER: &str = "timestamp_utc,home,generation_wh,consumption_wh,quality";

/// Reads rows given as one text with `|` between them.
fn outcome(rows: &str, gaps: Gaps) -> String {
    let text = format!("{HEADER}\n{}", rows.replace('|', "\n"));
    match read_from("p.csv", text.as_bytes(), gaps) {
        Err(error) => error.to_string(),
        Ok((profiles, summary)) => {
            let homes = profiles.homes().iter().map(|home| {
                let steps = home.steps.iter();
                let steps = steps.map(|step| format!("{}/{}", step.generation.wh(), step.consumption.wh()));
                format!("{} {}", home.name, steps.collect::<Vec<_>>().join(" "))
            });
            let filled: u64 = summary.filled.iter().map(|gap| gap.steps).sum();
            let ended = summary.ended_early.len();
            let homes = homes.collect::<Vec<_>>().join("; ");
            format!("{} min: {homes}; filled {filled}, ended early {ended}", profiles.step_seconds() / 60)
        }
    }
}

#[test]
fn files_and_what_is_said_about_them() {
    let table = "
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T07:30:00Z,A,5,20,S
    30 min: A 0/10 5/20; filled 0, ended early 0
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T07:00:00Z,B,1,1,S|2016-08-01T07:15:00Z,A,5,20,S
    15 min: A 0/10 5/20; B 1/1; filled 0, ended early 1
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T08:00:00Z,A,5,20,S
    60 min: A 0/10 5/20; filled 0, ended early 0

    p.csv:1: there are no rows
2016-08-01T07:00:00Z,A,0,10,S
    p.csv:2: no home has two rows, so the step is unknown
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T07:10:00Z,A,5,20,S
    p.csv:3: rows are 600 s apart; steps of 15, 30 or 60 minutes are read
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T07:00:00Z,A,5,20,S
    p.csv:3: home A: the same time stands in line 2 already
2016-08-01T07:30:00Z,A,0,10,S|2016-08-01T08:00:00Z,A,0,1,S|2016-08-01T07:00:00Z,A,5,20,S
    p.csv:4: home A: earlier than line 3; rows must ascend
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T07:30:00Z,A,-5,20,S|2016-08-01T08:00:00Z,A,1,1,S
    p.csv:3: generation_wh is negative: -5
2016-08-01T07:00:00Z,A,0,10,S|2016-08-01T07:30:00Z,A,5,9999999,S
    p.csv:3: home A: more than 100000 Wh in 30 minutes is absurd
2016-08-01T07:00:00Z,A,0,1.5,S|2016-08-01T07:30:00Z,A,,3,S|2016-08-01T08:00:00Z,A,x,3,S
    p.csv:2: consumption_wh is not a whole number of Wh: \"1.5\" // p.csv:3: generation_wh is empty // p.csv:4: generation_wh is not a whole number of Wh: \"x\"
2016-08-01 07:00,A,0,1,S
    p.csv:2: \"2016-08-01 07:00\" is not a time like 2016-08-01T07:00:00Z
2016-02-30T07:00:00Z,A,0,1,S
    p.csv:2: \"2016-02-30T07:00:00Z\" is not a time like 2016-08-01T07:00:00Z
2016-08-01T07:00:00+02:00,A,0,1,S
    p.csv:2: \"2016-08-01T07:00:00+02:00\" is not a time like 2016-08-01T07:00:00Z
2016-08-01T07:00:00Z,A,0
    p.csv:2: a column is missing in this row
2016-08-01T07:00:00Z,,0,1,S
    p.csv:2: the home has no name
2016-08-01T07:00:00Z,\"A\",0,1,S
    p.csv:2: quoted fields are not read; write the names without quotes
2016-08-01T07:00:00Z,A,0,1,S|2016-08-01T07:30:00Z,A,0,2,S|2016-08-01T09:00:00Z,A,0,3,S|2016-08-01T09:30:00Z,A,0,3,S
    p.csv:4: home A: 2 steps are missing from 2016-08-01T08:00:00Z on
2016-08-01T07:00:00Z,A,0,1,S|2016-08-01T07:30:00Z,A,,,missing|2016-08-01T08:00:00Z,A,0,3,S
    p.csv:3: home A: 1 step is missing from 2016-08-01T07:30:00Z on
2016-08-01T07:00:00Z,A,0,1,S|2016-08-01T07:30:00Z,A,0,2,S|2016-08-01T07:45:00Z,A,0,2,S|2016-08-01T08:00:00Z,A,0,2,S|2016-08-01T08:30:00Z,A,0,2,S|2016-08-01T09:00:00Z,A,0,2,S
    p.csv:4: home A: 2016-08-01T07:45:00Z is not on the 30-minute grid
2016-08-01T07:00:00Z,A,0,1,S|2016-08-01T07:30:00Z,A,0,2,S|2016-08-01T07:30:00Z,B,0,2,S
    p.csv:4: home B: 1 step is missing from 2016-08-01T07:00:00Z on
";
    let mut lines = table.lines().skip(1);
    while let (Some(rows), Some(expected)) = (lines.next(), lines.next()) {
        assert_eq!(outcome(rows, Gaps::Refuse).replace('\n', " // "), expected.trim(), "for {rows}");
    }
}

#[test]
fn short_gaps_are_filled_only_where_that_is_allowed_and_are_counted() {
    let rows = "2016-08-01T07:00:00Z,A,9,1,S|2016-08-01T07:30:00Z,A,8,2,S|2016-08-01T09:00:00Z,A,7,3,S";
    for (with, longest, expected) in [
        (Fill::Zero, 2, "30 min: A 9/1 8/2 0/0 0/0 7/3; filled 2, ended early 0"),
        (Fill::Hold, 2, "30 min: A 9/1 8/2 8/2 8/2 7/3; filled 2, ended early 0"),
        (Fill::Hold, 1, "p.csv:4: home A: 2 steps are missing from 2016-08-01T08:00:00Z on"),
    ] {
        assert_eq!(outcome(rows, Gaps::Fill { with, longest }), expected);
    }
}

#[test]
fn a_header_without_a_column_is_named_and_the_first_twenty_bad_rows_are_told() {
    let error = read_from("p.csv", "time,home\n1,2\n".as_bytes(), Gaps::Refuse).unwrap_err();
    assert!(error.to_string().starts_with("p.csv:1: the header has no column \"timestamp_utc\""));
    let text = format!("{HEADER}\n{}", "x,A,0,0,S\n".repeat(50));
    let error = read_from("p.csv", text.as_bytes(), Gaps::Refuse).unwrap_err().to_string();
    assert!(error.starts_with("p.csv:2: \"x\" is not a time"));
    assert!(error.ends_with("p.csv: and 30 more"), "{error}");
}
