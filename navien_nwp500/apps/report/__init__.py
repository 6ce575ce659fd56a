"""Reports on recordings: HTML, JSON, Markdown and charts. Needs the extra ``analysis``."""
