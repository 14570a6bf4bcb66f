//! `landfall check`: verdicts, exit codes, batches, and bad lines in context.

use serde_json::{Value, json};

use crate::folder::{Folder, ORDERS, Run, of_repository};

/// A check of sample files against the contract of that name.
fn check_samples(contract: &str, files: &[&str], more: &[&str]) -> Run {
    let contract = of_repository(&format!("contracts/{contract}.yaml"));
    let files: Vec<String> = files.iter().map(|f| of_repository(&format!("samples/{f}"))).collect();
    let mut arguments = vec!["check", "-c", &contract, "--set", "LANDING_BUCKET=landing"];
    arguments.extend(files.iter().map(String::as_str));
    arguments.extend(more);
    Folder::new().run(&arguments)
}

#[test]
fn samples_without_a_fault_are_accepted() {
    check_samples("weather", &["weather/2013-01.csv"], &[])
        .exits(0)
        .says("accepted: 2226 rows, all good\n");
    check_samples("planes", &["planes/2013-01.csv"], &[])
        .exits(0)
        .says("accepted: 600 rows, all good\n");
}

/// The table of samples/README.md, row for row: record n is line n + 1, behind the header.
#[test]
fn planted_faults_are_found_and_no_others() {
    let run = check_samples("weather", &["weather/2013-03.csv"], &["-f", "json"]).exits(1);
    let file = &run.json()["files"][0];
    assert_eq!(file["verdict"], "reject");
    assert_eq!(file["reason"], "File.BadRows");
    assert_eq!((&file["rows"], &file["badRows"]), (&json!(2227), &json!(7)));
    let found: Vec<(u64, u64, &str, &str)> = file["firstBadRows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| {
            let number = |name: &str| bad[name].as_u64().unwrap();
            let text = |name: &str| bad[name].as_str().unwrap();
            (number("line"), number("record"), text("column"), text("rule"))
        })
        .collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            (121, 120, "temp", "type"),
            (406, 405, "humid", "maximum"),
            (812, 811, "time_hour", "required"),
            (1025, 1024, "origin", "valid-values"),
            (1378, 1377, "origin", "pattern"),
            (1378, 1377, "origin", "valid-values"),
            (1701, 1700, "time_hour", "type"),
            (2201, 2200, "wind_dir", "minimum"),
        ]
    );
    assert!(found.is_sorted_by_key(|bad| bad.0), "in the order of the file");
}

#[test]
fn a_new_column_is_accepted_or_put_to_a_person_as_the_contract_says() {
    check_samples("weather", &["weather/2013-02.csv"], &[])
        .exits(0)
        .says("accepted, the table evolves: 2010 rows, all good; ")
        .says("  columnAdded: ")
        .says("temp_c");
    check_samples("planes", &["planes/2013-02.csv"], &[])
        .exits(1)
        .says("a person must review it (Schema.ColumnAdded): ")
        .says("300 rows, all good");
}

#[test]
fn bad_rows_are_set_aside_up_to_the_limit() {
    let contract = std::fs::read_to_string(of_repository("contracts/airports.yaml")).unwrap();
    let contract = contract.replace("LANDING_BUCKET", "landing");
    let sample = of_repository("samples/airports/airports.csv");
    // Three of 400 rows are bad, which is 0.75 %.
    for (limit, code) in [("5%", 0), ("3", 0), ("2", 1), ("0.75%", 0), ("0.5%", 1)] {
        assert!(contract.contains("value: 5%"));
        let contract = contract.replace("value: 5%", &format!("value: {limit}"));
        let folder = Folder::new().file("airports.yaml", contract);
        let run = folder.run(&["check", &sample, "-c", "airports.yaml", "-f", "json"]).exits(code);
        let file = &run.json()["files"][0];
        assert_eq!(file["verdict"], if code == 0 { "accept" } else { "reject" }, "limit {limit}");
        assert_eq!((&file["rows"], &file["badRows"]), (&json!(400), &json!(3)));
        assert_eq!(file["loadableRows"], 397);
    }
    check_samples("airports", &["airports/airports.csv"], &[])
        .exits(0)
        .says("accepted: 397 rows good, 3 of 400 rows set aside\n")
        .says("  line 58, record 57, column lat: ")
        .says("  line 161, record 160, column faa: ")
        .says("  line 334, record 333, column dst: ");
}

#[test]
fn what_cannot_be_checked_exits_with_2() {
    let folder = Folder::with_orders()
        .file("good.csv", "id,amount,note\n1,1.50,a\n")
        .file("broken.yaml", ORDERS.replace("logicalType: integer", "logicalType: int"))
        .file("latin1.yaml", b"id: caf\xe9\n")
        .file("long.yaml", vec![b'#'; (1 << 20) + 1]);
    let check = |file: &str, contract: &str| folder.run(&["check", file, "-c", contract]).exits(2);
    check("none.csv", "orders.yaml").says("none.csv: could not be checked: cannot read none.csv: ");
    check(".", "orders.yaml").says(".: could not be checked: . is a directory: name its files\n");
    check("good.csv/x", "orders.yaml").says("good.csv/x: could not be checked: ");
    check("s3://bucket", "orders.yaml").says("write s3://bucket/key");
    let unusable = check("good.csv", "broken.yaml")
        .complains("landfall: broken.yaml is not a usable contract:\nline 11, ")
        .complains("/schema/0/properties/0/logicalType");
    assert_eq!(unusable.out, "");
    check("good.csv", "none.yaml").complains("landfall: cannot read none.yaml: ");
    check("good.csv", "latin1.yaml").complains("latin1.yaml is not a usable contract:\n");
    check("good.csv", "long.yaml").complains("more than 1 MiB");
    folder.run(&["check", "good.csv"]).exits(2).complains("--contract");
    folder.run(&["check", "-c", "orders.yaml"]).exits(2).complains("<FILE>");
    let unknown = ["check", "good.csv", "-c", "orders.yaml", "--strict"];
    folder.run(&unknown).exits(2).complains("--strict");
    let format = ["check", "good.csv", "-c", "orders.yaml", "-f", "csv"];
    folder.run(&format).exits(2).complains("text, json, junit, github");
    let set = ["check", "good.csv", "-c", "orders.yaml", "--set", "NAME"];
    folder.run(&set).exits(2).complains("write NAME=VALUE");
    folder.run(&[]).exits(2).complains("Usage: landfall");
    folder.run(&["--help"]).exits(0).says("Exit codes: 0 accepted, 1 rejected");
    folder.run(&["--version"]).exits(0).says("landfall 0.1.0\n");
}

#[test]
fn the_worst_file_decides_and_the_others_are_checked_all_the_same() {
    let folder = Folder::with_orders()
        .file("good.csv", "id,amount,note\n1,1.50,a\n")
        .file("bad.csv", "id,amount,note\n2,x,a\n");
    folder
        .run(&["check", "none.csv", "bad.csv", "good.csv", "-c", "orders.yaml"])
        .exits(2)
        .says("none.csv: could not be checked: ")
        .says("bad.csv: rejected (File.BadRows): 1 of 1 row breaks the contract; ")
        .says("good.csv: accepted: 1 row, all good\n")
        .says("3 files: 1 accepted, 1 rejected, 1 not checked\n");
    folder.run(&["check", "bad.csv", "good.csv", "-c", "orders.yaml"]).exits(1);
}

#[test]
fn keys_are_unique_across_the_files_that_load() {
    let folder = Folder::with_orders()
        .file("1.csv", "id,amount,note\n1,1.50,a\n2,1.50,b\n")
        // Refused for its amount, so that its key 3 is not loaded, and not taken.
        .file("2.csv", "id,amount,note\n3,x,a\n")
        .file("3.csv", "id,amount,note\n3,2.00,c\n")
        .file("4.csv", "id,amount,note\n4,2.00,c\n02,2.00,d\n");
    let all = ["check", "1.csv", "2.csv", "3.csv", "4.csv", "-c", "orders.yaml", "-f", "json"];
    let report = folder.run(&all).exits(1).json();
    let outcomes: Vec<&Value> =
        report["files"].as_array().unwrap().iter().map(|file| &file["outcome"]).collect();
    assert_eq!(outcomes, ["accepted", "rejected", "accepted", "rejected"]);
    assert_eq!(
        report["files"][3]["totals"],
        json!([{"column": "id", "rule": "unique", "rows": 1}])
    );
    assert_eq!(report["files"][3]["firstBadRows"][0]["line"], 3);
    // By itself, the same file is good.
    folder.run(&["check", "4.csv", "-c", "orders.yaml"]).exits(0);
}

#[test]
fn too_little_memory_for_keys_is_said_and_hides_no_bad_row() {
    let rows: String = (0..100_000).map(|id| format!("{id},1.00,\n")).collect();
    let folder = Folder::with_orders()
        .file("keys.csv", format!("id,amount,note\n{rows}"))
        .file("bad.csv", format!("id,amount,note\n{rows}x,1.00,\n"));
    let check = |file: &str, memory: &str| {
        folder.run(&["check", file, "-c", "orders.yaml", "--key-memory", memory])
    };
    check("keys.csv", "1").exits(2).says("fill the 1 MiB of --key-memory");
    check("keys.csv", "64").exits(0).says("accepted: 100000 rows, all good");
    check("bad.csv", "1").exits(1).says("line 100002, record 100001, column id: ");
}

#[test]
fn json_lines_and_arrays_are_checked() {
    let contract = ORDERS.replace("format: csv", "format: json");
    let folder = Folder::new()
        .file("orders.yaml", contract)
        .file(
            "good.jsonl",
            "{\"id\":1,\"amount\":1.5}\n{\"id\":2,\"amount\":\"2.00\",\"note\":\"b\"}\n",
        )
        .file("array.json", "[{\"id\":1,\"amount\":1.5},\n {\"id\":2,\"amount\":2}]")
        .file("bad.jsonl", "{\"id\":1,\"amount\":1.5}\n{\"id\":\"2\",\"amount\":2}\n{\"id\":3}\n");
    let check = |file: &str| folder.run(&["check", file, "-c", "orders.yaml"]);
    check("good.jsonl").exits(0).says("good.jsonl: accepted: 2 rows, all good\n");
    check("array.json").exits(0).says("array.json: accepted: 2 rows, all good\n");
    check("bad.jsonl")
        .exits(1)
        .says("  line 2, record 2, column id: ")
        .says("  line 3, record 3, column amount: ")
        .says("  > 2 | {\"id\":\"2\",\"amount\":2}\n    3 | {\"id\":3}\n");
}

/// Records 1 and 3 span two lines each, so record 2 is line 4 and record 4 is line 7.
#[test]
fn bad_lines_come_in_context_also_behind_records_of_several_lines() {
    let rows = "1,1.50,\"two\nlines\"\n2,x,n\n3,3.00,\"a\nb\"\n1,2.00,c\n";
    for line_end in ["\n", "\r\n"] {
        let text = format!("id,amount,note\n{rows}").replace('\n', line_end);
        let folder = Folder::with_orders().file("bad.csv", text);
        let run = folder.run(&["check", "bad.csv", "-c", "orders.yaml"]).exits(1);
        assert!(!run.out.contains('\r'));
        run.says("rejected (File.BadRows): 2 of 4 rows break the contract; the first: line 4, ")
            .says("  column amount, rule type: 1 row\n  column id, rule unique: 1 row\n")
            .says("\n  line 4, record 2, column amount: \"x\" is not a decimal(12,2): ")
            .says("\n    3 | lines\"\n  > 4 | 2,x,n\n    5 | 3,3.00,\"a\n")
            .says("\n  line 7, record 4, column id: ")
            .says("\n    6 | b\"\n  > 7 | 1,2.00,c\n");
    }
}

#[test]
fn a_problem_of_the_file_comes_with_its_line() {
    let text = "id,amount,note\n1,1.50,a\n2,2.00,\"open\n3,3.00,c\n";
    Folder::with_orders()
        .file("bad.csv", text)
        .run(&["check", "bad.csv", "-c", "orders.yaml"])
        .exits(1)
        .says("bad.csv: rejected (File.UnclosedQuote): ")
        .says("\n  at line 3\n    2 | 1,1.50,a\n  > 3 | 2,2.00,\"open\n    4 | 3,3.00,c\n");
}

#[test]
fn examples_bound_what_is_shown_and_totals_stay_exact() {
    let rows: String = (0..30).map(|id| format!("{id},x,\n")).collect();
    let folder = Folder::with_orders().file("bad.csv", format!("id,amount,note\n{rows}"));
    let shown = |more: &[&str]| {
        let mut arguments = vec!["check", "bad.csv", "-c", "orders.yaml"];
        arguments.extend(more);
        let run = folder.run(&arguments).exits(1).says("  column amount, rule type: 30 rows\n");
        (run.out.matches("\n  line ").count(), run.out.contains("more not shown"), run.out)
    };
    let (count, more, text) = shown(&[]);
    assert_eq!((count, more), (5, true));
    assert!(text.contains("  25 more not shown; --examples N shows"));
    assert_eq!(shown(&["--examples", "0"]).0, 0);
    let (count, more, _) = shown(&["--examples", "30"]);
    assert_eq!((count, more), (30, false));
}

#[test]
fn what_is_not_enforced_is_said() {
    let contract = format!("{ORDERS}    quality:\n      - {{type: text, description: Be nice.}}\n");
    let folder =
        Folder::new().file("orders.yaml", contract).file("good.csv", "id,amount,note\n1,1.50,a\n");
    let check =
        |format: &str| folder.run(&["check", "good.csv", "-c", "orders.yaml", "-f", format]);
    check("text").exits(0).says("Not enforced of orders.yaml:\n  /schema/0/quality/0");
    assert!(
        check("json").exits(0).json()["notEnforced"][0]["path"]
            .as_str()
            .unwrap()
            .starts_with("/schema/0/quality/0")
    );
    check("github")
        .exits(0)
        .says("::notice file=orders.yaml,title=not enforced::/schema/0/quality/0");
    check("junit").exits(0).says("skipped=\"1\"").says("not enforced /schema/0/quality/0");
}

/// Three servers, three ways to write the same row: the ending of the name says which.
#[test]
fn the_name_says_which_server_of_several_a_file_is_of() {
    let servers =
        "  - {server: landing, type: s3, location: \"s3://landing/orders/\", format: csv}\n";
    let more = "  - {server: tabs, type: s3, location: \"s3://landing/tabs/\", format: tsv}\n  \
                - {server: json, type: s3, location: \"s3://landing/json/\", format: json}\n";
    let contract = ORDERS.replace(servers, &format!("{servers}{more}"));
    Folder::new()
        .file("orders.yaml", contract)
        .file("1.csv", "id,amount,note\n1,1.50,a\n")
        .file("2.TSV", "id\tamount\tnote\n2\t1.50\ta\n")
        .file("3.jsonl", "{\"id\":3,\"amount\":1.5}\n")
        .file("4", "id,amount,note\n4,1.50,a\n")
        .run(&["check", "1.csv", "2.TSV", "3.jsonl", "4", "-c", "orders.yaml"])
        .exits(0)
        .says("4 files: 4 accepted, 0 rejected, 0 not checked\n");
}
