//! Every fault at every call.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use landfall_testing::service::Call;

use crate::cloud::alone;
use crate::dump::dump;
use crate::kind::Kind;
use crate::run::{Recovery, Run, undisturbed};
use crate::scenario::{Prepared, Scenario};
use crate::table::Read;

/// Calls of all scenarios together; a sweep over fewer has lost some.
const FLOOR: usize = 120;

#[derive(Default)]
struct Tally {
    runs: AtomicUsize,
    noticed: AtomicUsize,
    broken: Mutex<Vec<String>>,
}

impl Tally {
    fn broken(&self, run: Run, call: &Call, what: &str) {
        let Run { scenario, kind, nth, recovery } = run;
        self.broken.lock().unwrap().push(format!(
            "{scenario:?}, {kind:?} at call {nth} ({} {} {}), {recovery:?}: {what}",
            call.service, call.operation, call.subject
        ));
    }
}

#[test]
fn every_fault_at_every_call_is_recovered_from() {
    let started = Instant::now();
    let directory = std::env::var_os("LANDFALL_FAULTS_DIR").map(PathBuf::from);
    let calls: BTreeMap<Scenario, Vec<Call>> =
        Scenario::ALL.into_iter().map(|scenario| (scenario, undisturbed(scenario))).collect();
    let sites: Vec<(Scenario, Kind, usize)> = calls
        .iter()
        .flat_map(|(scenario, calls)| {
            Kind::ALL.into_iter().flat_map(move |kind| {
                let sites = (1..).zip(calls).filter(move |(_, call)| kind.matters_at(call));
                sites.map(move |(nth, _)| (*scenario, kind, nth))
            })
        })
        .collect();

    let tally = Tally::default();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let mut world: Option<(Scenario, Prepared)> = None;
                while let Some(site) = sites.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (scenario, kind, nth) = *site;
                    let prepared = match &mut world {
                        Some((same, prepared)) if *same == scenario => prepared,
                        world => &world.insert((scenario, alone(scenario.prepare()))).1,
                    };
                    let call = &calls[&scenario][nth - 1];
                    let read = strike(&tally, prepared, call, *site);
                    let is_last = sites.iter().rfind(|(of, at, _)| (*of, *at) == (scenario, kind));
                    if let (Some(directory), Some(read)) = (&directory, read)
                        && is_last == Some(site)
                    {
                        dump(directory, &format!("{scenario:?}-{kind:?}"), prepared, &read);
                    }
                }
            });
        }
    });

    let mut by_service: BTreeMap<&str, usize> = BTreeMap::new();
    for (scenario, calls) in &calls {
        let mut operations: BTreeMap<&str, usize> = BTreeMap::new();
        for call in calls {
            *by_service.entry(call.service).or_default() += 1;
            *operations.entry(&call.operation).or_default() += 1;
        }
        println!("{scenario:?}: {} calls {operations:?}", calls.len());
    }
    let struck: BTreeSet<(Scenario, usize)> =
        sites.iter().map(|(scenario, _, nth)| (*scenario, *nth)).collect();
    let total: usize = by_service.values().sum();
    println!(
        "{} of {total} calls {by_service:?}, {} kinds, {} faults in {} runs ({} of them \
         noticed by the function) and {:.1} s",
        struck.len(),
        Kind::ALL.len(),
        sites.len(),
        tally.runs.load(Ordering::Relaxed),
        tally.noticed.load(Ordering::Relaxed),
        started.elapsed().as_secs_f64()
    );
    let broken = tally.broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
    assert_eq!(struck.len(), total, "every call is struck");
    assert!(tally.runs.load(Ordering::Relaxed) >= sites.len());
    assert!(total >= FLOOR, "{total} calls");
    let services: Vec<&str> = by_service.keys().copied().collect();
    assert_eq!(services, ["dynamodb", "glue", "s3", "states"]);
}

/// Runs the fault with each recovery that makes a difference.
fn strike(
    tally: &Tally,
    prepared: &Prepared,
    call: &Call,
    (scenario, kind, nth): (Scenario, Kind, usize),
) -> Option<Read> {
    let mut read = None;
    for recovery in [Recovery::Retry, Recovery::Redelivery] {
        let run = Run { scenario, kind, nth, recovery };
        tally.runs.fetch_add(1, Ordering::Relaxed);
        match catch_unwind(AssertUnwindSafe(|| run.run(prepared, call))) {
            Ok(Ok(outcome)) => {
                read = Some(outcome.read);
                tally.noticed.fetch_add(usize::from(outcome.noticed), Ordering::Relaxed);
                // What succeeds, is held or is denied has no retry to leave out.
                if !outcome.noticed || kind.holds() || kind == Kind::Denied {
                    break;
                }
            }
            Ok(Err(what)) => tally.broken(run, call, &what),
            Err(_) => tally.broken(run, call, "it panicked"),
        }
    }
    read
}
