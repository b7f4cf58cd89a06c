"""What people and machines learn of a run: account, notes, alerts, metrics, status, report."""
