"""The moderators' pages. Each route stands in one table with its rule; every page is made on the server."""
