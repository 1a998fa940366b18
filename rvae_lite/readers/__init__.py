"""Files of anybody, read within limits: nothing runs, leads elsewhere or is guessed in silence."""
