"""The engine on a simulated clock, database, broker and sandbox. A seed replays exactly. See docs/design.md."""
