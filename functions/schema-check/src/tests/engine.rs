//! Which engine the check chooses, and when there is none.

use super::*;

#[tokio::test]
async fn files_beyond_the_lambda_engine_go_to_glue() {
    let fixture = Fixture::new(&[("onDrift", "review")]);
    let small = fixture.put("orders/small.csv", "id,note\n1,a\n");
    let rows = "1,a,b\n".repeat(200);
    let large = fixture.put("orders/large.csv", format!("id,note,new\n{rows}"));
    let output = fixture.check(vec![small, large]).await.unwrap();
    assert_eq!(output.engine.engine, Engine::Lambda);
    assert_eq!(output.engine_if_approved.engine, Engine::Glue);
    assert!(output.engine_if_approved.reason.starts_with("2 files, 1.2 KiB: more than"));
}

impl Fixture {
    /// The contract has one more column.
    fn add_column(&self, column: &str) {
        let mut shared = self.s3.lock().unwrap();
        let contract = shared.objects.get_mut("config/contracts/orders.yaml").unwrap();
        let text = String::from_utf8(contract.clone()).unwrap();
        let (before, after) = text.split_once("      - name: note").unwrap();
        *contract = format!("{before}      - {column}\n      - name: note{after}").into_bytes();
    }
}

#[tokio::test]
async fn times_of_day_stay_with_the_lambda_engine() {
    let fixture = Fixture::new(&[("engine", "glue")]);
    fixture.add_column("{ name: clock, logicalType: time }");
    let object = fixture.put("orders/a.csv", "id,clock,note\n1,08:00:00,a\n");
    let engine = fixture.check(vec![object]).await.unwrap().engine;
    assert_eq!(engine.engine, Engine::Lambda);
    assert!(engine.reason.contains("the column clock has a time of day"), "{}", engine.reason);
}

#[tokio::test]
async fn times_of_day_that_are_too_many_are_refused_by_name() {
    let fixture = Fixture::new(&[("onDrift", "review")]);
    fixture.add_column("{ name: clock, logicalType: time }");
    let rows = "1,,a\n".repeat(300);
    let large = fixture.put("orders/large.csv", format!("id,clock,note\n{rows}"));
    let error = fixture.check(vec![large]).await.unwrap_err();
    assert_eq!(error.name(), "Engine.NoneFits");
    let words = error.to_string();
    for part in ["1 file, ", "the column clock has a time of day", "Upload smaller files"] {
        assert!(words.contains(part), "{part}: {words}");
    }

    // What is refused anyway needs no engine.
    let bad = fixture.put("orders/bad.csv", format!("id,clock,note\nx,,a\n{rows}"));
    let output = fixture.check(vec![bad]).await.unwrap();
    assert_eq!(output.rejected, [0]);
}
