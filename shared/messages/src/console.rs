//! Addresses in the AWS console, from the ARN of what they show.

/// The console's host in the partition that the ARN names, for instance `console.aws.amazon.com`.
/// A region in front of it, and a dot, is that region's console.
pub fn host(arn: &str) -> &'static str {
    match arn.split(':').nth(1) {
        Some("aws-cn") => "console.amazonaws.cn",
        Some("aws-us-gov") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    }
}

/// The region that the ARN names; `None` when it names none.
pub fn region(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}

/// An execution's page in the Step Functions console of a region.
pub fn execution_page(execution_arn: &str, region: &str) -> String {
    let host = host(execution_arn);
    format!(
        "https://{region}.{host}/states/home?region={region}#/v2/executions/details/{execution_arn}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_the_partition() {
        let page = |partition: &str, region: &str| {
            execution_page(&format!("arn:{partition}:states:{region}:1:execution:ingest:b"), region)
        };
        assert_eq!(
            page("aws", "eu-west-1"),
            "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1\
             #/v2/executions/details/arn:aws:states:eu-west-1:1:execution:ingest:b"
        );
        for (partition, region, start) in [
            ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
            ("aws-us-gov", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
        ] {
            assert!(page(partition, region).starts_with(start), "{partition}");
        }
        assert_eq!(host("odd"), "console.aws.amazon.com");
    }

    #[test]
    fn a_region_is_named_or_it_is_not() {
        let arn = "arn:aws:states:eu-west-1:1:execution:ingest:b";
        assert_eq!(region(arn), Some("eu-west-1"));
        for without in ["arn:aws:iam::1:role/x", "local", ""] {
            assert_eq!(region(without), None, "{without}");
        }
    }
}
