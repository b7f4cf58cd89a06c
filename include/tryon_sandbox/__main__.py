"""`python -m tryon_sandbox`: the stand-in vendor on its own."""

from tryon_sandbox.cli import app

app()
