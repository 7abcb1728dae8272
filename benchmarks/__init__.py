"""What llmgate costs, beside the libraries it could have been built on. Run `python -m benchmarks`."""
