"""One module for each group of doors; every module has its `ROUTES`."""
