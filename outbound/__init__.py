"""Requests to addresses that others name: webhooks, services that do nodes, language models. Guarded, and signed."""
