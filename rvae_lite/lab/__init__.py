"""What a laboratory does with files, from a shell or as scikit-learn does: distil, train, compare."""
