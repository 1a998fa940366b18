"""What a laboratory does with files, from a shell or in scikit-learn's manner."""
