//! Two versions of one key under `onOverwrite: replace`: the rows of the older one do not stay
//! beside those of the newer one.
//!
//! A model of its own, because what matters here is not what the other one is about: batches
//! are of one object, nobody takes anything over, and settlements are not lost. Executions may
//! try again, attempts may crash or be given up and live on, and others commit.

use stateright::{Model, Property};

/// The version that S3 wrote first.
pub const OLD: usize = 0;
/// The one that takes its place.
pub const NEW: usize = 1;

/// Who loads a version that has nothing to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loader {
    /// `iceberg-append`.
    Lambda,
    /// A Glue run that appends: its commit is refused when data were added since it loaded.
    GlueAppend,
    /// A Glue run that merges, for the sake of still older versions that have no rows: its
    /// commit is refused when rows that it would delete, or rows of its own, were added.
    GlueMerge,
}

/// How much may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplacementBudget {
    /// Attempts that crash.
    pub crashes: u8,
    /// Attempts that are given up and go on all the same.
    pub zombies: u8,
    /// Commits by others.
    pub foreign_commits: u8,
}

/// The rules by which a version replaces another, each of which can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplacementRules {
    /// `iceberg-append` asks for the latest version after each load of the table, not only when
    /// it has claimed.
    pub asks_for_the_latest_after_loading: bool,
    /// Its commit compares the version that was loaded.
    pub commit_compares: bool,
    /// It hands over when an older version may have rows.
    pub hands_over: bool,
    /// A version that was ever claimed may have rows, whatever its item says now.
    pub claimed_once_counts: bool,
    /// A newer version's run waits until no batch may commit an older one.
    pub newer_waits: bool,
    /// MERGE is serializable: it is refused when rows that it would delete were added.
    pub merge_is_serializable: bool,
    /// Rows of its own, which an attempt of this batch added, are among those.
    pub merge_sees_its_own: bool,
}

impl ReplacementRules {
    /// The rules as they are.
    pub const ALL: Self = Self {
        asks_for_the_latest_after_loading: true,
        commit_compares: true,
        hands_over: true,
        claimed_once_counts: true,
        newer_waits: true,
        merge_is_serializable: true,
        merge_sees_its_own: true,
    };
}

/// Two versions of a key.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Who loads the older one.
    pub loader: Loader,
    /// How much may go wrong.
    pub budget: ReplacementBudget,
    /// The rules that are kept.
    pub rules: ReplacementRules,
}

/// Where a version's ledger item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// Its event has not arrived.
    Absent,
    /// It has, and the version is registered.
    Received,
    /// A batch loads it.
    Claimed,
    /// A newer version supersedes it.
    Superseded,
    /// Its rows were committed.
    Committed,
    /// Its execution failed.
    Failed,
}

/// A version's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Run {
    /// Not started.
    Waiting,
    /// It runs, and may try once more or not.
    Alive(bool),
    /// It has ended.
    Over,
}

/// One attempt to load a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Loading {
    /// The version.
    pub version: usize,
    /// Whether its execution waits for it.
    pub awaited: bool,
    /// What it does next.
    pub step: LoadingStep,
    /// The table's version when it was loaded.
    pub loaded: u8,
    /// Rows of the older version that were there.
    pub sees_old: u8,
    /// Whether the document names the older version.
    pub replaces: bool,
    /// Whether it has asked for older versions.
    pub asked_for_older: bool,
}

/// What an attempt does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoadingStep {
    /// `iceberg-append`: claim.
    Claim,
    /// Ask for the latest version before the table is loaded, where the rule is left out.
    AskEarly,
    /// Load the table and look for the marker.
    Load,
    /// Ask for the latest version.
    AskLatest,
    /// Ask for older versions.
    AskOlder,
    /// Swap.
    Commit,
    /// `glue-trigger`: claim.
    GlueClaim,
    /// Ask for the latest version.
    GlueAsk,
    /// Wait for older versions, then start the run.
    GlueWait,
    /// The job: load the table and look for the marker.
    RunLoad,
    /// Ask for the latest version again.
    RunAsk,
    /// Append or merge.
    RunCommit,
}

/// Everything at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Versions {
    /// Ledger items.
    pub items: [Item; 2],
    /// Whether a version was ever claimed.
    pub claimed: [bool; 2],
    /// Executions.
    pub runs: [Run; 2],
    /// Whether a Glue run was started for the version.
    pub glue: [bool; 2],
    /// Changed by every commit.
    pub table: u8,
    /// How often each version's rows are in the table.
    pub rows: [u8; 2],
    /// Table version of the last commit that added each version's rows; 0 for none.
    pub added: [u8; 2],
    /// Attempts that still do something.
    pub attempts: Vec<Loading>,
    /// What may still go wrong.
    pub budget: ReplacementBudget,
}

/// What can happen. Attempts are numbered as they stand in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// A version's event arrives and is registered.
    Arrive(usize),
    /// Its execution starts.
    Start(usize),
    /// An attempt takes its next step.
    Step(usize),
    /// An attempt ends where it stands.
    Crash(usize),
    /// Step Functions gives up on an attempt that goes on.
    GiveUpOn(usize),
    /// A Glue run whose execution is over stops.
    StopRun(usize),
    /// Somebody else adds data.
    ForeignCommit,
}

impl Versions {
    fn new(budget: ReplacementBudget) -> Self {
        Self {
            items: [Item::Absent; 2],
            claimed: [false; 2],
            runs: [Run::Waiting; 2],
            glue: [false; 2],
            table: 1,
            rows: [0; 2],
            added: [0; 2],
            attempts: Vec::new(),
            budget,
        }
    }

    /// Whether the version is superseded: the newer one is registered.
    fn is_superseded(&self, version: usize) -> bool {
        version == OLD && self.items[NEW] != Item::Absent
    }

    fn older_may_have_rows(&self, rules: &ReplacementRules) -> bool {
        let open = matches!(self.items[OLD], Item::Claimed | Item::Committed | Item::Failed);
        open || (rules.claimed_once_counts && self.claimed[OLD])
    }

    /// Whether a batch may still commit the older version, so that the newer one's run waits.
    fn older_is_loaded(&self) -> bool {
        let open = match self.items[OLD] {
            Item::Claimed | Item::Failed => true,
            // It was left out before there was a run, or by somebody else than the run.
            Item::Superseded => self.glue[OLD],
            Item::Absent | Item::Received | Item::Committed => false,
        };
        let run = |it: &Loading| it.version == OLD && it.step >= LoadingStep::GlueClaim;
        open && (matches!(self.runs[OLD], Run::Alive(_)) || self.attempts.iter().any(run))
    }

    fn start(&mut self, version: usize, step: LoadingStep) {
        self.attempts.push(Loading {
            version,
            awaited: true,
            step,
            loaded: 0,
            sees_old: 0,
            replaces: false,
            asked_for_older: false,
        });
    }

    /// An attempt told its execution how it ended.
    fn end(&mut self, attempt: &Loading, succeeded: bool, first: LoadingStep) {
        if !attempt.awaited {
            return;
        }
        let version = attempt.version;
        self.runs[version] = match self.runs[version] {
            Run::Alive(true) if !succeeded => {
                self.start(version, first);
                Run::Alive(false)
            }
            _ => Run::Over,
        };
        if self.runs[version] == Run::Over && !succeeded && self.items[version] == Item::Claimed {
            self.items[version] = Item::Failed;
        }
    }

    fn claim(&mut self, version: usize) {
        self.claimed[version] = true;
        if !matches!(self.items[version], Item::Committed) {
            self.items[version] = Item::Claimed;
        }
    }

    fn supersede(&mut self, version: usize) {
        if self.items[version] != Item::Committed {
            self.items[version] = Item::Superseded;
        }
    }

    fn add(&mut self, version: usize) {
        self.table += 1;
        self.rows[version] += 1;
        self.added[version] = self.table;
        self.items[version] = Item::Committed;
    }
}

/// What becomes of an attempt after a step.
enum Then {
    GoOn(LoadingStep),
    Succeed,
    HandOver,
}

impl Replacement {
    /// The first step of an attempt of that version's.
    fn first(&self, version: usize) -> LoadingStep {
        match (version, self.loader) {
            (OLD, Loader::GlueAppend | Loader::GlueMerge) => LoadingStep::GlueClaim,
            _ => LoadingStep::Claim,
        }
    }

    fn step(&self, world: &mut Versions, attempt: &mut Loading) -> Then {
        use LoadingStep as S;
        let rules = &self.rules;
        let version = attempt.version;
        match attempt.step {
            S::Claim => {
                world.claim(version);
                Then::GoOn(match rules.asks_for_the_latest_after_loading {
                    true => S::Load,
                    false => S::AskEarly,
                })
            }
            S::AskEarly if world.is_superseded(version) => {
                world.supersede(version);
                Then::Succeed
            }
            S::AskEarly => Then::GoOn(S::Load),
            S::Load => {
                attempt.loaded = world.table;
                if world.added[version] > 0 {
                    world.items[version] = Item::Committed;
                    return Then::Succeed;
                }
                Then::GoOn(match rules.asks_for_the_latest_after_loading {
                    true => S::AskLatest,
                    false => S::AskOlder,
                })
            }
            S::AskLatest if world.is_superseded(version) => {
                world.supersede(version);
                Then::Succeed
            }
            S::AskLatest => Then::GoOn(S::AskOlder),
            S::AskOlder => {
                let asks = version == NEW && rules.hands_over && !attempt.asked_for_older;
                attempt.asked_for_older = true;
                if asks && world.older_may_have_rows(rules) {
                    return Then::HandOver;
                }
                Then::GoOn(S::Commit)
            }
            S::Commit if attempt.loaded != world.table && rules.commit_compares => {
                Then::GoOn(S::Load)
            }
            S::Commit => {
                world.add(version);
                Then::Succeed
            }
            S::GlueClaim => {
                world.claim(version);
                Then::GoOn(S::GlueAsk)
            }
            S::GlueAsk if world.is_superseded(version) => {
                world.supersede(version);
                Then::Succeed
            }
            S::GlueAsk => Then::GoOn(S::GlueWait),
            S::GlueWait => {
                attempt.replaces = version == NEW && world.items[OLD] != Item::Absent;
                world.glue[version] = true;
                Then::GoOn(S::RunLoad)
            }
            S::RunLoad => {
                attempt.loaded = world.table;
                attempt.sees_old = world.rows[OLD];
                if world.added[version] > 0 {
                    world.items[version] = Item::Committed;
                    return Then::Succeed;
                }
                Then::GoOn(S::RunAsk)
            }
            S::RunAsk if world.is_superseded(version) => {
                world.supersede(version);
                Then::Succeed
            }
            S::RunAsk => Then::GoOn(S::RunCommit),
            S::RunCommit => self.run_commits(world, attempt),
        }
    }

    fn run_commits(&self, world: &mut Versions, attempt: &Loading) -> Then {
        let rules = &self.rules;
        let version = attempt.version;
        let since = |added: u8| added > attempt.loaded;
        let merges = attempt.replaces || self.loader == Loader::GlueMerge;
        let refused = if merges {
            let of_older = attempt.replaces && since(world.added[OLD]);
            let of_own = rules.merge_sees_its_own && since(world.added[version]);
            rules.merge_is_serializable && (of_older || of_own)
        } else {
            world.table != attempt.loaded
        };
        if refused {
            return Then::GoOn(LoadingStep::RunLoad);
        }
        world.add(version);
        if attempt.replaces {
            world.rows[OLD] -= attempt.sees_old;
        }
        Then::Succeed
    }
}

impl Model for Replacement {
    type State = Versions;
    type Action = Happening;

    fn init_states(&self) -> Vec<Versions> {
        vec![Versions::new(self.budget)]
    }

    fn actions(&self, world: &Versions, actions: &mut Vec<Happening>) {
        for version in [OLD, NEW] {
            match (world.items[version], world.runs[version]) {
                (Item::Absent, _) => actions.push(Happening::Arrive(version)),
                (_, Run::Waiting) => actions.push(Happening::Start(version)),
                _ => {}
            }
        }
        for (index, attempt) in world.attempts.iter().enumerate() {
            let waits = attempt.step == LoadingStep::GlueWait
                && attempt.version == NEW
                && self.rules.newer_waits
                && world.older_is_loaded();
            if !waits {
                actions.push(Happening::Step(index));
            }
            if world.budget.crashes > 0 {
                actions.push(Happening::Crash(index));
            }
            if attempt.awaited && world.budget.zombies > 0 {
                actions.push(Happening::GiveUpOn(index));
            }
            if !attempt.awaited && attempt.step >= LoadingStep::GlueClaim {
                actions.push(Happening::StopRun(index));
            }
        }
        if world.budget.foreign_commits > 0 {
            actions.push(Happening::ForeignCommit);
        }
    }

    fn next_state(&self, world: &Versions, happening: Happening) -> Option<Versions> {
        let mut next = world.clone();
        match happening {
            // What is superseded when it arrives is left out, and never starts.
            Happening::Arrive(version) if next.is_superseded(version) => {
                next.items[version] = Item::Superseded;
                next.runs[version] = Run::Over;
            }
            Happening::Arrive(version) => next.items[version] = Item::Received,
            Happening::Start(version) => {
                next.runs[version] = Run::Alive(true);
                next.start(version, self.first(version));
            }
            Happening::Step(index) => {
                let mut attempt = next.attempts.swap_remove(index);
                match self.step(&mut next, &mut attempt) {
                    Then::GoOn(step) => {
                        attempt.step = step;
                        next.attempts.push(attempt);
                    }
                    Then::Succeed => next.end(&attempt, true, self.first(attempt.version)),
                    // Nobody follows the word of an attempt that was given up.
                    Then::HandOver if attempt.awaited => {
                        next.start(attempt.version, LoadingStep::GlueClaim);
                    }
                    Then::HandOver => {}
                }
            }
            Happening::Crash(index) => {
                next.budget.crashes -= 1;
                let attempt = next.attempts.swap_remove(index);
                next.end(&attempt, false, self.first(attempt.version));
            }
            Happening::GiveUpOn(index) => {
                next.budget.zombies -= 1;
                let mut attempt = next.attempts.swap_remove(index);
                if attempt.step >= LoadingStep::RunLoad {
                    // A run is found, not started again: only its execution can end before it.
                    next.runs[attempt.version] = Run::Alive(false);
                }
                next.end(&attempt, false, self.first(attempt.version));
                attempt.awaited = false;
                next.attempts.push(attempt);
            }
            Happening::StopRun(index) => {
                next.attempts.swap_remove(index);
            }
            Happening::ForeignCommit => {
                next.budget.foreign_commits -= 1;
                next.table += 1;
            }
        }
        next.attempts.sort();
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("rows are in the table at most once", |_, world: &Versions| {
                world.rows.iter().all(|times| *times <= 1)
            }),
            Property::always("no older rows beside newer ones", |_, world: &Versions| {
                world.rows[NEW] == 0 || world.rows[OLD] == 0
            }),
            Property::always("whoever waits is let go", |model, world: &Versions| {
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                world.attempts.is_empty() || !actions.is_empty()
            }),
            Property::always("what was not in the way is loaded", |_, world: &Versions| {
                let over = world.runs.iter().all(|run| *run == Run::Over);
                !over || !world.attempts.is_empty() || world.items[NEW] != Item::Superseded
            }),
            // Without these, the others could hold because nothing ever happens.
            Property::sometimes("rows are replaced", |_, world: &Versions| {
                world.added[OLD] > 0 && world.rows == [0, 1]
            }),
            Property::sometimes("a version is superseded", |_, world: &Versions| {
                world.items[OLD] == Item::Superseded && world.claimed[OLD] && world.rows == [0, 1]
            }),
        ]
    }
}
