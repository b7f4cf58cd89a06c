"""The demo: a night from export to pictures, all on this machine."""
