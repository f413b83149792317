"""jsonschema-rs's findings as errors in Ajv's shape."""
