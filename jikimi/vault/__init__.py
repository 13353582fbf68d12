"""Where evidence lives: bytes are sealed to a key that scanning nodes do not hold, and opened where that key is."""
