"""The data set of the measurement: its columns, its rules, and the contracts that state them.

The peers' programs take names and bounds from here, so that everybody checks the same rules.
"""

from dataclasses import dataclass, field

ORDER_ID = r"^ORD-[0-9]{8}$"
COUNTRY = r"^[A-Z]{2}$"
EMAIL = r"^[a-z0-9._]+@[a-z0-9-]+\.[a-z]{2,10}$"
CUSTOMER_MIN, CUSTOMER_MAX = 1, 9_999_999
AMOUNT_MIN, AMOUNT_MAX = 0, 100_000
WEIGHT_MIN, WEIGHT_MAX = 0.0, 1000.0
QUANTITY_MIN, QUANTITY_STEP = 5, 5
STATUSES = ("new", "paid", "packed", "shipped", "delivered", "returned", "cancelled")
NOTE_MAX = 120

# Text forms of the typed columns, for tools that read text. A regular expression cannot know
# the length of a month: tools that can cast also cast.
DECIMAL_TEXT = r"^-?[0-9]{1,10}(\.[0-9]{1,2})?$"
UUID_TEXT = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
DATE_TEXT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
MOMENT_TEXT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


@dataclass(frozen=True)
class Column:
    """One column: its ODCS types, its `logicalTypeOptions`, and whether it may be null."""

    name: str
    logical: str
    physical: str
    options: dict[str, object] = field(default_factory=dict)
    required: bool = True
    valid_values: tuple[str, ...] = ()


COLUMNS = (
    Column("order_id", "string", "string", {"pattern": ORDER_ID}),
    Column("customer", "integer", "bigint", {"minimum": CUSTOMER_MIN, "maximum": CUSTOMER_MAX}),
    Column("amount", "number", "decimal(12,2)", {"minimum": AMOUNT_MIN, "maximum": AMOUNT_MAX}),
    Column("weight", "number", "double", {"minimum": WEIGHT_MIN, "maximum": WEIGHT_MAX}),
    Column("quantity", "integer", "int", {"minimum": QUANTITY_MIN, "multipleOf": QUANTITY_STEP}),
    Column("gift", "boolean", "boolean"),
    Column("order_date", "date", "date"),
    Column("paid_at", "timestamp", "timestamptz", {"timezone": True}),
    Column("request_id", "string", "uuid"),
    Column("status", "string", "string", valid_values=STATUSES),
    Column("country", "string", "string", {"pattern": COUNTRY}),
    Column("email", "string", "string", {"pattern": EMAIL}),
    Column("note", "string", "string", {"maxLength": NOTE_MAX}, required=False),
)
NAMES = tuple(column.name for column in COLUMNS)
REQUIRED = tuple(column.name for column in COLUMNS if column.required)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # A single-quoted YAML scalar takes everything but the quote itself as it stands.
    return f"'{value}'" if isinstance(value, str) else str(value)


def contract(file_format: str, unique: bool, rules: bool = True) -> str:
    """The ODCS document for files of the format: `csv`, `jsonl` or `parquet`.

    Without `rules` it states types and required columns alone, which a Parquet footer answers.
    """
    lines = [
        "apiVersion: v3.1.0",
        "kind: DataContract",
        "id: orders",
        "name: orders",
        "version: 1.0.0",
        "status: active",
        "servers:",
        "  - server: landing",
        "    type: s3",
        "    location: s3://example-landing/orders/",
        f"    format: {file_format}",
        "schema:",
        "  - name: orders",
        "    physicalName: orders",
        "    logicalType: object",
        "    properties:",
    ]
    for column in COLUMNS:
        lines += [
            f"      - name: {column.name}",
            f"        logicalType: {column.logical}",
            f"        physicalType: {column.physical}",
            f"        required: {_scalar(column.required)}",
        ]
        if unique and column.name == "order_id":
            lines.append("        unique: true")
        # The option that decides the type is no rule on values.
        options = {
            name: value for name, value in column.options.items() if rules or name == "timezone"
        }
        if options:
            lines.append("        logicalTypeOptions:")
            lines += [f"          {name}: {_scalar(value)}" for name, value in options.items()]
        if rules and column.valid_values:
            lines += [
                "        quality:",
                "          - metric: invalidValues",
                f"            arguments: {{validValues: [{', '.join(column.valid_values)}]}}",
                "            mustBe: 0",
            ]
    return "\n".join(lines) + "\n"
