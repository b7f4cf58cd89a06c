"""A stand-in of the vendor's virtual try-on API: a real HTTP server that keeps to the vendor's document.

`server.running` serves one in a thread, `cli.sandbox` in the foreground. It shares no code with the client it is
there to check.
"""
