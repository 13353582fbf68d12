"""What the doors have in common: answers, error words, keys, bodies."""
