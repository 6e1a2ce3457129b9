"""What happens inside fit; the only room that knows skorch."""
