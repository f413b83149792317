"""A contract door for tests in which no checker dies: without the spare, whose start takes as long as a test."""

from contracts.config import CheckerConfig

NO_SPARE = CheckerConfig(spares=0)
