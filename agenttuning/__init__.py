"""Shared library of the AgentTuning reproduction kit. It knows no task by name."""

__version__ = "0.1.0"
