"""`python -m jikimi` is the command."""

from jikimi.cli import main

main()
