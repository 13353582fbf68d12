"""HTTP to the outside: to programmes whose lists we pull, and for a picture that a caller names by its address."""
