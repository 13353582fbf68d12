"""What jikimi costs, measured on the whole product; `README.md` holds the figures we publish."""
