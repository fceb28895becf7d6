"""Benchmarks of dlcore beside its peers. Each prints a table; a figure without its peer in the same table does not count."""
