"""One self-contained HTML page of what a fitted detector makes of some rows."""
