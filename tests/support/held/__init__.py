"""Capabilities of every home that wait, in the middle of each call, until the test lets them go on."""
