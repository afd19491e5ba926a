"""A swarm in virtual time, part of which lies: what `benchmarks.bench_liars` runs."""
