"""A contract checker for tests in which no child dies: without the spare, whose start takes as long as a test."""

from contracts.config import CheckerConfig

NO_SPARE = CheckerConfig(spares=0)
