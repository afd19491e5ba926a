"""What people type: one thin module per group of commands."""
