"""What a notebook shows: figures, checked claims, and tables beside the papers'."""
