"""`genrec compare`: trains what is missing, evaluates all, and puts them into one table."""
