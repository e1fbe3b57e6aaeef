"""The way of the README's "Deploy it to AWS", walked with the real `sam` against the embedded AWS."""
