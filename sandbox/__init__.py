"""Killable child processes for calls on untrusted input, each with a CPU deadline and a memory limit.

Start at `sandbox.sandbox.Sandbox`.
"""
