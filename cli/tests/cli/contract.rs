//! `landfall contract lint`, `landfall contract infer`, `landfall completions`.

use serde_json::json;

use crate::folder::{Folder, ORDERS, Run, of_repository};

#[test]
fn lint_says_where_what_and_why() {
    // Line 11 of the document: `      - {name: id, logicalType: int, ...`, where the property
    // starts at column 20.
    let folder = Folder::new()
        .file("orders.yaml", ORDERS.replace("logicalType: integer", "logicalType: int"))
        .file("good.yaml", ORDERS.replace("orders", "other"));
    let lint = |more: &[&str]| {
        let mut arguments = vec!["contract", "lint", "orders.yaml", "good.yaml"];
        arguments.extend(more);
        folder.run(&arguments).exits(1)
    };
    let path = "/schema/0/properties/0/logicalType";
    let run =
        lint(&[]).says(&format!("orders.yaml:11:20: {path}: ")).says("\n2 contracts: 1 problem\n");
    assert_eq!(run.out.lines().count(), 2);
    let report = lint(&["-f", "json"]).json();
    assert_eq!((&report["contracts"], &report["unreadable"]), (&json!(2), &json!([])));
    let [problem] = report["problems"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&problem["file"], &problem["line"]), (&json!("orders.yaml"), &json!(11)));
    assert_eq!((&problem["column"], &problem["path"]), (&json!(20), &json!(path)));
    lint(&["-f", "github"]).says(&format!("::error file=orders.yaml,line=11,title={path}::"));
}

#[test]
fn lint_accepts_the_examples() {
    let paths = ["weather", "airports", "planes"]
        .map(|name| of_repository(&format!("contracts/{name}.yaml")));
    let lint = |more: &[&str]| {
        let mut arguments = vec!["contract", "lint"];
        arguments.extend(paths.iter().map(String::as_str).chain(more.iter().copied()));
        Folder::new().run(&arguments)
    };
    lint(&["--set", "LANDING_BUCKET=landing"]).exits(0).says("3 contracts: no problems\n");
    lint(&[]).exits(1).says("/servers/0/location: still holds the placeholder `LANDING_BUCKET`");
}

#[test]
fn contracts_that_claim_the_same_files_are_found() {
    let other = ORDERS.replace("orders/\"", "*/2026.csv\"").replace("orders", "years");
    let apart = ORDERS.replace("orders", "apart");
    let folder = Folder::with_orders().file("years.yaml", other).file("apart.yaml", apart);
    folder.run(&["contract", "lint", "orders.yaml", "apart.yaml"]).exits(0);
    folder.run(&["contract", "lint", "years.yaml", "apart.yaml"]).exits(1);
    // Said once, of the later contract, where its location is: line 7, behind
    // `  - {server: landing, type: s3, location: "`.
    let run = folder
        .run(&["contract", "lint", "orders.yaml", "years.yaml"])
        .exits(1)
        .says("years.yaml:7:44: /servers/0/location: s3://landing/*/2026.csv and ")
        .says("s3://landing/orders/ of orders.yaml both claim files such as orders/2026.csv")
        .says("2 contracts: 1 problem\n");
    assert_eq!(run.out.lines().count(), 2);
}

#[test]
fn a_contract_that_cannot_be_read_is_not_passed_over() {
    let folder = Folder::with_orders();
    let lint = |format: &str| {
        folder
            .run(&["contract", "lint", "orders.yaml", "none.yaml", "-f", format])
            .exits(2)
            .complains("landfall: cannot read none.yaml: ")
    };
    lint("text").says("2 contracts: no problems, 1 could not be read\n");
    assert_eq!(lint("json").json()["unreadable"][0]["file"], "none.yaml");
    lint("github").says("::error file=none.yaml,title=could not be checked::");
}

/// A draft that the check and the linter accept, for the very file it was drafted from.
fn round_trip(folder: &Folder, file: &str) -> String {
    let draft = folder.run(&["contract", "infer", file]).exits(0);
    assert_eq!(draft.err, "");
    std::fs::write(folder.path().join("draft.yaml"), &draft.out).unwrap();
    folder.run(&["contract", "lint", "draft.yaml"]).exits(0).says("1 contract: no problems\n");
    folder.run(&["check", file, "-c", "draft.yaml"]).exits(0).says(", all good\n");
    draft.out
}

/// The part of a draft that lists the columns.
fn columns(draft: &str) -> &str {
    draft.split_once("    properties:\n").expect("columns").1
}

#[test]
fn a_draft_of_csv_fits_its_file() {
    let text = "Id;at;amount;day;ok;\"a;b,c,d\";empty\n\
                1;2026-02-28T10:00:00Z;1.50;2026-02-28;true;x;\n\
                2;2026-02-28T10:00:00Z;;2026-03-01;false;007;\n";
    let folder = Folder::new().file("Orders 2026.csv", text);
    let draft = round_trip(&folder, "Orders 2026.csv");
    assert!(draft.contains("\nid: orders_2026\n"), "{draft}");
    assert!(draft.contains("    format: csv\n    delimiter: \";\"\n"), "{draft}");
    let columns = columns(&draft);
    for expected in [
        "      - name: Id\n        logicalType: integer\n        required: true\n",
        "      - name: at\n        logicalType: timestamp\n        physicalType: timestamptz\n        \
         required: true\n",
        "      - name: day\n        logicalType: date\n        required: true\n",
        // They may as well be words.
        "      - name: ok\n        logicalType: string\n        required: true\n",
        "      - name: \"a;b,c,d\"\n        logicalType: string\n        required: true\n",
        "      - name: empty\n        logicalType: string\n",
    ] {
        assert!(columns.contains(expected), "{expected} is not in {columns}");
    }
    // A value is missing, so it is not required.
    let amount = columns.split("      - name: ").find(|c| c.starts_with("amount\n")).unwrap();
    assert!(amount.contains("logicalType: number\n") && !amount.contains("required"), "{amount}");
}

#[test]
fn a_draft_of_json_fits_its_file() {
    let lines = "{\"zip\":\"00100\",\"id\":1,\"to\":{\"city\":\"Rome\"},\"tags\":[\"a\"]}\n\
                 {\"zip\":\"75001\",\"id\":2,\"to\":null,\"tags\":[]}\n";
    let array = "[{\"zip\":\"00100\",\"id\":1,\"to\":{\"city\":\"Rome\"},\"tags\":[\"a\"]},\n\
                 {\"zip\":\"75001\",\"id\":2,\"to\":null,\"tags\":[]}]";
    let folder = Folder::new().file("x.jsonl", lines).file("x.json", array);
    for file in ["x.jsonl", "x.json"] {
        // In the order of the documents.
        assert_eq!(
            columns(&round_trip(&folder, file)),
            "      - name: zip\n        logicalType: string\n        required: true\n\
             \x20     - name: id\n        logicalType: integer\n        required: true\n\
             \x20     - name: to\n        logicalType: object\n        properties:\n\
             \x20         - name: city\n            logicalType: string\n            \
             required: true\n\
             \x20     - name: tags\n        logicalType: array\n        items:\n\
             \x20         logicalType: string\n          required: true\n        required: true\n"
        );
    }
}

#[test]
fn drafts_of_the_samples_fit_them() {
    let folder = Folder::new();
    for sample in ["samples/planes/2013-01.csv", "samples/weather/2013-01.csv"] {
        round_trip(&folder, &of_repository(sample));
    }
}

#[test]
fn infer_reads_compressed_and_standard_input() {
    let text = b"id\tname\n1\ta\n";
    let folder = Folder::new().file("a.tsv.gz", crate::compressed::gzip(text));
    let draft = folder.run(&["contract", "infer", "a.tsv.gz"]).exits(0).says("\nid: a\n");
    assert!(draft.out.contains("    delimiter: tab\n"));
    let arguments =
        ["contract", "infer", "-", "--name", "people", "--location", "s3://landing/people/*.tsv"];
    folder
        .run_with_input(&arguments, text)
        .exits(0)
        .says("\nid: people\n")
        .says("    location: \"s3://landing/people/*.tsv\"\n")
        .says("  - name: people\n");
}

#[test]
fn infer_says_what_it_cannot_draft() {
    let folder = Folder::new()
        .file("empty.csv", "")
        .file("numbers.json", "[1,2]")
        .file("cut.json", "{\"a\":1}\n{\"a\":")
        .file("good.csv", "id\n1\n");
    let infer = |arguments: &[&str]| -> Run {
        let mut all = vec!["contract", "infer"];
        all.extend(arguments);
        folder.run(&all)
    };
    infer(&["none.csv"]).exits(2).complains("landfall: cannot read none.csv: ");
    infer(&["empty.csv"]).exits(2).complains("landfall: empty.csv: ");
    infer(&["numbers.json"]).exits(2).complains("numbers.json: its documents are not objects");
    infer(&["cut.json"]).exits(2).complains("cut.json: document 2 is not JSON");
    // The draft is printed, to be mended, and is not passed off as a contract.
    infer(&["good.csv", "--name", "Or ders"])
        .exits(1)
        .says("id: \"Or ders\"\n")
        .complains("the draft is no usable contract yet:\nline ");
    infer(&["good.csv", "--location", "landing/"]).exits(1).complains("must start with `s3://`");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let folder = Folder::new();
    for (shell, text) in [
        ("bash", "complete -F _landfall"),
        ("zsh", "#compdef landfall"),
        ("fish", "complete -c landfall"),
    ] {
        let run = folder.run(&["completions", shell]).exits(0).says(text);
        for word in ["check", "lint", "infer", "key-memory", "junit", "replay", "rebuild-ledger"] {
            assert!(run.out.contains(word), "{shell} lacks {word}");
        }
    }
    folder.run(&["completions", "tcsh"]).exits(2);
}
