"""The page behind a link, as HTML."""
