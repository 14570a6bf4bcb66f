//! What programs read: JSON, JUnit XML, GitHub's workflow commands.

use serde_json::json;

use crate::folder::{Folder, ORDERS, Run};
use crate::xml;

/// One good file, one with an amount that is none and one that is missing, and one that is not
/// there.
fn three_files() -> Folder {
    Folder::with_orders()
        .file("good.csv", "id,amount,note\n1,1.50,a\n")
        .file("bad.csv", "id,amount,note\n2,<&>,a\n3,,b\n")
}

fn check(folder: &Folder, format: &str) -> Run {
    folder.run(&["check", "good.csv", "bad.csv", "none.csv", "-c", "orders.yaml", "-f", format])
}

#[test]
fn json_has_everything_under_stable_names() {
    let report = check(&three_files(), "json").exits(2).json();
    assert_eq!(report["contract"], "orders.yaml");
    assert_eq!(report["outcome"], "notChecked");
    assert_eq!(report["notEnforced"], json!([]));
    let [good, bad, none] = report["files"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&good["path"], &good["outcome"]), (&json!("good.csv"), &json!("accepted")));
    assert_eq!((&good["verdict"], &good["rows"]), (&json!("accept"), &json!(1)));
    assert_eq!(good["message"], "1 row, all good");
    assert_eq!(good["bytes"], 24);
    assert!(good["seconds"].is_f64() && good.get("reason").is_none());
    assert_eq!((&bad["outcome"], &bad["verdict"]), (&json!("rejected"), &json!("reject")));
    assert_eq!(bad["reason"], "File.BadRows");
    assert_eq!((&bad["rows"], &bad["badRows"]), (&json!(2), &json!(2)));
    assert_eq!(
        bad["totals"],
        json!([
            {"column": "amount", "rule": "type", "rows": 1},
            {"column": "amount", "rule": "required", "rows": 1},
        ])
    );
    let first = &bad["firstBadRows"][0];
    assert_eq!((&first["line"], &first["record"]), (&json!(2), &json!(1)));
    assert_eq!((&first["column"], &first["rule"]), (&json!("amount"), &json!("type")));
    assert_eq!(first["value"], "<&>");
    assert!(bad["firstBadRows"][1].get("value").is_none());
    assert_eq!((&none["outcome"], none.get("verdict")), (&json!("notChecked"), None));
    assert!(none["error"].as_str().unwrap().starts_with("cannot read none.csv: "));
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let root = xml::read(&check(&three_files(), "junit").exits(2).out);
    assert_eq!((root.name.as_str(), root.children.len()), ("testsuites", 3));
    // A verdict for each file, and two broken rules.
    assert_eq!(root.counts(), ["5", "3", "1", "0"]);
    let [good, bad, none] = root.children.as_slice() else { panic!() };
    assert_eq!((good.attribute("name"), good.counts()), ("good.csv", ["1", "0", "0", "0"]));
    assert_eq!((bad.attribute("name"), bad.counts()), ("bad.csv", ["3", "3", "0", "0"]));
    assert_eq!((none.attribute("name"), none.counts()), ("none.csv", ["1", "0", "1", "0"]));
    assert!(good.attribute("time").parse::<f64>().unwrap() >= 0.0);
    let failure = |case: &str| &bad.case(case).children[0];
    assert_eq!(failure("verdict").attribute("message"), "File.BadRows");
    assert_eq!(failure("column amount, rule type").attribute("message"), "1 row");
    let text = &failure("column amount, rule type").text;
    assert!(text.starts_with("line 2, record 1: \"<&>\" is not a decimal(12,2)"), "{text}");
    assert!(failure("column amount, rule required").text.starts_with("line 3, record 2: "));
    assert_eq!(none.case("verdict").children[0].name, "error");
}

/// The bad rows refuse nothing, so no case fails, and what is wrong can be read all the same.
#[test]
fn junit_of_an_accepted_file_fails_nothing() {
    let contract = ORDERS.replace(
        "schema:",
        "customProperties:\n  - {property: onBadRows, value: quarantine}\nschema:",
    );
    let folder = Folder::new()
        .file("orders.yaml", contract)
        .file("bad.csv", "id,amount,note\n1,1.50,a\n2,x,b\n");
    let run = folder.run(&["check", "bad.csv", "-c", "orders.yaml", "-f", "junit"]).exits(0);
    let root = xml::read(&run.out);
    assert_eq!(root.counts(), ["2", "0", "0", "0"]);
    let said = &root.children[0].case("column amount, rule type").children[0];
    assert_eq!(said.name, "system-out");
    assert!(said.text.starts_with("1 row\nline 3, record 2: "), "{}", said.text);
}

#[test]
fn a_missed_metric_fails_its_own_case_if_it_is_an_error() {
    let metric = |severity: &str| {
        format!(
            "{ORDERS}        quality:\n          - {{metric: nullValues, unit: percent, \
             mustBeLessThan: 50, severity: {severity}}}\n"
        )
        .replace(
            "      - {name: note, logicalType: string}\n",
            "      - name: note\n        logicalType: string\n",
        )
    };
    for (severity, code, failures, level) in
        [("error", 1, "2", "error"), ("warning", 0, "0", "warning")]
    {
        let folder = Folder::new()
            .file("orders.yaml", metric(severity))
            .file("a.csv", "id,amount,note\n1,1.50,\n");
        let run = |format| folder.run(&["check", "a.csv", "-c", "orders.yaml", "-f", format]);
        let root = xml::read(&run("junit").exits(code).out);
        assert_eq!(root.counts(), ["2", failures, "0", "0"]);
        root.children[0].case("metric /schema/0/properties/2/quality/0");
        run("github").exits(code).says(&format!("::{level} file=a.csv,title=quality::"));
        run("text").exits(code).says("\n  nullValues of column note is 100 percent");
    }
}

#[test]
fn github_commands_annotate_lines_and_are_escaped() {
    let contract = ORDERS.replace("name: note,", "name: \"a,b: c\",");
    let folder = Folder::new().file("orders.yaml", contract).file(
        "a,b:50%.csv",
        "id,amount,\"a,b: c\"\n1,50%,\n2,1.00,\n3,\"a\n::error::b\",\n2,1.00,\n",
    );
    let run = folder.run(&["check", "a,b:50%.csv", "-c", "orders.yaml", "-f", "github"]).exits(1);
    let lines: Vec<&str> = run.out.lines().collect();
    // The verdict, two amounts, one key: records 3 and 4 start at lines 4 and 6. The line end in the value starts no second command.
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let file = "file=a%2Cb%3A50%25.csv";
    assert!(lines[0].starts_with(&format!("::error {file},title=File.BadRows::3 of 4 rows ")));
    assert!(
        lines[1].starts_with(&format!("::error {file},line=2,title=amount%3A type::\"50%25\" is")),
        "{lines:#?}"
    );
    for (command, line, title) in [(2, 4, "amount%3A type"), (3, 6, "id%3A unique")] {
        let start = format!("::error {file},line={line},title={title}::");
        assert!(lines[command].starts_with(&start), "{lines:#?}");
    }
}

#[test]
fn github_has_warnings_where_rows_are_set_aside() {
    let contract = ORDERS
        .replace("schema:", "customProperties:\n  - {property: onBadRows, value: warn}\nschema:");
    let folder = Folder::new()
        .file("orders.yaml", contract)
        .file("a.csv", "id,amount,note\n1,1.50,a\n2,x,b\n");
    folder
        .run(&["check", "a.csv", "-c", "orders.yaml", "-f", "github"])
        .exits(0)
        .says("::notice file=a.csv,title=accepted::1 row ")
        .says("::warning file=a.csv,line=3,title=amount%3A type::");
}

#[test]
fn a_broken_contract_is_reported_in_every_format() {
    let folder = three_files().file("orders.yaml", "kind: [");
    for format in ["text", "json", "junit", "github"] {
        let run = check(&folder, format).exits(2).complains("orders.yaml is not a usable contract");
        match format {
            "text" => assert_eq!(run.out, ""),
            "json" => {
                let report = run.json();
                assert_eq!(report["outcome"], "notChecked");
                assert!(report["error"].as_str().unwrap().contains("line 1"));
                assert_eq!(report["files"][2]["outcome"], "notChecked");
            }
            "junit" => assert_eq!(xml::read(&run.out).counts(), ["3", "0", "3", "0"]),
            _ => {
                assert!(
                    run.out.starts_with("::error file=orders.yaml,title=not a usable contract::")
                );
                assert_eq!(run.out.lines().count(), 1);
            }
        }
    }
}
