"""What a process tells about itself: metrics and traces. The lowest layer: every other may count something."""
