//! Keys that are unique across a batch.

use super::*;

/// With `id` unique.
pub(super) fn fixture(on_bad_rows: &str) -> Fixture {
    let fixture = Fixture::new(&[("onBadRows", on_bad_rows)]);
    let mut s3 = fixture.s3.lock().unwrap();
    let contract = s3.objects.get_mut("config/contracts/orders.yaml").unwrap();
    let text = String::from_utf8(contract.clone()).unwrap();
    *contract = text.replace("required: true\n", "required: true\n        unique: true\n").into();
    drop(s3);
    fixture
}

fn verdicts(output: &CheckOutput) -> Vec<(Verdict, u64)> {
    output.objects.iter().map(|object| (object.verdict, object.bad_rows)).collect()
}

#[tokio::test]
async fn a_key_of_an_earlier_file_is_taken() {
    let fixture = fixture("quarantine");
    let objects = vec![
        fixture.put("orders/a.csv", "id,note\n1,a\n2,a\n"),
        fixture.put("orders/b.csv", "id,note\n2,b\n3,b\n"),
    ];
    let output = fixture.check(objects).await.unwrap();
    assert_eq!(verdicts(&output), [(Verdict::Accept, 0), (Verdict::Accept, 1)]);
    assert_eq!((output.rows, output.objects[1].first_bad_rows[0].line), (3, Some(2)));
}

#[tokio::test]
async fn a_refused_file_takes_no_keys() {
    let fixture = fixture("reject");
    let objects = vec![
        fixture.put("orders/a.csv", "id,note\n1,a\nx,a\n"),
        fixture.put("orders/b.csv", "id,note\n1,b\n"),
    ];
    let output = fixture.check(objects).await.unwrap();
    assert_eq!(verdicts(&output), [(Verdict::Reject, 1), (Verdict::Accept, 0)]);
}

#[tokio::test]
async fn a_file_that_waits_for_a_person_comes_last() {
    for (on_bad_rows, reviewed) in [("quarantine", Verdict::Review), ("reject", Verdict::Reject)] {
        let fixture = fixture(on_bad_rows);
        let objects = vec![
            fixture.put("orders/new.csv", "id,note,extra\n1,a,2024-01-01\n3,a,2024-01-01\n"),
            fixture.put("orders/good.csv", "id,note\n1,b\n2,b\n"),
            fixture.put("orders/newer.csv", "id,note,extra\n3,c,2024-01-01\n4,c,2024-01-01\n"),
        ];
        let output = fixture.check(objects).await.unwrap();
        // A refused file takes no keys, so what repeats it is good.
        let last = if reviewed == Verdict::Review { 1 } else { 0 };
        assert_eq!(
            verdicts(&output),
            [(reviewed, 1), (Verdict::Accept, 0), (Verdict::Review, last)],
            "{on_bad_rows}"
        );
        let review = if reviewed == Verdict::Review { vec![0, 2] } else { vec![2] };
        assert_eq!((output.accepted, output.review), (vec![1], review));
    }
}

#[tokio::test]
async fn a_file_that_is_gone_loses_no_keys() {
    let fixture = fixture("quarantine");
    let objects = vec![
        fixture.put("orders/a.csv", "id,note\n1,a\n"),
        object("orders/gone.csv"),
        fixture.put("orders/b.csv", "id,note\n1,b\n2,b\n"),
    ];
    let output = fixture.check(objects).await.unwrap();
    assert_eq!(
        verdicts(&output),
        [(Verdict::Accept, 0), (Verdict::Reject, 0), (Verdict::Accept, 1)]
    );
}
