//! The Snowflake stand-in as a process, for the local cloud.

use std::fs::{self, OpenOptions};
use std::process::ExitCode;

use landfall_testing::snowflake::{Options, PublicKey, SnowflakeStandIn};

const USAGE: &str = "usage: snowflake-stand-in --port N --public-key FILE --log FILE\n\
                     \n\
                     --port        port on 127.0.0.1; 0 takes a free one\n\
                     --public-key  PEM of the key that signs the tokens\n\
                     --log         each statement is appended to it as one JSON line";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let started = match options(&arguments) {
        Ok(options) => SnowflakeStandIn::start(options).await.map_err(|error| error.to_string()),
        Err(reason) => Err(format!("{reason}\n\n{USAGE}")),
    };
    match started {
        Ok(stand_in) => {
            eprintln!("snowflake-stand-in: listening on {}", stand_in.url());
            stand_in.serve_for_ever().await;
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("snowflake-stand-in: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let (mut port, mut public_key, mut log) = (None, None, None);
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        match name.as_str() {
            "--port" => port = Some(value),
            "--public-key" => public_key = Some(value),
            "--log" => log = Some(value),
            _ => return Err(format!("there is no option {name}")),
        }
    }
    let port = port.ok_or("--port is missing")?;
    let key_file = public_key.ok_or("--public-key is missing")?;
    let log = log.ok_or("--log is missing")?;

    let pem = fs::read_to_string(key_file).map_err(|error| format!("{key_file}: {error}"))?;
    let key = PublicKey::from_pem(&pem).map_err(|reason| format!("{key_file}: {reason}"))?;
    let file = OpenOptions::new().create(true).append(true).open(log);
    Ok(Options {
        port: port.parse().map_err(|_| format!("{port} is not a port"))?,
        log: Some(file.map_err(|error| format!("{log}: {error}"))?),
        ..Options::new(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        options(&arguments).err().unwrap_or_default()
    }

    #[test]
    fn a_bad_command_line_is_told_apart() {
        assert_eq!(refusal(&["--port"]), "--port needs a value");
        assert_eq!(refusal(&["--host", "x"]), "there is no option --host");
        assert_eq!(refusal(&["--port", "1", "--log", "l"]), "--public-key is missing");
        let missing = refusal(&["--port", "1", "--log", "l", "--public-key", "/no/such/file"]);
        assert!(missing.starts_with("/no/such/file: "), "{missing}");
    }
}
