"""`python -m flexrun`."""

from flexrun.cli import app

app()
