"""Dashboard: a page with the present and the past of the heaters, served by this program."""
