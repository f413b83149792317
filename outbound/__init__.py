"""Requests to addresses that others name: webhooks, and services that do nodes. Guarded, and signed."""
