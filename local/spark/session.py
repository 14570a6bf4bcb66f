"""A Spark session for tests: two cores, and an Iceberg catalog in memory in the place of Glue's.

The catalog's name, its caching and the Spark settings are those of the job.
"""

import os
import sys
from pathlib import Path
from typing import Any

from local.spark import jars
from local.stack import ROOT

# On two cores hundreds of tiny tasks would take longer than the work.
SMALL = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    # Nothing runs long enough to be worth the optimizing compiler's time.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
}


def start(scratch: Path) -> Any:  # noqa: ANN401 - a SparkSession
    """Starts the session; what Spark spills goes below `scratch`."""
    import ingest
    from pyspark.sql import SparkSession

    # Workers run the same Python, and import the job by its name.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "jobs"), str(ROOT)])
    catalog = f"spark.sql.catalog.{ingest.CATALOG}"
    settings = SMALL | {
        "spark.jars": ",".join(map(str, jars.fetch())),
        "spark.sql.extensions": (
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        ),
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        # It keeps files in memory too; tasks and driver are one process here.
        f"{catalog}.catalog-impl": "org.apache.iceberg.inmemory.InMemoryCatalog",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate()
    return ingest.spark_session()


def stop(spark: Any) -> None:  # noqa: ANN401 - a SparkSession
    """Stops the session and its JVM, and waits until that is over: what ran counts as this
    program's then, as for `time`."""
    java = spark.sparkContext._gateway.proc
    spark.stop()
    # The JVM ends when nobody can tell it anything any more.
    java.stdin.close()
    java.wait(timeout=60)
