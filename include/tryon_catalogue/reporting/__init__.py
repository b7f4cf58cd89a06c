"""What people and machines are told of a run: account, notes, alerts, metrics, status, report."""
