//! Standard input, pipes, and outputs that go away.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use crate::folder::{Folder, ORDERS, Run};

const BAD: &str = "id,amount,note\n1,1.50,a\n2,x,b\n";

#[test]
fn standard_input_is_checked() {
    let folder = Folder::with_orders();
    let arguments = ["check", "-", "-c", "orders.yaml"];
    folder
        .run_with_input(&arguments, b"id,amount,note\n1,1.50,a\n")
        .exits(0)
        .says("-: accepted: 1 row, all good\n");
    // It is gone once it is read, so there is no line to show.
    let run = folder.run_with_input(&arguments, BAD.as_bytes()).exits(1);
    assert!(!run.out.contains("2,x,b"));
    run.says("  line 3, record 2, column amount: \"x\" is not a decimal(12,2)");
    folder.run_with_input(&arguments, b"").exits(1).says("-: rejected (File.Empty): ");
}

#[test]
fn a_contract_can_come_by_standard_input() {
    let folder = Folder::new().file("bad.csv", BAD);
    folder.run_with_input(&["check", "bad.csv", "-c", "-"], ORDERS.as_bytes()).exits(1);
    folder.run_with_input(&["contract", "lint", "-"], ORDERS.as_bytes()).exits(0);
}

#[test]
fn standard_input_is_read_once() {
    let folder = Folder::with_orders();
    for arguments in [
        ["check", "-", "-", "-c", "orders.yaml"].as_slice(),
        &["check", "-", "-c", "-"],
        &["contract", "lint", "-", "-"],
    ] {
        folder
            .run_with_input(arguments, ORDERS.as_bytes())
            .exits(2)
            .complains("standard input can be read once");
    }
}

#[test]
fn parquet_needs_a_file() {
    let contract = ORDERS.replace("format: csv", "format: parquet");
    let folder = Folder::new().file("orders.yaml", contract);
    folder
        .run_with_input(&["check", "-", "-c", "orders.yaml"], b"PAR1")
        .exits(2)
        .says("-: could not be checked: a Parquet file is read from its end");
    folder
        .run_with_input(&["contract", "infer", "-"], b"PAR1")
        .exits(2)
        .complains("a Parquet file is read from its end");
}

/// Opening a named pipe for a second look would wait for a second writer.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_once() {
    let folder = Folder::with_orders();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn(move || std::fs::write(pipe, BAD).unwrap());
    let run = folder.run(&["check", "pipe", "-c", "orders.yaml"]).exits(1);
    writer.join().unwrap();
    run.says("  line 3, record 2, column amount: ");
}

/// More than a pipe holds, so that the command writes after the reader has gone.
#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let rows: String = (0..5000).map(|id| format!("{id},x,\n")).collect();
    let folder = Folder::with_orders()
        .file("bad.csv", format!("id,amount,note\n{rows}"))
        .file("good.csv", "id,amount,note\n1,1.50,a\n");
    for (file, code) in [("bad.csv", 1), ("good.csv", 0)] {
        for format in ["text", "json", "junit", "github"] {
            let arguments =
                ["check", file, "-c", "orders.yaml", "--examples", "5000", "--format", format];
            let mut command = folder.command(&arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            let mut complaints = String::new();
            child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{file} {format}: {complaints}");
            assert_eq!(complaints, "");
        }
    }
    let mut command = folder.command(&["completions", "bash"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_said_if_anyone_listens() {
    let folder = Folder::with_orders().file("good.csv", "id,amount,note\n1,1.50,a\n");
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let arguments = ["check", "good.csv", "-c", "orders.yaml"];
    Run::of(folder.command(&arguments).stdout(full()).stderr(Stdio::piped()))
        .exits(2)
        .complains("landfall: cannot write the output: ");
    Run::of(folder.command(&arguments).stdout(full()).stderr(full())).exits(2);
    Run::of(folder.command(&["check", "good.csv", "-c", "none.yaml"]).stderr(full())).exits(2);
}

#[test]
fn nothing_is_coloured_and_no_bar_is_drawn_without_a_terminal() {
    let folder = Folder::with_orders().file("bad.csv", BAD);
    let mut command = folder.command(&["check", "bad.csv", "none.csv", "-c", "orders.yaml"]);
    let run = Run::of(command.env("TERM", "xterm-256color").env_remove("NO_COLOR")).exits(2);
    assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'));
    assert_eq!(run.err, "");
}
