"""The grammar of JSON Schema, as pure functions: where schemas stand, where references lead, which dialect is meant."""
