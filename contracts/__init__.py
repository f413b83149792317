"""The one door for a caller's JSON Schema: gate, warm checker process, errors in Ajv's shape. Start at `door`."""
