//! Loads that outgrow the function.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// More than there is, from the second look on.
fn too_much() -> Option<u64> {
    static LOOKS: AtomicU64 = AtomicU64::new(1 << 20);
    Some(LOOKS.fetch_add(1 << 17, Ordering::Relaxed))
}

fn outgrown(world: &mut World) {
    let deps = Arc::get_mut(&mut world.deps).unwrap();
    deps.memory = Memory { limit: Some(1 << 20), used: too_much };
}

#[tokio::test]
async fn a_small_file_is_looked_at_as_well() {
    let mut world = World::new();
    outgrown(&mut world);
    let small = world.object("small", &[1]).await;
    world.task("one", &[&small]).fails("Engine.HandOver").await;
    assert_eq!(world.entry(&small), pair("claimed", "one"));
    assert_eq!((world.rows(), world.orphans()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn times_of_day_are_not_handed_over() {
    let with_time = format!("{CONTRACT}      - {{ name: clock, logicalType: time }}\n");
    let mut world = World::with_contract(&with_time);
    outgrown(&mut world);
    let object = world.file("a", "id,name,clock\n1,n1,08:00:00\n").await;
    let task = world.task("one", &[&object]);
    let error = task.append().await.unwrap_err();
    assert_eq!(error.name(), "Engine.NoneFits");
    assert!(!is_transient("Engine.NoneFits"));
    let words = error.to_string();
    for part in ["of the 1 MB", "the column clock has a time of day", "Upload smaller files"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!((world.rows(), world.orphans()), (Vec::new(), Vec::new()));
}
