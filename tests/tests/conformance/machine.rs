//! The state machines' definitions, with their substitutions filled in.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cloudformation::{Template, read, target, text};

pub(crate) const MACHINE: &str = "IngestStateMachine";
pub(crate) const BACKFILL: &str = "BackfillStateMachine";
const LAMBDA: &str = "arn:aws:states:::lambda:invoke";

/// The state machine.
pub(crate) struct Machine(Value);

/// One state, also one inside a Map.
#[derive(Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) name: &'a str,
    pub(crate) body: &'a Value,
    /// Whether it runs per item of a Map.
    pub(crate) nested: bool,
}

/// The definition as it is written: not JSON yet, because numbers are substituted too.
pub(crate) fn source(template: &Template, machine: &str) -> String {
    read(&text(&template.resource(machine)["Properties"]["DefinitionUri"]))
}

/// The names in `${...}`.
pub(crate) fn placeholders(template: &Template, machine: &str) -> BTreeSet<String> {
    let source = source(template, machine);
    source
        .split("${")
        .skip(1)
        .map(|rest| rest.split('}').next().expect("a closing brace").to_owned())
        .collect()
}

impl Machine {
    /// `ingest`, as [`Self::of`].
    pub(crate) fn load(template: &Template) -> Self {
        Self::of(template, MACHINE)
    }

    /// The machine as deployed with default parameters. Functions and resources stand as the
    /// template's expressions, for instance `SchemaCheckFunction.Arn`.
    pub(crate) fn of(template: &Template, machine: &str) -> Self {
        let mut source = source(template, machine);
        for (name, value) in substitutions(template, machine) {
            let expression = target(value);
            let parameter = template.section("Parameters").get(&expression);
            let replacement = parameter.map_or(expression.clone(), |p| text(&p["Default"]));
            source = source.replace(&format!("${{{name}}}"), &replacement);
        }
        Self(serde_json::from_str(&source).expect("the definition is JSON once substituted"))
    }

    pub(crate) fn definition(&self) -> &Value {
        &self.0
    }

    /// Every state, those inside a Map after their Map.
    pub(crate) fn states(&self) -> Vec<State<'_>> {
        let mut states = Vec::new();
        collect(&self.0["States"], false, &mut states);
        states
    }

    pub(crate) fn state(&self, name: &str) -> State<'_> {
        self.states()
            .into_iter()
            .find(|state| state.name == name)
            .unwrap_or_else(|| panic!("no state {name:?}"))
    }

    pub(crate) fn tasks(&self) -> Vec<State<'_>> {
        self.states().into_iter().filter(|state| state.body["Type"] == "Task").collect()
    }
}

/// What the template puts in for each `${...}`.
pub(crate) fn substitutions<'a>(template: &'a Template, machine: &str) -> &'a Map<String, Value> {
    template.resource(machine)["Properties"]["DefinitionSubstitutions"]
        .as_object()
        .expect("substitutions")
}

fn collect<'a>(states: &'a Value, nested: bool, all: &mut Vec<State<'a>>) {
    for (name, body) in states.as_object().expect("states") {
        all.push(State { name, body, nested });
        if body["Type"] == "Map" {
            collect(&body["ItemProcessor"]["States"], true, all);
        }
        assert_ne!(body["Type"], "Parallel", "{name}: teach this reader about Parallel");
    }
}

impl<'a> State<'a> {
    /// The template's expression for the function that the state calls, for instance
    /// `SchemaCheckFunction.Arn`.
    pub(crate) fn function(self) -> Option<&'a str> {
        let resource = self.body["Resource"].as_str()?;
        resource
            .starts_with(LAMBDA)
            .then(|| self.body["Arguments"]["FunctionName"].as_str().expect("the function's name"))
    }

    pub(crate) fn waits_for_token(self) -> bool {
        self.body["Resource"].as_str().is_some_and(|r| r.ends_with(".waitForTaskToken"))
    }

    pub(crate) fn retriers(self) -> Vec<&'a Value> {
        self.body["Retry"].as_array().map(|all| all.iter().collect()).unwrap_or_default()
    }

    pub(crate) fn catchers(self) -> Vec<&'a Value> {
        self.body["Catch"].as_array().map(|all| all.iter().collect()).unwrap_or_default()
    }
}

/// The names in `ErrorEquals` of retriers or catchers.
pub(crate) fn names(rules: &[&Value]) -> BTreeSet<String> {
    rules
        .iter()
        .flat_map(|rule| rule["ErrorEquals"].as_array().expect("ErrorEquals"))
        .map(text)
        .collect()
}
