"""Benchmarks of dlcore beside its peers, in one table: a figure without its peer does not count."""
