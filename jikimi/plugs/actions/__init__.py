"""How the platform is told what to do."""
