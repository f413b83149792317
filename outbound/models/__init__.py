"""Language models behind endpoints that speak OpenAI's chat completions: one request, its answer, its failures."""
