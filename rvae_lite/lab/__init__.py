"""What a laboratory does with files: distil, train, compare and inspect, from a shell or in scikit-learn's manner."""
