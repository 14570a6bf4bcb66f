//! A batch that was committed, and whose execution is started again.

use landfall_ledger::Settlement;

use super::*;

impl Fixture {
    /// The ledger says that the batch committed three of the object's four rows.
    async fn commit(&self, object: &ObjectVersion, batch_id: &str) {
        let committed = Settlement {
            parsed_rows: Some(4),
            rejected_rows: Some(1),
            ..Settlement::committed(batch_id, "42".into(), 3)
        };
        let ledger = &self.deps.ledger;
        ledger.receive("orders", object).await.unwrap();
        assert!(ledger.settle(&object.ledger_key(), batch_id, &committed).await.unwrap());
    }
}

#[tokio::test]
async fn what_the_batch_committed_is_accepted_when_its_file_is_gone() {
    let fixture = Fixture::new(&[("onBadRows", "quarantine")]);
    let gone = object("orders/gone.csv");
    fixture.commit(&gone, "orders-1").await;
    let output = fixture.check(vec![gone.clone()]).await.unwrap();
    assert_eq!((&output.accepted[..], &output.rejected[..]), (&[0][..], &[][..]));
    assert_eq!((output.rows, output.engine.engine), (3, Engine::Lambda));
    let check = &output.objects[0];
    assert_eq!((check.rows, check.bad_rows, check.rejected_records), (4, 1, 1));
    assert_eq!(
        check.rejected_rows.as_deref(),
        Some("s3://landing/quarantine/orders/orders-1/orders/gone.csv.rejected.csv")
    );
    assert_eq!(fixture.calls(), [""; 0]);

    // Another batch's commit is that batch's to announce.
    let fixture = Fixture::new(&[]);
    fixture.commit(&gone, "orders-0").await;
    let output = fixture.check(vec![gone]).await.unwrap();
    assert_eq!(output.rejected, [0]);
    assert_eq!(output.objects[0].reason.as_deref(), Some("Object.Gone"));
}

#[tokio::test]
async fn what_the_batch_committed_is_accepted_when_it_would_be_refused_today() {
    let fixture = Fixture::new(&[("onDrift", "review")]);
    let file = "id,note,extra\n1,a,2024-01-01\n";
    let objects = vec![
        fixture.put("orders/committed.csv", file),
        fixture.put("orders/bad.csv", "id,note\nx,a\n"),
        fixture.put("orders/open.csv", file),
    ];
    for object in &objects[..2] {
        fixture.commit(object, "orders-1").await;
    }
    let output = fixture.check(objects).await.unwrap();
    assert_eq!((output.accepted, output.review), (vec![0, 1], vec![2]));
    assert_eq!(output.objects[0].report, None, "the first check's report stays");
    assert!(output.additions.is_empty());
    assert_eq!(fixture.object("reports/orders/orders-1/orders/bad.csv.report.json"), None);
}

#[tokio::test]
async fn what_is_in_the_table_chooses_no_engine_and_takes_no_keys() {
    let fixture = Fixture::new(&[]);
    let mut gone = object("orders/a.csv");
    gone.size = 1 << 40;
    fixture.commit(&gone, "orders-1").await;
    let open = fixture.put("orders/b.csv", "id,note\n1,a\n");
    let output = fixture.check(vec![gone, open]).await.unwrap();
    assert_eq!((output.accepted, output.engine.engine), (vec![0, 1], Engine::Lambda));
    assert!(output.engine.reason.starts_with("1 file, "), "{}", output.engine.reason);

    let fixture = keys::fixture("reject");
    let bad = fixture.put("orders/a.csv", "id,note\n1,a\nx,a\n");
    fixture.commit(&bad, "orders-1").await;
    let open = fixture.put("orders/b.csv", "id,note\n1,b\n");
    let output = fixture.check(vec![bad, open]).await.unwrap();
    assert_eq!(output.accepted, [0, 1]);
    assert_eq!(output.objects[1].bad_rows, 0);
}
