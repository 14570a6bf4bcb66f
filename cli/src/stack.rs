//! Which deployment is asked: names of its table, state machine, bucket, database and job.

use std::collections::BTreeMap;
use std::io::Read;

use clap::Args;
use serde::Deserialize;

use crate::failure::Failure;

/// Files longer than this are not a stack's description.
const MAX_BYTES: u64 = 4 << 20;

/// Where the stack is described, and what is said of it beside.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which stack")]
pub(crate) struct StackOptions {
    /// The stack's outputs, as `aws cloudformation describe-stacks` prints them, or the
    /// stack.json of the local cloud; - for standard input [env: LANDFALL_STACK_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) stack_file: Option<String>,

    /// DynamoDB table of the ledger [env: LANDFALL_LEDGER]
    #[arg(long, value_name = "TABLE")]
    pub(crate) ledger: Option<String>,

    /// ARN of the ingest state machine [env: LANDFALL_STATE_MACHINE]
    #[arg(long, value_name = "ARN")]
    pub(crate) state_machine: Option<String>,

    /// ARN of the backfill state machine [env: LANDFALL_BACKFILL_MACHINE]
    #[arg(long, value_name = "ARN")]
    pub(crate) backfill_machine: Option<String>,

    /// Bucket with the contracts [env: LANDFALL_CONFIG_BUCKET]
    #[arg(long, value_name = "BUCKET")]
    pub(crate) config_bucket: Option<String>,

    /// Glue database of the tables [env: LANDFALL_GLUE_DATABASE]
    #[arg(long, value_name = "DATABASE")]
    pub(crate) glue_database: Option<String>,

    /// Name of the Glue job [env: LANDFALL_GLUE_JOB]
    #[arg(long, value_name = "JOB")]
    pub(crate) glue_job: Option<String>,
}

/// A local cloud, which has its own address and keys that open nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalCloud {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// What is known of the stack. An option counts before the file, the file before a variable.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    options: BTreeMap<&'static str, String>,
    outputs: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    pub(crate) local: Option<LocalCloud>,
}

/// One thing about the stack: what it is, its option, its variable, its output.
type Name = (&'static str, &'static str, &'static str, &'static str);

const LEDGER: Name = ("the ledger's table", "--ledger", "LANDFALL_LEDGER", "LedgerTable");
const STATE_MACHINE: Name =
    ("the state machine", "--state-machine", "LANDFALL_STATE_MACHINE", "StateMachineArn");
const BACKFILL_MACHINE: Name = (
    "the backfill state machine",
    "--backfill-machine",
    "LANDFALL_BACKFILL_MACHINE",
    "BackfillStateMachineArn",
);
const CONFIG_BUCKET: Name =
    ("the config bucket", "--config-bucket", "LANDFALL_CONFIG_BUCKET", "ConfigBucket");
const GLUE_DATABASE: Name =
    ("the Glue database", "--glue-database", "LANDFALL_GLUE_DATABASE", "GlueDatabase");
const GLUE_JOB: Name = ("the Glue job", "--glue-job", "LANDFALL_GLUE_JOB", "GlueJobName");

impl Stack {
    /// Reads the options, the stack file they name, and the process's environment.
    ///
    /// # Errors
    /// When the file cannot be read or describes no stack.
    pub(crate) fn of(options: &StackOptions) -> Result<Self, Failure> {
        let variables =
            std::env::vars().filter(|(name, _)| name.starts_with("LANDFALL_")).collect();
        Self::with_variables(options, variables)
    }

    fn with_variables(
        options: &StackOptions,
        variables: BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let file = options.stack_file.as_ref().or(variables.get("LANDFALL_STACK_FILE")).cloned();
        let mut stack = match file.filter(|path| !path.is_empty()) {
            Some(path) => Self::of_text(&path, &read(&path)?)?,
            None => Self::default(),
        };
        stack.variables = variables;
        for (name, value) in [
            (LEDGER, &options.ledger),
            (STATE_MACHINE, &options.state_machine),
            (BACKFILL_MACHINE, &options.backfill_machine),
            (CONFIG_BUCKET, &options.config_bucket),
            (GLUE_DATABASE, &options.glue_database),
            (GLUE_JOB, &options.glue_job),
        ] {
            stack.options.extend(value.clone().map(|value| (name.1, value)));
        }
        Ok(stack)
    }

    fn of_text(path: &str, text: &str) -> Result<Self, Failure> {
        let unusable = |reason: String| {
            Failure::Usage(format!(
                "{path} describes no stack: {reason}; write it with `aws cloudformation \
                 describe-stacks --stack-name NAME`"
            ))
        };
        match serde_json::from_str(text).map_err(|error| unusable(error.to_string()))? {
            StackFile::Described { stacks } => {
                let described: [DescribedStack; 1] = stacks
                    .try_into()
                    .map_err(|all: Vec<_>| unusable(format!("it has {} stacks", all.len())))?;
                let [stack] = described;
                Ok(Self {
                    outputs: stack.outputs.into_iter().map(|o| (o.key, o.value)).collect(),
                    parameters: stack.parameters.into_iter().map(|p| (p.key, p.value)).collect(),
                    ..Self::default()
                })
            }
            StackFile::Local { outputs, parameters, endpoint, region, keys } => Ok(Self {
                outputs,
                parameters,
                local: endpoint.zip(keys).map(|(endpoint, keys)| LocalCloud {
                    endpoint,
                    region: region.unwrap_or_else(|| "us-east-1".to_owned()),
                    access_key_id: keys.access_key_id,
                    secret_access_key: keys.secret_access_key,
                }),
                ..Self::default()
            }),
        }
    }

    pub(crate) fn ledger(&self) -> Result<String, Failure> {
        self.required(LEDGER)
    }

    pub(crate) fn state_machine(&self) -> Result<String, Failure> {
        let arn = self.required(STATE_MACHINE)?;
        if arn.contains(":stateMachine:") {
            Ok(arn)
        } else {
            Err(Failure::Usage(format!("{arn} is not the ARN of a state machine")))
        }
    }

    pub(crate) fn backfill_machine(&self) -> Result<String, Failure> {
        self.required(BACKFILL_MACHINE)
    }

    /// The landing bucket, where the stack file says so.
    pub(crate) fn landing_bucket(&self) -> Option<String> {
        self.outputs.get("LandingBucket").cloned()
    }

    pub(crate) fn config_bucket(&self) -> Result<String, Failure> {
        self.required(CONFIG_BUCKET)
    }

    pub(crate) fn glue_database(&self) -> Result<String, Failure> {
        self.required(GLUE_DATABASE)
    }

    pub(crate) fn glue_job(&self) -> Result<String, Failure> {
        self.required(GLUE_JOB)
    }

    /// Bytes that the Lambda engine loads at most, where the stack file says so.
    pub(crate) fn lambda_engine_max_bytes(&self) -> Option<u64> {
        self.parameters.get("LambdaEngineMaxBytes").and_then(|digits| digits.parse().ok())
    }

    fn required(&self, (what, option, variable, output): Name) -> Result<String, Failure> {
        let known =
            [self.options.get(option), self.outputs.get(output), self.variables.get(variable)];
        known.into_iter().flatten().find(|value| !value.is_empty()).cloned().ok_or_else(|| {
            Failure::Usage(format!(
                "{what} is not known: name it with {option} or {variable}, or give the stack's \
                 outputs with --stack-file"
            ))
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum StackFile {
    Described {
        #[serde(rename = "Stacks")]
        stacks: Vec<DescribedStack>,
    },
    Local {
        outputs: BTreeMap<String, String>,
        #[serde(default)]
        parameters: BTreeMap<String, String>,
        endpoint: Option<String>,
        region: Option<String>,
        #[serde(flatten)]
        keys: Option<Keys>,
    },
}

#[derive(Debug, Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
}

#[derive(Debug, Deserialize)]
struct DescribedStack {
    #[serde(rename = "Outputs", default)]
    outputs: Vec<Output>,
    #[serde(rename = "Parameters", default)]
    parameters: Vec<Parameter>,
}

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue")]
    value: String,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    #[serde(rename = "ParameterKey")]
    key: String,
    #[serde(rename = "ParameterValue", default)]
    value: String,
}

fn read(path: &str) -> Result<String, Failure> {
    let unreadable = |source| Failure::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    if path == "-" {
        std::io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DESCRIBED: &str = r#"{"Stacks": [{"StackName": "landfall", "Outputs": [
        {"OutputKey": "LedgerTable", "OutputValue": "ledger-1", "Description": "d"},
        {"OutputKey": "StateMachineArn", "OutputValue": "nonsense"}],
        "Parameters": [{"ParameterKey": "LambdaEngineMaxBytes", "ParameterValue": "1000"}]}]}"#;

    #[test]
    fn a_described_stack_says_its_outputs() {
        let stack = Stack::of_text("f", DESCRIBED).unwrap();
        assert_eq!(stack.ledger().unwrap(), "ledger-1");
        assert_eq!(stack.lambda_engine_max_bytes(), Some(1000));
        assert_eq!(stack.local, None);
        assert!(stack.state_machine().unwrap_err().to_string().contains("not the ARN"));
        let missing = stack.config_bucket().unwrap_err().to_string();
        for way in ["--config-bucket", "LANDFALL_CONFIG_BUCKET", "--stack-file"] {
            assert!(missing.contains(way), "{missing}");
        }
    }

    #[test]
    fn a_local_stack_says_where_it_is() {
        let text = r#"{"name": "landfall", "region": "eu-west-1", "outputs": {"LedgerTable": "l"},
            "endpoint": "http://127.0.0.1:4566", "parameters": {}, "processes": {"cloud": 1},
            "access_key_id": "test", "secret_access_key": "test"}"#;
        let local = Stack::of_text("f", text).unwrap().local.unwrap();
        assert_eq!(
            (local.endpoint.as_str(), local.region.as_str()),
            ("http://127.0.0.1:4566", "eu-west-1")
        );
    }

    #[test]
    fn what_is_no_stack_is_refused() {
        for text in ["", "{}", "[]", r#"{"Stacks": []}"#] {
            assert!(matches!(Stack::of_text("f", text), Err(Failure::Usage(_))), "{text}");
        }
    }

    #[test]
    fn an_option_counts_before_the_file_and_the_file_before_a_variable() {
        let variables = [("LANDFALL_LEDGER", "of variable"), ("LANDFALL_GLUE_JOB", "job")];
        let variables: BTreeMap<_, _> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut stack = Stack::of_text("f", DESCRIBED).unwrap();
        stack.variables = variables.clone();
        assert_eq!(stack.ledger().unwrap(), "ledger-1");
        assert_eq!(stack.glue_job().unwrap(), "job");
        let options = StackOptions { ledger: Some("of option".into()), ..StackOptions::default() };
        let stack = Stack::with_variables(&options, variables).unwrap();
        assert_eq!(stack.ledger().unwrap(), "of option");
    }
}
