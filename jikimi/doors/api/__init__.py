"""JSON over HTTP. The description of it is served at `/openapi.json`, made from this code."""
