//! Many files at once.

use crate::contracts::{TestContract, good_file};
use crate::stack::Stack;

const FILES: u64 = 200;
const ROWS: u64 = 5;

#[tokio::test]
async fn two_hundred_files_over_three_datasets_are_each_loaded_once() {
    let stack = Stack::connect().await;
    let datasets = [Stack::unique("storm"), Stack::unique("storm"), Stack::unique("storm")];
    for dataset in &datasets {
        stack.put_contract(dataset, &TestContract::of(dataset, stack.landing()).text()).await;
    }
    let mut expected = [0_u64; 3];
    let mut uploads = tokio::task::JoinSet::new();
    let mut keys = Vec::new();
    for n in 0..FILES {
        let which = (n % 3) as usize;
        let first = 1 + n * ROWS;
        expected[which] += (first..first + ROWS).sum::<u64>();
        let key = format!("{}/file {n:03}.csv", datasets[which]);
        keys.push(key.clone());
        let stack = stack.clone();
        uploads.spawn(async move { stack.upload(&key, good_file(first, ROWS)).await });
    }
    uploads.join_all().await;

    for key in &keys {
        stack
            .wait(key, async || {
                let items = stack.ledger(key).await;
                (items.len() == 1 && items[0]["state"] == "committed").then_some(())
            })
            .await;
    }
    for (dataset, expected) in datasets.iter().zip(expected) {
        let table = stack.table(dataset, &["--sum", "id"]).await;
        assert_eq!(table["sums"]["id"], expected, "{dataset}");
        // Every commit carries at least one file, so none was committed twice.
        let commits = table["snapshots"].as_array().unwrap().len();
        assert!((1..=FILES as usize / 3 + 1).contains(&commits), "{dataset}: {commits} commits");
    }
}
