"""A contract door for tests in which no checker dies: without the spare, whose start takes as long as a test."""

from schemas.contracts.settings import DoorSettings

NO_SPARE = DoorSettings(spares=0)
