"""What the live tests stand on."""
