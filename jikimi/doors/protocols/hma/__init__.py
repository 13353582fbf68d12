"""The HTTP API of Hasher-Matcher-Actioner (HMA): same paths, parameters, shapes and status codes."""
