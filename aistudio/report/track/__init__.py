"""Runs in the trackers that people already use. Each adapter imports its library when it is called, and only then."""
