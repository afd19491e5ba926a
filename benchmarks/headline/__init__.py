"""One search problem, one budget of training tokens, several ways to spend it."""
