"""Pure: records become pictures in SVG."""
