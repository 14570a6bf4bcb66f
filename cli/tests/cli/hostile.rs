//! Values and names that are made to deceive, and values that nobody may see.

use crate::folder::{Folder, ORDERS};
use crate::xml;

const FORMATS: [&str; 4] = ["text", "json", "junit", "github"];

/// Clears the screen, starts a sequence in one character, turns the direction of writing.
const HOSTILE: &str = "\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\u{7}";

fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}'))
}

#[test]
fn values_cannot_take_over_a_terminal() {
    let folder = Folder::with_orders()
        .file("bad.csv", format!("id,amount,note\n1,{HOSTILE},{HOSTILE}\n"))
        .file("header.csv", format!("id,amount,x{HOSTILE}\n1,1.00,a\n"));
    for format in FORMATS {
        for file in ["bad.csv", "header.csv"] {
            let run = folder.run(&["check", file, "-c", "orders.yaml", "-f", format]).exits(1);
            assert!(is_harmless(&run.out), "{format} {file}: {:?}", run.out);
            if format == "junit" {
                xml::read(&run.out);
            }
        }
    }
    let report = folder.run(&["check", "bad.csv", "-c", "orders.yaml", "-f", "json"]).json();
    let message = report["files"][0]["firstBadRows"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("\"\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{7f}\\u{7}\" is not"),
        "{message}"
    );
    folder
        .run(&["check", "bad.csv", "-c", "orders.yaml"])
        .says("> 2 | 1,\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{7f}\\u{7},\\u{1b}[2J");
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_files_cannot_either() {
    let name = format!("a{HOSTILE}\n::error::b.csv");
    let folder = Folder::with_orders().file(&name, "id,amount,note\n1,x,\n");
    let missing = format!("no{HOSTILE}ne.csv");
    for format in FORMATS {
        let arguments = ["check", &name, &missing, "-c", "orders.yaml", "-f", format];
        let run = folder.run(&arguments).exits(2);
        assert!(is_harmless(&run.out), "{format}: {:?}", run.out);
        let starts = |line: &str| line.starts_with("::error::");
        assert!(!run.out.lines().any(starts), "{format}: {:?}", run.out);
    }
    let run = folder.run(&["check", &name, "-c", &missing]).exits(2);
    assert!(is_harmless(&run.err), "{:?}", run.err);
    let run = folder.run(&["contract", "lint", &missing]).exits(2);
    assert!(is_harmless(&run.err) && is_harmless(&run.out));
}

#[test]
fn long_lines_and_values_are_cut() {
    let long = "y".repeat(100_000);
    let folder =
        Folder::with_orders().file("bad.csv", format!("id,amount,note\n1,x{long},{long}\n"));
    for format in FORMATS {
        let run = folder.run(&["check", "bad.csv", "-c", "orders.yaml", "-f", format]).exits(1);
        assert!(run.out.lines().all(|line| line.len() < 400), "{format}: {}", run.out.len());
    }
}

/// Every way in which a value is told: a wrong type, a broken rule, a repeated key, too many
/// fields, a bad quote, the lines in context.
#[test]
fn sensitive_values_are_in_no_format() {
    let contract = ORDERS.replace(
        "      - {name: note, logicalType: string}\n",
        "      - {name: pin, logicalType: integer, unique: true, classification: restricted}\n      \
         - name: mail\n        logicalType: string\n        classification: confidential\n        \
         logicalTypeOptions: {format: email, maxLength: 20}\n",
    );
    let rows = "1,1.00,4711,ann@example.org\n\
                2,x,4711,ann@example.org\n\
                3,1.00,secret1,ann@example.org\n\
                4,1.00,4712,secret2\n\
                5,1.00,4713,secret3@example.org.but.too.long\n\
                6,1.00,4714,ann@example.org,secret4\n\
                7,1.00,4715,\"secret5\" more\n";
    let folder = Folder::new()
        .file("orders.yaml", contract)
        .file("bad.csv", format!("id,amount,pin,mail\n{rows}"));
    for format in FORMATS {
        let run = folder.run(&["check", "bad.csv", "-c", "orders.yaml", "-f", format]).exits(1);
        for secret in ["secret", "4711", "4712", "ann@"] {
            assert!(!run.out.contains(secret), "{format} shows {secret}: {}", run.out);
        }
        // What is not sensitive is shown all the same.
        assert!(run.out.contains("is not a decimal(12,2)"), "{format}: {}", run.out);
    }
    let report = folder.run(&["check", "bad.csv", "-c", "orders.yaml", "-f", "json"]).json();
    assert_eq!(report["files"][0]["badRows"], 6);
}

#[test]
fn sensitive_values_of_json_are_in_no_format() {
    let contract = ORDERS
        .replace("format: csv", "format: jsonl")
        .replace("      - {name: note, logicalType: string}\n", concat!(
            "      - name: person\n        logicalType: object\n        classification: restricted\n",
            "        properties:\n          - {name: pin, logicalType: integer}\n"
        ));
    let lines = "{\"id\":1,\"amount\":1,\"person\":{\"pin\":\"secret1\"}}\n\
                 {\"id\":2,\"amount\":1,\"person\":\"secret2\"}\n\
                 {\"id\":3,\"amount\":1,\"person\":{\"pin\":1} secret3}\n\
                 {\"id\":\"x\",\"amount\":1}\n";
    let folder = Folder::new().file("orders.yaml", contract).file("bad.jsonl", lines);
    for format in FORMATS {
        let run = folder.run(&["check", "bad.jsonl", "-c", "orders.yaml", "-f", format]).exits(1);
        assert!(!run.out.contains("secret"), "{format}: {}", run.out);
    }
}
