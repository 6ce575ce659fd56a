"""Reports: HTML, JSON, Markdown, charts."""
