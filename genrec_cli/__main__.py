"""`python -m genrec_cli` is `genrec`."""

from genrec_cli.main import main

if __name__ == "__main__":
    main()
