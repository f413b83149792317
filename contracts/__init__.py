"""Contracts: a caller's JSON Schema, and whether a document satisfies it. Start at `checker`.

`gate` limits what may be compiled, `lint` refuses what its author cannot mean, `process` compiles and checks in a child
of the sandbox (whose pool of processes it is), `ajv` gives the errors Ajv's shape. `grammar` is pure and serves others.
"""
